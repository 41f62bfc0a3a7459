"""Trailers that were taken out are refused when they come back, and others are not."""

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from cut_film import write_copy, write_film

from mmx.engine.canonical import file_digest
from mmx.layout import Layout
from mmx.media.faults import DEFAULT_LIMITS
from mmx.paramsfile import load_params
from mmx.trailers import init, read_manifest
from mmx.trailers.imprint import Imprint
from mmx.trailers.inspection import inspect_file
from mmx.trailers.intake import ingest
from mmx.trailers.signature_store import sign_video
from mmx.trailers.tombstones import (
    Refusals,
    Tombstone,
    TombstoneError,
    concealed,
    read_tombstones,
    write_tombstone,
)

TOP = Path(__file__).parents[2]


def film(path: Path, colour: str) -> Path:
    """A second of one colour."""
    import imageio_ffmpeg

    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "lavfi", "-i"]
    source = f"color={colour}:s=64x48:r=10:d=1"
    subprocess.run([*command, source, "-c:v", "libx264", str(path)], check=True)
    return path


def remuxed(path: Path, out: Path) -> Path:
    """The same packets and times in another file."""
    import imageio_ffmpeg

    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(path), "-c", "copy"]
    subprocess.run([*command, "-metadata", "title=Other", str(out)], check=True)
    return out


def tombstone(**content: str) -> Tombstone:
    """A tombstone of the trailer `gone`, which had this content."""
    name = concealed("gone")
    digests = tuple(map(concealed, content.values()))
    return Tombstone(
        name[:16], name, 4, digests, (), (concealed("http://x.org/a"),), "d", "r", "me"
    )


def test_ingest_refuses_a_return_under_another_name_and_remuxed(tmp_path: Path) -> None:
    params = load_params(TOP / "params.yaml").collection
    videos = tmp_path / "videos"
    videos.mkdir()
    original, other = film(videos / "first.mp4", "red"), film(videos / "other.mp4", "blue")
    remuxed(original, videos / "second.mp4")
    rows = [f"{each.stem},2000,Drama,{each.name}" for each in sorted(videos.iterdir())]
    (tmp_path / "labels.csv").write_text("\n".join(["title,year,genres,video", *rows]))
    layout = Layout(tmp_path / "project")
    init(layout, videos, tmp_path / "labels.csv")
    from mmx.media.faults import Limits

    facts = inspect_file(original, Limits(60, 10**6)).facts or {}
    write_tombstone(layout.root, tombstone(video_digest=facts["video_digest"]))
    found = ingest(layout, params, cache=tmp_path / "cache.json", workers=1)
    verdicts = {row["trailer_id"]: row["reason"] for row in found.trailers.to_pylist()}
    assert "taken out" in verdicts["first"] and "taken out" in verdicts["second"]
    assert not verdicts["other"]
    assert found.sources["trailer_id"].to_pylist() == ["other"]
    shutil.rmtree(tmp_path / "project")
    assert other.exists()


@pytest.mark.slow
def test_a_return_that_is_encoded_anew_is_refused_under_any_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    params = load_params(TOP / "params.yaml").collection
    videos = tmp_path / "videos"
    videos.mkdir()
    original = write_film(tmp_path / "gone.mp4", 1)
    write_film(videos / "other.mp4", 2)
    write_copy(original, videos / "again.mkv", "scale=96:96")
    write_copy(original, videos / "cut.mp4", "crop=108:108,pad=128:176:0:34")
    write_copy(original, videos / "fast.mp4", "setpts=PTS/1.05")
    rows = [f"{each.stem},2000,Drama,{each.name}" for each in sorted(videos.iterdir())]
    (tmp_path / "labels.csv").write_text("\n".join(["title,year,genres,video", *rows]))
    layout = Layout(tmp_path / "project")
    init(layout, videos, tmp_path / "labels.csv")
    signature = sign_video(original, DEFAULT_LIMITS)
    assert signature
    packed = Imprint.of(signature, concealed("gone")).pack()
    write_tombstone(layout.root, replace(tombstone(), imprints=(packed,)))

    def verdicts() -> dict[str, str]:
        found = ingest(layout, params, cache=tmp_path / "cache.json", workers=1)
        return {row["trailer_id"]: row["reason"] for row in found.trailers.to_pylist()}

    first = verdicts()
    assert first.pop("other") == ""
    assert len(first) == 3 and all("recognised by its pictures" in why for why in first.values())
    # Nothing of the refused ones is kept; the other one is not read again.
    kept = [path for path in (tmp_path / "signatures").rglob("*") if path.is_file()]
    assert len(kept) == 2 and {path.parent.name for path in kept} >= {"cleared"}
    capsys.readouterr()
    assert verdicts() == {**first, "other": ""}
    assert "3 computed of 3" in capsys.readouterr().err


def test_a_tombstone_takes_over_what_an_earlier_one_knew_and_a_broken_imprint_is_told(
    tmp_path: Path,
) -> None:
    earlier = tombstone(video_digest="pictures")
    now = tombstone(video_digest="others").joined(earlier)
    assert {concealed("pictures"), concealed("others")} == {*now.content}
    write_tombstone(tmp_path, replace(now, imprints=("AAAA",)))
    with pytest.raises(TombstoneError, match="is not a tombstone"):
        read_tombstones(tmp_path)


def test_a_tombstone_of_an_earlier_version_without_imprints_is_read(tmp_path: Path) -> None:
    write_tombstone(tmp_path, tombstone())
    path = next((tmp_path / "data/forgotten").iterdir())
    data = json.loads(path.read_text())
    del data["imprints"]
    path.write_text(json.dumps(data))
    assert read_tombstones(tmp_path) == [tombstone()]


@pytest.mark.parametrize(
    ("arguments", "by"),
    [
        (("gone", "", ()), "its trailer_id"),
        (("new", "http://x.org/a", ()), "its address"),
        (("new", "", ("", "pictures")), "its video"),
        (("new", "http://x.org/b", ("", "sound")), ""),
        (("new", "", ("",)), ""),
    ],
)
def test_each_mark_is_enough_and_an_empty_one_is_none(
    arguments: tuple[str, str, tuple[str, ...]], by: str
) -> None:
    reason = Refusals((tombstone(video_digest="pictures"),)).reason(*arguments)
    assert (by in reason) if by else reason == ""


def test_a_project_without_tombstones_refuses_nobody(tmp_path: Path) -> None:
    assert Refusals.of(Layout(tmp_path)).reason("gone", "", ["pictures"]) == ""


def test_init_turns_away_what_was_taken_out_and_leaves_its_file(tmp_path: Path) -> None:
    videos = tmp_path / "videos"
    videos.mkdir()
    for name in ("by-bytes", "by-address", "other"):
        (videos / f"{name}.mp4").write_bytes(f"....ftyp {name}".encode())
    addresses = {"by-address": "http://x.org/a"}
    rows = [f"{each.stem},Drama,{each.name},{addresses.get(each.stem, '')}"
            for each in sorted(videos.iterdir())]  # fmt: skip
    labels = tmp_path / "labels.csv"
    labels.write_text("\n".join(["title,genres,video,url", *rows]))
    layout = Layout(tmp_path / "project")
    write_tombstone(layout.root, tombstone(sha256=file_digest(videos / "by-bytes.mp4")))
    report = init(layout, videos, labels)
    assert ["taken out" in row.reason for row in report.rows] == [True, True, False]
    assert [row.trailer_id for row in read_manifest(layout.manifest)] == ["other"]
    assert [each.name for each in layout.videos.iterdir()] == ["other.mp4"]
    assert len(list(videos.iterdir())) == 3
    write_tombstone(layout.root, tombstone(sha256=file_digest(videos / "other.mp4")))
    init(layout, videos, labels, force=True)
    assert [row.trailer_id for row in read_manifest(layout.manifest)] == ["by-bytes"]
