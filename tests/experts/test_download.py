import hashlib
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mmx.experts.download import ATTEMPTS, DownloadError, discard, download, part_path

if TYPE_CHECKING:
    from tests.experts.conftest import Site


BODY = hashlib.shake_256(b"weights").digest(3_000_000)


def fetch(url: str, path: Path) -> str:
    return download(url, path, pause_s=0.0)


def test_a_file_arrives_as_it_is(site: "Site", tmp_path: Path) -> None:
    site.files["/w.pth"] = BODY
    seen = []
    url = site.url("/w.pth")
    assert download(url, tmp_path / "w", lambda done, total: seen.append((done, total))) == url
    assert (tmp_path / "w").read_bytes() == BODY
    assert seen[-1] == (len(BODY), len(BODY))
    assert seen == sorted(seen)


def test_a_broken_connection_is_continued_where_it_broke(site: "Site", tmp_path: Path) -> None:
    site.files["/w.pth"] = BODY
    site.break_after = [1_000_000, 700_000]
    fetch(site.url("/w.pth"), tmp_path / "w")
    assert (tmp_path / "w").read_bytes() == BODY
    assert [ranged for _, ranged in site.requests] == [
        None,
        "bytes=1000000-",
        "bytes=1700000-",
    ]


def test_a_later_call_continues_what_an_earlier_one_left(site: "Site", tmp_path: Path) -> None:
    site.files["/w.pth"] = BODY
    site.break_after = [100_000] * ATTEMPTS
    with pytest.raises(DownloadError, match=r"/w\.pth"):
        fetch(site.url("/w.pth"), tmp_path / "w")
    assert (tmp_path / "w").stat().st_size == 100_000 * ATTEMPTS
    fetch(site.url("/w.pth"), tmp_path / "w")
    assert (tmp_path / "w").read_bytes() == BODY
    assert site.requests[-1][1] == f"bytes={100_000 * ATTEMPTS}-"


def test_two_versions_are_never_pieced_together(site: "Site", tmp_path: Path) -> None:
    site.files["/w.pth"] = BODY
    site.break_after = [100_000] * ATTEMPTS
    with pytest.raises(DownloadError):
        fetch(site.url("/w.pth"), tmp_path / "w")
    site.files["/w.pth"] = BODY[::-1]
    fetch(site.url("/w.pth"), tmp_path / "w")
    assert (tmp_path / "w").read_bytes() == BODY[::-1]


@pytest.mark.parametrize("missing", ["ETag", "ranges"])
def test_a_server_that_vouches_for_nothing_is_asked_for_all_of_it(
    site: "Site", tmp_path: Path, missing: str
) -> None:
    site.files["/w.pth"] = BODY
    site.tags, site.ranges = missing != "ETag", missing != "ranges"
    site.break_after = [1_000_000]
    fetch(site.url("/w.pth"), tmp_path / "w")
    assert (tmp_path / "w").read_bytes() == BODY


def test_a_part_that_is_longer_than_the_file_is_fetched_anew(site: "Site", tmp_path: Path) -> None:
    site.files["/w.pth"] = BODY
    fetch(site.url("/w.pth"), tmp_path / "w")
    fetch(site.url("/w.pth"), tmp_path / "w")
    assert (tmp_path / "w").read_bytes() == BODY
    assert [ranged for _, ranged in site.requests] == [None, f"bytes={len(BODY)}-", None]


def test_another_part_than_was_asked_for_is_refused(site: "Site", tmp_path: Path) -> None:
    site.files["/w.pth"] = BODY
    site.break_after = [1_000_000]
    site.shift = 5
    with pytest.raises(DownloadError, match="another part"):
        fetch(site.url("/w.pth"), tmp_path / "w")
    assert (tmp_path / "w").read_bytes() == BODY[:1_000_000]


def test_a_redirect_is_followed_with_the_range(site: "Site", tmp_path: Path) -> None:
    site.files["/stored/w.pth"] = BODY
    site.redirects["/w.pth"] = "/stored/w.pth"
    site.break_after = [1_000_000]
    final = fetch(site.url("/w.pth"), tmp_path / "w")
    assert final == site.url("/stored/w.pth")
    assert (tmp_path / "w").read_bytes() == BODY
    assert site.requests[-1] == ("/stored/w.pth", "bytes=1000000-")


def test_a_missing_page_is_asked_for_once(site: "Site", tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="404"):
        fetch(site.url("/none.pth"), tmp_path / "w")
    assert len(site.requests) == 1
    assert not (tmp_path / "w").exists()


def test_a_server_in_trouble_is_asked_again(site: "Site", tmp_path: Path) -> None:
    site.files["/w.pth"] = BODY
    site.trouble = 2
    fetch(site.url("/w.pth"), tmp_path / "w")
    assert (tmp_path / "w").read_bytes() == BODY
    assert len(site.requests) == 3


def test_nobody_at_home_is_a_named_error(unused_port: int, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="refused"):
        fetch(f"http://127.0.0.1:{unused_port}/w.pth", tmp_path / "w")


def test_without_a_network_no_time_is_lost_on_asking_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def resolve(host: str, *_: object, **__: object) -> None:
        asked.append(host)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(DownloadError, match="name resolution"):
        download("http://weights.example/w.pth", tmp_path / "w", pause_s=60.0)
    assert asked == ["weights.example"]


def test_the_proxy_of_the_environment_is_asked(
    site: "Site", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", site.url(""))
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    site.files["http://weights.example/w.pth"] = BODY
    fetch("http://weights.example/w.pth", tmp_path / "w")
    assert (tmp_path / "w").read_bytes() == BODY


def test_a_fault_of_the_machine_is_no_download_error(site: "Site", tmp_path: Path) -> None:
    site.files["/w.pth"] = BODY
    with pytest.raises(FileNotFoundError):
        fetch(site.url("/w.pth"), tmp_path / "no-such-folder" / "w")


def test_parts_of_two_addresses_are_two_files(tmp_path: Path) -> None:
    one, two = (part_path(tmp_path, "w.pth", f"http://{host}/w.pth") for host in "ab")
    assert one != two
    assert one == part_path(tmp_path, "w.pth", "http://a/w.pth")


def test_what_is_discarded_leaves_nothing(site: "Site", tmp_path: Path) -> None:
    site.files["/w.pth"] = BODY
    fetch(site.url("/w.pth"), tmp_path / "w")
    discard(tmp_path / "w")
    discard(tmp_path / "w")
    assert list(tmp_path.iterdir()) == []
