"""Trailers that were taken out are refused when they come back, and others are not."""

import shutil
import subprocess
from pathlib import Path

import pytest

from mmx.layout import Layout
from mmx.paramsfile import load_params
from mmx.trailers import init
from mmx.trailers.inspection import inspect_file
from mmx.trailers.intake import ingest
from mmx.trailers.tombstones import Refusals, Tombstone, concealed, write_tombstone

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
