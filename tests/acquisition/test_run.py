"""Lists are fetched whole: every outcome in its class, within the limits, whatever is killed."""

import csv
import hashlib
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from fetch_limits import with_limits
from scripted_youtube import opener
from video_server import SIZE, Host, body_of

from mmx.acquisition.ledger import COLUMNS, Attempt, ledger_path, read_ledger
from mmx.acquisition.limits import Pace
from mmx.acquisition.run import dry_run, fetch
from mmx.engine.errors import StoreBusyError
from mmx.layout import Layout
from mmx.params import FetchParams
from mmx.project import Project
from mmx.trailers import read_manifest
from mmx.trailers.tombstones import Tombstone, concealed, write_tombstone

Listed = Callable[..., Path]


def lines(layout: Layout) -> list[Attempt]:
    return read_ledger(ledger_path(layout.root))


def ends(layout: Layout, name: str = "") -> list[str]:
    """The outcomes of attempts, in order, of all or of the addresses that hold a name."""
    return [each.outcome for each in lines(layout) if name in each.url and each.outcome != "begun"]


def video_of(layout: Layout, name: str) -> bytes:
    (row,) = (each for each in read_manifest(layout.manifest) if each.url.endswith(name))
    return (layout.videos / row.video).read_bytes()


def test_each_answer_is_in_its_class_and_what_came_is_in_the_manifest(
    project: Project, host: Host, listed: Listed, layout: Layout
) -> None:
    kinds = ["ok", "gone", "private", "limited", "truncated", "lying", "changing", "page"]
    path = listed(*(f"{kind}/a.mp4" for kind in [*kinds, "moved"]))
    host.bytes_each = SIZE // 4
    report = fetch(project, path)
    assert {kind: ends(layout, f"/{kind}/") for kind in kinds} == {
        "ok": ["fetched"],
        "gone": ["gone"],
        "private": ["blocked"],
        "limited": ["limited", "fetched"],
        "truncated": ["network", "fetched"],
        "lying": ["network", "broken"],
        "changing": ["network", "fetched"],
        "page": ["broken"],
    }
    assert report.outcomes == {"fetched": 5, "gone": 1, "blocked": 1, "broken": 2}
    assert report.dead_by_year == {"1991": 1} and report.added == 5
    for kind in ("ok", "limited", "truncated", "moved"):
        served = f"/{kind.replace('moved', 'ok')}/a.mp4"
        assert video_of(layout, f"{kind}/a.mp4") == body_of(served)
    assert video_of(layout, "changing/a.mp4") == body_of("/changing/a.mp4", version=2)
    assert sum(each.outcome == "begun" for each in lines(layout)) == report.attempts
    assert [each.name for each in (layout.data / "fetching").iterdir()] == ["lock"]


def test_a_host_that_stops_sending_is_asked_for_the_rest(
    project: Project, host: Host, listed: Listed, layout: Layout
) -> None:
    host.bytes_each, host.stall_s = SIZE // 4, 2.0
    fetch(with_limits(project, timeout_s=0.5, tries=20), listed("slow/a.mp4"))
    assert (ends(layout)[0], ends(layout)[-1]) == ("network", "fetched")
    assert host.log[1].range and video_of(layout, "slow/a.mp4") == body_of("/slow/a.mp4")


def test_the_rest_of_other_bytes_is_not_joined_to_what_is_there(
    project: Project, host: Host, listed: Listed, layout: Layout
) -> None:
    fetch(project, listed("careless/a.mp4"))
    assert [bool(each.range) for each in host.log] == [False, True, False]
    assert video_of(layout, "careless/a.mp4") == body_of("/careless/a.mp4", version=3)


def test_a_file_without_a_length_and_ways_that_lead_nowhere(
    project: Project, host: Host, listed: Listed, layout: Layout
) -> None:
    report = fetch(project, listed("unsized/a.mp4", "away/a.mp4", "circle/a.mp4"))
    assert report.outcomes == {"fetched": 1, "broken": 2}
    assert video_of(layout, "unsized/a.mp4") == body_of("/unsized/a.mp4")
    assert len(host.asked("circle")) == 6


def test_what_is_too_large_is_not_kept(project: Project, listed: Listed, layout: Layout) -> None:
    small = with_limits(project, largest_mb=0.1)
    assert fetch(small, listed("ok/a.mp4", "unsized/a.mp4")).outcomes == {"broken": 2}
    assert [each.name for each in (layout.data / "fetching").iterdir()] == ["lock"]


def test_a_host_that_is_not_there_is_of_the_network(
    project: Project, host: Host, listed: Listed, layout: Layout
) -> None:
    path = listed("ok/a.mp4")
    path.write_text(path.read_text().replace(host.address, "http://127.0.0.1:1"))
    assert fetch(project, path).outcomes == {"network": 1} and ends(layout) == ["network"] * 3


@pytest.mark.parametrize("lost", [False, True])
def test_a_kill_before_the_file_is_placed_costs_nothing_or_a_fetch(
    project: Project, host: Host, listed: Listed, layout: Layout, lost: bool
) -> None:
    path = listed("ok/a.mp4")
    fetch(project, path)
    (video,) = (each for each in layout.videos.iterdir())
    video.rename(layout.data / "fetching" / video.name)
    if lost:
        (layout.data / "fetching" / video.name).write_bytes(b"torn")
    fetch(project, path)
    assert video.read_bytes() == body_of("/ok/a.mp4") and len(host.log) == 1 + lost
    assert [each.name for each in (layout.data / "fetching").iterdir()] == ["lock"]


def test_the_ledger_says_what_came_and_the_manifest_pins_it(
    project: Project, listed: Listed, layout: Layout
) -> None:
    fetch(project, listed("ok/a.mp4"))
    (row,), line = read_manifest(layout.manifest), lines(layout)[-1]
    assert (line.format, line.bytes, line.video) == ("video/mp4", str(SIZE), row.video)
    assert line.sha256 == row.sha256 == hashlib.sha256(body_of("/ok/a.mp4")).hexdigest()
    assert (line.trailer_id, line.url) == (row.trailer_id, row.url)
    assert (row.title, row.year, row.genres, row.faults) == ("Film 0", 1990, ("Drama",), ())


def test_an_interrupted_file_is_gone_on_with_and_not_begun_anew(
    project: Project, host: Host, listed: Listed
) -> None:
    fetch(project, listed("truncated/a.mp4"))
    assert [each.range for each in host.log] == ["", f"bytes={SIZE // 3}-"]


def test_a_second_run_asks_for_nothing_that_is_there_or_dead(
    project: Project, host: Host, listed: Listed, layout: Layout
) -> None:
    path = listed("ok/a.mp4", "gone/a.mp4", "private/a.mp4")
    fetch(project, path)
    before = len(host.log), layout.manifest.read_bytes()
    report = fetch(project, path)
    assert [each.path for each in host.log[before[0] :]] == ["/private/a.mp4"]
    assert report.added == 0 and layout.manifest.read_bytes() == before[1]


def test_a_recheck_fetches_nothing_and_lets_what_is_back_be_fetched(
    project: Project, host: Host, listed: Listed, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = listed("gone/a.mp4", "ok/a.mp4")
    fetch(project, path)
    gone, ok = (host.url(f"{kind}/a.mp4") for kind in ("gone", "ok"))
    report = fetch(project, path, recheck=True)
    assert report.outcomes == {"gone": 1, "there": 1} and report.added == 0
    assert [each.outcome for each in lines(layout) if each.url == ok][-1] == "there"
    ledger = ledger_path(layout.root)
    text = ledger.read_text().replace(",gone,", ",there,")
    ledger.write_text(text)
    assert dry_run(project, path).videos == {"127.0.0.1": 1}
    assert gone in text


def test_youtube_by_yt_dlp_with_a_scripted_extractor(
    project: Project, host: Host, listed: Listed, layout: Layout
) -> None:
    said = [f"{word:_<11}" for word in ("gone", "private", "age", "land", "bot", "bug", "new")]
    names = ["-fine_Video", "_fine_video", *said]
    fetch(project, listed(*names, column="youtube_id"), open_youtube=opener(host))
    assert {each.trailer_id: each.outcome for each in lines(layout)} == {
        "-fine_Video": "fetched",
        "_fine_video": "fetched",
        "gone_______": "gone",
        "private____": "private",
        "age________": "age",
        "land_______": "region",
        "bot________": "blocked",
        "bug________": "broken",
        "new________": "broken",
    }
    rows = {row.trailer_id: row for row in read_manifest(layout.manifest)}
    assert rows.keys() == {"-fine_Video", "_fine_video"}
    first = rows["-fine_Video"]
    assert first.url == "https://www.youtube.com/watch?v=-fine_Video"
    assert (first.license, first.added["youtube_id"]) == ("CC-BY", "-fine_Video")
    assert (layout.videos / first.video).read_bytes() == body_of("/ok/-fine_Video.mp4")
    line = next(each for each in lines(layout) if each.outcome == "fetched")
    assert (line.format, line.uploader, line.licence) == ("18", "Studio", "CC-BY")


def test_a_host_that_limits_or_fails_again_and_again_is_left_for_a_later_run(
    project: Project, host: Host, listed: Listed, layout: Layout
) -> None:
    path = listed("rate_______", "fine_______", column="youtube_id")
    report = fetch(project, path, open_youtube=opener(host))
    assert ends(layout) == ["limited"] * 3 and report.outcomes == {"limited": 1, "untried": 1}
    names = [f"lost____{n:03}" for n in range(7)]
    report = fetch(project, listed(*names, column="youtube_id"), open_youtube=opener(host))
    assert report.outcomes == {"network": 5, "untried": 2}


def test_a_host_that_asks_for_more_patience_than_there_is_is_left(
    project: Project, host: Host, listed: Listed, layout: Layout
) -> None:
    impatient = with_limits(project, patience_s=0.5)
    report = fetch(impatient, listed("limited/a.mp4", "ok/a.mp4"))
    assert report.outcomes == {"limited": 1, "untried": 1} and len(host.log) == 1


def pace_of(host: Host, **limits: float) -> Pace:
    """Limits by a clock that only waits move, and that the host's log has, too."""
    now = [0.0]
    pace = Pace(FetchParams(**limits), clock=lambda: now[0])  # type: ignore[arg-type]
    pace.sleep = lambda seconds: now.__setitem__(0, now[0] + seconds)
    host.clock = pace.clock
    return pace


def test_the_hosts_log_shows_the_interval_and_the_pause_that_it_asked_for(
    project: Project, host: Host, listed: Listed
) -> None:
    path = listed("ok/a.mp4", "truncated/a.mp4", "limited/a.mp4", "moved/a.mp4")
    fetch(project, path, pace=pace_of(host, interval_s=0.1, rate_mb_s=1e6))
    asked = [(each.path.split("/")[1], each.moment) for each in host.log]
    # An early end is waited out for 4 intervals, a limit for as long as the host says.
    assert asked == [
        ("ok", 0.0),
        ("truncated", pytest.approx(0.1)),
        ("truncated", pytest.approx(0.5)),
        ("limited", pytest.approx(0.6)),
        ("limited", pytest.approx(1.6)),
        ("moved", pytest.approx(1.7)),
        ("ok", pytest.approx(1.8)),
    ]


def test_bytes_are_within_the_rate(project: Project, host: Host, listed: Listed) -> None:
    pace = pace_of(host, interval_s=0, rate_mb_s=0.05)
    fetch(project, listed("ok/a.mp4"), pace=pace)
    assert pace.clock() == pytest.approx(SIZE / 50_000)


def test_cookies_are_sent_to_their_host_alone(
    project: Project, host: Host, listed: Listed, tmp_path: Path
) -> None:
    cookies = tmp_path / "cookies.txt"
    jar = ["127.0.0.1\tFALSE\t/\tFALSE\t0\tkey\tvalue", "x.org\tFALSE\t/\tFALSE\t0\tother\tvalue"]
    cookies.write_text("\n".join(["# Netscape HTTP Cookie File", *jar, ""]))
    before = cookies.read_bytes()
    fetch(project, listed("ok/a.mp4"), cookies=cookies)
    assert host.log[0].cookie == "key=value" and cookies.read_bytes() == before


def test_a_dry_run_asks_no_host_and_counts_hours(
    project: Project, host: Host, listed: Listed, layout: Layout
) -> None:
    slow = with_limits(project, interval_s=3600.0, rate_mb_s=1e6)
    plan = dry_run(slow, listed("ok/a.mp4", "ok/b.mp4"))
    assert plan.videos == {"127.0.0.1": 2} and plan.hours == pytest.approx(2.0, rel=1e-3)
    assert host.log == [] and not ledger_path(layout.root).exists()


def tombstone(url: str = "", content: str = "") -> Tombstone:
    name = concealed("other")
    digests, addresses = (tuple(map(concealed, filter(None, [x]))) for x in (content, url))
    return Tombstone(name[:16], name, 5, digests, (), addresses, "2026-01-01", "asked", "me")


def test_what_was_taken_out_is_not_asked_for_and_nothing_names_it(
    project: Project, host: Host, listed: Listed, layout: Layout
) -> None:
    write_tombstone(layout.root, tombstone(url=host.url("ok/a.mp4")))
    report = fetch(project, listed("ok/a.mp4"))
    assert "was taken out" in report.rejected[0].reason and report.rejected[0].row == 2
    assert host.log == [] and not ledger_path(layout.root).exists()


def test_bytes_of_what_was_taken_out_do_not_stay(
    project: Project, listed: Listed, layout: Layout
) -> None:
    content = hashlib.sha256(body_of("/ok/a.mp4")).hexdigest()
    write_tombstone(layout.root, tombstone(content=content))
    report = fetch(project, listed("ok/a.mp4"))
    assert report.outcomes == {"refused": 1} and report.added == 0
    assert list(layout.videos.iterdir()) == []
    assert content not in ledger_path(layout.root).read_text()
    assert [each.name for each in (layout.data / "fetching").iterdir()] == ["lock"]


def test_a_file_of_the_users_own_is_left_alone(
    project: Project, listed: Listed, layout: Layout
) -> None:
    path = listed("ok/a.mp4")
    fetch(project, path)
    (row,) = read_manifest(layout.manifest)
    ledger_path(layout.root).unlink()
    (layout.videos / row.video).write_bytes(b"mine")
    report = fetch(project, path)
    assert report.outcomes == {"broken": 1}
    assert (layout.videos / row.video).read_bytes() == b"mine"


def test_two_at_once_are_refused(project: Project, listed: Listed, layout: Layout) -> None:
    from mmx.acquisition.run import _locked

    with _locked(layout.data / "fetching"), pytest.raises(StoreBusyError, match="another"):
        fetch(project, listed("ok/a.mp4"))


def test_two_kills_lose_no_attempt_and_tear_no_file(
    project: Project, host: Host, listed: Listed, layout: Layout
) -> None:
    path = listed(*(f"ok/{n}.mp4" for n in range(4)), "gone/a.mp4")
    host.bytes_each, host.pause_s = SIZE // 4, 0.05
    script = Path(__file__).with_name("fetching.py")
    for _ in range(2):
        host.sent.clear()
        process = subprocess.Popen([sys.executable, script, layout.root, path])
        assert host.sent.wait(60)
        time.sleep(0.12)
        process.send_signal(signal.SIGKILL)
        process.wait()
    host.pause_s = 0.0
    fetch(project, path)
    begun = Counter(each.url for each in lines(layout) if each.outcome == "begun")
    asked = Counter(f"{host.address}{each.path}" for each in host.log)
    assert begun == asked and any(each.range for each in host.log)
    for n in range(4):
        assert video_of(layout, f"ok/{n}.mp4") == body_of(f"/ok/{n}.mp4")
    with ledger_path(layout.root).open(newline="") as file:
        assert {len(row) for row in csv.reader(file)} == {len(COLUMNS)}
    assert [each.name for each in (layout.data / "fetching").iterdir()] == ["lock"]
