"""params.yaml as typed, validated objects: one class per section, unknown keys refused."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    model_validator,
)

from mmx.bounds import (
    NUMBER,
    Fraction01,
    Name,
    Natural,
    Positive,
    Seed,
    Size,
    Vocabulary,
    Width,
)
from mmx.errors import UserError


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

    model_config = ConfigDict(
        extra="forbid", frozen=True, populate_by_name=True, allow_inf_nan=False
    )


class CollectionParams(Section):
    """What a trailer must satisfy to be in the collection."""

    genres: Vocabulary
    """The vocabulary, in the order of the logits (20 in the paper's section 4.1)."""
    aliases: Annotated[dict[str, str], Birth({})] = {}
    """Other names of genres -> the vocabulary's."""
    unknown_genres: Annotated[Literal["reject", "drop"], Birth("reject")] = "reject"
    """What becomes of a row with a genre that is in neither: rejected, or without that genre."""
    max_labels: Annotated[int, NUMBER, Field(ge=1, le=100)] = 6
    """A trailer with more genres is rejected."""
    max_seconds: Positive = 1800.0
    """A longer video is rejected."""
    max_pixels: Annotated[int, NUMBER, Field(ge=1, le=1 << 28)] = 8192 * 4320
    """A larger frame is rejected."""
    max_aspect: Annotated[float, NUMBER, Field(ge=1.0, le=1000.0)] = 10.0
    """A frame or pixel whose longer side is more than that by the shorter is rejected."""
    max_total_pixels: Annotated[float, NUMBER, Field(gt=0.0, le=1e15)] = 2.5e11
    """A video with more pixels in all its frames together is rejected."""
    max_rate: Annotated[float, NUMBER, Field(gt=0.0, le=1e6)] = 300.0
    """A video with more frames per second, on average, is rejected."""
    max_repeats: Annotated[int, NUMBER, Field(ge=0, le=10**6)] = 100
    """A video whose index names more frames twice is rejected."""
    max_sound_rate: Annotated[int, NUMBER, Field(ge=1, le=10**8)] = 384_000
    """Hertz; sound with more samples per second is rejected."""
    max_channels: Annotated[int, NUMBER, Field(ge=1, le=64)] = 24
    """Sound with more channels is rejected."""
    max_concealed: Fraction01 = 0.01
    """A video is rejected if a larger share of its frames, or of the packets of its sound, is
    damaged or missing."""
    cpu_seconds_per_mb: Annotated[float, NUMBER, Field(gt=0.0, le=1e6)] = 20.0
    """CPU seconds that reading a video may take in a step per megabyte, beside a minute for any."""
    max_memory_gb: Annotated[float, NUMBER, Field(ge=0.5, le=1024.0)] = 4.0
    """Memory that reading one video may take in a step, in units of 2^30 bytes."""

    @model_validator(mode="after")
    def _aliases_name_genres(self) -> "CollectionParams":
        for alias, genre in self.aliases.items():
            if genre not in self.genres:
                raise ValueError(f"aliases: {alias!r} stands for {genre!r}, which is no genre")
            if alias in self.genres:
                raise ValueError(f"aliases: {alias!r} is a genre itself")
        return self


class ScenesParams(Section):
    """Scene detection (section 4.1)."""

    detector: Literal[
        "content", "content-0.5", "adaptive", "threshold", "histogram", "transnetv2"
    ] = "content"
    """Of cuts (docs/detectors.md): all but `transnetv2`, a network, are PySceneDetect's."""
    threshold: Positive = 27.0
    """In the detector's own unit: mean HSV change per pixel (content), its ratio (adaptive), mean
    value of a dark frame (threshold), 1 - correlation (histogram), probability (transnetv2)."""
    min_scene_len: Size = 15
    """Frames of the shortest shot."""
    filter: Annotated[Literal["merge", "suppress"], Birth("merge")] = "merge"
    """What becomes of cuts that follow each other too soon: a burst of them is merged into one at
    its end, or all but the first are left out (content)."""
    luma_only: Annotated[bool, Birth(False)] = False
    """Only changes of brightness count (content, adaptive)."""
    window_width: Annotated[Size, Birth(2)] = 2
    """Neighbours on each side with which a frame is compared (adaptive)."""
    min_content_val: Annotated[float, NUMBER, Field(ge=0.0, le=255.0), Birth(15.0)] = 15.0
    """Least mean HSV change of a cut (adaptive)."""
    bins: Annotated[int, NUMBER, Field(ge=2, le=256), Birth(256)] = 256
    """Of the histogram."""
    fade_bias: Annotated[float, NUMBER, Field(ge=-1.0, le=1.0), Birth(0.0)] = 0.0
    """Where a shot begins between fade-out and fade-in: -1 to 1 (threshold)."""
    drop_first_last: Literal["clip", "frame", "none"] = "clip"
    """What is left out: the first and last clip, those frames of each clip, or nothing."""


class AudioParams(Section):
    """Audio extraction (section 4.1)."""

    rate: Annotated[int, NUMBER, Field(ge=1, le=768_000)] = 16000
    """Samples per second of the stored sound."""


class FlowParams(Section):
    """Dual TV-L1 optical flow: sampling, size, algorithm (OpenCV's meaning), storage."""

    rate: Literal["native"] | Positive = "native"
    """Frames per second between which flow is computed."""
    pairs_per_clip: Natural = 0
    """Evenly spaced pairs of consecutive frames per clip; 0 takes every pair."""
    short_side: Annotated[int, NUMBER, Field(ge=16, le=8192)] = 256
    """Pixels of the shorter side of the pictures that flow is computed of."""
    keep: Literal["full", "crop224"] = "full"
    """What is stored: the whole picture, or its middle 224 by 224 pixels."""
    bound: Positive = 20.0
    """Pixels: flow is clipped to [-bound, bound] before it is quantised to 8 bits."""
    tau: Positive = 0.25
    """Time step of the dual's ascent."""
    lambda_: Annotated[Positive, Field(alias="lambda")] = 0.15
    """Weight of the data term: smaller is smoother."""
    theta: Positive = 0.3
    """Tightness of the coupling between both terms."""
    scales: Annotated[int, NUMBER, Field(ge=1, le=64)] = 5
    """Levels of the pyramid, at most."""
    scale_step: Annotated[float, NUMBER, Field(ge=1e-6, lt=1.0)] = 0.8
    """Size of a level by that of the finer one."""
    warps: Size = 5
    """How often a level is warped by the flow so far."""
    epsilon: Positive = 0.01
    """Change, by pixel, below which a warping's iterations stop."""
    inner_iterations: Size = 30
    """Iterations between two medians."""
    outer_iterations: Size = 10
    """Rounds of iterations within a warping."""
    median_filtering: Literal[1, 3, 5] = 5
    """Side of the median filter, in pixels; 1: none."""
    gamma: Annotated[float, NUMBER, Field(ge=0.0, le=1e9)] = 0.0
    """Weight of changes in illumination; 0: none are modelled."""


class ExpertEntry(Section):
    """One embed stage: an expert, and how it is run where that differs from the others."""

    reads: Literal["clips", "flow", "audio"]
    """The artefact that the expert reads. DVC orders the stages by it; it must be what the expert
    declares."""
    modality: Literal["appearance", "scene", "motion", "audio"] | None = None
    """Optional, for readers of the file; it must be what the expert declares."""
    frames_per_clip: Natural | None = None
    """In place of `embed.frames_per_clip`, for this expert."""
    batch: Width | None = None
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

    experts: Annotated[dict[Name, ExpertEntry], Field(min_length=1)]
    """By name, each with what it reads; one stage each."""
    frames_per_clip: Natural = 0
    """Evenly spaced frames per clip for frame experts; 0 takes every frame."""
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    """Of the networks' arithmetic."""
    batch: Width = 32
    """Frames per forward pass, of one shape: an expert of stacks takes as many whole ones, at least
    one; the last batch is padded."""


class SplitParams(Section):
    """The split: shares, seed, and which trailers are in it."""

    train: Fraction01 = 0.8
    """Share of the films that are trained on."""
    validation: Fraction01 = 0.1
    """Share by which an epoch is chosen (`keep: best`)."""
    test: Fraction01 = 0.1
    """Share that results are reported on."""
    seed: Seed = 0
    """Of the draw; who has a place keeps it."""
    min_clips: Size = 10
    """Trailers with fewer kept clips stay in the store and out of the split."""
    sizes: Annotated[Literal["near", "exact"], Birth("near")] = "near"
    """`exact`: sizes of new splits are the shares in whole trailers; `near`: as genres allow."""
    accepted: Annotated[dict[str, Literal["both", "train", "validation", "test"]], Birth({})] = {}
    """By group_id, what becomes of a film whose trailers have places in different splits: they
    move to one, or stay in both."""

    @model_validator(mode="after")
    def _shares_are_whole(self) -> "SplitParams":
        if abs(self.train + self.validation + self.test - 1) > 1e-6:
            raise ValueError("train, validation and test must add up to 1")
        return self


class EvaluateParams(Section):
    """Metrics, maps and the report (section 4)."""

    threshold: Fraction01 = 0.3
    """A genre is predicted when its probability is above (section 7)."""
    neighbours: Size = 10
    """Nearest films of each that retrieval is measured on, and that the page shows."""
    components: Annotated[Size, Birth(30)] = 30
    """Principal components of the untrained space that is whitened."""
    resamples: Annotated[Size, Birth(1000)] = 1000
    """Bootstrap drawings of films, for intervals of 95 %."""
    perplexity: Positive = 30.0
    """Of t-SNE; lowered automatically for a small collection."""
    seed: Seed = 0
    """Of t-SNE."""
    pictured: Natural = 60
    """Trailers on the report's contact sheet; the explorer has stills of all."""
    key_frames: Annotated[int, NUMBER, Field(ge=1, le=24)] = 4
    """Clips per trailer of which there is a still."""
    frame_width: Annotated[int, NUMBER, Field(ge=16, le=480)] = 176
    """Of a still, pixels."""
    preview_frames: Annotated[int, NUMBER, Field(ge=0, le=32)] = 0
    """Frames of each of these clips that the page plays; 0: none."""
    stills_inside: Annotated[float, NUMBER, Field(ge=0, le=1000)] = 4.0
    """Megabytes of stills up to which they are inside the page, and not beside it."""


class AblateParams(Section):
    """Ablations (tables 2 and 5, figure 9), off the default path."""

    seeds: Annotated[int, NUMBER, Field(ge=1, le=1000)] = 3
    """Trainings per variant: mean and standard deviation are reported."""
    variants: tuple[Name, ...] = ()
    """Rows of tables 2 and 5, one stage each."""


class GatingParams(Section):
    """Collaborative gating (section 3.1)."""

    form: Literal["paper", "original"] = "paper"
    """`original` computes it as the published code of collaborative experts does."""
    order: Literal["simultaneous", "sequential"] = "simultaneous"
    """Whether modalities see each other as they came, or as the earlier ones left them."""
    include_self: bool = False
    """Whether a modality also gates itself."""


class NetvladParams(Section):
    """Pooling of a modality that has several vectors per clip (section 4.2)."""

    clusters: Width = 16
    """Centres of NetVLAD."""
    ghosts: Annotated[int, NUMBER, Field(ge=0, le=1 << 16)] = 0
    """Clusters that take what fits none, and are left out."""


class SequenceParams(Section):
    """Sequences of clips (section 5)."""

    length: Width = 9
    """Clips of a sequence."""
    stride: Width = 9
    """Clips from one start to the next."""
    width: Width = 256
    """Of a sequence's vector."""


Experts = Annotated[tuple[Name, ...], Field(min_length=1)]


class ModelParams(Section):
    """The network (sections 3 and 7)."""

    modalities: Annotated[dict[Name, Experts], Field(min_length=1)] = {
        "appearance": ("senet154",),
        "scene": ("resnet18_places365",),
        "motion": ("i3d_flow",),
        "audio": ("vggish",),
    }
    """The experts that each modality is made of; several are joined side by side."""
    dim: Width = 768
    """Common width of the modalities."""
    netvlad: NetvladParams = NetvladParams()
    fusion: Literal["gated", "concat"] = "gated"
    """Modalities joined by collaborative gating, or side by side."""
    gating: GatingParams = GatingParams()
    clip: Width = 128
    """Width of a clip's vector."""
    sequence: SequenceParams = SequenceParams()
    aggregate: Literal["concat", "sum"] = "concat"
    """A trailer's vector: its sequences side by side, or their sum."""
    slots: Width = 40
    """Number of sequences that `concat` takes."""
    bottleneck: Width = 2048
    """Width of a trailer's embedding."""
    classifier: Width = 1024
    """Hidden width of the classifier."""
    projection: Width = 128
    """Width of the contrastive projection."""
    sequence_head: Literal["none", "probe", "only"] = "probe"
    """Genres per sequence: not at all, beside the trailer's, or instead (section 3.2)."""


class OptimisationParams(Section):
    """What both trainings share (section 4.2)."""

    batch: Width = 32
    """Trailers of a batch."""
    seed: Seed = 0
    """Of initial weights, order and noise."""
    keep: Literal["last", "best"] = "last"
    """`best`: the epoch with the best validation score."""
    patience: Natural = 0
    """Stop after so many epochs without a better one; 0 never stops early."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of the arithmetic."""
    threads: Annotated[int, NUMBER, Field(ge=1, le=1024)] = 2
    """On the CPU. The last bits of a sum depend on it."""
    clip_dropout: Annotated[float, NUMBER, Field(ge=0.0, lt=1.0)] = 0.0
    """Share of a trailer's clips that are left out at random each time; 0 as published."""
    feature_noise: Annotated[float, NUMBER, Field(ge=0.0, le=1e9)] = 0.0
    """Noise added to embeddings, in units of their standard deviations; 0 as published."""
    modality_dropout: Annotated[float, NUMBER, Field(ge=0.0, lt=1.0), Birth(0.0)] = 0.0
    """Share of a trailer's modalities that are left out at random each time; 0 as published."""


class TrainParams(OptimisationParams):
    """Coarse training on genres (sections 3.2 and 4.2)."""

    epochs: Size = 200
    """Passes over the training split."""
    lr: Positive = 3e-5
    """Learning rate."""
    positive_cap: Positive = 10.0
    """Largest weight of a genre's positives in equation 3."""


class FinetuneParams(OptimisationParams):
    """Contrastive fine-tuning (sections 3.3 and 4.2)."""

    trains: Annotated[Literal["network", "pooled"], Birth("network")] = "network"
    """`pooled`: the network stays as it is, and trailers are compared in a projection of their mean
    features, which begins as whitening and is trained instead."""
    width: Annotated[Width, Birth(64)] = 64
    """Of that projection; less where the training trailers span less."""
    epochs: Size = 50
    """Passes over the training split."""
    lr: Positive = 1e-4
    """Learning rate, before it is annealed."""
    constant_epochs: Natural = 10
    """Epochs at the full rate, before cosine annealing."""
    loss: Annotated[Literal["simclr", "literal"], Birth("simclr")] = "simclr"
    """Equation 4 with the positive in the denominator, as SimCLR has it, or to the letter, without
    it, which is decoupled contrastive learning."""
    temperature: Positive = 0.5
    """Of the contrastive loss: smaller tells nearer films apart more sharply."""
    pairs: Literal["halves", "random", "shuffled"] = "halves"
    """A trailer's two views: its halves, two random sequences, or its clips dealt at random."""


class RunParams(Section):
    """How work is distributed; in no fingerprint. MMX_RUN_WORKERS=4 overrides `workers`, etc."""

    workers: Annotated[int, NUMBER, Field(ge=0, le=4096)] = 0
    """Processes; 0 means one per core."""
    device: Annotated[str, Field(pattern=r"^[a-z]{1,16}(:[0-9]{1,4})?$")] = "auto"
    """`auto`, `cpu`, `cuda` or `cuda:N`."""
    max_failed: Fraction01 = 0.2
    """A stage fails when a larger share of its items did."""
    ask_above: Annotated[float, NUMBER, Field(ge=0.0, le=1e9)] = 1.0
    """Hours: a stage stops before it recomputes items that are stale only because of code or
    tools, if that would take longer."""
    engine: Literal["local", "ray"] = "local"
    """Compute on this machine, or on a Ray cluster (docs/cluster.md)."""
    address: Annotated[str, Field(min_length=1, max_length=300)] = "auto"
    """Of the Ray cluster; `auto`: the one that this machine belongs to."""
    gpus_per_worker: Annotated[float, NUMBER, Field(gt=0.0, le=64.0)] = 1.0
    """On a Ray cluster; 0.5 lets two workers share a GPU."""
    node_cache_gb: Annotated[float, NUMBER, Field(gt=0.0, le=1e6)] = 50.0
    """Disk space for inputs on each node that does not see the item store."""
    processor: Literal["native", "avx2", "sse4"] = "native"
    """The highest instruction sets that workers use, here and on a cluster. `native`: all that the
    machine has. Results of different kinds differ in the last bits, so that a cluster admits nodes
    of the head's kind alone; a cap makes different kinds alike."""


class ReleaseParams(Section):
    """What `mmx publish` says of a release. Nothing here changes a result."""

    name: str = "MMX trailer features"
    """Title of the release."""
    creator: str = ""
    url: str = ""
    contact: str = ""
    """An address of electronic mail, or of a page."""


class HostParams(Section):
    """What `mmx fetch` asks of one host at most. Nothing here changes a result."""

    interval_s: Annotated[float, NUMBER, Field(ge=0.0, le=86400.0)] = 2.0
    """Seconds from one request to the next."""
    rate_mb_s: Positive = 4.0
    """Megabytes a second, on average."""


class FetchParams(HostParams):
    """How `mmx fetch` gets videos: limits for every host without its own, and what is asked for."""

    hosts: dict[str, HostParams] = {}
    """Limits by name of host, in lower case; those of youtube.com hold for YouTube's ids."""
    hosts_at_once: Annotated[int, NUMBER, Field(ge=1, le=64)] = 4
    """Hosts that are asked at the same time."""
    tries: Annotated[int, NUMBER, Field(ge=1, le=100)] = 4
    """Attempts at one video in a run, where its host is limiting or cannot be reached."""
    patience_s: Annotated[float, NUMBER, Field(ge=0.0, le=604800.0)] = 900.0
    """Seconds that a host may ask to wait; one that asks for more is left for a later run."""
    timeout_s: Positive = 60.0
    """Seconds without a byte after which a connection is given up."""
    largest_mb: Positive = 2000.0
    """Megabytes of a video; one that is larger is not fetched."""
    format: Annotated[str, Field(min_length=1, max_length=1000)] = (
        "bv*[height<=480][ext=mp4]+ba[ext=m4a]/b[height<=480][ext=mp4]"
    )
    """Which of YouTube's formats, in yt-dlp's words."""


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
    release: ReleaseParams = ReleaseParams()
    fetch: FetchParams = FetchParams()

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
