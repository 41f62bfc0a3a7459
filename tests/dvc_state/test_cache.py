import hashlib
import json
import os
from pathlib import Path

import pytest

from mmx.dvc_state.cache import Cache, DamagedListingError, find_cache, is_intact
from mmx.dvc_state.forget import clear_rwlock, forget_runs


def keep(cache: Cache, content: bytes, ending: str = "") -> str:
    """Put an object into a cache and return its md5."""
    md5 = hashlib.md5(content).hexdigest() + ending
    cache.path(md5).parent.mkdir(parents=True, exist_ok=True)
    cache.path(md5).write_bytes(content)
    return md5


def keep_listing(cache: Cache, files: dict[str, str]) -> str:
    """Put the listing of a directory into a cache and return its md5."""
    entries = [{"md5": md5, "relpath": name} for name, md5 in files.items()]
    return keep(cache, json.dumps(entries).encode(), ".dir")


def keep_run(cache: Cache, name: str, text: str) -> Path:
    """Put an entry into DVC's run-cache."""
    path = cache.runs / name[:2] / name / name
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return path


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache" / "files" / "md5")


def test_a_listing_names_the_files_of_a_directory(cache: Cache) -> None:
    files = {"a": "1" * 32, "b/c": "2" * 32}
    md5 = keep_listing(cache, files)
    assert cache.listing(md5) == cache.files(md5) == files


def test_a_listing_is_missing_or_damaged(cache: Cache) -> None:
    with pytest.raises(FileNotFoundError):
        cache.listing("1" * 32 + ".dir")
    md5 = keep_listing(cache, {"a": "1" * 32})
    cache.path(md5).write_bytes(cache.path(md5).read_bytes() + b" ")
    with pytest.raises(DamagedListingError):
        cache.listing(md5)
    assert cache.files(md5) == cache.files("1" * 32 + ".dir") == cache.files("1" * 32) == {}


def test_an_object_is_what_its_path_says(cache: Cache) -> None:
    path = cache.path(keep(cache, b"content"))
    assert is_intact(path) and list(cache.objects()) == [path]
    path.write_bytes(b"another")
    assert not is_intact(path)
    path.unlink()
    assert not is_intact(path)


def test_the_cache_may_lie_elsewhere(tmp_path: Path) -> None:
    assert find_cache(tmp_path) is None
    (tmp_path / ".dvc").mkdir()
    assert find_cache(tmp_path) == Cache(tmp_path / ".dvc" / "cache" / "files" / "md5")
    (tmp_path / ".dvc" / "config").write_text("[cache]\n    dir = ../../shared\n")
    found = find_cache(tmp_path)
    assert found is not None
    assert found.folder.resolve() == (tmp_path.parent / "shared" / "files" / "md5").resolve()


def test_runs_that_lead_to_lost_objects_are_forgotten(cache: Cache) -> None:
    lost, healthy = keep(cache, b"lost"), keep(cache, b"healthy")
    folder = keep_listing(cache, {"a": lost})
    broken = keep_listing(cache, {"b": healthy})
    cache.path(broken).write_bytes(b"damage")
    entry = "outs:\n- path: out\n  md5: {}\n"
    gone = [
        keep_run(cache, "aa11", entry.format(lost)),
        keep_run(cache, "bb22", entry.format(folder)),
        keep_run(cache, "cc33", entry.format(broken)),
        keep_run(cache, "dd44", "outs: ["),
    ]
    kept = keep_run(cache, "ee55", entry.format(healthy))
    forget_runs(cache, {lost})
    assert kept.exists() and not any(path.parent.exists() for path in gone)


@pytest.mark.parametrize(("text", "kept"), [("{}", True), ('{"a": [', False)])
def test_a_broken_rwlock_is_removed(tmp_path: Path, text: str, kept: bool) -> None:
    clear_rwlock(tmp_path)
    path = tmp_path / ".dvc" / "tmp" / "rwlock"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    clear_rwlock(tmp_path)
    assert path.exists() == kept


@pytest.mark.parametrize(
    "files",
    [
        {"../../escaped": "1" * 32},
        {"/etc/passwd": "1" * 32},
        {"a/../../b": "1" * 32},
        {"a": "/etc/passwd"},
        {"a": "../" * 10 + "etc/passwd"},
        {"a": "1" * 31},
        {"a": "A" * 32},
    ],
)
def test_a_listing_that_leads_elsewhere_is_damaged(cache: Cache, files: dict[str, str]) -> None:
    md5 = keep_listing(cache, files)
    with pytest.raises(DamagedListingError, match="names files outside its directory"):
        cache.listing(md5)
    assert cache.files(md5) == {}


@pytest.mark.parametrize(
    "content", [b"", b"{", b"1", b"[1]", b"[{}]", b'[{"relpath": [], "md5": 1}]']
)
def test_other_content_is_no_listing(cache: Cache, content: bytes) -> None:
    md5 = keep(cache, content, ".dir")
    with pytest.raises(DamagedListingError, match="is not a listing"):
        cache.listing(md5)


def test_a_pipe_is_neither_a_listing_nor_an_object(cache: Cache) -> None:
    path = cache.path("1" * 32 + ".dir")
    path.parent.mkdir(parents=True)
    os.mkfifo(path)
    with pytest.raises(DamagedListingError, match="is not a listing"):
        cache.listing("1" * 32 + ".dir")
    assert not is_intact(path)
