"""Coarse training: genres, by the weighted binary cross-entropy of equation 3."""

from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import average_precision_score

from mmx.model.config import NetworkConfig
from mmx.model.losses import positive_weights, weighted_bce
from mmx.model.network import Network, Output
from mmx.params import TrainParams
from mmx.training.curves import Row
from mmx.training.data import Collection, standards
from mmx.training.embed import check_fit
from mmx.training.errors import CollectionError
from mmx.training.load import new_network
from mmx.training.machine import find_device, mixed, reproducible
from mmx.training.run import Goal, Run, Trained, chunks
from mmx.training.views import augment


def train(
    collection: Collection,
    config: NetworkConfig,
    params: TrainParams,
    *,
    device: str = "auto",
    scratch: Path | None = None,
    every_s: float = 30.0,
    live: Path | None = None,
) -> Trained:
    """Train a network on the collection's split `train`, measuring on `validation`.

    Args:
        collection: trailers with labels and splits.
        config: the network, for the collection's modalities.
        params: how to train.
        device: `auto`, `cpu`, `cuda` or `cuda:N`.
        scratch: folder for a checkpoint; an interrupted training continues from it.
        every_s: least seconds between two checkpoints.
        live: folder for the curves that dvclive writes.

    Raises:
        CollectionError: too few trailers, or the wrong modalities.
    """
    members, watched = training_members(collection)
    labels = torch.from_numpy(collection.labels)
    target = find_device(device)
    goal = Goal("train", params.epochs, params.lr, "validation_ap_micro", +1)
    with reproducible(params.threads):
        network = new_network(config, params.seed)
        check_fit(network, collection)
        network.standardise(standards(collection, members))
        positive = positive_weights(labels[members], params.positive_cap).to(target)
        network.to(target)
        run = Run(network, collection, goal, params, scratch=scratch, every_s=every_s, live=live)
        for epoch in run.epochs():
            network.train()
            for chosen in run.batches(members):
                views = [collection.clips_of(trailer) for trailer in chosen]
                batch = augment(collection, views, network.scales, params, run.generator)
                with mixed(target, params.precision):
                    output = network(batch.to(target))
                truth = labels[chosen].to(target)
                loss, beside = coarse_losses(output, truth, positive, config)
                run.step(loss + beside)
                run.add_loss(loss, len(chosen))
            watch = validate(network, collection, watched, labels, positive, params.batch)
            run.record({"epoch": epoch, "train_loss": run.mean_loss(), **watch})
        return run.finish()


def training_members(collection: Collection) -> tuple[np.ndarray, np.ndarray]:
    """Positions of training and validation trailers; raise CollectionError if too few."""
    members, watched = collection.members("train"), collection.members("validation")
    if len(members) < 2 or len(watched) < 1:
        raise CollectionError(
            "training needs at least 2 trailers to train on and 1 for validation, "
            f"the split has {len(members)} and {len(watched)}: add trailers or lower min_clips"
        )
    return members, watched


def coarse_losses(
    output: Output, labels: torch.Tensor, positive: torch.Tensor, config: NetworkConfig
) -> tuple[torch.Tensor, torch.Tensor]:
    """Equation 3 for the network's variant: the loss, and the separate loss of a probe.

    Trailers are compared with their labels, sequences with the labels of their trailer.

    Args:
        output: of a batch of trailers.
        labels: 0 or 1, [trailers, genres].
        positive: p_g, [genres].
        config: the network's.
    """
    of_trailers = weighted_bce(output.logits, labels, positive)
    if output.sequence_logits is None:
        return of_trailers, torch.zeros_like(of_trailers)
    repeated = labels[output.spans.trailer.to(labels.device)]
    of_sequences = weighted_bce(output.sequence_logits, repeated, positive)
    if config.sequence_head == "only":
        return of_sequences, torch.zeros_like(of_sequences)
    return of_trailers, of_sequences


@torch.inference_mode()
def validate(
    network: Network,
    collection: Collection,
    members: np.ndarray,
    labels: torch.Tensor,
    positive: torch.Tensor,
    batch: int,
) -> Row:
    """Loss of the trailers' logits and average precision, micro and macro, over `members`.

    The macro average leaves out genres without positives; None if there are no positives at all.
    """
    network.eval()
    device = positive.device
    outputs = [network(collection.trailers(c).to(device)) for c in chunks(members, batch)]
    logits = torch.cat([output.logits for output in outputs])
    truth = labels[members]
    loss = weighted_bce(logits, truth.to(device), positive)
    micro, macro = average_precision(truth.numpy(), logits.float().cpu().numpy())
    return {
        "validation_loss": float(loss),
        "validation_ap_micro": micro,
        "validation_ap_macro": macro,
    }


def average_precision(
    truth: np.ndarray, scores: np.ndarray
) -> tuple[float, float] | tuple[None, None]:
    """Micro and macro average precision; None if no trailer has any genre.

    Args:
        truth: 0 or 1, [trailers, genres].
        scores: any increasing function of the probabilities, [trailers, genres].
    """
    found = truth.any(0)
    if not found.any():
        return None, None
    micro = average_precision_score(truth.ravel(), scores.ravel())
    macro = average_precision_score(truth[:, found], scores[:, found], average="macro")
    return float(micro), float(macro)
