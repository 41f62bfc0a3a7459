"""Coarse training as a step of one item: read the pipeline's tables, write a model."""

from collections.abc import Sequence
from pathlib import Path

from mmx.params import ModelParams, TrainParams
from mmx.training.coarse import train
from mmx.training.data import read_collection
from mmx.training.load import ModelDescription, configure, save_model
from mmx.training.run import facts


def coarse_item(
    *,
    features: Path,
    trailers: Path,
    splits: Path,
    genres: Sequence[str],
    model: ModelParams,
    train_params: TrainParams,
    out: Path,
    scratch: Path | None = None,
    device: str = "auto",
    live: Path | None = None,
) -> dict[str, int]:
    """Train a coarse model into `out`.

    Args:
        features: folder of the feature store.
        trailers: trailers.parquet.
        splits: splits.parquet.
        genres: the vocabulary, in the order of the logits.
        model: the network.
        train_params: how to train.
        out: empty folder; gets model.safetensors, model.json, history.json.
        scratch: folder for a checkpoint, to continue an interrupted training.
        device: `auto`, `cpu`, `cuda` or `cuda:N`.
        live: folder for the curves that dvclive writes.

    Returns:
        Number of trailers of each split, epochs run, epoch kept.

    Raises:
        CollectionError: the collection cannot be trained on.
    """
    collection = read_collection(features, trailers, splits, model.modalities, genres)
    config = configure(model, collection.modalities, len(genres))
    trained = train(collection, config, train_params, device=device, scratch=scratch, live=live)
    experts = {name: list(members) for name, members in model.modalities.items()}
    description = ModelDescription(config, experts, list(genres))
    save_model(out, trained.network, description, trained.history, trained.kept)
    return facts(collection, trained)
