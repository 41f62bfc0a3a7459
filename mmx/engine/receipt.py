"""The receipt: the record of how an item was made, and of the result."""

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from functools import cache, cached_property, lru_cache
from itertools import pairwise
from typing import Any

from mmx.engine.canonical import bytes_digest, canonical_floatless, data_digest
from mmx.engine.errors import ReceiptError
from mmx.engine.plain import is_plain_name, is_plain_path, is_sha256


@dataclass(frozen=True)
class Weight:
    """A file of pre-trained weights. Only the digest is in the fingerprint."""

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
    def parameters_text(self) -> bytes:
        """The parameters as JSON, to compare them by kind, too."""
        return canonical_floatless(self.parameters)

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


@dataclass(frozen=True, slots=True)
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
    """One sentence, without paths or times."""
    code: str = ""
    """Short name of the fault, for programs; empty in receipts of earlier versions."""


@dataclass(frozen=True)
class Adoption:
    """The evidence that a result of other code or tools is valid for the present ones."""

    fingerprint: str
    """Under which the result was made."""
    sample: tuple[str, ...] = ()
    """Items that were computed again, all bit-equal; empty in receipts of earlier versions."""
    candidates: int = 0
    """Number of items from which the sample was drawn."""
    commit: str = ""
    """Commit whose code computed the sample; `+` after it where files were changed since."""


@dataclass(frozen=True)
class Receipt:
    """Ingredients and result of one item. Holds only what can be reproduced."""

    ingredients: Ingredients
    outputs: tuple[OutputFile, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    fault: Fault | None = None
    adopted: Adoption | None = None
    """The evidence, if the result was carried over from other code or other tools."""

    @property
    def fingerprint(self) -> str:
        """The ingredients' fingerprint."""
        return self.ingredients.fingerprint

    @cached_property
    def output_digest(self) -> str:
        """Digest of the outputs: the input of the steps that follow."""
        named = [(output.name, output.sha256) for output in self.outputs]
        return bytes_digest(canonical_floatless(named))

    def to_dict(self) -> dict[str, Any]:
        """Return JSON data, the fingerprint first, so that it is easy to find with grep.

        Its values are not copied, for the sake of speed, and must not be changed.
        """
        ingredients = record_fields(self.ingredients)
        ingredients["weights"] = [record_fields(weight) for weight in self.ingredients.weights]
        return {
            "fingerprint": self.fingerprint,
            "ingredients": ingredients,
            "outputs": [record_fields(output) for output in self.outputs],
            "facts": self.facts,
            "fault": _fault_data(self.fault),
            "adopted": adoption_data(self.adopted),
        }

    @classmethod
    def from_dict(
        cls, data: dict[str, Any], *, verify: bool = True, like: "Receipt | None" = None
    ) -> "Receipt":
        """Read what `to_dict` gave; raise ReceiptError where it is inconsistent.

        Digests must be digests and names relative paths without `..`, whoever wrote the receipt.
        verify: compute the fingerprint again instead of taking it as written, which is most of the
        work; False for bytes known to be as a step wrote them. like: another receipt of the step,
        with which equal parts are shared, which takes less than half of the memory.
        """
        try:
            ingredients = _shared(data["ingredients"], like)
            ingredients["weights"] = tuple(Weight(**weight) for weight in ingredients["weights"])
            receipt = cls(
                ingredients=Ingredients(**ingredients),
                outputs=tuple(OutputFile(**output) for output in data["outputs"]),
                facts=data["facts"],
                fault=Fault(**data["fault"]) if data["fault"] else None,
                adopted=_adoption_of(data["adopted"]),
            )
            _refuse_unsafe(receipt.outputs)
            _refuse_odd(receipt, like)
            if like and receipt.ingredients.weights == like.ingredients.weights:
                vars(receipt.ingredients)["weights"] = like.ingredients.weights
            written = data.get("fingerprint")
            if not verify and is_sha256(written):
                # Set where cached_property looks it up, since the class is frozen.
                vars(receipt.ingredients)["fingerprint"] = written
            elif receipt.fingerprint != written:
                raise ReceiptError("the fingerprint is not that of the ingredients")
        except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
            raise ReceiptError(f"not a receipt: {str(error)[:200]}") from None
        return receipt


def _shared(ingredients: dict[str, Any], like: Receipt | None) -> dict[str, Any]:
    """Return the ingredients as JSON data, with what all items of a step have in common once."""
    if like is None:
        return dict(ingredients)
    shared, known = dict(ingredients), like.ingredients
    if shared["tools"] == known.tools:
        shared["tools"] = known.tools
    # As text, since 1, 1.0 and true are equal as values.
    if canonical_floatless(shared["parameters"]) == known.parameters_text:
        shared["parameters"] = known.parameters
    return shared


def _refuse_unsafe(outputs: Sequence[OutputFile]) -> None:
    """Raise ReceiptError for an output that names a file outside the folder it belongs to."""
    for output in outputs:
        if not is_sha256(output.sha256):
            raise ReceiptError("not a receipt: the digest of an output is not a sha256")
        if not _is_safe(output.name):
            raise ReceiptError("not a receipt: the name of an output is not a safe relative path")
        if type(output.size) is not int or output.size < 0:
            raise ReceiptError("not a receipt: the size of an output is not a number of bytes")
    names = sorted(output.name for output in outputs) if len(outputs) > 1 else ()
    if any(later == name or later.startswith(f"{name}/") for name, later in pairwise(names)):
        raise ReceiptError("not a receipt: two outputs need the same place")


_is_safe = lru_cache(1024)(is_plain_path)
"""A step gives its outputs the same few names again and again."""


def _refuse_odd(receipt: Receipt, like: Receipt | None) -> None:
    """Raise ReceiptError for a receipt whose other fields are not what `to_dict` writes.

    like: a receipt that was found sound; what is shared with it is not checked again.
    """
    made, fault, adopted = receipt.ingredients, receipt.fault, receipt.adopted
    texts = [*made.inputs.values(), made.code]
    if like is None or made.tools is not like.ingredients.tools:
        texts += made.tools.values()
    for weight in made.weights:
        texts += (weight.name, weight.source)
    texts += [fault.kind, fault.reason, fault.code] if fault else []
    texts += [*adopted.sample, adopted.commit] if adopted else []
    digests = [weight.sha256 for weight in made.weights]
    digests += [adopted.fingerprint] if adopted else []
    sound = (
        is_plain_name(made.step)
        and type(made.schema) is int
        and isinstance(made.parameters, dict)
        and isinstance(receipt.facts, dict)
        and {*map(type, texts)} == {str}
        and all(map(is_sha256, digests))
    )
    if not sound:
        raise ReceiptError("not a receipt: a field is not what a step writes")


def _fault_data(fault: Fault | None) -> dict[str, Any] | None:
    """Return a fault as JSON data; one without a code as earlier versions wrote it."""
    if fault is None:
        return None
    return record_fields(fault) if fault.code else {"kind": fault.kind, "reason": fault.reason}


def adoption_data(adoption: Adoption | None) -> dict[str, Any] | str | None:
    """Return an adoption as JSON data; one without a sample as earlier versions wrote it."""
    if adoption is None:
        return None
    if not adoption.sample:
        return adoption.fingerprint
    return {**record_fields(adoption), "sample": list(adoption.sample)}


def _adoption_of(data: dict[str, Any] | str | None) -> Adoption | None:
    """Return the adoption that `adoption_data` gave."""
    if data is None or isinstance(data, str):
        return Adoption(data) if data else None
    return Adoption(**{**data, "sample": tuple(data["sample"])})


def record_fields(record: Weight | Ingredients | OutputFile | Fault | Adoption) -> dict[str, Any]:
    """Return a record's fields by name."""
    kind: type = type(record)  # mypy confuses the __hash__ of a record and of its class
    return {name: getattr(record, name) for name in _field_names(kind)}


@cache
def _field_names(kind: type) -> tuple[str, ...]:
    """Return the names of a dataclass's fields."""
    return tuple(each.name for each in fields(kind))


@contextmanager
def gc_disabled() -> Iterator[None]:
    """Switch Python's garbage collector off in the context; also a decorator.

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
