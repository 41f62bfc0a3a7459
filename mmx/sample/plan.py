"""What is in the collection: every trailer's title, genres, style and format; no pixels yet.

The first trailers of a larger collection are those of a smaller one with the same seed.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mmx.sample.encode import FORMATS, SILENT, TURNED, VARIABLE, Format
from mmx.sample.looks import GENRES, STYLES

LABEL_COUNTS = (0.16, 0.34, 0.30, 0.13, 0.05, 0.02)
"""Share of trailers with 1, 2, ... 6 genres; 2.6 on average, as in the paper's Table 2."""
RARE = 50
"""Support below which a genre is lifted, so that sixty trailers have some of each."""
SECOND_TRAILER = 5
"""Index of a trailer of the same film as the one before it."""
ODD_FORMATS = {1: SILENT, 2: VARIABLE, 3: TURNED}
SHOTS = (18, 22)
"""Fewest and most shots between the opening and the end card."""
TITLES = {
    0: "Él río dorado",
    6: "Łódź, 4 a.m.",
    7: "影の海",
    8: "Salt & <Smoke>",
    9: "=Sum of Us",
    10: 'The "Quiet" Ones, Part 2',
}
FIRST = (
    "Amber", "Broken", "Crimson", "Distant", "Electric", "Falling", "Golden", "Hollow", "Iron",
    "Jade", "Last", "Midnight", "Northern", "Paper", "Quiet", "Restless", "Silver", "Tender",
    "Velvet", "Wild",
)  # fmt: skip
SECOND = (
    "Harbour", "Orchard", "Signal", "Meridian", "Lantern", "Canyon", "Parade", "Winter", "Engine",
    "Garden", "Horizon", "Letter", "Mirror", "River", "Station", "Summer", "Tide", "Verdict",
    "Voyage", "Window", "Compass", "Thunder", "Kingdom",
)  # fmt: skip


@dataclass(frozen=True)
class Trailer:
    """One trailer as it is to be made."""

    index: int
    """Position; with the collection's seed, it determines everything that is random."""
    stem: str
    """File name without suffix."""
    title: str
    year: int
    genres: tuple[str, ...]
    """The primary genre first."""
    style: str
    form: Format
    group_id: str = ""
    """The film, where another trailer shares it."""
    shots: tuple[int, int] = SHOTS

    @property
    def video(self) -> str:
        """Path below the folder of videos."""
        return self.stem + self.form.suffix


def trailers(n: int, seed: int) -> list[Trailer]:
    """Return the first `n` trailers of the collection of `seed`."""
    planned: list[Trailer] = []
    for index, genres in zip(range(n), _genre_sets(seed), strict=False):
        twin = planned[-1] if index == SECOND_TRAILER else None
        planned.append(_trailer(index, twin.genres if twin else genres, seed))
    return planned


def _trailer(index: int, genres: tuple[str, ...], seed: int) -> Trailer:
    first = FIRST[index * 7 % len(FIRST)]
    second = SECOND[index * 5 % len(SECOND)]
    film = index - 1 if index == SECOND_TRAILER else index
    shared = index in (SECOND_TRAILER - 1, SECOND_TRAILER)
    title = TITLES.get(index, f"{first} {second}")
    return Trailer(
        index=index,
        stem=f"{index:04d}-{first}-{second}".lower(),
        title=title,
        year=1925 + int(np.random.default_rng((seed, 1, film)).integers(0, 95)),
        genres=genres,
        style=_style(index, seed),
        form=ODD_FORMATS.get(index, FORMATS[index % len(FORMATS)]),
        group_id=f"film-{SECOND_TRAILER - 1:04d}" if shared else "",
    )


def _style(index: int, seed: int) -> str:
    """Every style once in each run of trailers as long as the list of styles."""
    block, place = divmod(index, len(STYLES))
    order = np.random.default_rng((seed, 2, block)).permutation(len(STYLES))
    style: str = list(STYLES)[order[place]]
    return style


def _genre_sets(seed: int) -> Iterator[tuple[str, ...]]:
    """Draw sets of genres for ever, each genre the likelier the further it is behind its share."""
    names = list(GENRES)
    support = np.array([max(genre.support, RARE) for genre in GENRES.values()], float)
    share = support / support.sum()
    drawn = np.zeros(len(names))
    rng = np.random.default_rng((seed, 3))
    while True:
        count = 1 + int(rng.choice(len(LABEL_COUNTS), p=LABEL_COUNTS))
        behind = np.maximum(share * (drawn.sum() + count) - drawn, 0) + 0.1 * share
        chosen = rng.choice(len(names), count, replace=False, p=behind / behind.sum())
        drawn[chosen] += 1
        yield tuple(names[index] for index in chosen)
