"""The registry of steps: what each needs, what makes it, and what its result depends on.

Stages, fingerprints, `mmx status`, `plan`, `trace` and `predict` all read it; tests hold dvc.yaml
and the import graph against it.
"""

from dataclasses import dataclass

from mmx.engine.run import Recipe
from mmx.experts.registry import expert_names, get_expert
from mmx.outputs import FilesOutput, Output, TableOutput, TreeOutput
from mmx.params import Params

VIDEO = "video"
MEDIA_FAULTS = ("mmx.media.faults:MediaFault",)
CORE_TOOLS = ("numpy", "pyarrow", "python")
PICTURE_TOOLS = (*CORE_TOOLS, "av", "opencv-contrib-python")
LEARNING_TOOLS = (*CORE_TOOLS, "safetensors", "scikit-learn", "torch")


class UnknownStepError(Exception):
    """No step has this name."""


@dataclass(frozen=True)
class Step:
    """One step of the pipeline; its items are trailers, or the one item `all`."""

    name: str
    needs: tuple[str, ...]
    """`video`, or steps whose result for the same trailer is an input."""
    recipe: Recipe
    rooms: tuple[str, ...]
    """Modules and packages whose code determines the result."""
    keys: tuple[str, ...]
    """Keys of params.yaml that it reads."""
    tools: tuple[str, ...]
    """Packages and programs whose version is part of the fingerprint."""
    output: Output
    schema: int = 1
    """Raised by hand when the meaning of the result changes without its code."""

    @property
    def expert(self) -> str:
        """The expert of an embed step, else nothing."""
        stage, _, part = self.name.partition("@")
        return part if stage == "embed" else ""


CLIPS = TableOutput("data/clips", letter="c")
"""What the scenes step leaves."""

SCENES = Step(
    name="scenes",
    needs=(VIDEO,),
    recipe=Recipe("mmx.scenes.shots:detect_item", MEDIA_FAULTS),
    rooms=("mmx.media", "mmx.scenes"),
    keys=(
        "scenes.detector",
        "scenes.drop_first_last",
        "scenes.min_scene_len",
        "scenes.threshold",
    ),
    tools=(*PICTURE_TOOLS, "scenedetect"),
    output=CLIPS,
)
AUDIO = Step(
    name="audio",
    needs=(VIDEO,),
    recipe=Recipe("mmx.media.audio:extract_item", MEDIA_FAULTS),
    rooms=("mmx.media",),
    keys=("audio.rate",),
    tools=(*CORE_TOOLS, "av", "ffmpeg"),
    output=FilesOutput("data/audio", suffix=".wav"),
)
FLOW = Step(
    name="flow",
    needs=(VIDEO, "scenes"),
    recipe=Recipe("mmx.flow.item:flow_item", MEDIA_FAULTS, parts="pairs"),
    rooms=("mmx.flow", "mmx.media"),
    keys=(
        "flow.bound",
        "flow.epsilon",
        "flow.gamma",
        "flow.inner_iterations",
        "flow.keep",
        "flow.lambda",
        "flow.median_filtering",
        "flow.outer_iterations",
        "flow.pairs_per_clip",
        "flow.rate",
        "flow.scale_step",
        "flow.scales",
        "flow.short_side",
        "flow.tau",
        "flow.theta",
        "flow.warps",
    ),
    tools=(*PICTURE_TOOLS, "numba"),
    output=FilesOutput("data/flow", suffix=".flow"),
)


def embed_output(expert: str) -> TableOutput:
    """Return where the embeddings of an expert lie, whether or not it is still registered."""
    return TableOutput(f"data/embeddings/{expert}", letter="e")


def embed_step(name: str) -> Step:
    """Return the step of one registered expert; raise ExpertError for an unknown name."""
    expert = get_expert(name)
    upstream = {"clips": (VIDEO,), "flow": ("flow",), "audio": ("audio",)}
    readers = {"clips": ("mmx.flow.sampling",), "flow": ("mmx.flow.store",), "audio": ()}
    return Step(
        name=f"embed@{name}",
        needs=(*upstream[expert.reads], "scenes"),
        recipe=Recipe(
            "mmx.experts.item:embed_items", MEDIA_FAULTS, job="mmx.experts.item:EmbedJob"
        ),
        rooms=(*expert.modules(), *readers[expert.reads], "mmx.media"),
        keys=(
            "embed.batch",
            f"embed.experts.{name}",
            "embed.frames_per_clip",
            "embed.precision",
        ),
        tools=tuple(sorted({*PICTURE_TOOLS, *expert.tools})),
        output=embed_output(name),
    )


MODEL_KEYS = (
    "model.aggregate",
    "model.bottleneck",
    "model.classifier",
    "model.clip",
    "model.dim",
    "model.fusion",
    "model.gating.form",
    "model.gating.include_self",
    "model.gating.order",
    "model.modalities",
    "model.netvlad.clusters",
    "model.netvlad.ghosts",
    "model.projection",
    "model.sequence.length",
    "model.sequence.stride",
    "model.sequence.width",
    "model.sequence_head",
    "model.slots",
)
OPTIMISATION_KEYS = (
    "batch",
    "clip_dropout",
    "epochs",
    "feature_noise",
    "keep",
    "lr",
    "patience",
    "precision",
    "seed",
    "threads",
)
TRAIN_KEYS = (*(f"train.{key}" for key in OPTIMISATION_KEYS), "train.positive_cap")
LEARNING_ROOMS = ("mmx.device", "mmx.features", "mmx.model", "mmx.training")
MEASURING = tuple(
    f"mmx.evaluation.{module}" for module in ("faults", "metrics", "scores", "tables")
)
"""What evaluation and ablations share; how the page looks has no part in their results."""
COLLECTION = ("features", "labels", "splits")
"""What a step that sees all trailers at once reads: the feature store, genres, the split."""

TRAIN = Step(
    name="train",
    needs=COLLECTION,
    recipe=Recipe("mmx.training.item:coarse_item", scratch=True),
    rooms=LEARNING_ROOMS,
    keys=("collection.genres", *MODEL_KEYS, *TRAIN_KEYS),
    tools=LEARNING_TOOLS,
    output=TreeOutput("models/coarse"),
)
FINETUNE = Step(
    name="finetune",
    needs=(*COLLECTION, "train"),
    recipe=Recipe("mmx.training.item:finetune_item", scratch=True),
    rooms=LEARNING_ROOMS,
    keys=(
        *(f"finetune.{key}" for key in OPTIMISATION_KEYS),
        "finetune.constant_epochs",
        "finetune.pairs",
        "finetune.temperature",
    ),
    tools=LEARNING_TOOLS,
    output=TreeOutput("models/fine"),
)
EVALUATE = Step(
    name="evaluate",
    needs=(*COLLECTION, "train", "finetune"),
    recipe=Recipe("mmx.evaluation.item:evaluate_item"),
    rooms=(
        "mmx.evaluation.clusters",
        "mmx.evaluation.item",
        "mmx.evaluation.measures",
        "mmx.evaluation.plots",
        "mmx.evaluation.retrieval",
        "mmx.evaluation.subject",
        *MEASURING,
        *LEARNING_ROOMS,
    ),
    keys=(
        "evaluate.neighbours",
        "evaluate.perplexity",
        "evaluate.seed",
        "evaluate.threshold",
    ),
    tools=LEARNING_TOOLS,
    output=TreeOutput("reports/evaluation"),
)


def ablate_step(variant: str) -> Step:
    """Return the step of one row of tables 2 and 5."""
    return Step(
        name=f"ablate@{variant}",
        needs=COLLECTION,
        recipe=Recipe("mmx.evaluation.ablations:ablate_item"),
        rooms=("mmx.evaluation.ablations", *MEASURING, *LEARNING_ROOMS),
        keys=("ablate.seeds", "collection.genres", "evaluate.threshold", *MODEL_KEYS, *TRAIN_KEYS),
        tools=LEARNING_TOOLS,
        output=TreeOutput(f"reports/ablations/{variant}"),
    )


def trailer_steps(params: Params) -> list[Step]:
    """Return the steps whose items are trailers, each after what it needs."""
    return [SCENES, AUDIO, FLOW, *map(embed_step, sorted(params.embed.experts))]


def trailer_output(name: str) -> Output | None:
    """Return the output of a step whose items are trailers, also of an expert no longer in use.

    None where no step has this name.
    """
    stage, _, expert = name.partition("@")
    if stage == "embed" and expert:
        return embed_output(expert)
    return next((step.output for step in (SCENES, AUDIO, FLOW) if step.name == name), None)


def find_step(name: str, params: Params) -> Step:
    """Return a step by name; raise UnknownStepError naming those there are."""
    steps = {step.name: step for step in trailer_steps(params)}
    if name not in steps:
        raise UnknownStepError(f"there is no step {name!r}; there are {', '.join(steps)}")
    return steps[name]


STAGE_TOOLS = {
    "ingest": (*CORE_TOOLS, "av"),
    "features": (*CORE_TOOLS, "mlcroissant"),
    "split": CORE_TOOLS,
}
"""Tools of the stages that have no items."""


def all_tools() -> tuple[str, ...]:
    """Return every tool that any step or any registered expert names, sorted."""
    steps = [SCENES, AUDIO, FLOW, TRAIN, FINETUNE, EVALUATE, *map(embed_step, expert_names())]
    named = [step.tools for step in steps] + list(STAGE_TOOLS.values())
    return tuple(sorted({tool for tools in named for tool in tools}))
