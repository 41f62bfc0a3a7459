"""The receipt: the record that an item was made, of what, and what came out."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from functools import cache, cached_property
from typing import Any

from mmx.engine.canonical import bytes_digest, canonical_floatless, data_digest


class ReceiptError(Exception):
    """Not a receipt: a field is missing, or the fingerprint is not that of the content."""


@dataclass(frozen=True)
class Weight:
    """A file of pre-trained weights. Only the digest decides; the rest is for people."""

    name: str
    sha256: str
    source: str
    licence: str


@dataclass(frozen=True)
class Ingredients:
    """All that determines an item's result: no path, host, worker count or time."""

    step: str
    schema: int
    inputs: dict[str, str]
    """Digest by role, e.g. {"video": sha256, "scenes": output digest}."""
    parameters: dict[str, Any]
    """Value by dotted leaf key of params.yaml."""
    code: str
    tools: dict[str, str]
    """Version by package name."""
    weights: tuple[Weight, ...] = ()

    @cached_property
    def fingerprint(self) -> str:
        """sha256, in hex, over the canonical JSON of everything above."""
        return data_digest(
            {
                "step": self.step,
                "schema": self.schema,
                "inputs": self.inputs,
                "parameters": self.parameters,
                "code": self.code,
                "tools": self.tools,
                "weights": sorted(weight.sha256 for weight in self.weights),
            }
        )


@dataclass(frozen=True)
class OutputFile:
    """One file that the item made."""

    name: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Fault:
    """A fault of the input, recorded as the item's result."""

    kind: str
    """Class of the exception."""
    reason: str
    """One sentence without paths or times."""


@dataclass(frozen=True)
class Receipt:
    """Ingredients and result of one item. Holds only what can be reproduced."""

    ingredients: Ingredients
    outputs: tuple[OutputFile, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    fault: Fault | None = None
    adopted: str | None = None
    """Fingerprint under which the result was made, if it was carried over after a refactoring."""

    @property
    def fingerprint(self) -> str:
        """The ingredients' fingerprint."""
        return self.ingredients.fingerprint

    @cached_property
    def output_digest(self) -> str:
        """Digest of what came out: the input of the steps that follow."""
        named = [(output.name, output.sha256) for output in self.outputs]
        return bytes_digest(canonical_floatless(named))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON, the fingerprint first for people who grep.

        What it holds is the receipt's own and is not to be changed: copies of thousands take long.
        """
        ingredients = plain(self.ingredients)
        ingredients["weights"] = [plain(weight) for weight in self.ingredients.weights]
        return {
            "fingerprint": self.fingerprint,
            "ingredients": ingredients,
            "outputs": [plain(output) for output in self.outputs],
            "facts": self.facts,
            "fault": plain(self.fault) if self.fault else None,
            "adopted": self.adopted,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any], *, verify: bool = True) -> "Receipt":
        """Read what `to_dict` gave; raise ReceiptError where it does not add up.

        verify: compute the fingerprint again, which is most of the work. False takes it as written,
        for bytes that are known to be those that a step wrote.
        """
        try:
            ingredients = dict(data["ingredients"])
            ingredients["weights"] = tuple(Weight(**weight) for weight in ingredients["weights"])
            receipt = cls(
                ingredients=Ingredients(**ingredients),
                outputs=tuple(OutputFile(**output) for output in data["outputs"]),
                facts=data["facts"],
                fault=Fault(**data["fault"]) if data["fault"] else None,
                adopted=data["adopted"],
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ReceiptError(f"not a receipt: {error}") from None
        written = data.get("fingerprint")
        if not verify and isinstance(written, str):
            # Where cached_property looks it up: the class is frozen.
            vars(receipt.ingredients)["fingerprint"] = written
        elif receipt.fingerprint != written:
            raise ReceiptError("the fingerprint is not that of the ingredients")
        return receipt


def plain(record: Weight | Ingredients | OutputFile | Fault) -> dict[str, Any]:
    """Return a record's fields by name."""
    kind: type = type(record)  # mypy takes a record's __hash__ for its class's
    return {name: getattr(record, name) for name in field_names(kind)}


@cache
def field_names(kind: type) -> tuple[str, ...]:
    """Return the names of a dataclass's fields."""
    return tuple(each.name for each in fields(kind))


@contextmanager
def gc_disabled() -> Iterator[None]:
    """Switch Python's garbage collector off inside; also a decorator.

    For work on thousands of receipts, all of which stay in memory: searching them for cycles of
    references again and again takes half of the time.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
