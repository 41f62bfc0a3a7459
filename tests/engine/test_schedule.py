"""Which node works on what, and files that travel: without a cluster."""

from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest

from mmx.engine.canonical import bytes_digest, file_digest
from mmx.engine.files import InputChangedError, InputFile
from mmx.engine.pools.cluster import refusal
from mmx.engine.pools.head_files import HeadFiles
from mmx.engine.pools.node_cache import NodeCache
from mmx.engine.pools.node_worker import replace_paths
from mmx.engine.pools.schedule import MOVES, Schedule, Work, divide, moved, struck
from mmx.engine.receipt import OutputFile
from mmx.engine.store import Store
from mmx.engine.task import Task


def test_no_worker_is_idle_while_others_have_much(make_task: Callable[..., Task]) -> None:
    tasks = [make_task(number) for number in range(8)]
    assert [len(work.tasks) for work in divide(tasks, 6, 2)] == [1] * 8
    assert [len(work.tasks) for work in divide(tasks * 12, 6, 2)] == [6] * 16


def test_work_goes_home_and_is_stolen_by_the_idle(make_task: Callable[..., Task]) -> None:
    works = [Work((make_task(number),)) for number in range(30)]
    schedule = Schedule(works)
    assert schedule.take("a") is None
    schedule.deal(["a", "b"])
    first = [schedule.take("a") for _ in range(30)]
    assert sorted(map(id, first)) == sorted(map(id, works)) and not schedule
    again = Schedule(works)
    again.deal(["a", "b", "c"])
    ahead = again.ahead("c")
    assert ahead is not None and again.take("c") is ahead


def test_two_deaths_lose_a_task_and_many_lost_nodes_too(make_task: Callable[..., Task]) -> None:
    tasks = (make_task(1), make_task(2))
    alone, lost = struck(Work(tasks))
    assert [work.tasks for work in alone] == [tasks[:1], tasks[1:]] and not lost
    assert struck(alone[0]) == ([], [tasks[0]])
    work = Work(tasks)
    for _ in range(MOVES):
        [work], _ = moved(work)
    assert moved(work) == ([], list(tasks)) and work.strikes == 0


def test_a_refusal_names_every_difference() -> None:
    assert refusal("node-b", {"torch": "2"}, {"torch": "2", "more": "1"}) == ""
    said = refusal("node-b", {"torch": "2", "numpy": "1"}, {"torch": "3"})
    assert "node-b" in said and "torch is 3 there and 2 here" in said
    assert "numpy is missing there and 1 here" in said


def source(content: bytes, calls: list[int]) -> Callable[[IO[bytes]], int]:
    def download(to: IO[bytes]) -> int:
        calls.append(len(content))
        return to.write(content)

    return download


def test_a_cache_keeps_its_budget_and_no_eviction_hurts_a_file_in_use(tmp_path: Path) -> None:
    cache, calls = NodeCache(tmp_path / "cache", budget=250), list[int]()
    with cache.work_folder() as work:
        links = []
        for number in range(4):
            content = bytes([number]) * 100
            file = InputFile(Path(f"{number}.mp4"), bytes_digest(content))
            links.append(cache.link(file, work, source(content, calls)))
            cache.link(file, work / "again", source(content, calls))
        assert len(calls) == 4 and [path.read_bytes()[0] for path in links] == [0, 1, 2, 3]
    kept = [path for path in (tmp_path / "cache" / "objects").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in kept) == 200
    with cache.work_folder() as another:
        assert [path.name for path in another.parent.iterdir()] == [another.name]


def test_a_damaged_download_is_tried_again_and_then_named(tmp_path: Path) -> None:
    cache, calls = NodeCache(tmp_path, budget=1000), list[int]()
    file = InputFile(Path("film.mp4"), bytes_digest(b"right"))
    with pytest.raises(InputChangedError, match=r"film\.mp4 has other bytes"):
        cache.link(file, tmp_path / "work", source(b"wrong", calls))
    assert len(calls) == 2 and not cache.has(file.sha256)


def test_the_head_keeps_no_damaged_result_and_gives_no_other_file(store: Store) -> None:
    head = HeadFiles(store)
    expected = OutputFile("result", bytes_digest(b"abcdef"), 6)
    for content, kept in ((b"abcxef", False), (b"abcdef", True)):
        upload = head.begin()
        head.write(upload, 3, content[3:])
        head.write(upload, 0, content[:3])
        assert head.finish(upload, expected) is kept
        assert store.holds(expected) is kept
    secret = store.root / "secret"
    secret.write_bytes(b"x")
    with pytest.raises(KeyError):
        head.read(file_digest(secret), 0)
    assert not head.adopt(secret, OutputFile("x", file_digest(secret), 1)) and secret.exists()
    head.offer([InputFile(secret, file_digest(secret))])
    assert head.read(file_digest(secret), 0) == b"x"
    assert (head.counts().received, head.counts().sent) == (12, 1)


def test_arguments_name_the_files_of_the_node(tmp_path: Path) -> None:
    film, folder, copy = tmp_path / "v" / "film.mp4", tmp_path / "v", tmp_path / "copy"
    copy.write_text("film")
    given = {"video": film, "folder": folder, "more": [1, (film, "text")], "other": Path("/x")}
    here = replace_paths(given, {film: copy}, tmp_path / "trees")
    assert here["video"] == copy and here["more"] == [1, (copy, "text")]
    assert here["other"] == Path("/x") and (here["folder"] / "film.mp4").read_text() == "film"
    assert replace_paths(given, {film: film}, tmp_path / "trees") == given
