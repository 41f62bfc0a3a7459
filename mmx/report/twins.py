"""Films that are in the collection twice, side by side; and videos that are no longer there."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from mmx.acquisition.ledger import History, ledger_path, read_ledger
from mmx.acquisition.outcome import DEAD, Outcome
from mmx.report import charts, keyframes
from mmx.report.sources import Sources
from mmx.trailers.duplicates import Pair
from mmx.trailers.likeness import Likeness
from mmx.trailers.pairs_table import read_pairs

MOMENTS = 5
"""At which both films of a pair are shown."""
PICTURED = 24
"""Pairs with stills; of the others there is a line."""
WORDS = {
    "file": "the same file",
    "streams": "the same pictures and sound in another file",
    "pictures": "the same pictures with another sound",
    "near": "pictures that fit at every moment",
}
LEAST_S = 0.5
"""Seconds by which one film begins later than the other that are worth telling."""
_YEAR = re.compile(r"\d{4}")


@dataclass(frozen=True)
class Twins:
    """Two trailers that are one film, as the page shows them."""

    first: str
    second: str
    why: str
    """In words."""
    evidence: Sequence[str]
    """How closely they fit, and how one lies over the other."""
    accepted: bool
    """Whether the manifest has them in one group."""
    stills: tuple[Sequence[str], Sequence[str]] = ((), ())
    """Of each film, at the same moments: data URLs; empty where its video is not there."""


def twins(sources: Sources) -> list[Twins]:
    """Return the pairs of data/duplicates.csv, those that are only proposed first.

    Pairs of trailers that are not accepted any more are left out.
    """
    known = sources.archive.trailers
    pairs = [
        pair
        for pair in read_pairs(sources.layout.duplicates)
        if {pair.first, pair.second} <= known.keys()
    ]
    ordered = sorted(pairs, key=lambda each: (_accepted(sources, each), each.first, each.second))
    return [_twins(sources, pair, at < PICTURED) for at, pair in enumerate(ordered)]


def _accepted(sources: Sources, pair: Pair) -> bool:
    first, second = (sources.archive.trailers[name] for name in (pair.first, pair.second))
    return bool(first["group_id"] == second["group_id"])


def _twins(sources: Sources, pair: Pair, pictured: bool) -> Twins:
    return Twins(
        pair.first,
        pair.second,
        WORDS.get(pair.kind, pair.kind),
        _told(pair.likeness) if pair.likeness else (),
        _accepted(sources, pair),
        _stills(sources, pair) if pictured and sources.params.evaluate.pictured else ((), ()),
    )


def _told(how: Likeness) -> list[str]:
    """Return the evidence in words."""
    told = [
        f"light {how.correlation:.2f}, pictures {how.pictures:.2f}",
        f"{how.shared_s:.0f} s are in both",
    ]
    faster = (how.speed - 1) * 100
    if abs(faster) >= 0.05:
        told.append(f"the second runs {abs(faster):.1f} % {'faster' if faster > 0 else 'slower'}")
    if abs(how.offset_s) >= LEAST_S:
        inner, outer = ("second", "first") if how.offset_s > 0 else ("first", "second")
        told.append(f"the {inner} begins {abs(how.offset_s):.1f} s into the {outer}")
    return told


def _stills(sources: Sources, pair: Pair) -> tuple[Sequence[str], Sequence[str]]:
    """Return stills of both films at the same moments of what they share."""
    how = pair.likeness or Likeness(1.0, 1.0, 0.0, _seconds(sources, pair.first))
    begin = max(how.offset_s, 0.0)
    here = [begin + how.shared_s * (2 * n + 1) / (2 * MOMENTS) for n in range(MOMENTS)]
    there = [(moment - how.offset_s) / how.speed for moment in here]
    return _frames(sources, pair.first, here), _frames(sources, pair.second, there)


def _frames(sources: Sources, trailer: str, moments: Sequence[float]) -> Sequence[str]:
    facts, seconds = sources.archive.facts[trailer], _seconds(sources, trailer)
    last = (facts["frames"] or 1) - 1
    wanted = [min(max(round(t / seconds * last), 0), last) if seconds else 0 for t in moments]
    return keyframes.stills(sources.videos[trailer], wanted, sources.params.evaluate.frame_width)


def _seconds(sources: Sources, trailer: str) -> float:
    return float(sources.archive.facts[trailer]["duration_s"] or 0.0)


@dataclass(frozen=True)
class DeadLinks:
    """Videos that were not there when they were last asked for."""

    asked: int
    """Videos that were ever asked for."""
    outcomes: Sequence[tuple[str, int]]
    """By outcome, the most frequent first."""
    years: Markup
    """By year of the film: a chart."""

    @property
    def count(self) -> int:
        """Number of videos that are not there."""
        return sum(count for _, count in self.outcomes)


def dead_links(sources: Sources) -> DeadLinks | None:
    """Return what the ledger of fetches says; None where nothing was ever found missing."""
    latest = History.of(read_ledger(ledger_path(sources.layout.root))).latest.values()
    dead = [each for each in latest if each.outcome in DEAD - {Outcome.refused}]
    if not dead:
        return None
    outcomes = Counter(each.outcome for each in dead)
    years = Counter(each.year if _YEAR.fullmatch(each.year) else "no year" for each in dead)
    named = sorted(years)
    chart = charts.columns(named, [years[year] for year in named], title="Missing, by year")
    ranked = sorted(outcomes.items(), key=lambda pair: (-pair[1], pair[0]))
    return DeadLinks(len(latest), ranked, chart)
