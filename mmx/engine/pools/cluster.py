"""What is known of a cluster's nodes, and which are admitted. Knows nothing of Ray's interface."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from mmx.engine.errors import UserError
from mmx.engine.progress import ItemProgress
from mmx.engine.store import Store
from mmx.engine.task import Done, Prepare, Recipe, Task, as_it_is

STARTS = 3
"""Failed starts of a worker after which a node is used no more."""
FAULTS = 2
"""Faults of its machine after which a node is used no more."""


class ClusterError(UserError):
    """There is no cluster, or none of its nodes can be used."""


@dataclass(frozen=True)
class RaySetting:
    """Which cluster, and how it is used. Nothing here changes a result."""

    address: str = "auto"
    gpus_per_worker: float = 1.0
    node_cache_gb: float = 50.0
    processor: str = "native"
    """Cap of the workers' instruction sets."""


@dataclass(frozen=True)
class Admission:
    """What a node must compute with."""

    describe: str
    """`module:name` of a function that returns, on a node, text by name."""
    arguments: dict[str, Any]
    expected: Mapping[str, str]
    """What it must return there."""


@dataclass(frozen=True)
class LazyRayPool:
    """The workers of a Ray cluster; ray is imported only when there is something to compute."""

    setting: RaySetting
    admission: Callable[[], Admission]
    chunk: int = 1
    """Items per call of a recipe's function."""
    gpu: bool = False
    """Whether GPUs are used, where the cluster has any."""

    def compute(
        self,
        recipe: Recipe,
        tasks: Sequence[Task],
        store: Store,
        progress: ItemProgress,
        prepare: Prepare = as_it_is,
    ) -> Iterator[tuple[Task, Done]]:
        """Yield results as `Pool.compute` does; raise ClusterError where there is no Ray."""
        try:
            from mmx.engine.pools.ray_pool.pool import RayPool
        except ModuleNotFoundError as error:
            raise ClusterError(
                f"run.engine is ray, and {error.name} is not installed: "
                "`pip install .[cluster]` on every node (docs/cluster.md)"
            ) from None
        pool = RayPool(self.setting, self.admission(), self.chunk, self.gpu)
        yield from pool.compute(recipe, tasks, store, progress, prepare)


@dataclass
class Node:
    """A node of the cluster, and what became of it."""

    key: str
    name: str
    count: int
    """Workers that it has room for."""
    state: Literal["starting", "admitted", "refused", "lost", "out"] = "starting"
    reason: str = ""
    """Why it is not used."""
    failed_starts: int = 0
    faults: list[str] = field(default_factory=list)
    """Faults of its machine."""

    @property
    def usable(self) -> bool:
        """Whether it works, or may yet."""
        return self.state in ("starting", "admitted")

    @property
    def hopeless(self) -> bool:
        """Whether workers failed to start too often."""
        return self.failed_starts >= STARTS

    @property
    def broken(self) -> bool:
        """Whether its machine has failed too often."""
        return len(self.faults) >= FAULTS


def worker_count(node: Mapping[str, Any], share: float) -> int:
    """Return the workers that a node has room for, by what Ray says of it.

    share: GPUs per worker; 0 for a CPU each.
    """
    resources = node["Resources"]
    return int(resources.get("GPU", 0) / share) if share else int(resources.get("CPU", 0))


def refusal(name: str, expected: Mapping[str, str], found: Mapping[str, str]) -> str:
    """Return why a node is refused and what to do; an empty string for one that is admitted."""
    different = [
        f"{what} is {found.get(what, 'missing')} there and {wanted} here"
        for what, wanted in expected.items()
        if found.get(what) != wanted
    ]
    if not different:
        return ""
    return (
        f"{name} is refused, its results could differ: {', '.join(different)}. Give it the same "
        "commit and `make install`, and start its Ray again (docs/cluster.md)"
    )
