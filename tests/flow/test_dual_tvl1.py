"""The compiled solver against known motion and against OpenCV."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from shutil import ignore_patterns
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numba.core.codegen import get_host_cpu_features

import mmx
from mmx.flow.dual_tvl1 import TVL1, tvl1
from mmx.flow.parameters import TVL1Params

BORDER = 16
DEFAULTS = TVL1Params()
FRACTIONS = 0.1
"""The cubic kernel with A = -0.75, which is OpenCV's, does not keep a straight line straight: at a
quarter of a pixel it is out by 0.05, at whole and half pixels it is exact."""


def inner_error(kit: SimpleNamespace, moving: Any, params: TVL1Params = DEFAULTS) -> np.ndarray:
    flow = tvl1(moving.prev, moving.next, params)
    error: np.ndarray = kit.end_point_error(flow, moving.truth)
    return error[BORDER:-BORDER, BORDER:-BORDER]


@pytest.mark.parametrize("shift", [(1.0, 0.0), (2.0, -1.0), (0.5, 0.5), (-3.5, 2.0)])
def test_translation_is_found(kit: SimpleNamespace, shift: tuple[float, float]) -> None:
    error = inner_error(kit, kit.translation(112, 150, *shift))
    assert error.mean() < 0.03
    assert np.percentile(error, 99) < 0.1


def test_fractions_of_a_pixel_are_found_as_well_as_the_kernel_allows(kit: SimpleNamespace) -> None:
    assert inner_error(kit, kit.translation(112, 150, 1.3, -0.7)).mean() < FRACTIONS


@pytest.mark.parametrize("degrees", [1.5, -2.0])
def test_rotation_is_found(kit: SimpleNamespace, degrees: float) -> None:
    error = inner_error(kit, kit.rotation(112, 150, degrees))
    assert error.mean() < 0.06
    assert np.percentile(error, 99) < 0.15


@pytest.mark.parametrize("shape", [(64, 81), (17, 40)])
def test_still_frames_give_exactly_zero(kit: SimpleNamespace, shape: tuple[int, int]) -> None:
    still = kit.translation(*shape, 0.0, 0.0).prev
    assert not tvl1(still, still).any()


SHAPES = [(16, 16), (2, 2), (3, 50), (37, 53), (16, 17), (15, 400), (33, 16), (65, 64)]


@pytest.mark.parametrize("shape", SHAPES)
def test_any_size_is_opencvs_to_the_bit(kit: SimpleNamespace, shape: tuple[int, int]) -> None:
    moving = kit.translation(*shape, 0.5, 0.25)
    flow = tvl1(moving.prev, moving.next)
    assert flow.shape == (*shape, 2)
    assert flow.dtype == np.float32
    if min(shape) > 2:
        assert np.array_equal(flow, kit.opencv(moving.prev, moving.next))


SETTINGS: dict[str, dict[str, Any]] = {
    "illumination": {"gamma": 0.3},
    "small median": {"median_filtering": 3},
    "no median": {"median_filtering": 1},
    "one scale": {"scales": 1},
    "few iterations": {"inner_iterations": 3, "outer_iterations": 2},
    "one iteration": {"inner_iterations": 1, "outer_iterations": 1},
    "tau": {"tau": 0.15},
    "lambda": {"lambda_": 0.4},
    "theta": {"theta": 0.2},
    "scale step": {"scale_step": 0.7},
    "epsilon": {"epsilon": 0.05},
    "warps": {"warps": 1},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SETTINGS)
def test_every_parameter_has_opencvs_meaning_to_the_bit(kit: SimpleNamespace, name: str) -> None:
    params = replace(DEFAULTS, **SETTINGS[name])
    moving = kit.occlusion(72, 100)
    flow = tvl1(moving.prev, moving.next, params)
    assert np.array_equal(flow, kit.opencv(moving.prev, moving.next, params))
    assert not np.array_equal(flow, tvl1(moving.prev, moving.next))


@pytest.mark.slow
def test_pairs_are_opencvs_to_the_bit(kit: SimpleNamespace) -> None:
    pairs = [kit.translation(80, 112, dx, dy, seed) for seed, (dx, dy) in enumerate(SHIFTS)]
    pairs += [kit.rotation(80, 112, degrees, seed) for seed, degrees in enumerate(ANGLES)]
    pairs += [kit.occlusion(80, 112, seed) for seed in range(4)]
    solver = TVL1(80, 112)
    for moving in pairs:
        flow = solver.flow(moving.prev, moving.next)
        assert np.array_equal(flow, kit.opencv(moving.prev, moving.next))


SHIFTS = [(0.3, 0.1), (1.7, -2.2), (-4.0, 1.0), (6.0, 3.0)]
ANGLES = [0.5, -1.5, 3.0]


def test_a_movement_that_fades_into_still_ground_is_opencvs_to_the_bit(
    kit: SimpleNamespace,
) -> None:
    """Around it, flow and dual variables run through all denormal numbers."""
    prev = kit.occlusion(40, 400).prev
    next_ = prev.copy()
    next_[10:24, 10:30] = prev[10:24, 11:31]
    params = TVL1Params(
        scales=1,
        warps=1,
        outer_iterations=1,
        inner_iterations=100,
        median_filtering=1,
        epsilon=1e-6,
    )
    flow = tvl1(prev, next_, params)
    assert (np.abs(flow[flow != 0]) < np.finfo(np.float32).tiny).any()
    assert np.array_equal(flow, kit.opencv(prev, next_, params))


def test_floating_frames_are_the_same_as_8_bits(kit: SimpleNamespace) -> None:
    moving = kit.translation(40, 56, 1.0, 0.5)
    expected = tvl1(moving.prev, moving.next)
    for kind in (np.float32, np.float64):
        scaled = [(frame / 255.0).astype(kind) for frame in (moving.prev, moving.next)]
        assert np.abs(tvl1(*scaled) - expected).max() < 0.02


EXTREMES: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "noise": lambda rng: rng.integers(0, 256, (2, 48, 70), dtype=np.uint8),
    "flash": lambda rng: np.stack([np.zeros((48, 70)), np.full((48, 70), 255)]).astype(np.uint8),
    "constant": lambda rng: np.full((2, 48, 70), 93, np.uint8),
    "checks": lambda rng: (np.indices((2, 48, 70)).sum(0) % 2 * 255).astype(np.uint8),
    "one pixel": lambda rng: np.pad([[[[0]], [[255]]]][0], ((0, 0), (24, 23), (35, 34))).astype(
        "u1"
    ),
}


@pytest.mark.parametrize("name", EXTREMES)
def test_any_picture_gives_what_opencv_gives(kit: SimpleNamespace, name: str) -> None:
    prev, next_ = EXTREMES[name](np.random.default_rng(5)).astype(np.uint8)
    flow = tvl1(prev, next_)
    assert np.isfinite(flow).all()
    assert np.array_equal(flow, kit.opencv(prev, next_))
    if name == "constant":
        assert not flow.any()


def test_extreme_parameters_give_numbers(kit: SimpleNamespace) -> None:
    moving = kit.translation(40, 60, 30.0, 0.0)
    for params in (TVL1Params(lambda_=1e3), TVL1Params(epsilon=1e-9), TVL1Params(tau=5.0)):
        assert np.isfinite(tvl1(moving.prev, moving.next, params)).all()


def test_equal_input_gives_equal_bytes(kit: SimpleNamespace) -> None:
    moving, other = kit.occlusion(60, 90), kit.rotation(60, 90, 3.0)
    solver = TVL1(60, 90)
    first = solver.flow(moving.prev, moving.next)
    solver.flow(other.prev, other.next)
    assert solver.flow(moving.prev, moving.next).tobytes() == first.tobytes()
    assert tvl1(moving.prev, moving.next).tobytes() == first.tobytes()


def test_iterations_started_together_stop_like_single_ones(kit: SimpleNamespace) -> None:
    """Without median filters, 300 x 1 iterations (one at a time) are 1 x 300 (up to 8 at once)."""
    moving = kit.occlusion(50, 70)
    single = TVL1Params(inner_iterations=1, outer_iterations=300, median_filtering=1)
    many = TVL1Params(inner_iterations=300, outer_iterations=1, median_filtering=1)
    flows = [tvl1(moving.prev, moving.next, params) for params in (single, many)]
    assert flows[0].tobytes() == flows[1].tobytes()


def test_what_is_no_pair_of_frames_is_refused() -> None:
    frame = np.zeros((20, 30), np.uint8)
    for bad in (frame[:, :20], frame.astype(np.float32), frame[:1]):
        with pytest.raises(ValueError, match="two frames"):
            TVL1(20, 30).flow(frame, bad)
    with pytest.raises(ValueError, match="no gradient"):
        tvl1(frame[:1], frame[:1])
    with pytest.raises(ValueError, match="two dimensions"):
        tvl1(frame[None], frame[None])
    with pytest.raises(ValueError, match="uint8 or floating"):
        tvl1(frame.astype(int), frame.astype(int))


FIRST_USE = """
import numba
from mmx.flow.dual_tvl1 import tvl1
import numpy as np
compiled = []
with numba.core.event.install_recorder("numba:compile") as recorder:
    tvl1(np.zeros((20, 20), np.uint8), np.zeros((20, 20), np.uint8))
print(len(recorder.buffer))
"""


@pytest.mark.slow
def test_of_several_workers_one_compiles(tmp_path: Path) -> None:
    """Three processes that begin together with an empty cache; then one more.

    They leave nothing in the folder for temporary files, where others could foresee its name.
    """
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    environment = os.environ | {
        "NUMBA_CACHE_DIR": str(tmp_path / "cache"),
        "PYTHONPATH": str(Path(mmx.__file__).parents[1]),
        "TMPDIR": str(temporary),
    }

    def start() -> subprocess.Popen[str]:
        command = [sys.executable, "-c", FIRST_USE]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)

    together = [start() for _ in range(3)]
    compiled = sorted(int(process.communicate()[0]) for process in together)
    later = int(start().communicate()[0])
    assert compiled[-1] > 0
    assert compiled[:-1] == [later, later] == [0, 0]
    assert not list(temporary.iterdir())


SHARING = f"""
import os, subprocess, sys
from mmx.flow.cache import cache_folder
folder = cache_folder()
{FIRST_USE}
print(folder, oct(os.stat(os.environ["NUMBA_CACHE_DIR"]).st_mode & 0o777), flush=True)
if len(sys.argv) == 1:
    subprocess.run([sys.executable, __file__, "worker"], check=True)
"""


@pytest.mark.slow
def test_where_no_cache_can_be_written_one_run_shares_a_private_one(tmp_path: Path) -> None:
    """As for an ordinary user without a home whose code is read-only; here not even root can."""
    code, temporary = tmp_path / "code", tmp_path / "tmp"
    shutil.copytree(Path(mmx.__file__).parent, code / "mmx", ignore=ignore_patterns("__pycache__"))
    (code / "mmx" / "flow" / "__pycache__").touch()
    (code / "sharing.py").write_text(SHARING)
    temporary.mkdir()
    nowhere = {"HOME": os.devnull, "XDG_CACHE_HOME": os.devnull, "TMPDIR": str(temporary)}
    environment = os.environ | nowhere | {"PYTHONPATH": str(code)}
    environment.pop("NUMBA_CACHE_DIR", None)
    command = [sys.executable, str(code / "sharing.py")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    compiled, place, again, workers_place = done.stdout.splitlines()
    assert int(compiled) > 0 and int(again) == 0
    folder, mode = place.split()
    assert Path(folder).is_relative_to(temporary) and mode == "0o700"
    assert workers_place == place
    assert done.stderr.count("\n") == 1 and "NUMBA_CACHE_DIR" in done.stderr
    assert not list(temporary.iterdir())


AVX2 = "+avx,+avx2,+bmi,+bmi2,+fma,+popcnt,+sse4.1,+sse4.2"
AVX512 = "+avx512f,+avx512bw,+avx512cd,+avx512dq,+avx512vl"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("processor", "features"),
    [
        ("x86-64", "+sse2"),
        ("haswell", AVX2),
        ("znver1", AVX2),
        ("skylake-avx512", f"{AVX2},{AVX512}"),
    ],
)
def test_code_for_another_processor_has_the_same_bits(
    kit: SimpleNamespace, processor: str, features: str, tmp_path: Path
) -> None:
    """Roots, sizes and estimates are got in ways that depend on the processor."""
    if not set(features.split(",")) <= set(get_host_cpu_features().split(",")):
        pytest.skip(f"this processor cannot run code for {processor}")
    moving = kit.rotation(90, 130, 2.0)
    np.save(tmp_path / "frames.npy", np.stack([moving.prev, moving.next]))
    code = (
        "import sys, numpy as np; from mmx.flow.parameters import TVL1Params;"
        "from mmx.flow.dual_tvl1 import tvl1; frames = np.load(sys.argv[1]);"
        "flows = [tvl1(*frames, TVL1Params(gamma=gamma)) for gamma in (0.0, 0.1)];"
        "np.save(sys.argv[2], np.stack(flows))"
    )
    environment = {**os.environ, "NUMBA_CPU_NAME": processor, "NUMBA_CPU_FEATURES": features}
    arguments = [str(tmp_path / "frames.npy"), str(tmp_path / "flows.npy")]
    top = Path(mmx.__file__).parents[1]
    subprocess.run([sys.executable, "-c", code, *arguments], check=True, cwd=top, env=environment)
    here = [tvl1(moving.prev, moving.next, TVL1Params(gamma=gamma)) for gamma in (0.0, 0.1)]
    assert np.load(tmp_path / "flows.npy").tobytes() == np.stack(here).tobytes()
