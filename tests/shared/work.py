"""Functions for the workers of the tests, in a module that a new process can import."""

import errno
import os
import signal
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from mmx.engine.errors import StoreError
from mmx.engine.progress import count_part
from mmx.engine.rows import write_rows


class BadInputError(Exception):
    """A fault of the input."""


def double(*, number: int, out: Path) -> dict[str, Any]:
    if number < 0:
        raise BadInputError("the number is negative")
    (out / "result.txt").write_text(str(2 * number))
    return {"doubled": 2 * number}


def rows(*, number: int, out: Path) -> dict[str, Any]:
    vectors = pa.array([[number + i, i, -i] for i in range(number)], pa.list_(pa.float32(), 3))
    patches = pa.array([[[i, 1.0]] * i for i in range(number)], pa.list_(pa.list_(pa.float32(), 2)))
    scores = pa.array([None if i == 0 else 1.5 * i for i in range(number)], pa.float64())
    clips = pa.array(range(number), pa.int32())
    table = pa.table({"clip": clips, "value": vectors, "patches": patches, "score": scores})
    write_rows(out, table)
    return {"rows": number}


def announce() -> None:
    os.environ["ANNOUNCED"] = str(os.getpid())


def announced(*, number: int, out: Path) -> dict[str, Any]:
    return {"by": int(os.environ["ANNOUNCED"])}


def in_parts(*, number: int, out: Path) -> dict[str, Any]:
    for _ in range(number):
        count_part()
    return double(number=number, out=out)


def double_or_overrun(*, number: int, out: Path) -> dict[str, Any]:
    if number == 7:
        os.kill(os.getpid(), signal.SIGXCPU)
        time.sleep(60)
    return double(number=number, out=out)


def no_space(*, number: int, out: Path) -> dict[str, Any]:
    raise OSError(errno.ENOSPC, "No space left on device")


def refuse(*, number: int, out: Path) -> dict[str, Any]:
    raise StoreError(f"{number} is refused: give another")


def counted(*, number: int, log: Path, out: Path) -> dict[str, Any]:
    with log.open("a") as file:
        file.write(f"{number}\n")
    return double(number=number, out=out)


def resumed(*, number: int, out: Path, scratch: Path) -> dict[str, Any]:
    seen = len(list(scratch.iterdir()))
    (scratch / str(seen)).touch()
    if seen < number:
        raise RuntimeError("interrupted")
    (out / "result.txt").write_text(str(seen))
    return {"seen": seen}


def copy(*, source: Path, log: Path, out: Path) -> dict[str, Any]:
    with log.open("a") as file:
        file.write(f"{source}\n")
    (out / "copy").write_bytes(source.read_bytes())
    return {"size": source.stat().st_size}


def double_or_die(*, number: int, out: Path) -> dict[str, Any]:
    if number == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    return double(number=number, out=out)


def no_space_where_told(*, number: int, out: Path) -> dict[str, Any]:
    if "MMX_TEST_FULL" in os.environ:
        raise OSError(errno.ENOSPC, "No space left on device")
    return double(number=number, out=out)


def slow(*, number: int, out: Path) -> dict[str, Any]:
    time.sleep(0.5)
    return double(number=number, out=out)


def describe(variable: str) -> dict[str, str]:
    return {"the code": os.environ.get(variable, "ours")}


def die_on_seven(jobs: Sequence[int]) -> list[int]:
    if 7 in jobs:
        os.kill(os.getpid(), signal.SIGKILL)
    return [2 * job for job in jobs]


def die_once(jobs: Sequence[tuple[int, Path]]) -> list[int]:
    for number, marker in jobs:
        if number == 3 and not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
    return [2 * number for number, _ in jobs]


def echo(jobs: Sequence[int]) -> list[int]:
    """Return the jobs as they arrived."""
    return list(jobs)


def worker_pid(jobs: Sequence[int]) -> list[int]:
    return [os.getpid()] * len(jobs)


def remember_number(number: int) -> None:
    os.environ["MMX_TEST_WORKER"] = str(number)


def worker_number(jobs: Sequence[int]) -> list[str]:
    return [os.environ["MMX_TEST_WORKER"]] * len(jobs)


@dataclass(frozen=True)
class Job:
    number: int
    out: Path


def stream(jobs: Iterable[Job]) -> Iterator[dict[str, Any] | Exception]:
    for job in jobs:
        if job.number == 13:
            raise RuntimeError("the stream broke")
        try:
            yield double(number=job.number, out=job.out)
        except BadInputError as error:
            yield error
