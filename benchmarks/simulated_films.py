"""Signatures of films that were never encoded: the sample's pictures, or simulated ones.

A simulated film has cuts, levels of light and slow changes like a trailer's, in pictures of a few
coarse spots. Two in five begin with one of a dozen logos, as trailers do, so that many films
share their first cuts without being one.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

import cv2
import numpy as np

from mmx.engine.pools.local import Lost, map_items
from mmx.sample.film import film
from mmx.sample.plan import Trailer, trailers
from mmx.trailers.signature import SIDE, Signature, sign

FPS = 12
SECONDS = (60, 150)
SHOT_S, SPREAD = 1.6, 0.7
"""Median length of a shot, and deviation of its logarithm."""
SPOTS = 4
"""Width and height of the grid of spots that a picture is of."""
LOGOS, LOGO_S, WITH_LOGO = 12, 6, 0.4
"""Logos, their seconds, and the share of films that begin with one."""
WORKERS = 2

Job = TypeVar("Job")


def sample_signatures(first: int, count: int, seed: int) -> Iterator[tuple[str, Signature]]:
    """Yield signatures of the sample's films from number `first`, by the file's stem."""
    chosen = list(trailers(first + count, seed))[first:]
    return _made(partial(_sign_sample, seed=seed), chosen)


def simulated_signatures(count: int) -> Iterator[tuple[str, Signature]]:
    """Yield signatures of simulated films by their names."""
    return _made(_sign_simulated, range(count))


def _made(
    make: Callable[[Sequence[Job]], list[tuple[str, str]]], jobs: Sequence[Job]
) -> Iterator[tuple[str, Signature]]:
    for _, results in map_items(make, jobs, workers=WORKERS, chunk=8):
        if isinstance(results, Lost):
            raise RuntimeError("a film killed its process twice")
        yield from ((name, Signature.unpack(packed)) for name, packed in results)


def _sign_sample(planned: Sequence[Trailer], seed: int) -> list[tuple[str, str]]:
    """Return stem and packed signature: of the pictures as the sample would encode them."""
    cv2.setNumThreads(1)
    made = ((each.stem, film(each, seed).pictures, float(each.form.rate)) for each in planned)
    return [(stem, _signed(pictures, rate)) for stem, pictures, rate in made]


def _signed(pictures: np.ndarray, rate: float) -> str:
    grey = [cv2.cvtColor(each, cv2.COLOR_RGB2GRAY) for each in pictures]
    small = [cv2.resize(each, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for each in grey]
    return sign(np.arange(len(small)) / rate, np.stack(small)).pack()


def _sign_simulated(numbers: Sequence[int]) -> list[tuple[str, str]]:
    cv2.setNumThreads(1)
    return [(f"simulated{number:05d}", sign(*simulated_film(number)).pack()) for number in numbers]


def simulated_film(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Return times (seconds) and pictures (uint8 [frames, SIDE, SIDE]) of a simulated film."""
    rng = np.random.default_rng((1, number))
    times, pictures = _shots(rng, rng.uniform(*SECONDS))
    if rng.random() >= WITH_LOGO:
        return times, pictures
    logo = _shots(np.random.default_rng((2, int(rng.integers(LOGOS)))), LOGO_S)[1]
    pictures = np.concatenate([logo, pictures])
    return np.arange(len(pictures)) / FPS, pictures


def _shots(rng: np.random.Generator, seconds: float) -> tuple[np.ndarray, np.ndarray]:
    """Return times and pictures of some shots, each of which slowly changes."""
    times = np.arange(int(seconds * FPS)) / FPS
    lengths = np.maximum(rng.lognormal(np.log(SHOT_S), SPREAD, int(seconds * 4)), 0.25)
    cuts = np.concatenate([[0.0], np.cumsum(lengths)])
    shot = np.searchsorted(cuts, times, "right") - 1
    begin = _pictures(rng, int(shot[-1]) + 1)
    end = 0.8 * begin + 0.2 * _pictures(rng, len(begin))
    part = ((times - cuts[shot]) / lengths[shot]).astype(np.float32)[:, None, None]
    shown = begin[shot] * (1 - part) + end[shot] * part
    return times, np.clip(shown, 0, 255).astype(np.uint8)


def _pictures(rng: np.random.Generator, count: int) -> np.ndarray:
    """Return pictures of spots at different levels and contrasts: float32 [count, SIDE, SIDE]."""
    level, contrast = rng.gamma(2.0, 30.0, (count, 1, 1)), rng.uniform(10, 60, (count, 1, 1))
    spots = (level + contrast * rng.normal(size=(count, SPOTS, SPOTS))).astype(np.float32)
    scaled = partial(cv2.resize, dsize=(SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    return np.stack([scaled(each) for each in spots])
