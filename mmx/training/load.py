"""Build networks from parameters; save and load models as folders."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from mmx.engine.errors import UserError
from mmx.model.config import GatingConfig, Modality, NetworkConfig
from mmx.model.network import Network
from mmx.params import ModelParams
from mmx.training.curves import Row

WEIGHTS, DESCRIPTION, HISTORY = "model.safetensors", "model.json", "history.json"


class BrokenModelError(UserError):
    """The weights of a trained model are no finite numbers."""


@dataclass(frozen=True)
class ModelDescription:
    """The content of model.json: all that is needed to rebuild the network and its input."""

    config: NetworkConfig
    experts: dict[str, list[str]]
    """By modality."""
    genres: list[str]
    """In the order of the logits."""

    def to_dict(self) -> dict[str, object]:
        """Return plain JSON data."""
        return {
            "network": self.config.to_dict(),
            "experts": self.experts,
            "genres": self.genres,
        }


def configure(params: ModelParams, modalities: Sequence[Modality], classes: int) -> NetworkConfig:
    """Return the configuration by `params` for these inputs and this number of genres."""
    return NetworkConfig(
        modalities=tuple(modalities),
        classes=classes,
        dim=params.dim,
        clusters=params.netvlad.clusters,
        ghosts=params.netvlad.ghosts,
        fusion=params.fusion,
        gating=GatingConfig(**params.gating.model_dump()),
        clip=params.clip,
        sequence_length=params.sequence.length,
        sequence_stride=params.sequence.stride,
        sequence=params.sequence.width,
        slots=params.slots,
        aggregate=params.aggregate,
        bottleneck=params.bottleneck,
        classifier=params.classifier,
        projection=params.projection,
        sequence_head=params.sequence_head,
    )


def new_network(config: NetworkConfig, seed: int) -> Network:
    """Build a network with initial weights that depend only on `seed`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Network(config)


def save_model(
    folder: Path, network: Network, description: ModelDescription, history: Sequence[Row], kept: int
) -> None:
    """Write a model: weights, description, and the history with the epoch that was kept."""
    weights = {name: tensor.contiguous().cpu() for name, tensor in network.state_dict().items()}
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
    _write_json(folder / DESCRIPTION, description.to_dict())
    _write_json(folder / HISTORY, {"kept_epoch": kept, "epochs": list(history)})


def load_description(folder: Path) -> ModelDescription:
    """Read model.json."""
    data = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    return ModelDescription(
        NetworkConfig.from_dict(data["network"]), data["experts"], list(data["genres"])
    )


def load_network(folder: Path) -> Network:
    """Rebuild a network on the CPU, in evaluation mode."""
    network = Network(load_description(folder).config)
    state = load_file(folder / WEIGHTS)
    odd = [
        name
        for name, value in state.items()
        if value.is_complex() or not torch.isfinite(value.float()).all()
    ]
    if odd:
        raise BrokenModelError(
            f"{folder.name}/{WEIGHTS} has NaN, infinity or complex numbers in {odd[0][:100]}: "
            "it was not trained as it is, `mmx verify` says more"
        )
    network.load_state_dict(state)
    return network.eval()


def _write_json(path: Path, data: object) -> None:
    """Write indented JSON."""
    path.write_text(json.dumps(data, indent=1, allow_nan=False) + "\n", encoding="utf-8")
