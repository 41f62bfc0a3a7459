"""What a pool of workers must do."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from mmx.engine.progress import ItemProgress
from mmx.engine.store import Store
from mmx.engine.task import Done, Prepare, Recipe, Task, as_it_is


class Pool(Protocol):
    """Processes that compute items, here or on other machines. No result depends on which."""

    def compute(
        self,
        recipe: Recipe,
        tasks: Sequence[Task],
        store: Store,
        progress: ItemProgress,
        prepare: Prepare = as_it_is,
    ) -> Iterator[tuple[Task, Done]]:
        """Yield the result of each task as it completes, its receipt and objects in the store.

        tasks: at least one, with distinct fingerprints. prepare: called here for each task when it
        is about to run; a task that it refuses is that task's failure. A task whose worker dies is
        tried again, alone; if it dies again, that is its failure and nobody else's. An exception,
        or closing the iterator, ends all processes. The pool keeps `progress` informed of parts
        and of its nodes.
        """
