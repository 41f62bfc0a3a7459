"""The short form of `python -m benchmarks.fuzz_media`."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from coded_film import make

from benchmarks import fuzz_media
from benchmarks.fuzz_media import FILMS, LEVELS, fuzz, mutants, report

pytestmark = pytest.mark.slow


def test_mutants_are_refused_flagged_or_the_same() -> None:
    tally = fuzz(range(36), 0, FILMS)
    assert tally.total("") == 36 and tally.total("fault") > 5 and tally.total("same") > 5
    assert tally.total("unseen", "hang", "error", "files") == 0, report(tally)
    assert {(name, level) for name, level, _ in tally.outcomes} == {
        (name, level) for name in FILMS for level in LEVELS
    }


def test_a_seed_gives_the_same_mutants() -> None:
    originals = {"ts": bytes(range(256)) * 40}
    first, again, other = (list(mutants(range(9), seed, originals)) for seed in (1, 1, 2))
    assert first == again != other
    assert all(data != originals["ts"] for _, _, level, data in first if level == "packet")


@pytest.mark.parametrize(
    ("reader", "outcome"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "death SIGKILL"),
        ("raise ValueError('a bug')", "error"),
        ("import time; time.sleep(60)", "hang"),
    ],
)
def test_bad_ends_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reader: str, outcome: str
) -> None:
    monkeypatch.setattr(fuzz_media, "read", lambda path, folder: exec(reader))
    monkeypatch.setattr(fuzz_media, "WALL_S", 1.0)
    (tmp_path / "a").write_bytes(b"x")
    found = fuzz_media.apart(tmp_path / "a", tmp_path)
    assert isinstance(found, str) and found.startswith(outcome)


def test_a_lost_picture_is_noticed(tmp_path: Path) -> None:
    path = make(tmp_path / "a.mkv", FILMS["mkv"])
    whole = fuzz_media.read(path, tmp_path)
    assert fuzz_media.compare(whole, whole) == "same"
    kept = [n for n in range(36) if n != 20]
    short = replace(
        whole,
        numbers=tuple(whole.numbers[n] for n in kept),
        times=tuple(whole.times[n] for n in kept),
        pictures=whole.pictures[kept],
    )
    assert fuzz_media.compare(short, whole) == "unseen"
    quiet = replace(whole, sound=np.zeros_like(whole.sound))
    assert fuzz_media.compare(quiet, whole) == "within"
