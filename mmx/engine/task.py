"""What is to be made, how, and what became of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from mmx.engine.files import InputFile
from mmx.engine.receipt import Ingredients, Receipt


@dataclass(frozen=True)
class Task:
    """One item to be made."""

    item: str
    ingredients: Ingredients
    arguments: dict[str, Any] = field(default_factory=dict)
    """Keyword arguments of the recipe's function, beside `out`."""
    reads: tuple[InputFile, ...] = ()
    """Files that the function reads; each is checked before and after the call."""
    refused: str = ""
    """Why it cannot be computed: one of its inputs has changed since it was hashed."""


Prepare = Callable[[Task], Task]
"""Adds the arguments to a task that is about to run, or the reason why it cannot."""


def as_it_is(task: Task) -> Task:
    """Return a task that has its arguments already."""
    return task


@dataclass(frozen=True)
class Recipe:
    """How the items of a step are computed; sent to every worker."""

    function: str
    """`module:name`. Called with `out`, an empty folder, and a task's arguments; returns facts."""
    faults: tuple[str, ...] = ()
    """`module:name` of the exceptions that are faults of the input, and so are results."""
    job: str = ""
    """`module:name` of a class of such arguments. If given, the function takes an iterable of them
    instead, and yields facts or an exception for each, in order: items can share batches."""
    parts: str = ""
    """Name of the parts of long items, e.g. `pairs`; the function calls `count_part` for each."""
    scratch: bool = False
    """The function also takes `scratch`, a folder that survives an interruption."""
    overrun: str = ""
    """Why an item is at fault whose worker ended itself twice by SIGXCPU; empty: that is a failure
    and no result."""
    before: str = ""
    """`module:name` of a function called once, before the workers start: they inherit its
    changes of the environment."""


@dataclass(frozen=True)
class Done:
    """The result of a task: a receipt, or a failure of the machine or of the program."""

    receipt: Receipt | None
    seconds: float
    failure: str = ""
    machine: bool = False
    """Whether the machine failed and not the program: another machine may succeed."""
    made_by: "Maker | None" = None
    """None where it was not made: nothing was computed."""


@dataclass(frozen=True)
class Maker:
    """Where an item was computed: what the journal records, and no receipt."""

    host: str
    device: str
    """`cpu`, or the name of the GPU."""
    processor: str
    """Kind of CPU, by the kernels that libraries choose on it."""
