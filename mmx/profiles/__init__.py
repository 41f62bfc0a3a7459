"""The two profiles: which keys of params.yaml they set, and how params.yaml is switched."""

from collections.abc import Mapping
from importlib.resources import files
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from mmx.engine.atomic import write_atomic
from mmx.params import ParamsError
from mmx.paramsfile import load_params

PROFILES = ("lite", "paper")


def _profile_values(name: str) -> dict[str, Any]:
    """Return a profile's values by dotted key; raise ParamsError for an unknown profile."""
    if name not in PROFILES:
        raise ParamsError(f"there is no profile {name!r}; there are {' and '.join(PROFILES)}")
    text = files(__name__).joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    values: dict[str, Any] = YAML(typ="safe").load(text)
    return values


def switch_profile(path: Path, name: str, *, force: bool = False) -> list[str]:
    """Set the profile's keys in params.yaml, keep all else and all comments; list what changed.

    Raise ParamsError, naming the keys, where one of the present profile's keys was edited by hand,
    unless `force` says to overwrite it.
    """
    new = _profile_values(name)
    present = load_params(path).profile
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 100
    yaml.indent(mapping=2, sequence=4, offset=2)
    data = yaml.load(path.read_text(encoding="utf-8"))
    edited = [key for key, value in _profile_values(present).items() if read(data, key) != value]
    if edited and not force:
        raise ParamsError(
            f"params.yaml differs from the profile {present} in {', '.join(edited)}: "
            "undo that, or overwrite it with --force"
        )
    changed = [key for key, value in new.items() if read(data, key) != value]
    for key in changed:
        write(data, key, new[key])
    text = StringIO()
    yaml.dump(data, text)
    write_atomic(path, text.getvalue().encode("utf-8"))
    load_params(path)
    return changed


def read(data: Mapping[str, Any], key: str) -> Any:
    """Return the value of a dotted key, or None."""
    value: Any = data
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def write(data: CommentedMap, key: str, value: Any) -> None:
    """Set the value of a dotted key; its section must exist."""
    *sections, leaf = key.split(".")
    for part in sections:
        data = data[part]
    data[leaf] = _flow_style(value)


def _flow_style(value: Any) -> Any:
    """Return the value with its innermost lists and mappings on one line."""
    if isinstance(value, Mapping):
        styled: CommentedMap | CommentedSeq = CommentedMap(
            (key, _flow_style(part)) for key, part in value.items()
        )
        nested = any(isinstance(part, Mapping | list) for part in value.values())
    elif isinstance(value, list):
        styled = CommentedSeq(map(_flow_style, value))
        nested = False
    else:
        return value
    if not nested:
        styled.fa.set_flow_style()
    return styled
