"""One shot as pictures: any frame of it, from a few numbers."""

from dataclasses import dataclass

import cv2
import numpy as np

from mmx.sample.looks import Matter, Move, Stage, Style
from mmx.sample.shapes import draw
from mmx.sample.textures import layout, texture


@dataclass(frozen=True)
class Shot:
    """What is in front of the camera between two cuts."""

    matter: Matter
    stage: Stage
    move: Move
    style: Style
    frames: int
    """Length."""
    hue: float
    """Degrees by which the stage's hues are turned."""
    colour: float
    """Factor of the stage's saturation, about 0.6 to 1.3."""
    light: float
    """Factor of the stage's brightness, about 0.4 to 1."""
    swapped: bool
    """Whether the stage's two zones change places."""
    pace: float
    """Factor of all motion, about 0.8 to 1.25."""
    seed: int
    """Of the texture and the things."""
    fade_in: bool = False
    """From black, over `FADE` frames."""
    fade_out: bool = False
    """To black, over `FADE` frames."""


FADE = 10
"""Frames of a fade."""


def colours(hue: float, saturation: float, value: np.ndarray) -> np.ndarray:
    """Return uint8 N x 3 RGB of one hue (degrees) and saturation at N values in 0 to 1."""
    tone = np.empty((1, len(value), 3), np.float32)
    tone[..., 0], tone[..., 1], tone[..., 2] = hue % 360, saturation, np.clip(value, 0, 1)
    rgb: np.ndarray = np.rint(cv2.cvtColor(tone, cv2.COLOR_HSV2RGB)[0] * 255).astype(np.uint8)
    return rgb


class Scene:
    """A shot set up at one size: `frame(k)` is its k-th picture, independent of the others."""

    def __init__(self, shot: Shot, width: int, height: int) -> None:
        """Prepare everything that does not change from frame to frame; sizes are pixels."""
        self.shot, self.width, self.height = shot, width, height
        rng = np.random.default_rng(shot.seed)
        self._surface = texture(shot.matter.texture, height * 3 // 2, width * 3 // 2, rng)
        self._zones = self._zone_weights()
        self._palettes = self._zone_palettes()
        self._lens = _lens(shot.style, width, height)
        self._grain = rng.integers(0, 256, (6, height, width, 3), dtype=np.uint8)
        self._phase = rng.uniform(0, 2 * np.pi)
        self._jumps = np.cumsum(rng.normal(0, 1, (shot.frames, 2)), axis=0) * 0.3
        self._jumps += rng.normal(0, 1, (shot.frames, 2))
        self._place_things(rng)

    def _zone_weights(self) -> tuple[np.ndarray, np.ndarray]:
        second = layout(self.shot.stage.layout, self.height, self.width)
        return (second, 1 - second) if self.shot.swapped else (1 - second, second)

    def _zone_palettes(self) -> list[np.ndarray]:
        """One lookup table per zone, uint8 1 x 256 x 3: colour at each level of the surface."""
        stage, tone = self.shot.stage, np.linspace(0.62, 1.0, 256)
        bright = stage.value * self.shot.light
        saturation = min(stage.saturation * self.shot.colour, 1.0)
        return [
            colours(hue + self.shot.hue, saturation, tone * bright * share)[None]
            for hue, share in zip(stage.hues, (1.0, 0.6), strict=True)
        ]

    def _place_things(self, rng: np.random.Generator) -> None:
        shot, count = self.shot, self.shot.matter.things
        self._starts = rng.uniform(0, 1, (count, 2)) * (self.width, self.height)
        angles = rng.uniform(0, 2 * np.pi, count)
        speed = shot.move.pace * shot.pace * self.height
        self._speeds = np.column_stack((np.cos(angles), np.sin(angles))) * speed
        self._radii = shot.matter.size * self.height * rng.uniform(0.7, 1.3, count)
        self._spins = rng.normal(0, 0.03, count)
        paint = [
            colours(hue, 0.7, shot.light * np.array([0.95, 0.55]))
            for hue in shot.stage.hues[0] + shot.hue + rng.uniform(90, 270, count)
        ]
        self._paint = np.stack(paint)

    def frame(self, k: int) -> np.ndarray:
        """Return picture `k` of the shot: uint8 height x width x 3, RGB."""
        surface = cv2.warpAffine(
            self._surface,
            self._camera(k),
            (self.width, self.height),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REFLECT_101,
        )
        tones = cv2.cvtColor(surface, cv2.COLOR_GRAY2RGB)
        first, second = (cv2.LUT(tones, palette) for palette in self._palettes)
        image = cv2.blendLinear(first, second, *self._zones)
        self._draw_things(image, k)
        return self._develop(image, k)

    def _camera(self, k: int) -> np.ndarray:
        """Return the affine map, float64 2 x 3, from the picture to the surface at frame `k`."""
        move, style, pace = self.shot.move, self.shot.style, self.shot.pace
        swing = np.sin(2 * np.pi * k / 16 + self._phase)
        angle = move.turn * pace * k + style.roll * swing
        scale = (1 + move.zoom * pace) ** k
        centre = ((self.width - 1) / 2, (self.height - 1) / 2)
        camera = cv2.getRotationMatrix2D(centre, angle, 1 / scale)
        shift = np.array(move.pan) * pace * k + np.array(style.sway) * swing
        shift += move.shake * pace * self._jumps[k]
        camera[:, 2] += shift * self.height + (self.width / 4, self.height / 4)
        return camera

    def _draw_things(self, image: np.ndarray, k: int) -> None:
        span = np.array([self.width, self.height])
        # A thing that leaves the picture comes back at the other side, not in the middle.
        margin = 1.5 * self._radii[:, None]
        places = (self._starts + self._speeds * k + margin) % (span + 2 * margin) - margin
        for place, radius, spin, paint in zip(
            places, self._radii, self._spins, self._paint, strict=True
        ):
            draw(image, self.shot.matter.shape, tuple(place), radius, spin * k, paint)

    def _develop(self, image: np.ndarray, k: int) -> np.ndarray:
        style = self.shot.style
        if style.softness:
            image = cv2.GaussianBlur(image, (0, 0), style.softness * self.height)
        image = cv2.multiply(image, self._lens, scale=_exposure(self.shot, k) / 255)
        if style.grain:
            # Uniform levels have a standard deviation of 73.9.
            share = style.grain / 73.9
            image = cv2.addWeighted(image, 1, self._grain[k % 6], share, -127.5 * share)
        return image


def _lens(style: Style, width: int, height: int) -> np.ndarray:
    """Return what style lets through at each pixel: tint, vignette, scan lines; uint8 H x W x 3."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    corner = (x / width - 0.5) ** 2 + (y / height - 0.5) ** 2
    light = 1 - 2 * style.vignette * corner
    light[1::3] *= 1 - style.lines
    lens: np.ndarray = np.rint(light[..., None] * np.array(style.tint) * 255).astype(np.uint8)
    return lens


def _exposure(shot: Shot, k: int) -> float:
    """Return how much light frame `k` gets, 0 to 1: less in a fade."""
    opening = (k + 1) / FADE if shot.fade_in else 1.0
    closing = (shot.frames - k) / FADE if shot.fade_out else 1.0
    return min(1.0, opening, closing)
