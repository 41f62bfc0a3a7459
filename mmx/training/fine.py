"""Contrastive fine-tuning with two views of every trailer (equations 4 and 5)."""

import math
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import silhouette_score

from mmx.model.batch import Batch
from mmx.model.losses import CONTRASTS
from mmx.model.network import Network
from mmx.params import FinetuneParams
from mmx.training.coarse import training_members
from mmx.training.curves import Row
from mmx.training.data import Collection
from mmx.training.embed import check_fit
from mmx.training.errors import CollectionError
from mmx.training.machine import find_device, mixed, reproducible
from mmx.training.pooled import whiten
from mmx.training.run import Goal, Run, Trained, chunks, mean_loss
from mmx.training.views import augment, halves, make_pair, side_by_side


def finetune(
    network: Network,
    collection: Collection,
    params: FinetuneParams,
    *,
    device: str = "auto",
    scratch: Path | None = None,
    every_s: float = 30.0,
    live: Path | None = None,
) -> Trained:
    """Fine-tune a coarse network in place on the split `train`, without labels.

    With `params.trains: pooled` the network stays as it is and gets a space of mean features, which
    is trained instead: trailers are compared by it from then on. The history begins with epoch 0,
    before training, and has the silhouette of figure 6.

    Args:
        network: a trained network.
        collection: trailers with splits; the labels are used for the silhouette only.
        params: how to fine-tune.
        device: `auto`, `cpu`, `cuda` or `cuda:N`.
        scratch: folder for a checkpoint; an interrupted training continues from it.
        every_s: least seconds between two checkpoints.
        live: folder for the curves that dvclive writes.

    Raises:
        CollectionError: too few trailers, a trailer with a single clip, or the wrong modalities.
    """
    check_fit(network, collection)
    members, watched = training_members(collection)
    _require_pairs(collection, np.concatenate([members, watched]))
    target, length = find_device(device), network.config.sequence_length
    goal = Goal("finetune", params.epochs, params.lr, "validation_loss", -1)
    with reproducible(params.threads):
        network.to(target)
        if params.trains == "pooled":
            whiten(network, collection, members, params.width)
        run = Run(network, collection, goal, params, scratch=scratch, every_s=every_s, live=live)
        if not run.history:
            run.record({"epoch": 0, **measure(network, collection, watched, params)})
        for epoch in run.epochs():
            network.train()
            run.set_rate(learning_rate(epoch, params))
            for chosen in run.batches(members):
                whole = [collection.clips_of(trailer) for trailer in chosen]
                pairs = [make_pair(clips, length, params, run.generator) for clips in whole]
                views = side_by_side(pairs)
                batch = augment(collection, views, network.scales, params, run.generator)
                with mixed(target, params.precision):
                    loss = contrast(network, batch.to(target), collection.films[chosen], params)
                run.step(loss)
                run.add_loss(loss, len(chosen))
            watch = measure(network, collection, watched, params)
            run.record({"epoch": epoch, "train_loss": run.mean_loss(), **watch})
        return run.finish()


def _require_pairs(collection: Collection, members: np.ndarray) -> None:
    """Raise CollectionError if one of these trailers cannot be cut in two."""
    short = [collection.ids[i] for i in members if collection.lengths[i] < 2]
    if short:
        raise CollectionError(
            f"two halves need two clips, {', '.join(short[:5])} has one: raise min_clips to 2"
        )


def learning_rate(epoch: int, params: FinetuneParams) -> float:
    """Rate of an epoch (from 1): constant at first, then half a cosine towards 0."""
    annealed = epoch - 1 - params.constant_epochs
    if annealed < 0:
        return params.lr
    span = params.epochs - params.constant_epochs
    return params.lr * 0.5 * (1 + math.cos(math.pi * annealed / span))


def contrast(
    network: Network, views: Batch, films: np.ndarray, params: FinetuneParams
) -> torch.Tensor:
    """Loss of a batch: its first half has the first views, its second half the second views.

    films: int64 [trailers]; a trailer of the same film is nothing to be told apart from.
    """
    pooled = network.pool(views)
    projected = network.project(network.encode(views).trailer) if pooled is None else pooled
    first, second = projected.chunk(2)
    return CONTRASTS[params.loss](first, second, params.temperature, torch.from_numpy(films))


@torch.inference_mode()
def measure(
    network: Network, collection: Collection, watched: np.ndarray, params: FinetuneParams
) -> Row:
    """Loss on the halves of the trailers `watched`, and silhouette by primary genre over all."""
    network.eval()
    device = next(network.parameters()).device
    losses = []
    for chunk in chunks(watched, params.batch):
        views = side_by_side([halves(collection.clips_of(trailer)) for trailer in chunk])
        batch = collection.batch(views).to(device)
        loss = contrast(network, batch, collection.films[chunk], params)
        losses.append((loss, len(chunk)))
    everyone = chunks(np.arange(len(collection.ids)), params.batch)
    trailers = [network.encode(collection.trailers(c).to(device)).embedding for c in everyone]
    embeddings = torch.cat(trailers).cpu().numpy()
    return {
        "validation_loss": mean_loss(losses),
        "silhouette": silhouette(embeddings, collection.primary),
    }


def silhouette(embeddings: np.ndarray, primary: np.ndarray) -> float | None:
    """Silhouette by cosine distance of [trailers, width], grouped by primary genre.

    Trailers without a primary genre (-1) are left out. None if all have the same, or all differ.
    """
    known = primary >= 0
    groups = len(np.unique(primary[known]))
    if not 2 <= groups < known.sum():
        return None
    return float(silhouette_score(embeddings[known], primary[known], metric="cosine"))
