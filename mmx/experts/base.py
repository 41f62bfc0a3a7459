"""What an expert is: typed data about its input, its weights and its vector, and its network.

An expert's file declares one `Expert` and imports torch only inside functions, so that listing,
planning and fetching weights take less than a second. Its network is a `torch.nn.Module` that maps
one float32 batch of preprocessed samples to float32 (B, width):

- `Frames`: (B, C, H, W) in channels-last memory;
- `Stacks`: (B, C, L, H, W) in channels-last memory;
- `Patches`: log-mel (B, 1, frames, bands).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mmx.errors import UserError
from mmx.experts.preprocess import Preprocess
from mmx.experts.sampling import Sampling

if TYPE_CHECKING:
    from torch import nn

Modality = Literal["appearance", "scene", "motion", "audio"]
Reads = Literal["clips", "flow", "audio"]


class ExpertError(UserError):
    """A declaration that contradicts itself, or a name that is not registered."""


@dataclass(frozen=True)
class Digest:
    """A published digest of a file: which kind it is, and its value."""

    kind: Literal["sha256", "sha256_prefix", "git_blob"]
    """The whole sha256, its first hexadecimal digits, or git's sha1 of a blob."""
    value: str
    """Lower-case hexadecimal."""


@dataclass(frozen=True)
class Source:
    """One address of a checkpoint. The bytes at a mirror may differ."""

    url: str
    """Address of the file itself."""
    digest: Digest | None
    """None where none is published: then pinned on first use, and refused when it changes."""
    size: int | None
    """Bytes, exact or estimated as four per value: shown before a download; None if unknown."""


@dataclass(frozen=True)
class Checkpoint:
    """Published weights that have to be downloaded."""

    file: str
    """Name in the folder of weights."""
    sources: tuple[Source, ...]
    """The author's own first, then mirrors."""
    licence: str
    """Of the weights, which may differ from the code's; `unknown` where none is stated."""
    format: Literal["torch", "torch_latin1", "safetensors"]
    """How the bytes are read; `torch_latin1` is a pickle written by Python 2. None is executed."""
    trained_on: str
    """Data set and labels, in a few words."""


@dataclass(frozen=True)
class Packaged:
    """Weights that an installed package carries: nothing to fetch."""

    file: str
    """Name by which `Expert.load` asks for the file."""
    package: str
    """The importable package."""
    path: str
    """Of the file, within the package."""
    sha256: str
    """Of the file, checked before it is loaded."""
    licence: str
    """Of the weights."""
    trained_on: str
    """Data set and labels, in a few words."""


Weights = Checkpoint | Packaged


@dataclass(frozen=True)
class About:
    """What describes an expert without affecting its arithmetic.

    An expert's file declares it under the name `ABOUT`, which the digest of its code leaves out: a
    summary, a licence or an address can be corrected without making a row stale. Weights are in the
    fingerprint by the digest of their bytes.
    """

    summary: str
    """One sentence for lists and cards."""
    paper_width: int | None
    """The width in the paper's section 4.2; None where the paper does not have this expert."""
    weights: tuple[Weights, ...] = ()
    """The source and licence of each file of weights."""


@dataclass(frozen=True)
class Expert:
    """A pre-trained network or descriptor (Psi in the paper) of one modality."""

    name: str
    """Name in params.yaml and in the store."""
    modality: Modality
    """The modality of its input."""
    reads: Reads
    """The artefact it reads: frames of the video's clips, stored flow, or sound."""
    width: int
    """Of the embedding as it is stored."""
    sequence: bool
    """True: T x width per clip (one row per sample); False: the mean over the samples."""
    sampling: Sampling
    """Which samples of a clip are its input."""
    preprocess: Preprocess
    """How samples are prepared."""
    weights: tuple[Weights, ...]
    """Empty for a descriptor, which has no weights."""
    network: Callable[[], nn.Module]
    """Builds the network without weights, ending in the embedding."""
    load: Callable[[nn.Module, Mapping[str, Path]], None] | None
    """Loads weights (file name -> path) strictly into it; None for a descriptor."""
    tools: tuple[str, ...]
    """Distributions whose version may change the result."""
    about: About
    """Its description."""
    settings: tuple[tuple[str, bool], ...] = ()
    """Switches of the network (name, on or off), recorded with the rest."""

    def __post_init__(self) -> None:
        """Refuse a declaration that contradicts itself."""
        if bool(self.weights) != (self.load is not None):
            raise ExpertError(f"{self.name}: weights and a way to load them come together")

    @property
    def summary(self) -> str:
        """One sentence for lists and cards."""
        return self.about.summary

    @property
    def paper_width(self) -> int | None:
        """Its width in the paper; None where the paper does not have this expert."""
        return self.about.paper_width

    def build(self, weights: Mapping[str, Path] | None = None) -> nn.Module:
        """Return the network in evaluation mode; without `weights` as it is initialised."""
        network = self.network()
        if self.load is not None and weights is not None:
            missing = [each.file for each in self.weights if each.file not in weights]
            if missing:
                raise ExpertError(f"{self.name}: no path is given for {', '.join(missing)}")
            self.load(network, weights)
        return network.eval().requires_grad_(False)

    def describe(self) -> dict[str, Any]:
        """Return the declaration as JSON data, without the functions."""
        declared = {field.name for field in fields(self)} - {"network", "load", "about"}
        names = sorted(declared | {"summary", "paper_width"})
        return {name: _json_data(getattr(self, name)) for name in names}


def _json_data(value: Any) -> Any:
    """Return tuples as lists and dataclasses as dictionaries with their `kind`, recursively."""
    if is_dataclass(value):
        parts = {field.name: _json_data(getattr(value, field.name)) for field in fields(value)}
        return {"kind": type(value).__name__, **parts}
    return [_json_data(part) for part in value] if isinstance(value, tuple) else value
