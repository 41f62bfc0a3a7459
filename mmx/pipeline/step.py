"""The declaration of a step, read by stages, fingerprints, status, plan and trace."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mmx.engine.files import InputFile
from mmx.engine.receipt import Receipt, Weight
from mmx.engine.run import Outcome, Recipe
from mmx.errors import UserError
from mmx.outputs import Output
from mmx.params import Params, Section
from mmx.project import Project
from mmx.rates import Rate
from mmx.tools import check_tools

if TYPE_CHECKING:
    from mmx.pipeline.upstream import Upstream

VIDEO = "video"
"""Input: the pictures of a trailer's video, by a digest of the stream's packets and timing."""
SOUND = "sound"
"""Input: the sound of a trailer's video, likewise."""

CORE_TOOLS = ("numpy", "pyarrow", "python")
PICTURE_TOOLS = (*CORE_TOOLS, "av", "opencv-contrib-python")
LEARNING_TOOLS = (*CORE_TOOLS, "safetensors", "scikit-learn", "torch")

OVERRUN = (
    "the decoder did not return from the video, twice, within the CPU time and memory that "
    "collection.cpu_seconds_per_mb and max_memory_gb allow"
)
"""The fault of a video whose decoder has to be ended with its process, in any step."""


@dataclass(frozen=True, kw_only=True)
class Step(ABC):
    """A step of the pipeline: one stage of dvc.yaml."""

    name: str
    """As in dvc.yaml: `flow`, or `embed@senet154` for one of a family."""
    tools: tuple[str, ...]
    """Packages and programs whose version affects the result."""
    section: type[Section] | None = None
    """The class of the step's own section of params.yaml, if mmx/params.py does not have it; the
    section has the name of the step."""

    @abstractmethod
    def run(self, project: Project) -> Outcome | None:
        """Bring the step's outputs up to date; return what became of its items, if it has any.

        Raise StepFailedError after saving all that could be computed, StaleCodeError before
        computing where results are stale only because of code, StoreBusyError when another run is
        under way, ToolsError when tools.yaml is out of date.
        """


@dataclass(frozen=True, kw_only=True)
class PlainStep(Step):
    """A step without items: it always runs as a whole."""

    function: Callable[[Project], None]
    """Writes the step's outputs."""
    current: Callable[["Upstream"], bool] | None = None
    """(outputs of earlier steps) -> whether the outputs are those of the present inputs. For
    `mmx status`: it computes nothing, and raises FileNotFoundError where an input is missing. None
    for ingest, whose rows are counted instead."""

    def run(self, project: Project) -> None:
        """Write the step's outputs."""
        with started(self, project):
            self.function(project)


@dataclass(frozen=True, kw_only=True)
class ItemStep(Step):
    """A step whose work is split into items, each with a fingerprint and a receipt."""

    recipe: Recipe
    output: Output
    keys: tuple[str, ...]
    """Sections or leaf keys of params.yaml that affect the result."""
    needs: tuple[str, ...] = ()
    """Roles of the inputs: VIDEO, SOUND, or the names of earlier steps."""
    modules: tuple[str, ...] = ()
    """Modules loaded by name while the step runs, besides that of the recipe's function. Modules
    that they import, directly or not, are found automatically."""
    schema: int = 1
    """Increased by hand if the meaning of the result changes although its code does not."""
    normalise: Callable[[Mapping[str, Any]], dict[str, Any]] = dict
    """Converts parameters by leaf key to the form that the fingerprint covers, so that two ways to
    write the same values give one fingerprint. Idempotent."""

    @property
    def code(self) -> tuple[str, ...]:
        """Modules from which the code that determines the result is reached."""
        return (self.recipe.function.partition(":")[0], *self.modules)

    @abstractmethod
    def run(self, project: Project) -> Outcome:
        """Bring the output directory up to date, and return the outcome of the items."""


@dataclass(frozen=True, kw_only=True)
class TrailerStep(ItemStep):
    """A step whose items are trailers."""

    arguments: Callable[["Upstream", str], dict[str, Any]]
    """(outputs of earlier steps, trailer_id) -> arguments of the recipe's function."""
    reads: Callable[["Upstream", str], Iterable[InputFile]]
    """(outputs of earlier steps, trailer_id) -> the files that the function reads."""
    rate: Callable[[Params], Rate]
    """Rough cost of a minute of video with these parameters, before anything was measured."""
    weights: Callable[[Project], tuple[Weight, ...]] = lambda project: ()
    """Files of pre-trained weights that affect the result."""
    chunk: int = 1
    """Trailers per call of the recipe's function."""
    uses_gpu: bool = False

    def run(self, project: Project) -> Outcome:
        """Complete the items of all accepted trailers."""
        # Imported here: to know a step takes less than to run it.
        from mmx.pipeline.run import run_trailers

        with started(self, project):
            return run_trailers(self, project)


@dataclass(frozen=True, kw_only=True)
class CollectionStep(ItemStep):
    """A step that reads all trailers at once: its one item is ALL."""

    inputs: Callable[[Project], dict[str, str]]
    """Digest of each input that the function reads, by role."""
    arguments: Callable[[Project], dict[str, Any]]
    """Arguments of the recipe's function."""
    reads: Callable[[Project], Iterable[InputFile]]
    """The files that the function reads."""
    after: Callable[[Project, Receipt], None] = lambda project, receipt: None
    """Called once the output directory is written."""

    def run(self, project: Project) -> Outcome:
        """Complete the one item of all trailers."""
        from mmx.pipeline.run import run_collection

        with started(self, project):
            return run_collection(self, project)


@contextmanager
def started(step: Step, project: Project) -> Iterator[None]:
    """Hold the item store for a run of a step with the versions that tools.yaml names."""
    check_tools(project.layout.tools, step.tools)
    with project.store.locked(step.name):
        yield


class UnknownStepError(UserError):
    """No step has this name."""


def parameters_of(step: ItemStep, params: Params) -> dict[str, Any]:
    """Return the parameters that the step's fingerprints cover, by leaf key of params.yaml."""
    return step.normalise(params.leaves(step.keys))
