import importlib
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from imageio_ffmpeg import get_ffmpeg_exe

from mmx.engine.canonical import file_digest
from mmx.engine.files import FileState, InputChangedError, InputFile
from mmx.engine.pools.local import Lost
from mmx.layout import Layout
from mmx.media.faults import Limits
from mmx.params import CollectionParams
from mmx.trailers import Ingested, IngestError, TableError, accept, ingest, init
from mmx.trailers import inspection as inspection_module
from mmx.trailers.inspection import inspect_files
from mmx.trailers.inspection_log import known_states
from mmx.trailers.intake import SOURCES_SCHEMA, trailers_schema

if TYPE_CHECKING:
    from tests.trailers.conftest import UserFiles


@pytest.fixture(scope="session")
def video(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Half a second of a test picture, 64 x 48 at 10 frames per second, with a tone."""
    path = tmp_path_factory.mktemp("video") / "v.mp4"
    inputs = ["-f", "lavfi", "-i", "testsrc2=s=64x48:r=10:d=0.5", "-f", "lavfi", "-i", "sine=d=0.5"]
    coding = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac", str(path)]
    command = [get_ffmpeg_exe(), "-nostdin", "-loglevel", "error", *inputs, *coding]
    subprocess.run(command, check=True)
    return path.read_bytes()


@pytest.fixture
def project(user_files: "UserFiles", video: bytes, params: CollectionParams) -> "UserFiles":
    """Two good trailers, not in the order of their ids, and everything that is rejected."""
    user_files.add("b.mp4", video, title="Été", group_id="films")
    user_files.add("a/a.mp4", video + b"\0" * 8, url="https://x.org/a")
    user_files.add("cut.mp4", video[: len(video) // 2])
    user_files.add("text.mp4", b"no video")
    user_files.add("gone.mp4", b"")
    user_files.add("genre.mp4", video, genres="Telenovela")
    init(user_files.layout, user_files.videos, user_files.labels)
    return user_files


def take(user_files: "UserFiles", params: CollectionParams, workers: int = 1) -> Ingested:
    return ingest(user_files.layout, params, cache=user_files.root / "cache.json", workers=workers)


def rows(table: pa.Table) -> dict[str, dict[str, object]]:
    return {row["trailer_id"]: row for row in table.to_pylist()}


def test_rows_are_accepted_or_rejected_with_a_reason(
    project: "UserFiles", params: CollectionParams
) -> None:
    tables = take(project, params, workers=2)
    assert tables.trailers.schema == trailers_schema()
    assert tables.sources.schema == SOURCES_SCHEMA
    found = rows(tables.trailers)
    assert list(found) == ["a", "b", "cut", "genre", "gone", "text"]
    assert {name: row["status"] for name, row in found.items() if not row["reason"]} == {
        "a": "accepted",
        "b": "accepted",
    }
    assert found["gone"]["reason"] == "there is no video 'gone.mp4'"
    assert found["genre"]["reason"] == "genre 'Telenovela' is not in the vocabulary"
    assert found["cut"]["status"] == found["text"]["status"] == "rejected"
    assert not any(str(project.root) in str(row["reason"]) for row in found.values())
    assert (found["b"]["title"], found["b"]["year"], found["b"]["group_id"]) == (
        "Été",
        1999,
        "films",
    )
    assert found["a"]["genres"] == ["Drama", "Action"]
    assert found["a"]["group_id"] == "a"
    assert found["a"]["video"] == "videos/a/a.mp4"


def test_sources_hold_what_the_file_is_and_nothing_people_say(
    project: "UserFiles", params: CollectionParams, video: bytes
) -> None:
    source = rows(take(project, params).sources)["b"]
    assert source["size"] == len(video)
    assert source["sha256"] == project.manifest()[0]["sha256"]
    assert (source["width"], source["height"], source["frames"]) == (64, 48, 5)
    assert source["fps"] == 10.0
    assert source["rate"] == "10"
    assert source["duration_s"] == pytest.approx(0.5)
    assert (source["has_audio"], source["audio_codec"]) == (True, "aac")
    assert (source["video_codec"], source["sample_aspect"]) == ("h264", "1")
    assert not {"title", "year", "genres", "group_id"} & set(source)


def test_sources_tell_the_streams_from_the_file(
    project: "UserFiles", params: CollectionParams
) -> None:
    found = rows(take(project, params).sources)
    digests = ("video_digest", "sound_digest")
    assert [found["a"][name] for name in digests] == [found["b"][name] for name in digests]
    assert all(len(str(found["a"][name])) == 64 for name in digests)
    assert found["a"]["sha256"] != found["b"]["sha256"]


def test_equal_collections_give_equal_tables(
    project: "UserFiles", params: CollectionParams
) -> None:
    first = take(project, params, workers=1)
    (project.root / "cache.json").unlink()
    lines = project.layout.manifest.read_text(encoding="utf-8").splitlines()
    text = "\n".join([lines[0], *reversed(lines[1:])]) + "\n"
    project.layout.manifest.write_text(text, encoding="utf-8")
    second = take(project, params, workers=2)
    assert first.trailers.equals(second.trailers)
    assert first.sources.equals(second.sources)


def test_a_corrected_title_changes_no_source(
    project: "UserFiles", params: CollectionParams
) -> None:
    first = take(project, params)
    text = project.layout.manifest.read_text(encoding="utf-8").replace("Été", "Summer")
    project.layout.manifest.write_text(text, encoding="utf-8")
    second = take(project, params)
    assert first.sources.equals(second.sources)
    assert not first.trailers.equals(second.trailers)


def test_the_table_begins_with_the_columns_that_it_has_always_had() -> None:
    text = pa.string()
    expected = [
        ("trailer_id", text),
        ("title", text),
        ("year", pa.int32()),
        ("genres", pa.list_(text)),
        ("group_id", text),
        ("video", text),
        ("status", text),
        ("reason", text),
        ("imdb_id", text),
        ("url", text),
        ("license", text),
    ]
    assert [(each.name, each.type) for each in trailers_schema()] == expected
    assert [each.name for each in trailers_schema() if each.nullable] == ["year"]


def test_an_added_column_is_in_the_table_and_changes_no_source(
    project: "UserFiles", params: CollectionParams
) -> None:
    first = take(project, params)
    lines = project.layout.manifest.read_text(encoding="utf-8").splitlines()
    cells = {"b": "'=late", "a": "row", "text": ""}
    noted = [f"{line},{cells.get(line.split(',')[0], '')},,x" for line in lines[1:]]
    text = "\n".join([f"{lines[0]},note,empty,row", *noted]) + "\n"
    project.layout.manifest.write_text(text, encoding="utf-8")
    second = take(project, params)
    assert second.trailers.schema == trailers_schema(["note", "empty", "row"])
    assert second.sources.equals(first.sources)
    assert second.trailers.drop_columns(["note", "empty", "row"]).equals(first.trailers)
    found = rows(second.trailers)
    assert (found["b"]["note"], found["a"]["note"], found["text"]["note"]) == ("=late", "row", "")
    assert {row["empty"] for row in found.values()} == {""}
    assert {row["row"] for row in found.values()} == {"x"}


def test_other_bytes_are_an_error_until_they_are_accepted(
    project: "UserFiles", params: CollectionParams, video: bytes
) -> None:
    (project.videos / "b.mp4").write_bytes(video + b"\0" * 16)
    with pytest.raises(IngestError, match=r"the video of b has other bytes .* `mmx accept b`"):
        take(project, params)
    digest = accept(project.layout, "b")
    assert rows(take(project, params).sources)["b"]["sha256"] == digest


def test_a_video_that_never_was_pinned_is_rejected(
    project: "UserFiles", params: CollectionParams
) -> None:
    pin = project.manifest()[0]["sha256"]
    text = project.layout.manifest.read_text(encoding="utf-8").replace(pin, "")
    project.layout.manifest.write_text(text, encoding="utf-8")
    assert "run `mmx accept b`" in str(rows(take(project, params).trailers)["b"]["reason"])


def test_a_limit_rejects(project: "UserFiles", params: CollectionParams) -> None:
    short = params.model_copy(update={"max_seconds": 0.2})
    tables = take(project, short)
    assert len(tables.sources) == 0
    assert tables.sources.schema == SOURCES_SCHEMA
    again = take(project, params)
    assert len(again.sources) == 2


def test_two_rows_may_name_one_video(project: "UserFiles", params: CollectionParams) -> None:
    lines = project.layout.manifest.read_text(encoding="utf-8").splitlines()
    lines.append(lines[1].replace("b,", "twin,", 1))
    project.layout.manifest.write_text("\n".join(lines) + "\n", encoding="utf-8")
    sources = rows(take(project, params).sources)
    assert sources["twin"]["sha256"] == sources["b"]["sha256"]


def test_a_path_that_leads_out_of_data_videos_is_rejected(
    write_manifest: Callable[..., Path], user_files: "UserFiles", params: CollectionParams
) -> None:
    (user_files.root / "secret.mp4").write_bytes(b"secret")
    write_manifest({"video": "../../secret.mp4", "sha256": "0" * 64})
    row = rows(take(user_files, params).trailers)["a"]
    assert row["status"] == "rejected"
    assert ".." in str(row["reason"])


def test_a_missing_manifest_is_one_sentence(tmp_path: Path, params: CollectionParams) -> None:
    with pytest.raises(
        TableError,
        match=r"^trailers\.csv is not there yet: `mmx init [^`]+` makes it$",
    ):
        ingest(Layout(tmp_path), params, cache=tmp_path / "cache.json", workers=1)


def test_unchanged_files_are_not_read_again(
    project: "UserFiles", params: CollectionParams, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = take(project, params)
    read: list[Path] = []

    def no_pool(fn: object, items: list[Path], *, workers: int) -> list[object]:
        read.extend(items)
        return []

    monkeypatch.setattr(inspection_module, "map_items", no_pool)
    assert take(project, params).sources.equals(first.sources)
    assert read == []
    status = (project.videos / "b.mp4").stat()
    os.utime(project.videos / "b.mp4", ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    with pytest.raises(KeyError):
        take(project, params)
    assert [path.name for path in read] == ["b.mp4"]


def test_what_ingest_read_is_known_by_its_state(
    project: "UserFiles", params: CollectionParams, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = project.root / "cache.json"
    assert known_states(cache) == {}
    sources = rows(take(project, params).sources)
    monkeypatch.setattr(inspection_module, "version", lambda name: "another")
    states = known_states(cache)
    for row in sources.values():
        path = project.layout.root / "data" / str(row["video"])
        assert states[FileState.of(path)] == row["sha256"]
        file = InputFile.known(path, str(row["sha256"]), states)
        assert file.state == FileState.of(path)
    assert FileState.of(project.videos / "cut.mp4") in states


def test_a_file_that_changes_while_it_is_read_is_no_result(
    project: "UserFiles", monkeypatch: pytest.MonkeyPatch
) -> None:
    path = project.videos / "b.mp4"

    def replaced(read: Path) -> str:
        found = file_digest(read)
        read.write_bytes(b"other bytes")
        return found

    monkeypatch.setattr(inspection_module, "file_digest", replaced)
    with pytest.raises(InputChangedError, match=r"^b\.mp4 has other bytes"):
        inspection_module.inspect_file(path, Limits())


def stamp_of(cache: Path) -> str:
    (line,) = filter(None, cache.read_bytes().splitlines())
    return str(json.loads(line)["stamp"])


def test_another_reader_or_limit_forgets_the_cache(
    project: "UserFiles", monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, path = project.root / "cache.json", project.videos / "b.mp4"
    inspect_files([path], Limits(), cache, workers=1)
    before = stamp_of(cache)
    inspect_files([path], Limits(max_seconds=1.0), cache, workers=1)
    limited = stamp_of(cache)
    monkeypatch.setattr(inspection_module, "version", lambda name: "another")
    inspect_files([path], Limits(), cache, workers=1)
    other = stamp_of(cache)
    assert len({before, limited, other}) == 3


def test_a_reader_that_dies_is_the_concern_of_one_file_only(
    project: "UserFiles", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parent)
    dying = importlib.import_module("dying")
    monkeypatch.setattr(inspection_module, "_inspect_chunk", dying.read_or_die)
    paths = [project.videos / name for name in ("b.mp4", "text.mp4", "cut.mp4")]
    found = inspect_files(paths, Limits(), project.root / "cache.json", workers=1)
    assert {path.name: found[path].fault for path in paths} == {
        "b.mp4": "read",
        "cut.mp4": "read",
        "text.mp4": inspection_module.KILLED,
    }
    assert found[paths[1]].sha256 == file_digest(paths[1]) and found[paths[1]].facts is None
    assert FileState.of(paths[1]) not in known_states(project.root / "cache.json")


def test_a_video_that_kills_its_reader_is_a_rejected_row(
    project: "UserFiles", params: CollectionParams, monkeypatch: pytest.MonkeyPatch
) -> None:
    def one_dies(fn: Any, items: list[Path], *, workers: int) -> Iterator[Any]:
        for path in items:
            yield (path,), Lost(path) if path.name == "b.mp4" else fn([path])

    monkeypatch.setattr(inspection_module, "map_items", one_dies)
    found = rows(take(project, params).trailers)
    assert found["b"]["reason"] == inspection_module.KILLED
    assert found["a"]["status"] == "accepted"


def test_a_header_at_which_the_code_fails_is_one_rows_concern(
    project: "UserFiles", monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path, limits: Limits) -> None:
        raise AttributeError("'NoneType' object has no attribute 'name'")

    monkeypatch.setattr("mmx.media.probe.probe", fail)
    found = inspection_module.inspect_file(project.videos / "b.mp4", Limits())
    assert found.facts is None and found.fault == (
        "reading it fails in a way that was not foreseen: AttributeError: "
        "'NoneType' object has no attribute 'name'"
    )
