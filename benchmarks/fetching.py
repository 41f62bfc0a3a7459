"""`mmx fetch` of a list of 200 against a host that fails in every way, killed again and again.

    python -m benchmarks.fetching --kills 20 --seed 0

Serves videos on 127.0.0.1, with a scripted extractor for YouTube's ids, runs what `mmx fetch` runs
in a process, ends it with SIGKILL at random moments, and lets it finish. Prints outcomes by kind,
what the host's own log says of the limits, and what the kills have cost.
"""

import argparse
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from bisect import bisect_right
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

TOP = Path(__file__).parents[1]
sys.path.insert(0, str(TOP / "tests" / "shared"))

from scripted_youtube import opener  # noqa: E402
from video_server import Asked, Host, body_of, serving  # noqa: E402

from mmx.acquisition.ledger import Attempt, History, ledger_path, read_ledger  # noqa: E402
from mmx.acquisition.run import fetch  # noqa: E402
from mmx.params import FetchParams  # noqa: E402
from mmx.project import Project, open_project  # noqa: E402
from mmx.trailers import read_manifest  # noqa: E402

PLAIN = {
    "ok": (60, "fetched"),
    "moved": (5, "fetched"),
    "truncated": (15, "fetched"),
    "changing": (10, "fetched"),
    "limited": (6, "fetched"),
    "slow": (6, "fetched"),
    "gone": (12, "gone"),
    "private": (10, "blocked"),
    "lying": (8, "broken"),
    "page": (8, "broken"),
}
"""How many addresses of each kind there are, and what becomes of them in the end."""
YOUTUBE = {
    "fine": (36, "fetched"),
    "gone": (6, "gone"),
    "private": (4, "private"),
    "age": (4, "age"),
    "land": (4, "region"),
    "bot": (3, "blocked"),
    "bug": (3, "broken"),
}
INTERVAL_S = 0.05
QUICK = FetchParams(interval_s=INTERVAL_S, rate_mb_s=1000, timeout_s=1, tries=8)


def main() -> None:
    """Fetch, kill, finish, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child", nargs=2, metavar=("PROJECT", "HOST"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        _fetch(Path(options.child[0]), options.child[1])
        return
    with tempfile.TemporaryDirectory() as folder, serving() as host:
        host.bytes_each, host.pause_s, host.stall_s = 50_000, 0.01, 3.0
        root = Path(folder)
        shutil.copy(TOP / "params.yaml", root)
        _write_list(root / "list.csv", host)
        _run_and_kill(root, host, options.kills, random.Random(options.seed))
        _tell(open_project(root), host, options.kills)


def _fetch(root: Path, address: str) -> None:
    project = open_project(root)
    params = project.params.model_copy(update={"fetch": QUICK})
    youtube = opener(Host(address=address))
    fetch(replace(project, params=params), root / "list.csv", open_youtube=youtube)


def _write_list(path: Path, host: Host) -> None:
    """Write both kinds, mixed as they come."""
    rows = [f"A,Drama,{host.url(name)}," for name in _names(PLAIN, "{kind}/{kind}{n}.mp4")]
    rows += [f"A,Drama,,{name}" for name in _names(YOUTUBE, "{kind:_<8}{n:03}")]
    path.write_text("\n".join(["title,genres,url,youtube_id", *rows]))


def _names(kinds: dict[str, tuple[int, str]], form: str) -> list[str]:
    return [form.format(kind=kind, n=n) for kind in kinds for n in range(kinds[kind][0])]


def _run_and_kill(root: Path, host: Host, kills: int, choice: random.Random) -> None:
    """Run it to its end after it was killed `kills` times."""
    command = [sys.executable, "-m", "benchmarks.fetching", "--child", str(root), host.address]
    for _ in range(kills):
        before = len(host.log)
        with subprocess.Popen(command, cwd=TOP, stderr=subprocess.DEVNULL) as process:
            while len(host.log) == before and process.poll() is None:
                time.sleep(0.01)
            time.sleep(choice.uniform(0.0, 1.5))
            process.send_signal(signal.SIGKILL)
    # What limits or cannot be reached for long is left for a later run.
    for _ in range(3):
        subprocess.run(command, cwd=TOP, check=True)


def _tell(project: Project, host: Host, kills: int) -> None:
    lines = read_ledger(ledger_path(project.layout.root))
    print(f"{kills} kills, {len(host.log)} requests, {len(lines)} lines in the ledger")
    _tell_outcomes(lines)
    begun = Counter(each.url for each in lines if each.outcome == "begun")
    listed = (each.path for each in _plain(host) if not each.path.startswith("/ok/moved"))
    asked = Counter(host.address + path for path in listed)
    lost = sum((asked - begun).values())
    ended = sum(each.outcome != "begun" for each in lines)
    print(f"attempts that the host saw and the ledger lacks: {lost}")
    print(f"attempts that were cut off: {sum(begun.values()) - ended}")
    rows = read_manifest(project.layout.manifest)
    torn = [row.url for row in rows if not _is_whole(project, row.url, row.video, host)]
    print(f"files in the manifest: {len(rows)}, torn: {len(torn)}")
    left = [path.name for path in (project.layout.data / "fetching").iterdir()]
    print(f"left in data/fetching: {', '.join(left)}")
    print(f"most requests in any second: {_busiest(host)}, limit {1 / INTERVAL_S + 1:.0f}")


def _plain(host: Host) -> list[Asked]:
    """Requests that are not yt-dlp's."""
    return [each for each in host.log if "_" not in each.path]


def _busiest(host: Host) -> int:
    """Return the greatest number of requests in a second; single ones may arrive late."""
    moments = [each.moment for each in _plain(host)]
    return max(bisect_right(moments, each + 1) - at for at, each in enumerate(moments))


def _tell_outcomes(lines: list[Attempt]) -> None:
    """Print the last outcome by kind, and how many are not what the kind must come to."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for each in History.of(lines).latest.values():
        name = each.url.partition("watch?v=")[2].partition("_")[0] or each.url.split("/")[3]
        found[f"youtube {name}" if "watch?v=" in each.url else name][each.outcome] += 1
    expected = PLAIN | {f"youtube {name}": what for name, what in YOUTUBE.items()}
    wrong = sum(count - found[kind][what] for kind, (count, what) in expected.items())
    for kind, outcomes in found.items():
        print(f"  {kind}: {dict(outcomes)}")
    print(f"videos that are not in their class: {wrong} of {sum(n for n, _ in expected.values())}")


def _is_whole(project: Project, url: str, video: str, host: Host) -> bool:
    name = url.partition("watch?v=")[2]
    path = f"/ok/{name}.mp4" if name else url.removeprefix(host.address).replace("moved", "ok", 1)
    content = (project.layout.videos / video).read_bytes()
    return any(content == body_of(path, version) for version in range(host.hits[path] + 1))


if __name__ == "__main__":
    main()
