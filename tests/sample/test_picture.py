from dataclasses import replace

import cv2
import numpy as np
import pytest

from mmx.sample.looks import MATTERS, MOVES, STAGES, Style
from mmx.sample.picture import FADE, Scene, Shot, colours
from mmx.sample.shapes import SHAPES, draw
from mmx.sample.textures import LAYOUTS, TEXTURES, layout, texture

PLAIN = Style(0, 0, 0, (1, 1, 1), 0, (0, 0), 0, 0, 0, 11000)
SHOT = Shot(
    matter=MATTERS["crowd"], stage=STAGES["daylight"], move=MOVES["still"], style=PLAIN,
    frames=30, hue=0, colour=1, light=1, swapped=False, pace=1, seed=3,
)  # fmt: skip
WIDTH, HEIGHT = 160, 96
BARE = replace(SHOT, matter=replace(SHOT.matter, things=1, size=0.001))


def shift(shot: Shot, frames: int = 1) -> np.ndarray:
    """Movement of the picture's middle over some frames: pixels right and down, by phase."""
    scene = Scene(shot, WIDTH, HEIGHT)
    grey = [cv2.cvtColor(scene.frame(k), cv2.COLOR_RGB2GRAY).astype(float) for k in (4, 4 + frames)]
    moved, _ = cv2.phaseCorrelate(*grey, cv2.createHanningWindow((WIDTH, HEIGHT), cv2.CV_64F))
    return np.array(moved)


def test_a_frame_does_not_depend_on_the_frames_before() -> None:
    forward, backward = Scene(SHOT, WIDTH, HEIGHT), Scene(SHOT, WIDTH, HEIGHT)
    first = [forward.frame(k) for k in range(5)]
    second = [backward.frame(k) for k in reversed(range(5))][::-1]
    assert np.array_equal(first, second)
    assert first[0].shape == (HEIGHT, WIDTH, 3)
    assert first[0].dtype == np.uint8


def test_another_seed_is_another_picture() -> None:
    assert (Scene(SHOT, 64, 48).frame(0) != Scene(replace(SHOT, seed=4), 64, 48).frame(0)).any()


def test_a_still_camera_is_still() -> None:
    scene = Scene(BARE, WIDTH, HEIGHT)
    assert np.mean(scene.frame(0) != scene.frame(20)) < 0.01


@pytest.mark.parametrize("name", ["drift", "chase"])
def test_a_panning_camera_moves_the_picture_the_other_way(name: str) -> None:
    # The layout's horizon stands still; a flat one leaves the moving surface alone.
    flat = replace(BARE, stage=replace(BARE.stage, hues=(90, 90)), move=MOVES[name])
    flat = replace(flat, move=replace(flat.move, shake=0))
    scene_shift = shift(replace(flat, matter=replace(flat.matter, texture="specks")))
    assert scene_shift[0] == pytest.approx(-flat.move.pan[0] * HEIGHT, abs=0.4)


def test_shake_is_as_large_as_it_says() -> None:
    jumps = Scene(replace(SHOT, frames=2000, move=MOVES["shake"]), 64, 48)._jumps
    assert np.diff(jumps, axis=0).std() == pytest.approx(np.sqrt(2 + 0.09), rel=0.05)


def test_fades_begin_and_end_in_the_dark() -> None:
    faded = Scene(replace(SHOT, fade_in=True, fade_out=True), WIDTH, HEIGHT)
    plain = Scene(SHOT, WIDTH, HEIGHT)
    light = [faded.frame(k).mean() / plain.frame(k).mean() for k in range(SHOT.frames)]
    assert light[0] == pytest.approx(1 / FADE, abs=0.02)
    assert light[-1] == pytest.approx(1 / FADE, abs=0.02)
    assert np.all(np.diff(light[:FADE]) > 0)
    assert light[SHOT.frames // 2] == pytest.approx(1, abs=0.01)


def test_a_tint_dims_its_colours_and_no_other() -> None:
    tinted = replace(SHOT, style=replace(PLAIN, tint=(1, 0.5, 1)))
    ratio = Scene(tinted, 64, 48).frame(0).mean((0, 1)) / Scene(SHOT, 64, 48).frame(0).mean((0, 1))
    assert ratio == pytest.approx((1, 0.5, 1), abs=0.02)


def test_scan_lines_are_every_third_line() -> None:
    lined = Scene(replace(SHOT, style=replace(PLAIN, lines=0.5)), 64, 48).frame(0).astype(float)
    ratio = lined.mean((1, 2)) / Scene(SHOT, 64, 48).frame(0).mean((1, 2))
    assert ratio[1::3] == pytest.approx(np.full(16, 0.5), abs=0.02)
    assert ratio[0::3] == pytest.approx(np.ones(16), abs=0.02)


def test_a_vignette_darkens_the_corners_only() -> None:
    dark = Scene(replace(SHOT, style=replace(PLAIN, vignette=1.0)), 64, 64)._lens
    assert dark[32, 32].tolist() == [255, 255, 255]
    assert dark[0, 0].max() <= 1


def test_grain_has_the_deviation_that_it_says() -> None:
    style = replace(PLAIN, grain=5.0)
    bright = replace(SHOT, stage=replace(SHOT.stage, value=0.5))
    noise = Scene(replace(bright, style=style), WIDTH, HEIGHT).frame(0).astype(float)
    noise -= Scene(bright, WIDTH, HEIGHT).frame(0)
    assert noise.mean() == pytest.approx(0, abs=0.3)
    assert noise.std() == pytest.approx(5, rel=0.05)


def test_softness_takes_detail_away() -> None:
    def detail(softness: float) -> float:
        style = replace(PLAIN, softness=softness)
        return cv2.Laplacian(Scene(replace(SHOT, style=style), 96, 64).frame(0), cv2.CV_64F).std()

    assert detail(0.03) < 0.5 * detail(0.0)


@pytest.mark.parametrize(("hue", "rgb"), [(0, (200, 0, 0)), (120, (0, 200, 0)), (600, (0, 0, 200))])
def test_colours_are_those_of_the_wheel(hue: float, rgb: tuple[int, int, int]) -> None:
    assert colours(hue, 1.0, np.array([200 / 255]))[0].tolist() == list(rgb)


@pytest.mark.parametrize("name", TEXTURES)
def test_a_texture_spans_all_levels(name: str) -> None:
    surface = texture(name, 90, 120, np.random.default_rng(1))
    assert surface.shape == (90, 120)
    assert (surface.min(), surface.max()) == (0, 255)
    assert surface.std() > 10


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_gives_each_zone_a_part(name: str) -> None:
    zones = layout(name, 60, 80)
    assert zones.shape == (60, 80)
    assert zones.min() == 0
    assert zones.max() <= 1
    assert 0.1 < zones.mean() < 0.9


def test_things_are_as_large_as_they_say() -> None:
    image = np.zeros((100, 100, 3), np.uint8)
    draw(image, "disc", (50.0, 50.0), 30.0, 0.3, np.full((2, 3), 255, np.uint8))
    assert image.mean() / 255 * 100**2 == pytest.approx(np.pi * 30**2, rel=0.03)


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_keeps_its_area_when_it_turns(name: str) -> None:
    areas = []
    for angle in (0.0, 0.7):
        image = np.zeros((120, 120, 3), np.uint8)
        draw(image, name, (60.0, 60.0), 25.0, angle, np.full((2, 3), 255, np.uint8))
        areas.append(image.mean())
    assert areas[0] == pytest.approx(areas[1], rel=0.06)
