import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
import work

from mmx.engine.pools.local import Lost, map_items


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    path = os.pathsep.join([str(Path(__file__).parents[1] / "shared"), *sys.path])
    monkeypatch.setenv("PYTHONPATH", path)


def collect(results: Iterable[tuple[Sequence[Any], Any]]) -> dict[Any, Any]:
    done: dict[Any, Any] = {}
    for jobs, result in results:
        values = [result] if isinstance(result, Lost) else result
        done.update(zip(jobs, values, strict=True))
    return done


def test_every_job_is_done_once_whatever_the_chunk() -> None:
    for chunk in (1, 4, 50):
        done = collect(map_items(work.worker_pid, range(10), workers=2, chunk=chunk))
        assert sorted(done) == list(range(10))
        assert os.getpid() not in done.values()


def test_a_job_that_kills_its_worker_twice_is_lost_and_no_other() -> None:
    done = collect(map_items(work.die_on_seven, range(20), workers=2, chunk=3))
    assert done.pop(7) == Lost(7)
    assert done == {number: 2 * number for number in range(20) if number != 7}


def test_a_job_whose_worker_dies_once_completes(tmp_path: Path) -> None:
    marker = tmp_path / "killed"
    jobs = [(number, marker) for number in range(6)]
    done = collect(map_items(work.die_once, jobs, workers=2))
    assert marker.exists()
    assert done == {(number, marker): 2 * number for number in range(6)}


def test_each_worker_has_a_number_and_gpus_are_used_in_turn() -> None:
    numbers = collect(
        map_items(work.worker_number, range(8), workers=2, setup=work.remember_number)
    )
    assert set(numbers.values()) <= {"0", "1"}
    numbers = collect(
        map_items(work.worker_number, range(8), workers=2, gpus=1, setup=work.remember_number)
    )
    assert set(numbers.values()) == {"0"}


def test_nothing_to_do_starts_nothing() -> None:
    assert list(map_items(work.worker_pid, [], workers=2)) == []


def test_jobs_are_prepared_when_they_are_about_to_run() -> None:
    ready: list[int] = []

    def prepare(job: int) -> int:
        ready.append(job)
        return job + 100

    seen = []
    for jobs, results in map_items(work.echo, range(8), workers=1, prepare=prepare):
        seen.append((jobs, results))
        assert len(ready) <= len(seen) + 1
    assert seen == [((job,), [job + 100]) for job in range(8)]
