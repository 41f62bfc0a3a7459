"""The generated files, read by the project's own code: they are as planned."""

import csv
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from mmx.engine.canonical import file_digest
from mmx.engine.rows import ROWS, read_rows
from mmx.media.faults import Limits, MediaFault
from mmx.media.frames import read_frames
from mmx.media.probe import probe
from mmx.params import ScenesParams
from mmx.sample import GENRES, STYLES, SampleError, SampleReport, generate
from mmx.sample.film import film
from mmx.sample.generate import FEW, _short
from mmx.sample.plan import Trailer
from mmx.sample.sound import RATE
from mmx.scenes.shots import detect_item

pytestmark = pytest.mark.slow

SEED = 5
EVERY = list(range(12))
CODECS = {"libx264": "h264", "libvpx-vp9": "vp9", "libvpx": "vp8", "libsvtav1": "av1"}


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def clips(video: Path, out: Path) -> list[dict[str, float]]:
    out.mkdir()
    detect_item(video=video, params=ScenesParams(), limits=Limits(), out=out)
    rows: list[dict[str, float]] = read_rows(out / ROWS).to_pylist()
    return rows


@pytest.mark.slow
def test_bytes_depend_on_neither_workers_nor_the_size_of_the_collection(
    sample: SampleReport, tmp_path: Path
) -> None:
    smaller = generate(tmp_path / "smaller", n=8, seed=SEED, workers=1)
    files = sorted(path.name for path in smaller.videos.iterdir())
    assert len(files) == 8 + 4
    digests = {name: file_digest(smaller.videos / name) for name in files}
    assert digests == {name: file_digest(sample.videos / name) for name in files}
    assert table(smaller.labels) == table(sample.labels)[:8] + table(sample.labels)[12:]


def test_a_folder_with_anything_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").touch()
    with pytest.raises(SampleError, match="not empty"):
        generate(tmp_path, n=1)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_labels_are_a_table_as_users_write_it(sample: SampleReport, plan: list[Trailer]) -> None:
    rows = table(sample.labels)
    assert list(rows[0]) == ["title", "year", "genres", "video", "group_id", "license"]
    assert len(rows) == 12 + 5
    assert [row["title"] for row in rows[:12]] == [trailer.title for trailer in plan]
    unknown = {genre for row in rows for genre in row["genres"].split("|")} - set(GENRES)
    assert unknown == {"Telenovela"}


def test_styles_are_in_their_own_table_only(sample: SampleReport, plan: list[Trailer]) -> None:
    styles = {row["trailer_id"]: row["style"] for row in table(sample.styles)}
    assert {trailer.stem: trailer.style for trailer in plan}.items() <= styles.items()
    text = sample.labels.read_text(encoding="utf-8")
    assert not any(style in text for style in STYLES)


@pytest.mark.parametrize("index", EVERY)
def test_a_video_has_the_format_of_its_plan(videos: Path, plan: list[Trailer], index: int) -> None:
    trailer = plan[index]
    found = probe(videos / trailer.video)
    codec = str(trailer.form.video["vcodec"])
    assert found.video_codec == CODECS.get(codec, codec)
    assert (found.width, found.height) == (trailer.form.width, trailer.form.height)
    assert found.sample_aspect == trailer.form.squeeze
    assert (found.rotation != 0) == trailer.form.turned
    assert (found.audio_codec is None) == (not trailer.form.audio)
    assert found.frames_from_content == len(film(trailer, SEED).pictures)
    assert 15 < found.duration_from_content < 90
    assert found.rate == pytest.approx(trailer.form.rate, rel=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("index", EVERY)
def test_the_detector_finds_the_cuts_that_were_made(
    videos: Path, plan: list[Trailer], index: int, tmp_path: Path
) -> None:
    made = film(plan[index], SEED)
    rows = clips(videos / plan[index].video, tmp_path / "out")
    assert len(rows) >= 12
    found = {row["start"] for row in rows} | {row["stop"] for row in rows}
    missed = set(made.cuts) - found
    assert len(missed) <= 1
    near_fades = {fade + k for fade in made.fades for k in range(-10, 11)}
    assert found - set(made.cuts) <= near_fades


@pytest.mark.parametrize("index", [0, 2, 3, 5, 6, 7])
def test_pictures_survive_encoding(videos: Path, plan: list[Trailer], index: int) -> None:
    made = film(plan[index], SEED).pictures
    for frame in read_frames(videos / plan[index].video, {5, 100, 300}):
        assert frame.image.shape == made[frame.index].shape
        assert np.abs(frame.image.astype(int) - made[frame.index]).mean() < 12


def test_sound_is_as_long_as_the_pictures(plan: list[Trailer]) -> None:
    made = film(plan[4], SEED)
    seconds = len(made.pictures) / plan[4].form.rate
    assert len(made.sound) / RATE == pytest.approx(float(seconds), abs=1 / RATE)
    assert np.abs(made.sound).max() <= 1


def test_one_trailer_varies_its_rate(videos: Path, plan: list[Trailer]) -> None:
    times = [frame.time for frame in read_frames(videos / plan[2].video, size=(16, 16))]
    steps = np.diff(np.array(times, float))
    assert steps.min() < 0.7 / 25
    assert steps.max() > 1.3 / 25


def test_other_trailers_keep_their_rate(videos: Path, plan: list[Trailer]) -> None:
    times = [frame.time for frame in read_frames(videos / plan[5].video, size=(16, 16))]
    assert times[1] - times[0] == Fraction(1001, 24000) == times[-1] - times[-2]


def test_one_trailer_has_too_few_clips(videos: Path, tmp_path: Path) -> None:
    assert 0 < len(clips(videos / "few-clips.mp4", tmp_path / "out")) < 10


@pytest.mark.parametrize("name", ["cut-off.mp4", "a-text.mp4"])
def test_some_files_are_no_videos(videos: Path, name: str) -> None:
    with pytest.raises(MediaFault):
        probe(videos / name)


def test_a_row_names_a_file_that_is_not_there(sample: SampleReport) -> None:
    missing = [row for row in table(sample.labels) if not (sample.videos / row["video"]).exists()]
    assert [row["title"] for row in missing] == ["Lost Reel"]


def test_fades_exist_and_shots_begin_where_the_film_says(plan: list[Trailer]) -> None:
    made = film(plan[8], SEED)
    assert len(made.fades) >= 2
    assert all(made.pictures[start].mean() < 25 for start in made.fades)
    assert not set(made.cuts) & set(made.fades)
    assert 18 <= len(made.cuts) + len(made.fades) - 1 <= 22


def test_a_short_trailer_is_not_one_of_the_ordinary_ones(plan: list[Trailer]) -> None:
    assert _short(0, SEED).index == FEW > max(trailer.index for trailer in plan)
