"""Reading params.yaml: what is wrong with it is said with its line; MMX_RUN_... override it."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError, create_model

from mmx.params import Params, ParamsError, RunParams, Section
from mmx.yamlfile import Document, YamlError, read_document

MOST_FAULTS = 10
"""Faults that one message names."""
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
        raise ParamsError(f"{path} does not exist: run mmx in a project's top folder") from None
    except YamlError as error:
        raise ParamsError(str(error)) from None
    try:
        return _overridden(_model(sections or {}).model_validate(document.data), os.environ)
    except ValidationError as error:
        faults = [_fault(document, one["loc"], one["msg"], one["type"]) for one in error.errors()]
        more = len(faults) - MOST_FAULTS
        told = [*faults[:MOST_FAULTS], *([f"and {more} more"] if more > 0 else [])]
        raise ParamsError(f"{path}: " + "; ".join(told)) from None


def _fault(document: Document, keys: tuple[int | str, ...], said: str, kind: str) -> str:
    """Return one fault with its line and key: the key that is there, or the one that is missing."""
    key, line = document.find(keys)
    if kind == "missing":
        key = ".".join(map(str, keys))
    words = _WORDS.get(kind, said.removeprefix("Value error, "))
    return f"line {line}: {key or 'the file'}: {words}"


def _overridden(params: Params, environment: Mapping[str, str]) -> Params:
    """Return the parameters with section `run` as the environment's MMX_RUN_... say."""
    names = {f"MMX_RUN_{name.upper()}": name for name in RunParams.model_fields}
    given = {names[key]: _scalar(value) for key, value in environment.items() if key in names}
    if not given:
        return params
    try:
        run = RunParams.model_validate({**params.run.model_dump(by_alias=True), **given})
    except ValidationError as error:
        told = [f"MMX_RUN_{str(each['loc'][0]).upper()}: {each['msg']}" for each in error.errors()]
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
