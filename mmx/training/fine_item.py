"""Fine-tuning as a step of one item: read the pipeline's tables, write a model."""

from dataclasses import replace
from pathlib import Path

from mmx.params import FinetuneParams
from mmx.training.data import read_collection
from mmx.training.fine import finetune
from mmx.training.load import load_description, load_network, save_model
from mmx.training.run import facts


def finetune_item(
    *,
    coarse: Path,
    features: Path,
    trailers: Path,
    splits: Path,
    params: FinetuneParams,
    out: Path,
    scratch: Path | None = None,
    device: str = "auto",
    live: Path | None = None,
) -> dict[str, int]:
    """Fine-tune the coarse model in the folder `coarse` into `out`; see `coarse_item`."""
    description = load_description(coarse)
    collection = read_collection(
        features, trailers, splits, description.experts, description.genres
    )
    trained = finetune(
        load_network(coarse), collection, params, device=device, scratch=scratch, live=live
    )
    described = replace(description, config=trained.network.config)
    save_model(out, trained.network, described, trained.history, trained.kept)
    return facts(collection, trained)
