"""How well each detector finds transitions of known truth: cuts, dissolves, fades; not flashes.

Films are generated: textures that drift, in shots of 1.2 to 3.2 seconds, one kind of transition to
a film, without encoding. A transition is found if a detector begins a shot within it, or up to 3
frames from it; whatever else begins a shot is false. `python -m benchmarks.detectors`
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from mmx.experts.weights import Place, require
from mmx.media.frames import Frame
from mmx.params import ScenesParams
from mmx.scenes.detectors import new_detector
from mmx.scenes.frame_number import FrameNumber
from mmx.scenes.transnetv2 import WEIGHTS

SIZE = (256, 144)
RATE = Fraction(25)
SHOTS = (30, 80)
"""Fewest and most frames of a shot."""
NEAR = 3
"""Frames by which a cut may be beside a transition."""
DETECTORS = {
    "content": 27.0, "content-0.5": 30.0, "adaptive": 3.0, "threshold": 12.0, "histogram": 0.05,
    "transnetv2": 0.5,
}  # fmt: skip
"""Each with the threshold that its authors set."""

Span = tuple[int, int]


@dataclass(frozen=True)
class Film:
    """Pictures, and the first and last frame of each transition."""

    pictures: list[np.ndarray]
    truth: list[Span]


@dataclass(frozen=True)
class Score:
    """Transitions found and missed, and shots that begin elsewhere."""

    found: int
    missed: int
    false: int

    def __add__(self, other: "Score") -> "Score":
        """Return the sum of two films."""
        return Score(self.found + other.found, self.missed + other.missed, self.false + other.false)

    @property
    def f1(self) -> float:
        """Return the harmonic mean of precision and recall."""
        return 2 * self.found / max(1, 2 * self.found + self.missed + self.false)


def shot(rng: np.random.Generator, frames: int) -> np.ndarray:
    """Return a texture of random colours that drifts and brightens or darkens a little."""
    width, height = SIZE
    coarse = rng.integers(0, 256, (rng.integers(3, 9), rng.integers(4, 14), 3), dtype=np.uint8)
    speed = rng.integers(0, 4)
    texture = cv2.resize(coarse, (width + 3 * frames, height), interpolation=cv2.INTER_CUBIC)
    level = rng.uniform(0.5, 1.0) * np.linspace(1, rng.uniform(0.85, 1.15), frames)
    drift = np.stack([texture[:, speed * i : speed * i + width] for i in range(frames)])
    return np.clip(drift * level[:, None, None, None], 0, 255)


def cut(one: np.ndarray, two: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, Span]:
    """Join two shots directly."""
    return np.concatenate([one, two]), (len(one), len(one))


def dissolve(one: np.ndarray, two: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, Span]:
    """Mix the end of one shot with the beginning of the next for 8 to 24 frames."""
    n = int(rng.integers(8, 25))
    share = (np.arange(1, n + 1) / (n + 1))[:, None, None, None]
    mixed = (1 - share) * one[-n:] + share * two[:n]
    return np.concatenate([one[:-n], mixed, two[n:]]), (len(one) - n, len(one))


def fade(one: np.ndarray, two: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, Span]:
    """Fade out to black and in again, 6 to 12 frames each, with up to 10 black ones between."""
    n, dark = int(rng.integers(6, 13)), int(rng.integers(1, 11))
    level = np.linspace(1, 0, n)[:, None, None, None]
    black = np.zeros((dark, *one.shape[1:]))
    parts = [one[:-n], one[-n:] * level, black, two[:n] * level[::-1], two[n:]]
    return np.concatenate(parts), (len(one) - n, len(one) + dark + n)


Join = Callable[[np.ndarray, np.ndarray, np.random.Generator], tuple[np.ndarray, Span]]
KINDS: dict[str, Join] = {
    "cuts": cut,
    "dissolves": dissolve,
    "fades": fade,
}


def film(kind: str, seed: int, shots: int) -> Film:
    """Return a film with one kind of transition; `flashes`: cuts, and a flash within every shot."""
    rng = np.random.default_rng((seed, *kind.encode()))
    pictures, truth = shot(rng, int(rng.integers(SHOTS[0], SHOTS[1]))), []
    for _ in range(shots - 1):
        following = shot(rng, int(rng.integers(SHOTS[0], SHOTS[1])))
        if kind == "flashes":
            following[15 : 15 + rng.integers(1, 4)] = rng.uniform(225, 255)
        pictures, span = KINDS.get(kind, cut)(pictures, following, rng)
        truth.append(span)
    return Film([picture.astype(np.uint8) for picture in pictures], truth)


def detect(pictures: list[np.ndarray], params: ScenesParams, weights: dict[str, Path]) -> list[int]:
    """Return the frames at which a detector begins a shot."""
    detector = new_detector(params, weights)
    cuts: list[FrameNumber] = []
    for index, picture in enumerate(pictures):
        frame = Frame(index, index / RATE, 1 / RATE, picture)
        cuts += detector.process_frame(FrameNumber.of(frame, RATE), picture[..., ::-1].copy())
    return [cut.index for cut in cuts + detector.finish()]


def score(cuts: list[int], truth: list[Span]) -> Score:
    """Compare shots that begin at `cuts` with the transitions; one counts once."""
    near = [{i for i, c in enumerate(cuts) if a - NEAR <= c <= b + NEAR} for a, b in truth]
    found = sum(map(bool, near))
    return Score(found, len(truth) - found, len(cuts) - found)


def main() -> None:
    """Print F1 per detector and kind of transition, and frames per second of processor time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--films", type=int, default=2, help="of each kind")
    parser.add_argument("--shots", type=int, default=12, help="of a film")
    options = parser.parse_args()
    [status] = require([WEIGHTS], Place(Path(), Path("weights.lock.yaml")))
    weights = {WEIGHTS.file: status.path}
    kinds = (*KINDS, "flashes")
    films = {kind: [film(kind, i, options.shots) for i in range(options.films)] for kind in kinds}
    print("| detector | threshold |", " | ".join(kinds), "| all | frames/s |")
    print("|---|---|" + "---|" * (len(kinds) + 2))
    for name, threshold in DETECTORS.items():
        print(
            row(
                name,
                ScenesParams.model_validate({"detector": name, "threshold": threshold}),
                films,
                weights,
            )
        )


def row(
    name: str, params: ScenesParams, films: dict[str, list[Film]], weights: dict[str, Path]
) -> str:
    """Return a detector's line of the table."""
    started, sums = time.process_time(), []
    for each in films.values():
        scores = [score(detect(f.pictures, params, weights), f.truth) for f in each]
        sums.append(sum(scores, Score(0, 0, 0)))
    took = time.process_time() - started
    frames = sum(len(f.pictures) for each in films.values() for f in each)
    values = [f"{one.f1:.2f}" for one in (*sums, sum(sums, Score(0, 0, 0)))]
    return f"| {name} | {params.threshold:g} | {' | '.join(values)} | {frames / took:.0f} |"


if __name__ == "__main__":
    main()
