from pathlib import Path
from typing import Any

import pytest
import yaml

from mmx.dvc_state.lock import Lock, forget_outs, parse_lock, read_lock

WRITTEN: dict[str, Any] = {
    "schema": "2.0",
    "stages": {
        "scenes": {
            "cmd": "scenes",
            "deps": [{"path": "data/sources.parquet", "md5": "1" * 32}],
            "outs": [{"path": "data/clips", "md5": "2" * 32 + ".dir"}],
        },
        "split": {
            "cmd": "split",
            "outs": [
                {"path": "data/splits.parquet", "md5": "3" * 32},
                {"path": "reports/not-cached"},
            ],
        },
    },
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with a dvc.lock."""
    (tmp_path / "dvc.lock").write_text(yaml.safe_dump(WRITTEN, sort_keys=False))
    return tmp_path


def test_a_lock_names_the_outputs_of_each_stage(root: Path) -> None:
    lock = read_lock(root)
    assert lock.stages == {
        "scenes": {"data/clips": "2" * 32 + ".dir"},
        "split": {"data/splits.parquet": "3" * 32},
    }
    assert lock.outs == {"data/clips": "2" * 32 + ".dir", "data/splits.parquet": "3" * 32}


@pytest.mark.parametrize(
    "text",
    [
        "stages: [",
        "",
        "stages: 3",
        "stages: {a: 1}",
        "just words",
        "stages: {a: {outs: 1}}",
        "stages: {a: {outs: [{md5: 1}]}}",
        "a: " + "[" * 3000,
        "a: " + "9" * 5000,
        "a: 2024-13-45",
        "a: !!bool x",
        "stages: {a: {outs: [[md5]]}}",
    ],
)
def test_a_damaged_lock_names_nothing(text: str) -> None:
    assert parse_lock(text) == Lock()


def test_outputs_elsewhere_are_none_of_mmx() -> None:
    odd = [
        {"path": "../escaped", "md5": "1" * 32},
        {"path": "/etc/passwd", "md5": "1" * 32},
        {"path": "a", "md5": "../../etc/passwd"},
        {"path": "s3://bucket/key", "md5": "1" * 32},
        {"path": 7, "md5": "1" * 32},
        {"path": "data/clips", "md5": "2" * 32 + ".dir"},
    ]
    text = yaml.safe_dump({"stages": {"scenes": {"outs": odd}}})
    assert parse_lock(text).outs == {"data/clips": "2" * 32 + ".dir"}


def test_no_lock_names_nothing(tmp_path: Path) -> None:
    assert read_lock(tmp_path) == Lock()


def test_a_lock_that_is_not_text_names_nothing(tmp_path: Path) -> None:
    (tmp_path / "dvc.lock").write_bytes(b"\xff\xfe")
    assert read_lock(tmp_path) == Lock()


def test_a_stage_forgets_its_outputs_and_keeps_its_place(root: Path) -> None:
    forget_outs(root, {"scenes"})
    left = yaml.safe_load((root / "dvc.lock").read_text())
    assert list(left["stages"]) == ["scenes", "split"]
    assert "outs" not in left["stages"]["scenes"] and "deps" in left["stages"]["scenes"]
    assert left["stages"]["split"] == WRITTEN["stages"]["split"]
