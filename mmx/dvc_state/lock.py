"""dvc.lock: the outputs that DVC recorded of every stage."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from mmx.engine.atomic import write_atomic
from mmx.engine.files import FileRefusedError, read_regular
from mmx.engine.plain import is_md5, is_plain_path

LOCK = "dvc.lock"
UNREADABLE = (yaml.YAMLError, ValueError, AttributeError, KeyError, TypeError, RecursionError)
"""What reading a file that is not DVC's raises: a date or a number may be a ValueError."""
_LARGEST = 1 << 28
"""Bytes of dvc.lock."""


@dataclass(frozen=True)
class Lock:
    """The contents of one dvc.lock."""

    stages: dict[str, dict[str, str]] = field(default_factory=dict)
    """By stage: md5 of each output by its path. The md5 of a directory ends in .dir."""

    @property
    def outs(self) -> dict[str, str]:
        """md5 of each output by its path."""
        return {path: md5 for outs in self.stages.values() for path, md5 in outs.items()}


def read_lock(root: Path) -> Lock:
    """Return what dvc.lock in the folder `root` says; empty where it is missing or damaged."""
    try:
        return parse_lock(read_regular(root / LOCK, _LARGEST).decode("utf-8"))
    except (FileNotFoundError, IsADirectoryError, FileRefusedError, UnicodeDecodeError):
        return Lock()


def parse_lock(text: str) -> Lock:
    """Return the contents of a dvc.lock; empty for a text that is not one."""
    try:
        stages = (load_yaml(text) or {}).get("stages", {})
        return Lock({name: stage_outs(stage) for name, stage in stages.items()})
    except UNREADABLE:
        return Lock()


def load_yaml(text: str) -> Any:
    """Return what DVC's YAML says, read by the fast parser where PyYAML has it."""
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def stage_outs(entry: dict[str, Any]) -> dict[str, str]:
    """Return the md5 of each output of a stage, or of an entry of DVC's run-cache, by its path.

    Outputs outside the project, and digests of another form, are none of mmx and left out.
    """
    outs = {out["path"]: out["md5"] for out in entry.get("outs", []) if "md5" in out}
    return {path: md5 for path, md5 in outs.items() if is_plain_path(path) and is_md5(md5)}


def forget_outs(root: Path, stages: Iterable[str]) -> None:
    """Remove the outputs of the stages from dvc.lock; the stages stay in it."""
    named = set(stages)
    if not named:
        return
    data = yaml.safe_load((root / LOCK).read_text(encoding="utf-8"))
    for name in named:
        data["stages"][name].pop("outs", None)
    write_atomic(root / LOCK, yaml.safe_dump(data, sort_keys=False, allow_unicode=True).encode())


def replace_outs(root: Path, new: Mapping[str, tuple[str, int, int | None] | None]) -> list[str]:
    """Write other digests of outputs into dvc.lock; return the stages that lost all of theirs.

    new: by md5 of a present output, its new (md5, bytes, number of files, None for a file). A stage
    of which an output has None loses its outputs, so that the next run makes them again.
    """
    if not (root / LOCK).exists():
        return []
    data = yaml.safe_load((root / LOCK).read_text(encoding="utf-8"))
    lost = []
    for name, stage in data["stages"].items():
        outs = [out for out in stage.get("outs", []) if out.get("md5") in new]
        if any([_replaced(out, new[out["md5"]]) for out in outs]):
            stage.pop("outs")
            lost.append(name)
    write_atomic(root / LOCK, yaml.safe_dump(data, sort_keys=False, allow_unicode=True).encode())
    return lost


def _replaced(out: dict[str, Any], new: tuple[str, int, int | None] | None) -> bool:
    """Put a new digest into an output's entry; say whether there is none."""
    if new is None:
        return True
    md5, size, files = new
    out |= {"md5": md5, "size": size} | ({"nfiles": files} if files is not None else {})
    return False
