"""Reading params.yaml: what is wrong with it is said with its line; MMX_RUN_... override it."""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError, create_model

from mmx.errors import did_you_mean
from mmx.params import Params, ParamsError, RunParams, Section
from mmx.yamlfile import Document, YamlError, read_document

NO_PROJECT = "{} does not exist: run mmx in a project (a clone of mmx) or in a folder of it"
MOST_FAULTS = 10
"""Faults that one message names."""
_LONGEST_VALUE = 40
"""Characters of a value that a message repeats."""
_WORDS = {
    "missing": "it is missing",
    "extra_forbidden": "there is no such parameter",
    "model_type": "it should be keys with their values",
    "dict_type": "it should be keys with their values",
    "string_pattern_mismatch": "it is not a plain name",
}
"""What is said of a fault by pydantic's name of it, where pydantic itself speaks of Python."""


def load_params(path: Path, sections: Mapping[str, type[Section]] | None = None) -> Params:
    """Read and validate params.yaml; raise ParamsError naming the errors with their lines.

    sections: additional sections that the file may have, by key.
    """
    try:
        document = read_document(path)
    except FileNotFoundError:
        raise ParamsError(NO_PROJECT.format(path)) from None
    except YamlError as error:
        raise ParamsError(str(error)) from None
    try:
        return _overridden(_model(sections or {}).model_validate(document.data), os.environ)
    except ValidationError as error:
        faults = [_fault(document, one, sections or {}) for one in _faults_of(error)]
        more = len(faults) - MOST_FAULTS
        told = [*faults[:MOST_FAULTS], *([f"and {more} more"] if more > 0 else [])]
        raise ParamsError(f"{path}: " + "; ".join(told)) from None


@dataclass(frozen=True)
class _Fault:
    """What pydantic says of one value."""

    keys: tuple[int | str, ...]
    kind: str
    """pydantic's name of the fault."""
    said: str
    value: Any


def _faults_of(error: ValidationError) -> list[_Fault]:
    return [_Fault(one["loc"], one["type"], one["msg"], one["input"]) for one in error.errors()]


def _fault(document: Document, fault: _Fault, added: Mapping[str, type[Section]]) -> str:
    """Return one fault with its line and key: the key that is there, or the one that is missing."""
    keys, kind = fault.keys, fault.kind
    key, line = document.find(keys)
    if kind == "missing":
        key = ".".join(map(str, keys))
    words = _WORDS.get(kind) or _said_of(fault)
    if kind == "extra_forbidden":
        words += did_you_mean(str(keys[-1]), _names_beside(keys, added))
    return f"line {line}: {key or 'the file'}: {words}"


def _said_of(fault: _Fault) -> str:
    """Return what pydantic says of a value, without its own words, and the value if it is short."""
    said, value = fault.said.removeprefix("Value error, "), fault.value
    if not said.startswith("Input should"):
        return said
    said = said.removeprefix("Input ").partition(", unable to parse")[0]
    given = repr(value) if isinstance(value, str | int | float) else ""
    return f"it {said}" + (f", not {given}" if 0 < len(given) <= _LONGEST_VALUE else "")


def _names_beside(keys: tuple[int | str, ...], added: Mapping[str, type[Section]]) -> list[str]:
    """Return the keys that the section of params.yaml has in which `keys` ends."""
    section: Any = _model(added)
    for key in keys[:-1]:
        fields = getattr(section, "model_fields", {})
        section = next((f.annotation for n, f in fields.items() if (f.alias or n) == key), None)
    return [field.alias or name for name, field in getattr(section, "model_fields", {}).items()]


def _overridden(params: Params, environment: Mapping[str, str]) -> Params:
    """Return the parameters with section `run` as the environment's MMX_RUN_... say."""
    names = {f"MMX_RUN_{name.upper()}": name for name in RunParams.model_fields}
    given = {names[key]: _scalar(value) for key, value in environment.items() if key in names}
    if not given:
        return params
    try:
        run = RunParams.model_validate({**params.run.model_dump(by_alias=True), **given})
    except ValidationError as error:
        faults = _faults_of(error)
        told = [f"MMX_RUN_{str(each.keys[0]).upper()}: {_said_of(each)}" for each in faults]
        raise ParamsError("in the environment: " + "; ".join(told)) from None
    return params.model_copy(update={"run": run})


def _scalar(text: str) -> int | float | str:
    """Return a number as it would be in params.yaml; other text as it is."""
    for kind in (int, float):
        with suppress(ValueError):
            return kind(text)
    return text


def _model(sections: Mapping[str, type[Section]]) -> type[Params]:
    fields: dict[str, Any] = {name: (section, ...) for name, section in sections.items()}
    return create_model("Params", __base__=Params, **fields) if fields else Params
