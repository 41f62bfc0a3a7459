"""Run a network on every trailer of a collection."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from mmx.model.network import Network, Output
from mmx.training.data import Collection
from mmx.training.errors import CollectionError
from mmx.training.machine import reproducible


@dataclass(frozen=True)
class Embedded:
    """Embeddings and logits of some trailers, in their order. All float32."""

    ids: list[str]
    trailer: np.ndarray
    """[trailers, width]: what they are compared by, see `Encoded.embedding`."""
    logits: np.ndarray
    """[trailers, genres]."""
    sequences: np.ndarray
    """[sequences, width]."""
    sequence_logits: np.ndarray | None
    """[sequences, genres]; None if the network has no sequence head."""
    sequence_trailer: np.ndarray
    """int64 [sequences]: position of the trailer."""
    sequence_start: np.ndarray
    """int64 [sequences]: first clip, counted within the trailer."""
    sequence_stop: np.ndarray
    """int64 [sequences]: one past the last clip."""
    clips: np.ndarray
    """[clips, width], all trailers concatenated."""
    clip_trailer: np.ndarray
    """int64 [clips]: position of the trailer."""


def embed_collection(
    network: Network,
    collection: Collection,
    members: Sequence[int] | np.ndarray | None = None,
    *,
    device: torch.device | str = "cpu",
) -> Embedded:
    """Embed trailers one at a time, so that results do not depend on the other trailers.

    Args:
        network: any network for the collection's modalities; moved to `device`.
        collection: the trailers.
        members: their positions; all by default.
        device: on the CPU one thread is used.

    Raises:
        CollectionError: the collection lacks a modality of the network.
    """
    check_fit(network, collection)
    chosen = range(len(collection.ids)) if members is None else [int(one) for one in members]
    with reproducible(threads=1):
        outputs = list(_outputs(network, collection, chosen, torch.device(device)))
    return _join([collection.ids[member] for member in chosen], outputs)


def classify_clips(network: Network, collection: Collection) -> np.ndarray | None:
    """Return the sequence head's logits of every clip on its own, float32 [clips, genres].

    None if the network has no sequence head. On the CPU, one trailer at a time.
    """
    if network.sequence_head is None:
        return None
    rows = []
    with reproducible(threads=1), torch.inference_mode():
        network.cpu().eval()
        for member in range(len(collection.ids)):
            alone = [np.array([clip]) for clip in collection.clips_of(member)]
            logits = network(collection.batch(alone)).sequence_logits
            assert logits is not None
            rows.append(logits)
    return _stack(rows)


def check_fit(network: Network, collection: Collection) -> None:
    """Raise CollectionError unless the collection has the modalities of the network."""
    found = {modality.name: modality for modality in collection.modalities}
    for wanted in network.config.modalities:
        if found.get(wanted.name) != wanted:
            raise CollectionError(
                f"the model takes {wanted.name} of width {wanted.width}"
                f"{' over time' if wanted.sequence else ''}, but the features do not have it"
            )


@torch.inference_mode()
def _outputs(
    network: Network, collection: Collection, members: Sequence[int], device: torch.device
) -> Iterator[Output]:
    """Run the network in evaluation mode on one trailer after the other."""
    network.to(device).eval()
    for member in members:
        yield network(collection.trailers([member]).to(device))


def _join(ids: list[str], outputs: list[Output]) -> Embedded:
    """Concatenate the trailers."""
    heads = [one.sequence_logits for one in outputs if one.sequence_logits is not None]
    positions = np.arange(len(ids))
    return Embedded(
        ids=ids,
        trailer=_stack([one.embedding for one in outputs]),
        logits=_stack([one.logits for one in outputs]),
        sequences=_stack([one.sequences for one in outputs]),
        sequence_logits=_stack(heads) if heads else None,
        sequence_trailer=np.repeat(positions, [len(one.sequences) for one in outputs]),
        sequence_start=_stack([one.spans.start for one in outputs]),
        sequence_stop=_stack([one.spans.stop for one in outputs]),
        clips=_stack([one.clips for one in outputs]),
        clip_trailer=np.repeat(positions, [len(one.clips) for one in outputs]),
    )


def _stack(tensors: list[torch.Tensor]) -> np.ndarray:
    """Concatenate tensors to an array."""
    return torch.cat(tensors).cpu().numpy()
