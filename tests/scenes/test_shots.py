"""Cuts planted in generated videos, and PySceneDetect itself as the reference."""

import os
from array import array
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import av
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from planted_film import command, shot, shots, write

from mmx.engine.rows import read_rows
from mmx.media.clip import Clip
from mmx.media.faults import Limits, MediaFault
from mmx.media.frames import read_frames
from mmx.media.probe import probe
from mmx.params import ScenesParams
from mmx.scenes.shots import SCHEMA, Shots, detect_item, detect_shots, keep_clips

PLANTED = [20, 55, 80, 120]
"""First frames of the shots after the first, in a video of 150 frames."""


def params(**changes: Any) -> ScenesParams:
    return ScenesParams(**changes)


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("scenes") / "planted.mkv", shots(PLANTED))


class TestPlantedCuts:
    @pytest.mark.parametrize("detector, threshold", [("content", 27.0), ("adaptive", 3.0)])
    def test_are_found_exactly(self, planted: Path, detector: str, threshold: float) -> None:
        found = detect_shots(planted, params(detector=detector, threshold=threshold))
        assert list(found.cuts) == PLANTED
        assert found.frames == 150
        assert all(score >= threshold for score in found.cuts.values())

    def test_scores_are_mean_changes_of_hue_saturation_and_value(self, planted: Path) -> None:
        """By definition, pixel by pixel, on the frames as they are (too small to be shrunk)."""
        found = detect_shots(planted, params()).cuts
        for cut, score in found.items():
            pair = [frame.image for frame in read_frames(planted, [cut - 1, cut])]
            before, after = (cv2.cvtColor(image, cv2.COLOR_RGB2HSV).astype(int) for image in pair)
            changes = [np.abs(after[..., i] - before[..., i]).mean() for i in range(3)]
            assert score == pytest.approx(sum(changes) / 3, rel=1e-12)

    def test_a_threshold_just_above_a_score_loses_that_cut_alone(self, planted: Path) -> None:
        scores = detect_shots(planted, params()).cuts
        weakest = min(scores, key=scores.__getitem__)
        again = detect_shots(planted, params(threshold=scores[weakest] * (1 + 1e-9)))
        assert again.cuts == {cut: s for cut, s in scores.items() if cut != weakest}
        assert detect_shots(planted, params(threshold=scores[weakest])).cuts == scores

    @pytest.mark.parametrize("suffix", [".mp4", ".mov", ".flv", ".ts"])
    def test_are_found_in_other_containers(
        self, planted: Path, tmp_path: Path, suffix: str
    ) -> None:
        frames = [frame.image for frame in read_frames(planted)]
        copy = write(tmp_path / f"a{suffix}", np.stack(frames))
        assert list(detect_shots(copy, params()).cuts) == PLANTED

    def test_shots_shorter_than_the_minimum_are_merged(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.mkv", shots([40, 45, 50, 100]))
        assert list(detect_shots(path, params(min_scene_len=1)).cuts) == [40, 45, 50, 100]
        assert list(detect_shots(path, params(min_scene_len=15)).cuts) == [40, 100]

    def test_a_slow_dissolve_is_no_cut(self, tmp_path: Path) -> None:
        one, two = shot(1, 100), shot(2, 100)
        share = np.clip((np.arange(100) - 20) / 60, 0, 1)[:, None, None, None]
        mixed = ((1 - share) * one + share * two).astype(np.uint8)
        assert detect_shots(write(tmp_path / "a.mkv", mixed), params()).cuts == {}

    def test_a_fade_through_black_is_a_cut_where_the_colour_goes(self, tmp_path: Path) -> None:
        """Hue and saturation are lost with the last light; PySceneDetect's command agrees."""
        level = np.ones(120)
        level[30:60], level[60:90] = np.linspace(1, 0, 30), np.linspace(0, 1, 30)
        faded = (shots([], 120) * level[:, None, None, None]).astype(np.uint8)
        path = write(tmp_path / "a.mkv", faded)
        found = detect_shots(path, params()).cuts
        assert list(found) == [59]
        assert found == pytest.approx(command(path, tmp_path / "out", "content"), abs=1e-4)

    def test_no_cut_at_all(self, tmp_path: Path) -> None:
        found = detect_shots(write(tmp_path / "a.mkv", shots([], 40)), params())
        assert (found.cuts, found.frames, found.edges) == ({}, 40, [0, 40])

    def test_one_frame(self, tmp_path: Path) -> None:
        found = detect_shots(write(tmp_path / "a.mkv", shots([], 1)), params(detector="adaptive"))
        assert (found.cuts, list(found.times)) == ({}, [0.0, 0.04])


class TestVariableRate:
    TICKS = (*range(0, 1600, 40), *range(3000, 3000 + 110 * 20, 20))
    """40 frames of 40 ms, a pause, 110 frames of 20 ms."""

    def test_seconds_come_from_presentation_times(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.mkv", shots([60, 110]), self.TICKS)
        found = detect_shots(path, params())
        assert list(found.cuts) == [60, 110]
        clips = keep_clips(found, "none")
        assert [clip.start_s for clip in clips] == [0.0, 3.4, 4.4]
        assert [clip.stop_s for clip in clips[:2]] == [3.4, 4.4]
        assert clips[2].stop_s == pytest.approx(5.2, abs=0.021)

    def test_the_shortest_shot_is_measured_in_time(self, tmp_path: Path) -> None:
        """15 frames are 0.6 s at the nominal rate: 25 frames of 20 ms are too few."""
        path = write(tmp_path / "a.mkv", shots([60, 85]), self.TICKS)
        assert av.open(str(path)).streams.video[0].guessed_rate == 25
        assert list(detect_shots(path, params()).cuts) == [60]


class TestAgainstPySceneDetect:
    @pytest.mark.parametrize("detector, threshold", [("content", 27.0), ("adaptive", 3.0)])
    @pytest.mark.parametrize("size", [(160, 96), (644, 360), (200, 420)])
    def test_cuts_and_scores_are_the_commands(
        self, tmp_path: Path, detector: str, threshold: float, size: tuple[int, int]
    ) -> None:
        """Larger than 256 pixels, pictures are shrunk as the command shrinks them."""
        path = write(tmp_path / "a.mkv", shots([20, 45, 70], 90, size=size))
        expected = command(path, tmp_path / "out", detector)
        found = detect_shots(path, params(detector=detector, threshold=threshold)).cuts
        assert list(expected) == [20, 45, 70]
        assert found == pytest.approx(expected, abs=1e-4)

    @pytest.mark.skipif("MMX_TEST_VIDEOS" not in os.environ, reason="names a folder of films")
    @pytest.mark.parametrize("detector, threshold", [("content", 27.0), ("adaptive", 3.0)])
    def test_on_real_films(self, tmp_path: Path, detector: str, threshold: float) -> None:
        videos = [p for p in Path(os.environ["MMX_TEST_VIDEOS"]).iterdir() if p.suffix != ".tsv"]
        assert videos
        for video in sorted(videos):
            facts = probe(video)
            with av.open(str(video)) as container:
                guessed = container.streams.video[0].guessed_rate
            assert guessed is not None
            rate = float(guessed)
            numbers = [round(float(f.time + facts.start_s) * rate) for f in read_frames(video)]
            found = detect_shots(video, params(detector=detector, threshold=threshold)).cuts
            expected = command(video, tmp_path / video.stem, detector)
            assert [numbers[cut] for cut in found] == list(expected), video.name
            if facts.sample_aspect == 1:
                assert list(found.values()) == pytest.approx(list(expected.values()), abs=1e-4)


class TestKeepClips:
    SHOTS = Shots({10: 30.0, 12: 40.0, 50: 50.0}, array("d", [i / 10 for i in range(61)]))

    @pytest.mark.parametrize(
        "drop, spans",
        [
            ("none", [(0, 10), (10, 12), (12, 50), (50, 60)]),
            ("clip", [(10, 12), (12, 50)]),
            ("frame", [(1, 9), (13, 49), (51, 59)]),
        ],
    )
    def test_what_is_dropped(
        self, drop: Literal["clip", "frame", "none"], spans: list[tuple[int, int]]
    ) -> None:
        clips = keep_clips(self.SHOTS, drop)
        assert clips == [Clip(i, a, b, a / 10, b / 10) for i, (a, b) in enumerate(spans)]

    @pytest.mark.parametrize("cuts, kept", [({}, 0), ({5: 30.0}, 0), ({5: 30.0, 7: 30.0}, 1)])
    def test_few_shots_leave_none_or_one(self, cuts: dict[int, float], kept: int) -> None:
        assert len(keep_clips(Shots(cuts, array("d", range(11))), "clip")) == kept

    @given(st.integers(1, 60).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(1, n)))))
    def test_all_frames_are_in_one_shot(self, case: tuple[int, set[int]]) -> None:
        frames, cuts = case
        found = Shots({c: 30.0 for c in sorted(cuts - {frames})}, array("d", range(frames + 1)))
        clips = keep_clips(found, "none")
        assert [i for clip in clips for i in range(clip.start, clip.stop)] == list(range(frames))
        assert keep_clips(found, "clip") == [
            Clip(i, c.start, c.stop, c.start_s, c.stop_s) for i, c in enumerate(clips[1:-1])
        ]


class TestItem:
    def item(
        self, video: Path, out: Path, **changes: Any
    ) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        out.mkdir()
        facts = detect_item(video=video, params=params(**changes), limits=Limits(), out=out)
        table = read_rows(out / "rows.arrow")
        assert table.schema == SCHEMA
        return facts, table.to_pylist()

    def test_rows_and_facts(self, planted: Path, tmp_path: Path) -> None:
        facts, rows = self.item(planted, tmp_path / "out")
        assert facts == {"frames": 150, "cuts": 4, "clips": 3, "duration_s": 6.0}
        scores = detect_shots(planted, params()).cuts
        assert rows == [
            {"clip": i, "start": a, "stop": b, "start_s": pytest.approx(a / 25),
             "stop_s": pytest.approx(b / 25), "cut_score": scores[a]}
            for i, (a, b) in enumerate(pairwise(PLANTED))
        ]  # fmt: skip

    def test_the_start_of_the_video_has_no_score(self, planted: Path, tmp_path: Path) -> None:
        for drop, first in (("none", 0), ("frame", 1)):
            _, rows = self.item(planted, tmp_path / drop, drop_first_last=drop)
            assert rows[0]["start"] == first
            assert [row["cut_score"] is None for row in rows] == [True] + [False] * 4

    def test_a_video_without_cuts_has_no_rows(self, tmp_path: Path) -> None:
        video = write(tmp_path / "a.mkv", shots([], 30))
        facts, rows = self.item(video, tmp_path / "out")
        assert (facts["clips"], facts["frames"], rows) == (0, 30, [])

    def test_equal_videos_give_equal_bytes(self, planted: Path, tmp_path: Path) -> None:
        for name in ("1", "2"):
            self.item(planted, tmp_path / name)
        data = [(tmp_path / name / "rows.arrow").read_bytes() for name in ("1", "2")]
        assert data[0] == data[1]

    def test_a_fault_of_the_video_is_passed_on(self, tmp_path: Path) -> None:
        (tmp_path / "a.mp4").write_text("no video")
        with pytest.raises(MediaFault):
            self.item(tmp_path / "a.mp4", tmp_path / "out")


@pytest.mark.parametrize("aspect", [Fraction(399, 400), Fraction(16, 11)])
def test_the_detector_sees_the_stored_aspect(
    planted: Path, tmp_path: Path, aspect: Fraction
) -> None:
    odd = write(tmp_path / "odd.mkv", shots(PLANTED), aspect=aspect)
    assert probe(odd).sample_aspect == aspect
    assert detect_shots(odd, params()).cuts == detect_shots(planted, params()).cuts
