"""A step's items on a cluster: who works on what, and what becomes of those who do not answer.

Ray supplies processes, placement, GPUs and transport; retries, quarantine, admission and commit
stay here, since Ray's own retries run an item that kills its worker again and again.
"""

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.exceptions import ActorUnavailableError, RayActorError, RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from mmx.engine.pools.cluster import (
    Admission,
    ClusterError,
    Node,
    RaySetting,
    refusal,
    worker_count,
)
from mmx.engine.pools.head_files import HeadFiles
from mmx.engine.pools.local import LOST
from mmx.engine.pools.node_worker import NodeSetting, NodeWorker
from mmx.engine.pools.ray_pool.connection import AT_ONCE, RemoteHead, connected, run_token
from mmx.engine.pools.schedule import Schedule, Work, divide, moved, struck
from mmx.engine.progress import ItemProgress, ReportedParts
from mmx.engine.store import Store
from mmx.engine.task import Done, Prepare, Recipe, Task, as_it_is

LOOK_S = 2.0
"""Seconds between looks at which nodes there are."""


@dataclass
class Worker:
    """A worker process, and what it is doing."""

    actor: Any
    node: Node
    work: Work | None = None
    awaited: Work | None = None
    """Work that killed the worker before this one, if the node still lives: this one's greeting
    proves it."""


@dataclass(frozen=True)
class RayPool:
    """The workers of a Ray cluster; connects when there is something to compute."""

    setting: RaySetting
    admission: Admission
    chunk: int = 1
    """Items per call of a recipe's function."""
    gpu: bool = False
    """Whether the step uses GPUs, where the cluster has any."""

    def compute(
        self,
        recipe: Recipe,
        tasks: Sequence[Task],
        store: Store,
        progress: ItemProgress,
        prepare: Prepare = as_it_is,
    ) -> Iterator[tuple[Task, Done]]:
        """Yield the result of each task as it completes, as `Pool.compute` does."""
        with connected(self.setting.address), run_token(store) as token:
            run = _Run(self, recipe, tasks, store, progress, token, prepare)
            try:
                yield from run.results()
            finally:
                run.end()


@dataclass
class _Run:
    """One step's items on the cluster."""

    pool: RayPool
    recipe: Recipe
    tasks: Sequence[Task]
    store: Store
    progress: ItemProgress
    token: str
    prepare: Prepare
    nodes: dict[str, Node] = field(default_factory=dict)
    workers: list[Worker] = field(default_factory=list)
    calls: dict[Any, Worker] = field(default_factory=dict)
    """The worker by the call that it has not answered; its greeting, or its work."""
    looked: float = 0.0
    reported: float = 0.0

    def __post_init__(self) -> None:
        self.parts = ReportedParts(self.recipe.parts)
        self.progress.parts = self.parts if self.recipe.parts else None
        self.gpu = self.pool.gpu and ray.cluster_resources().get("GPU", 0) > 0
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        files = ray.remote(HeadFiles).options(
            num_cpus=0, max_concurrency=2 * AT_ONCE, scheduling_strategy=here
        )
        self.files: Any = files.remote(self.store)
        present = sum(worker_count(each, self._share) for each in ray.nodes() if each["Alive"])
        self.schedule = Schedule(divide(self.tasks, self.pool.chunk, present))

    @property
    def _share(self) -> float:
        """GPUs per worker; 0 where workers have a CPU each."""
        return self.pool.setting.gpus_per_worker if self.gpu else 0.0

    def results(self) -> Iterator[tuple[Task, Done]]:
        """Yield the result of each task."""
        while self.schedule or any(worker.work or worker.awaited for worker in self.workers):
            yield from self._look()
            self._hand_out()
            ready, _ = ray.wait(list(self.calls), timeout=1.0) if self.calls else ([], [])
            for call in ready:
                yield from self._answered(call, self.calls.pop(call))
            self._report(every=1.0)
            self._refuse_to_wait()
        self._report()

    def end(self) -> None:
        """Kill what runs."""
        for actor in [*(worker.actor for worker in self.workers), self.files]:
            with suppress(RayError):
                ray.kill(actor)

    def _look(self) -> Iterator[tuple[Task, Done]]:
        """Start workers on new nodes; give the work of lost ones to others."""
        if time.monotonic() - self.looked < LOOK_S:
            return
        self.looked = time.monotonic()
        alive = {each["NodeID"]: each for each in ray.nodes() if each["Alive"]}
        for gone in [node for key, node in self.nodes.items() if key not in alive and node.usable]:
            gone.state = "lost"
            self._say(f"{gone.name} is lost; its items go to other nodes")
            for worker in [each for each in self.workers if each.node is gone]:
                yield from self._drop(worker)
            self._deal()
        for key, found in alive.items():
            count = worker_count(found, self._share)
            if key not in self.nodes and count:
                self.nodes[key] = Node(key, found["NodeManagerHostname"], count)
                self._start(self.nodes[key])

    def _start(self, node: Node, awaited: Work | None = None) -> None:
        """Start a worker on a node and ask what it would compute with."""
        where = NodeAffinitySchedulingStrategy(node.key, soft=False)
        remote = ray.remote(NodeWorker).options(
            num_cpus=0 if self.gpu else 1,
            num_gpus=self._share,
            max_restarts=0,
            max_task_retries=0,
            scheduling_strategy=where,
        )
        setting = self.pool.setting
        actor: Any = remote.remote(
            NodeSetting(
                self.store.root.absolute(),
                self.token,
                setting.processor,
                self.recipe.before,
                int(setting.node_cache_gb * 1e9),
                self.pool.admission.describe,
                self.pool.admission.arguments,
                "cuda" if self.gpu else "cpu",
            ),
            RemoteHead(self.files),
        )
        worker = Worker(actor, node, awaited=awaited)
        self.workers.append(worker)
        self.calls[actor.hello.remote()] = worker

    def _hand_out(self) -> None:
        """Give work to idle workers."""
        busy = set(map(id, self.calls.values()))
        for worker in self.workers:
            if id(worker) in busy or worker.node.state != "admitted":
                continue
            worker.work = self.schedule.take(worker.node.key)
            if worker.work is None:
                return
            ahead = self.schedule.ahead(worker.node.key)
            soon = [file for task in self._prepared(ahead) for file in task.reads]
            tasks = self._prepared(worker.work)
            now = [file for task in tasks for file in task.reads]
            ray.get(self.files.offer.remote([*now, *soon]))
            call = worker.actor.compute.remote(self.recipe, tasks, soon)
            self.calls[call] = worker

    def _prepared(self, work: Work | None) -> tuple[Task, ...]:
        """Return tasks with their arguments, which are kept no longer than they are needed."""
        return tuple(map(self.prepare, work.tasks)) if work else ()

    def _answered(self, call: Any, worker: Worker) -> Iterator[tuple[Task, Done]]:
        """Take a greeting, or results; or find out why there are none."""
        try:
            answer = ray.get(call)
        except RayTaskError as error:
            if worker.work is None:
                yield from self._failed_start(worker, str(error.cause))
                return
            raise error.as_instanceof_cause() from None
        except ActorUnavailableError:
            yield from self._drop(worker)
            self._start(worker.node)
        except RayActorError as error:
            yield from self._died(worker, error)
        else:
            yield from (
                self._worked(worker, answer) if worker.work else self._greeted(worker, answer)
            )

    def _greeted(self, worker: Worker, described: Mapping[str, str]) -> Iterator[tuple[Task, Done]]:
        """Admit a node by its first worker, or refuse it; a further one proves that it lives."""
        node, awaited, worker.awaited = worker.node, worker.awaited, None
        if awaited:
            again, lost = struck(awaited)
            yield from self._again(again, lost, LOST)
        if node.state != "starting":
            return
        if reason := refusal(node.name, self.pool.admission.expected, described):
            node.state = "refused"
            self._say(reason)
            node.reason = reason
            yield from self._drop(worker)
            return
        node.state = "admitted"
        for _ in range(node.count - 1):
            self._start(node)
        self._deal()

    def _worked(self, worker: Worker, results: Sequence[Done]) -> Iterator[tuple[Task, Done]]:
        """Commit results; what failed for the machine's sake moves to another."""
        work, worker.work = worker.work, None
        assert work
        for task, done in zip(work.tasks, results, strict=True):
            if done.machine:
                worker.node.faults.append(done.failure)
                again, given_up = moved(Work((task,), work.strikes, work.moves))
                yield from self._again(again, given_up, done)
                continue
            yield task, self._committed(task, done)
        if worker.node.broken and worker.node.state == "admitted":
            yield from self._put_out(worker.node, worker.node.faults[-1])

    def _committed(self, task: Task, done: Done) -> Done:
        """Commit a result, if all of it has arrived."""
        if done.receipt is None:
            return done
        if done.receipt.ingredients != task.ingredients or not all(
            map(self.store.holds, done.receipt.outputs)
        ):
            return Done(None, done.seconds, "a node's result is not that of the item")
        self.store.commit(done.receipt)
        self.store.drop_scratch(task.ingredients.fingerprint)
        return done

    def _died(self, worker: Worker, error: RayError) -> Iterator[tuple[Task, Done]]:
        """Replace a dead worker; whether its work or the node is to blame turns out later."""
        if worker.work is None:
            yield from self._failed_start(worker, "its worker could not start or died at once")
            return
        work, worker.work = worker.work, None
        self.workers.remove(worker)
        self._start(worker.node, awaited=work)

    def _failed_start(self, worker: Worker, reason: str) -> Iterator[tuple[Task, Done]]:
        """Try again to start a worker, or take the node out."""
        node = worker.node
        node.failed_starts += 1
        yield from self._drop(worker)
        if node.hopeless:
            yield from self._put_out(node, reason.strip().rpartition("\n")[2])
        elif node.usable:
            self._start(node)

    def _put_out(self, node: Node, reason: str) -> Iterator[tuple[Task, Done]]:
        """Use a node no more."""
        node.state = "out"
        node.reason = f"{node.name} is used no more: {reason}"
        self._say(node.reason)
        for worker in [each for each in self.workers if each.node is node]:
            yield from self._drop(worker)
        self._deal()

    def _drop(self, worker: Worker) -> Iterator[tuple[Task, Done]]:
        """Give up a worker; its work moves."""
        self.workers.remove(worker)
        self.calls = {call: each for call, each in self.calls.items() if each is not worker}
        with suppress(RayError):
            ray.kill(worker.actor)
        for work in filter(None, (worker.work, worker.awaited)):
            gone = Done(None, 0.0, "the nodes that worked on it were lost, one after the other")
            yield from self._again(*moved(work), gone)
        worker.work = worker.awaited = None

    def _again(
        self, again: Sequence[Work], given_up: Sequence[Task], reason: Done
    ) -> Iterator[tuple[Task, Done]]:
        """Put work back, and yield what is not tried again."""
        for work in again:
            self.schedule.put(work, first=True)
        for task in given_up:
            yield task, Done(None, 0.0, reason.failure)

    def _deal(self) -> None:
        self.schedule.deal(node.key for node in self.nodes.values() if node.state == "admitted")

    def _refuse_to_wait(self) -> None:
        """Raise ClusterError if all nodes are refused or out, and none can be hoped for."""
        if self.workers or not self.nodes:
            return
        reasons = sorted({node.reason for node in self.nodes.values() if node.reason})
        raise ClusterError(
            "no node of the cluster can be used: " + "; ".join(reasons or ["all are lost"])
        )

    def _report(self, every: float = 0.0) -> None:
        """Show parts, nodes, workers and bytes, unless that is less than `every` seconds ago."""
        if time.monotonic() - self.reported < every:
            return
        self.reported = time.monotonic()
        counts = ray.get(self.files.counts.remote())
        self.parts.done = counts.parts
        self.progress.nodes = _summary(self.workers, counts.sent, counts.received)

    def _say(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)


def _summary(workers: Sequence[Worker], sent: int, received: int) -> str:
    """Return nodes and workers in use, and bytes from and to the head, as text."""
    admitted = [worker for worker in workers if worker.node.state == "admitted"]
    nodes = len({worker.node.key for worker in admitted})
    megabytes = f"{sent / 1e6:.1f} MB sent, {received / 1e6:.1f} MB received"
    return f"{nodes} nodes, {len(admitted)} workers, {megabytes}"
