"""One trailer, shot by shot: which genre each shot shows and how, its pictures and its sound."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from typing import TypeVar

import cv2
import numpy as np

from mmx.sample.looks import GENRES, MATTERS, MOVES, SOUNDS, STAGES, STYLES, Sound
from mmx.sample.picture import FADE, Scene, Shot
from mmx.sample.plan import Trailer
from mmx.sample.sound import RATE, in_style, shot_sound

LENGTHS = (18, 36)
"""Fewest and most frames of a shot without its fades."""
FADES = 0.1
"""Share of transitions that go through black."""
VISIBLE = 38.0
"""Smallest mean change of hue, saturation and value at a hard cut (OpenCV's units)."""
TRIES = 16
PRIMARY = 1.5
"""Weight of the primary genre against 1 of every other."""

Row = TypeVar("Row")


@dataclass(frozen=True)
class Take:
    """A shot with its sound."""

    shot: Shot
    sound: Sound
    detune: float
    """Factor of the sound's pitch."""


@dataclass(frozen=True)
class Film:
    """A trailer before it is encoded."""

    pictures: np.ndarray
    """uint8 N x height x width x 3, RGB."""
    sound: np.ndarray
    """float32 mono at `RATE`, as long as the pictures."""
    cuts: tuple[int, ...]
    """Numbers of the frames that open a shot right after another."""
    fades: tuple[int, ...]
    """Numbers of the frames that open a shot after a fade from black, except the first shot."""


def film(trailer: Trailer, seed: int) -> Film:
    """Make a trailer of the collection of `seed`."""
    rng = np.random.default_rng((seed, 4, trailer.index))
    size = (trailer.form.width, trailer.form.height)
    pictures: list[np.ndarray] = []
    sounds: list[np.ndarray] = []
    opened: dict[int, bool] = {}
    for take in _takes(trailer, rng):
        scene = _cut_to(take.shot, pictures, size, rng)
        start, stop = len(pictures), len(pictures) + scene.shot.frames
        opened[start] = scene.shot.fade_in
        pictures += [scene.frame(k) for k in range(scene.shot.frames)]
        samples = _samples(stop, trailer.form.rate) - _samples(start, trailer.form.rate)
        sounds.append(shot_sound(take.sound, samples, take.detune, rng))
    return Film(
        pictures=np.stack(pictures),
        sound=in_style(np.concatenate(sounds), STYLES[trailer.style]),
        cuts=tuple(start for start, faded in opened.items() if not faded),
        fades=tuple(start for start, faded in opened.items() if faded and start),
    )


def _samples(frames: int, rate: Fraction) -> int:
    return round(frames / rate * RATE)


def _takes(trailer: Trailer, rng: np.random.Generator) -> Iterator[Take]:
    """The opening, the shots, the end card; fades in pairs, out of one shot and into the next."""
    manner = _manner(rng)
    count = int(rng.integers(trailer.shots[0], trailer.shots[1] + 1))
    fades = [True, *(rng.random(count - 1) < FADES), True]
    yield _faded(_card(trailer, rng), True, fades[0])
    for before, after in pairwise(fades):
        yield _faded(_take(trailer, manner, rng), before, after)
    yield _faded(_card(trailer, rng), fades[-1], False)


@dataclass(frozen=True)
class _Manner:
    """Random properties of a whole trailer, independent of genre and style."""

    hue: float
    light: float
    pace: float
    detune: float


def _manner(rng: np.random.Generator) -> _Manner:
    return _Manner(
        hue=float(rng.normal(0, 8)),
        light=float(rng.uniform(0.85, 1.0)),
        pace=float(rng.uniform(0.85, 1.2)),
        detune=float(2 ** rng.normal(0, 0.12)),
    )


def _take(trailer: Trailer, manner: _Manner, rng: np.random.Generator) -> Take:
    weights = np.array([PRIMARY] + [1.0] * (len(trailer.genres) - 1))
    genre = GENRES[trailer.genres[int(rng.choice(len(weights), p=weights / weights.sum()))]]
    matter, stage, move, sound = genre.degrees
    shot = Shot(
        matter=_row(MATTERS, genre.matter, matter, rng),
        stage=_row(STAGES, genre.stage, stage, rng),
        move=_row(MOVES, genre.move, move, rng),
        style=STYLES[trailer.style],
        frames=int(rng.integers(LENGTHS[0], LENGTHS[1] + 1)),
        hue=manner.hue,
        colour=1.0,
        light=manner.light,
        swapped=False,
        pace=manner.pace,
        seed=0,
    )
    return Take(shot, _row(SOUNDS, genre.sound, sound, rng), manner.detune)


def _row(table: dict[str, Row], name: str, degree: float, rng: np.random.Generator) -> Row:
    """Return the genre's row with probability `degree`, any row otherwise."""
    other = list(table)[int(rng.integers(len(table)))]
    return table[name if rng.random() < degree else other]


def _card(trailer: Trailer, rng: np.random.Generator) -> Take:
    """Return a logo or an end card, independent of the genre."""
    shot = Shot(
        MATTERS["sparks"], STAGES["night"], MOVES["still"], STYLES[trailer.style],
        frames=24, hue=0.0, colour=1.0, light=1.0, swapped=False, pace=1.0, seed=0,
    )  # fmt: skip
    return Take(shot, SOUNDS["wind"], float(rng.uniform(0.9, 1.1)))


def _faded(take: Take, fade_in: bool, fade_out: bool) -> Take:
    frames = take.shot.frames + FADE * (fade_in + fade_out)
    shot = replace(take.shot, frames=frames, fade_in=bool(fade_in), fade_out=bool(fade_out))
    return replace(take, shot=shot)


def _cut_to(
    shot: Shot, before: list[np.ndarray], size: tuple[int, int], rng: np.random.Generator
) -> Scene:
    """Set up the shot: light and colours are drawn until the cut to it is visible."""
    scene = Scene(_lit(shot, 0, rng), *size)
    if not before or shot.fade_in:
        return scene
    change = _change(before[-1], scene.frame(0))
    for attempt in range(1, TRIES):
        if change >= VISIBLE:
            break
        other = Scene(_lit(shot, attempt, rng), *size)
        other_change = _change(before[-1], other.frame(0))
        if other_change > change:
            scene, change = other, other_change
    return scene


def _lit(shot: Shot, attempt: int, rng: np.random.Generator) -> Shot:
    """Draw light and colours around the shot's own, further away with each failed attempt."""
    return replace(
        shot,
        hue=shot.hue + float(rng.normal(0, 6 + attempt)),
        colour=shot.colour * float(rng.uniform(0.6, 1.3)),
        light=shot.light * float(rng.uniform(0.5, 1.0)),
        swapped=bool(rng.random() < 0.5),
        seed=int(rng.integers(2**62)),
    )


def _change(before: np.ndarray, after: np.ndarray) -> float:
    """Return the mean difference of two pictures in hue (0-179), saturation and value (0-255)."""
    first, second = (cv2.cvtColor(image, cv2.COLOR_RGB2HSV) for image in (before, after))
    return float(cv2.absdiff(first, second).mean())
