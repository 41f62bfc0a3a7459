"""params.yaml as typed, validated objects: one class per section, unknown keys refused."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    create_model,
    model_validator,
)

from mmx.errors import UserError
from mmx.yamlfile import YamlError, read_yaml

Fraction01 = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0)]
Count = Annotated[int, Field(ge=1)]


class ParamsError(UserError):
    """params.yaml is missing, is not YAML, or has an unknown key or an invalid value."""


@dataclass(frozen=True)
class Birth:
    """Marks a parameter that was added later: `Annotated[str, Birth("tvl1")] = "tvl1"`.

    At its birth value, which means the behaviour before it was added, it is left out of
    fingerprints, so that adding a parameter makes no result stale.
    """

    value: object
    """As JSON data."""


class Section(BaseModel):
    """A section of params.yaml: immutable, without unknown keys, strict about types."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class CollectionParams(Section):
    """What a trailer must satisfy to be in the collection."""

    genres: tuple[str, ...]
    """The vocabulary, in the order of the logits (20 in the paper's section 4.1)."""
    max_labels: Count = 6
    max_seconds: Positive = 1800.0
    """A longer video is rejected."""
    max_pixels: Count = 8192 * 4320
    """A larger frame is rejected."""


class ScenesParams(Section):
    """Scene detection (section 4.1)."""

    detector: Literal["content", "adaptive"] = "content"
    threshold: Positive = 27.0
    """In the detector's own unit: mean HSV change per pixel (content) or its ratio (adaptive)."""
    min_scene_len: Count = 15
    """Frames."""
    drop_first_last: Literal["clip", "frame", "none"] = "clip"


class AudioParams(Section):
    """Audio extraction (section 4.1)."""

    rate: Count = 16000
    """Hertz."""


class FlowParams(Section):
    """Dual TV-L1 optical flow: sampling, size, algorithm (OpenCV's meaning), storage."""

    rate: Literal["native"] | Positive = "native"
    """Frames per second between which flow is computed."""
    pairs_per_clip: Annotated[int, Field(ge=0)] = 0
    """Evenly spaced pairs of consecutive frames per clip; 0 takes every pair."""
    short_side: Annotated[int, Field(ge=16)] = 256
    keep: Literal["full", "crop224"] = "full"
    bound: Positive = 20.0
    """Pixels: flow is clipped to [-bound, bound] before it is quantised to 8 bits."""
    tau: Positive = 0.25
    lambda_: Annotated[float, Field(gt=0.0, alias="lambda")] = 0.15
    theta: Positive = 0.3
    scales: Count = 5
    scale_step: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.8
    warps: Count = 5
    epsilon: Positive = 0.01
    inner_iterations: Count = 30
    outer_iterations: Count = 10
    median_filtering: Literal[1, 3, 5] = 5
    gamma: Annotated[float, Field(ge=0.0)] = 0.0


class ExpertEntry(Section):
    """One embed stage: an expert, and how it is run where that differs from the others."""

    reads: Literal["clips", "flow", "audio"]
    """The artefact that the expert reads. DVC orders the stages by it; it must be what the expert
    declares."""
    modality: Literal["appearance", "scene", "motion", "audio"] | None = None
    """Optional, for readers of the file; it must be what the expert declares."""
    frames_per_clip: Annotated[int, Field(ge=0)] | None = None
    """In place of `embed.frames_per_clip`, for this expert."""
    batch: Count | None = None
    """In place of `embed.batch`, for this expert."""
    rate: Literal["native"] | Positive = "native"
    """Frames per second, by nearest presentation time, from which the samples of a frame expert
    are chosen. Stored flow has `flow.rate`."""

    @model_validator(mode="after")
    def _rate_is_of_frames(self) -> "ExpertEntry":
        if self.rate != "native" and self.reads != "clips":
            raise ValueError("rate is for experts that read frames: flow has flow.rate")
        return self


class EmbedParams(Section):
    """Expert embeddings (section 4.2): which experts, and how they are run."""

    experts: dict[str, ExpertEntry]
    frames_per_clip: Annotated[int, Field(ge=0)] = 0
    """Evenly spaced frames per clip for frame experts; 0 takes every frame."""
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    batch: Count = 32
    """Frames per forward pass, of one shape: an expert of stacks takes as many whole ones, at least
    one; the last batch is padded."""


class SplitParams(Section):
    """The split: shares, seed, and which trailers are in it."""

    train: Fraction01 = 0.8
    validation: Fraction01 = 0.1
    test: Fraction01 = 0.1
    seed: int = 0
    min_clips: Count = 10
    """Trailers with fewer kept clips stay in the store and out of the split."""

    @model_validator(mode="after")
    def _shares_are_whole(self) -> "SplitParams":
        if abs(self.train + self.validation + self.test - 1) > 1e-6:
            raise ValueError("train, validation and test must add up to 1")
        return self


class EvaluateParams(Section):
    """Metrics, maps and the report (section 4)."""

    threshold: Fraction01 = 0.3
    """A genre is predicted when its probability is above (section 7)."""
    neighbours: Count = 10
    components: Annotated[Count, Birth(30)] = 30
    """Principal components of the untrained space that is whitened."""
    resamples: Annotated[Count, Birth(1000)] = 1000
    """Bootstrap drawings of films, for intervals of 95 %."""
    perplexity: Positive = 30.0
    """Of t-SNE; lowered automatically for a small collection."""
    seed: int = 0
    """Of t-SNE."""
    pictured: Annotated[int, Field(ge=0)] = 60
    """Trailers of which the report shows key frames."""
    key_frames: Count = 4
    """Per pictured trailer."""
    frame_width: Annotated[int, Field(ge=16)] = 176
    """Pixels."""


class AblateParams(Section):
    """Ablations (tables 2 and 5, figure 9), off the default path."""

    seeds: Count = 3
    """Trainings per variant: mean and standard deviation are reported."""
    variants: tuple[str, ...] = ()
    """Rows of tables 2 and 5, one stage each."""


class GatingParams(Section):
    """Collaborative gating (section 3.1)."""

    form: Literal["paper", "original"] = "paper"
    """`original` computes it as the published code of collaborative experts does."""
    order: Literal["simultaneous", "sequential"] = "simultaneous"
    include_self: bool = False


class NetvladParams(Section):
    """Pooling of a modality that has several vectors per clip (section 4.2)."""

    clusters: Count = 16
    ghosts: Annotated[int, Field(ge=0)] = 0


class SequenceParams(Section):
    """Sequences of clips (section 5)."""

    length: Count = 9
    """Clips."""
    stride: Count = 9
    """Clips from one start to the next."""
    width: Count = 256


class ModelParams(Section):
    """The network (sections 3 and 7)."""

    modalities: dict[str, tuple[str, ...]] = {
        "appearance": ("senet154",),
        "scene": ("resnet18_places365",),
        "motion": ("i3d_flow",),
        "audio": ("vggish",),
    }
    """The experts that each modality is made of; several are joined side by side."""
    dim: Count = 768
    """Common width of the modalities."""
    netvlad: NetvladParams = NetvladParams()
    fusion: Literal["gated", "concat"] = "gated"
    gating: GatingParams = GatingParams()
    clip: Count = 128
    """Width of a clip's vector."""
    sequence: SequenceParams = SequenceParams()
    aggregate: Literal["concat", "sum"] = "concat"
    slots: Count = 40
    """Number of sequences that `concat` takes."""
    bottleneck: Count = 2048
    """Width of a trailer's embedding."""
    classifier: Count = 1024
    """Hidden width of the classifier."""
    projection: Count = 128
    """Width of the contrastive projection."""
    sequence_head: Literal["none", "probe", "only"] = "probe"
    """Genres per sequence: not at all, beside the trailer's, or instead (section 3.2)."""


class OptimisationParams(Section):
    """What both trainings share (section 4.2)."""

    batch: Count = 32
    """Trailers."""
    seed: int = 0
    keep: Literal["last", "best"] = "last"
    """`best`: the epoch with the best validation score."""
    patience: Annotated[int, Field(ge=0)] = 0
    """Stop after so many epochs without a better one; 0 never stops early."""
    precision: Literal["float32", "bfloat16"] = "float32"
    threads: Count = 2
    """On the CPU. The last bits of a sum depend on it."""
    clip_dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    """Share of a trailer's clips that are left out at random each time; 0 as published."""
    feature_noise: Annotated[float, Field(ge=0.0)] = 0.0
    """Noise added to embeddings, in units of their standard deviations; 0 as published."""


class TrainParams(OptimisationParams):
    """Coarse training on genres (sections 3.2 and 4.2)."""

    epochs: Count = 200
    lr: Positive = 3e-5
    positive_cap: Positive = 10.0
    """Largest weight of a genre's positives in equation 3."""


class FinetuneParams(OptimisationParams):
    """Contrastive fine-tuning (sections 3.3 and 4.2)."""

    epochs: Count = 50
    lr: Positive = 1e-4
    constant_epochs: Annotated[int, Field(ge=0)] = 10
    """Epochs at the full rate, before cosine annealing."""
    loss: Annotated[Literal["simclr", "literal"], Birth("simclr")] = "simclr"
    """Equation 4 with the positive in the denominator, as SimCLR has it, or to the letter, without
    it, which is decoupled contrastive learning."""
    temperature: Positive = 0.5
    pairs: Literal["halves", "random", "shuffled"] = "halves"
    """A trailer's two views: its halves, two random sequences, or its clips dealt at random."""


class RunParams(Section):
    """How work is distributed. Nothing here changes a result."""

    workers: Annotated[int, Field(ge=0)] = 0
    """Processes; 0 means one per core."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda` or `cuda:N`."""
    max_failed: Fraction01 = 0.2
    """A stage fails when a larger share of its items did."""
    ask_above: Annotated[float, Field(ge=0.0)] = 1.0
    """Hours: a stage stops before it recomputes items that are stale only because of code or
    tools, if that would take longer."""


class Params(Section):
    """All of params.yaml."""

    profile: Literal["lite", "paper"]
    collection: CollectionParams
    scenes: ScenesParams
    audio: AudioParams
    flow: FlowParams
    embed: EmbedParams
    split: SplitParams
    model: ModelParams = ModelParams()
    train: TrainParams = TrainParams()
    finetune: FinetuneParams = FinetuneParams()
    evaluate: EvaluateParams = EvaluateParams()
    ablate: AblateParams = AblateParams()
    run: RunParams

    def section(self, key: str) -> Any:
        """Return a section that a step declares."""
        return getattr(self, key)

    def value(self, key: str) -> object:
        """Return the value of a dotted key such as `flow.lambda`, as JSON data."""
        value, _ = self._find(key)
        return _json(value)

    def leaves(self, keys: Iterable[str]) -> dict[str, Any]:
        """Return JSON data by leaf key, of sections and leaf keys; without births.

        A parameter that has its birth value is left out.
        """
        found: dict[str, Any] = {}
        for key in keys:
            value, birth = self._find(key)
            found |= dict(_leaves(key, value, birth))
        return found

    def births(self, keys: Iterable[str]) -> dict[str, Any]:
        """Return the birth value of each leaf key, of sections and leaf keys, that has one."""
        found: dict[str, Any] = {}
        for key in keys:
            value, _ = self._find(key)
            if isinstance(value, Section):
                for name, _, birth in _members(value):
                    found |= {f"{key}.{name}": birth.value} if birth else {}
        return found

    def _find(self, key: str) -> tuple[object, Birth | None]:
        value: object = self
        birth: Birth | None = None
        for part in key.split("."):
            if isinstance(value, Section):
                members = {name: (member, born) for name, member, born in _members(value)}
                value, birth = members.get(part, (None, None))
                known = part in members
            else:
                known = isinstance(value, Mapping) and part in value
                value = value[part] if isinstance(value, Mapping) and known else None
                birth = None
            if not known:
                raise KeyError(f"params.yaml has no key {key!r}")
        return value, birth


def _members(section: Section) -> Iterator[tuple[str, object, Birth | None]]:
    """Yield (key, value, birth) of a section's fields."""
    for name, field in type(section).model_fields.items():
        births = (mark for mark in field.metadata if isinstance(mark, Birth))
        yield field.alias or name, getattr(section, name), next(births, None)


def _json(value: object) -> Any:
    """Return a value of a parameter as JSON data."""
    return TypeAdapter(Any).dump_python(value, mode="json", by_alias=True)


def _leaves(key: str, value: object, birth: Birth | None) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Section):
        for name, member, born in _members(value):
            yield from _leaves(f"{key}.{name}", member, born)
        return
    plain = _json(value)
    if birth is None or plain != birth.value:
        yield key, plain


def load_params(path: Path, sections: Mapping[str, type[Section]] | None = None) -> Params:
    """Read and validate params.yaml; raise ParamsError naming every error.

    sections: additional sections that the file may have, by key.
    """
    try:
        return _model(sections or {}).model_validate(read_yaml(path))
    except FileNotFoundError:
        raise ParamsError(f"{path} does not exist: run mmx in a project's top folder") from None
    except YamlError as error:
        raise ParamsError(str(error)) from None
    except ValidationError as error:
        faults = (
            f"{'.'.join(map(str, fault['loc'])) or 'the file'}: {fault['msg']}"
            for fault in error.errors()
        )
        raise ParamsError(f"{path}: " + "; ".join(faults)) from None


def _model(sections: Mapping[str, type[Section]]) -> type[Params]:
    fields: dict[str, Any] = {name: (section, ...) for name, section in sections.items()}
    return create_model("Params", __base__=Params, **fields) if fields else Params
