import hashlib
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from mmx.experts.base import Checkpoint, Digest, Packaged, Source
from mmx.experts.pins import Pin, WeightsError, hash_file, read_pins
from mmx.experts.weights import (
    MissingWeights,
    Place,
    RefusedWeights,
    accept,
    fetch,
    list_weights,
    require,
    verify,
    weights_folder,
)

if TYPE_CHECKING:
    from tests.experts.conftest import Site


BODY = b"PK\x03\x04" + hashlib.shake_256(b"weights").digest(200_000)
SHA256 = hashlib.sha256(BODY).hexdigest()
BLOB = hashlib.sha1(b"blob 200004\0" + BODY).hexdigest()
DIGESTS = {
    "sha256": Digest("sha256", SHA256),
    "sha256_prefix": Digest("sha256_prefix", SHA256[:8]),
    "git_blob": Digest("git_blob", BLOB),
}
get = partial(fetch, pause_s=0.0)


def checkpoint(*sources: Source, file: str = "w.pth", format: Any = "torch") -> Checkpoint:
    return Checkpoint(file, tuple(sources), "MIT", format, "nothing")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "project").mkdir()
    return Place(tmp_path / "weights", tmp_path / "project" / "weights.lock.yaml")


@pytest.fixture
def put(place: Place) -> Callable[..., Path]:
    """Puts a file where weights lie, by hand."""

    def write(body: bytes = BODY, name: str = "w.pth") -> Path:
        place.folder.mkdir(exist_ok=True)
        (place.folder / name).write_bytes(body)
        return place.folder / name

    return write


def flip_bit(path: Path, position: int = 1000) -> None:
    body = bytearray(path.read_bytes())
    body[position] ^= 1
    path.write_bytes(body)


@pytest.mark.parametrize("kind", DIGESTS)
def test_each_kind_of_digest_is_checked_for_what_it_is(
    kind: str, site: "Site", place: Place, put: Callable[..., Path]
) -> None:
    wanted = checkpoint(Source("http://a/w.pth", DIGESTS[kind], len(BODY)))
    path = put()
    [status] = verify([wanted], place)
    assert status.hashes is not None
    assert (status.state, status.hashes.sha256) == ("ready", SHA256)
    flip_bit(path)
    [status] = verify([wanted], place)
    assert status.state == "refused"
    assert kind in status.reason
    assert DIGESTS[kind].value in status.reason


def test_a_digest_of_one_kind_is_not_taken_for_another(
    place: Place, put: Callable[..., Path]
) -> None:
    put()
    for digest in (
        Digest("sha256", SHA256[:8]),
        Digest("git_blob", SHA256),
        Digest("sha256_prefix", BLOB),
    ):
        wanted = checkpoint(Source("http://a/w.pth", digest, None))
        assert verify([wanted], place)[0].state == "refused"


def test_git_agrees_on_the_name_of_a_blob(tmp_path: Path) -> None:
    (tmp_path / "w").write_bytes(BODY)
    said = subprocess.run(
        ["git", "hash-object", "--no-filters", "w"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert hash_file(tmp_path / "w").git_blob == said.stdout.strip()


def test_a_fetched_file_is_whole_checked_and_pinned(site: "Site", place: Place) -> None:
    site.files["/w.pth"] = BODY
    site.break_after = [50_000]
    source = Source(site.url("/w.pth"), DIGESTS["sha256_prefix"], len(BODY))
    status = get(checkpoint(source), place)
    assert status.state == "ready"
    assert status.path.read_bytes() == BODY
    assert os.listdir(place.folder) == ["w.pth"]
    assert read_pins(place.lock) == {"w.pth": Pin(SHA256, len(BODY), source.url)}


def test_a_file_that_is_there_is_not_fetched_again(
    site: "Site", place: Place, put: Callable[..., Path]
) -> None:
    put()
    wanted = checkpoint(Source(site.url("/w.pth"), DIGESTS["sha256"], None))
    assert get(wanted, place).state == "ready"
    assert site.requests == []


def test_the_mirror_is_asked_when_the_first_address_fails(site: "Site", place: Place) -> None:
    site.files["/mirror.pth"] = BODY
    other = Digest("sha256_prefix", "00000000")
    wanted = checkpoint(
        Source(site.url("/gone.pth"), other, None),
        Source(site.url("/mirror.pth"), DIGESTS["sha256_prefix"], None),
    )
    status = get(wanted, place)
    assert (status.path.name, status.source) == ("w.pth", site.url("/mirror.pth"))
    assert read_pins(place.lock)["w.pth"].source == site.url("/mirror.pth")


def test_a_source_is_held_to_its_own_digest_and_not_to_its_mirrors(
    site: "Site", place: Place
) -> None:
    site.files["/w.pth"] = BODY
    wanted = checkpoint(
        Source(site.url("/w.pth"), Digest("sha256_prefix", "00000000"), None),
        Source(site.url("/mirror.pth"), DIGESTS["sha256_prefix"], None),
    )
    with pytest.raises(RefusedWeights, match="sha256_prefix 00000000"):
        get(wanted, place)
    assert os.listdir(place.folder) == []


def test_a_wrong_download_leaves_nothing_behind(site: "Site", place: Place) -> None:
    site.files["/w.pth"] = BODY + b"!"
    wanted = checkpoint(Source(site.url("/w.pth"), DIGESTS["git_blob"], None))
    with pytest.raises(RefusedWeights, match="not what was published"):
        get(wanted, place)
    assert os.listdir(place.folder) == []
    assert not place.lock.exists()


def test_without_a_published_digest_plain_http_is_warned_of_and_pinned(
    site: "Site", place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    site.files["/w.pth"] = BODY
    with caplog.at_level(logging.WARNING):
        get(checkpoint(Source(site.url("/w.pth"), None, None)), place)
    assert "came over plain http" in caplog.text
    assert f"its sha256 {SHA256} is now pinned in weights.lock.yaml, commit it" in caplog.text
    assert yaml.safe_load(place.lock.read_text())["w.pth"]["sha256"] == SHA256
    assert place.lock.read_text().startswith("# The sha256 of each file")


def test_a_published_digest_needs_no_warning(
    site: "Site", place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    site.files["/w.pth"] = BODY
    get(checkpoint(Source(site.url("/w.pth"), DIGESTS["git_blob"], None)), place)
    assert caplog.text == ""


def test_a_page_that_says_sorry_is_never_pinned(site: "Site", place: Place) -> None:
    site.files["/w.pth"] = b"<html>moved</html>"
    with pytest.raises(RefusedWeights, match="no file of format torch: it begins with b'<htm'"):
        get(checkpoint(Source(site.url("/w.pth"), None, None)), place)
    assert not place.lock.exists()
    assert os.listdir(place.folder) == []


def test_what_was_pinned_is_refused_when_it_changes(place: Place, put: Callable[..., Path]) -> None:
    wanted = checkpoint(Source("http://a/w.pth", None, None))
    path = put()
    require([wanted], place)
    pinned = place.lock.read_bytes()
    flip_bit(path)
    with pytest.raises(RefusedWeights, match=rf"changed: sha256 {SHA256} is pinned"):
        require([wanted], place)
    with pytest.raises(RefusedWeights, match="Delete it to fetch it again"):
        get(wanted, place)
    assert place.lock.read_bytes() == pinned


def test_a_changed_download_is_refused_by_the_pin(
    site: "Site", place: Place, put: Callable[..., Path]
) -> None:
    wanted = checkpoint(Source(site.url("/w.pth"), None, None))
    put()
    require([wanted], place).pop().path.unlink()
    site.files["/w.pth"] = BODY + b"!"
    with pytest.raises(RefusedWeights, match="is pinned"):
        get(wanted, place)
    assert os.listdir(place.folder) == []


def test_missing_files_are_all_named_with_address_size_and_place(
    place: Place, put: Callable[..., Path]
) -> None:
    put(name="there.pth")
    there = checkpoint(Source("http://a/t.pth", None, None), file="there.pth")
    first = checkpoint(
        Source("http://a/one-c7b49a05.pth", DIGESTS["sha256_prefix"], 461_346_144),
        Source("https://b/one.pth", None, None),
        file="one.pth",
    )
    second = checkpoint(Source("http://a/two.pth", None, 181_358), file="two.pth")
    with pytest.raises(MissingWeights) as caught:
        require([first, there, second], place)
    assert str(caught.value).splitlines() == [
        "2 file(s) of weights missing; `mmx weights fetch` gets them, or by hand:",
        f"- put at {place.folder / 'one.pth'}",
        "  from http://a/one-c7b49a05.pth (461.3 MB)",
        "  from https://b/one.pth (size unknown)",
        f"- put at {place.folder / 'two.pth'}",
        "  from http://a/two.pth (0.2 MB)",
    ]
    assert not place.lock.exists()


def test_without_network_a_fetch_says_what_failed_and_what_to_do(
    unused_port: int, place: Place
) -> None:
    url = f"http://127.0.0.1:{unused_port}/w.pth"
    with pytest.raises(MissingWeights) as caught:
        get(checkpoint(Source(url, None, 4_000_000)), place)
    first, *rest = str(caught.value).splitlines()
    assert first.startswith(f"{url}: ")
    assert f"  from {url} (4.0 MB)" in rest


def test_a_file_put_by_hand_may_keep_the_name_of_its_address(
    place: Place, put: Callable[..., Path]
) -> None:
    wanted = checkpoint(
        Source("http://a/w-1.pth?raw=1", None, None), Source("http://b/w-2.pth", None, None)
    )
    assert list_weights([wanted], place)[0].state == "missing"
    path = put(name="w-2.pth")
    [status] = list_weights([wanted], place)
    assert (status.state, status.path, status.hashes) == ("present", path, None)
    assert require([wanted], place)[0].path == path


def test_a_local_folder_serves_machines_without_network(tmp_path: Path, place: Place) -> None:
    local = tmp_path / "usb"
    local.mkdir()
    (local / "w-1.pth").write_bytes(BODY)
    wanted = checkpoint(Source("http://a/w-1.pth", DIGESTS["sha256_prefix"], None))
    assert get(wanted, place, local=local).path == place.folder / "w.pth"
    assert (place.folder / "w.pth").read_bytes() == BODY


def test_a_wrong_or_missing_file_in_the_local_folder_is_refused(
    tmp_path: Path, place: Place
) -> None:
    local = tmp_path / "usb"
    local.mkdir()
    wanted = checkpoint(Source("http://a/w.pth", DIGESTS["sha256"], None))
    with pytest.raises(MissingWeights, match=r"w\.pth"):
        get(wanted, place, local=local)
    (local / "w.pth").write_bytes(BODY + b"!")
    with pytest.raises(RefusedWeights):
        get(wanted, place, local=local)
    assert os.listdir(place.folder) == []


def test_another_file_can_be_accepted_and_says_so(place: Place, put: Callable[..., Path]) -> None:
    wanted = checkpoint(Source("http://a/w.pth", Digest("sha256", "0" * 64), None))
    with pytest.raises(MissingWeights):
        accept(wanted, place)
    path = put()
    assert verify([wanted], place)[0].state == "refused"
    assert (accept(wanted, place).state, accept(wanted, place).source) == ("ready", "")
    assert require([wanted], place)[0].state == "ready"
    assert read_pins(place.lock)["w.pth"] == Pin(SHA256, len(BODY), "", accepted=True)
    flip_bit(path)
    assert "is pinned" in verify([wanted], place)[0].reason


def test_what_a_package_carries_is_checked_and_not_pinned(place: Place) -> None:
    path = "experts/weights.py"
    [found] = list_weights([Packaged("w", "mmx", path, "", "MIT", "")], place)
    right = Packaged("w", "mmx", path, hash_file(found.path).sha256, "MIT", "")
    [ready] = require([right], place)
    assert (ready.path, ready.source) == (found.path, "mmx")
    assert not place.lock.exists()
    with pytest.raises(RefusedWeights):
        require([replace(right, sha256="0" * 64)], place)
    with pytest.raises(MissingWeights, match="install the package no_such_package"):
        require([replace(right, package="no_such_package")], place)


def test_verifying_writes_nothing(place: Place, put: Callable[..., Path]) -> None:
    put()
    verify([checkpoint(Source("http://a/w.pth", None, None))], place)
    assert not place.lock.exists()


def test_processes_that_pin_at_once_lose_no_pin(place: Place, put: Callable[..., Path]) -> None:
    code = (
        "import sys; from pathlib import Path; from mmx.experts.base import *;"
        "from mmx.experts.weights import *;"
        "c = Checkpoint(sys.argv[1], (Source('http://a/x', None, None),), 'MIT', 'torch', '');"
        "require([c], Place(Path(sys.argv[2]), Path(sys.argv[3])))"
    )
    names = [f"w{index}.pth" for index in range(6)]
    for name in names:
        put(name=name)
    running = [
        subprocess.Popen([sys.executable, "-c", code, name, place.folder, place.lock])
        for name in names
    ]
    assert [process.wait() for process in running] == [0] * 6
    assert sorted(read_pins(place.lock)) == names


def test_a_broken_lock_file_is_named(place: Place) -> None:
    for text in ("- a\n", "w.pth: 3\n", "w.pth: {sha: 1}\n"):
        place.lock.write_text(text)
        with pytest.raises(WeightsError, match=r"weights\.lock\.yaml is not a list"):
            read_pins(place.lock)


def test_the_folder_is_given_or_named_or_in_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("MMX_WEIGHTS", raising=False)
    assert weights_folder() == tmp_path / "mmx" / "weights"
    monkeypatch.setenv("MMX_WEIGHTS", str(tmp_path / "named"))
    assert weights_folder() == tmp_path / "named"
    assert weights_folder(tmp_path / "given") == tmp_path / "given"
