"""Reading ahead: nothing lost, nothing out of order, faults where they belong, no thread left."""

import threading
from collections.abc import Callable, Generator, Iterator
from itertools import count
from typing import Any

import pytest

from mmx.experts.overlap import Finished, Read, read_ahead


def collect(
    works: list[str], read: Callable[[str], Iterator[str]], threads: int = 1, capacity: int = 4
) -> tuple[list[Any], dict[str, list[str]], dict[str, Exception | None]]:
    events = list(read_ahead(works, read, threads=threads, capacity=capacity))
    parts: dict[str, list[str]] = {work: [] for work in works}
    for event in events:
        if isinstance(event, Read):
            parts[event.work].append(event.part)
    ends = {event.work: event.fault for event in events if isinstance(event, Finished)}
    return events, parts, ends


def letters(word: str) -> Iterator[str]:
    for letter in word:
        if letter == "!":
            raise ValueError(word)
        yield letter


def test_one_thread_keeps_the_order() -> None:
    events, _, _ = collect(["ab", "", "c"], letters)
    assert events == [
        Read("ab", "a"),
        Read("ab", "b"),
        Finished("ab", None),
        Finished("", None),
        Read("c", "c"),
        Finished("c", None),
    ]


@pytest.mark.parametrize("threads", [1, 3])
def test_all_parts_come_in_order_within_their_work(threads: int) -> None:
    works = [f"{number:04}" * 20 for number in range(20)]
    _, parts, ends = collect(works, letters, threads)
    assert parts == {work: list(work) for work in works}
    assert set(ends.values()) == {None}


@pytest.mark.parametrize("threads", [1, 3])
def test_a_fault_ends_its_own_work_only(threads: int) -> None:
    _, parts, ends = collect(["ab", "c!d", "e"], letters, threads)
    assert parts == {"ab": ["a", "b"], "c!d": ["c"], "e": ["e"]}
    assert isinstance(ends["c!d"], ValueError)
    assert ends["ab"] is ends["e"] is None


@pytest.mark.parametrize("threads", [1, 3])
def test_what_the_list_of_work_raises_reaches_the_caller(threads: int) -> None:
    def works() -> Iterator[str]:
        yield "ab"
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        list(read_ahead(works(), letters, threads=threads, capacity=2))
    assert threads_left() == 0


def test_no_more_waits_than_the_capacity() -> None:
    read = []

    def numbers(_: str) -> Iterator[int]:
        for number in count():
            read.append(number)
            yield number

    events = read_ahead(["endless"], numbers, threads=1, capacity=3)
    for taken in range(1, 50):
        event = next(events)
        assert isinstance(event, Read) and event.part == taken - 1
        assert len(read) <= taken + 3 + 1
    assert isinstance(events, Generator)
    events.close()


@pytest.mark.parametrize("threads", [1, 4])
def test_closing_early_ends_the_threads(threads: int) -> None:
    events = read_ahead(map(str, count()), lambda _: count(), threads=threads, capacity=2)
    next(events)
    assert isinstance(events, Generator)
    events.close()
    assert threads_left() == 0


def threads_left() -> int:
    return sum(thread.name.endswith("(_fill)") for thread in threading.enumerate())
