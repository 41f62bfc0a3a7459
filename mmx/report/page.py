"""The report, `reports/index.html`: one self-contained page. Equal inputs give equal bytes."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from markupsafe import Markup

from mmx.evaluation import plots
from mmx.evaluation.tables import ResultTable
from mmx.layout import Layout
from mmx.params import Params
from mmx.report import charts, collection, diagram, evidence, exhibits, twins
from mmx.report.exhibits import Strip
from mmx.report.figures import write_figures
from mmx.report.results import make_tables, write_tables
from mmx.report.sources import Sources, read_sources
from mmx.report.spaces import show_spaces
from mmx.report.stills import Stills
from mmx.report.template import fill
from mmx.training.data import SPLITS

LISTED = 500
"""Accepted trailers that the report lists; the explorer has all that have a split."""

Context = dict[str, Any]


class Fault(Protocol):
    """A recorded fault of one trailer in one step."""

    @property
    def step(self) -> str:
        """Name of the step."""

    @property
    def trailer(self) -> str:
        """Id of the trailer."""

    @property
    def reason(self) -> str:
        """What was wrong, in one sentence."""


def render(layout: Layout, params: Params, *, faults: Sequence[Fault] = ()) -> Path:
    """Write the report of a project whose stages have run; return its path.

    Its tables and figures go to `reports/evidence/` as files. Ablations that have been run are
    included.
    """
    sources = read_sources(layout, params)
    made, stills = make_tables(sources), exhibits.find_stills(sources)
    pictures = exhibits.take_pictures(sources, stills)
    temporary = layout.page.with_suffix(".tmp")
    temporary.write_text(build(sources, made, stills, faults), encoding="utf-8")
    layout.evidence.mkdir(exist_ok=True)
    write_tables(layout.evidence, made)
    write_figures(layout.evidence, sources, pictures)
    os.replace(temporary, layout.page)
    return layout.page


def build(
    sources: Sources, made: Mapping[str, ResultTable], stills: Stills, faults: Sequence[Fault]
) -> str:
    """Return the report's HTML."""
    context = _about_films(sources, stills) | _about_collection(sources)
    context |= _about_results(sources, made)
    return fill("report.html.jinja", context | {"title": "Trailer report", "faults": faults})


def _about_films(sources: Sources, stills: Stills) -> Context:
    """The explorer, the contact sheet, and examples."""
    return {
        "films": sources.films,
        "sheet": [at for at in exhibits.pictured(sources) if at in stills.files],
        "data": exhibits.film_data(sources, stills),
        "times": _running_times(sources),
        "retrieval": exhibits.retrievals(sources),
    }


def _running_times(sources: Sources) -> list[tuple[int, Markup, Markup]]:
    """Figure 8: films by number, each by sequence and by clip."""
    strips = exhibits.running_times(sources)
    clips = exhibits.clip_times(sources, strips)
    return [(a.film, _heat(a), _heat(b)) for a, b in zip(strips, clips, strict=True)]


def _heat(strip: Strip) -> Markup:
    """One trailer of figure 8."""
    title = "Genres over running time"
    return charts.heat(strip.genres, strip.values, strip.spans, title=title)


def _about_collection(sources: Sources) -> Context:
    """Key figures, statistics, the list of trailers, and digests."""
    archive, genres = sources.archive, sources.description.genres
    splits = list(archive.splits.values())
    return {
        "params": sources.params,
        "numbers": collection.key_figures(archive, genres),
        "counts": {name: splits.count(name) for name in SPLITS},
        "statistics": collection.statistics(archive, genres),
        "listing": collection.listing(archive)[:LISTED],
        "rejected": archive.rejected,
        "twins": twins.twins(sources),
        "dead": twins.dead_links(sources),
        "rows": {name: at for at, name in enumerate(sources.ids)},
        "digests": sources.digests,
    }


def _about_results(sources: Sources, made: Mapping[str, ResultTable]) -> Context:
    """The model and the paper's tables and figures."""
    measured, described = sources.evidence, sources.description
    coarse, fine = (plots.read_history(m) for m in (sources.layout.coarse, sources.layout.fine))
    return {
        "config": described.config,
        "network": diagram.to_svg(diagram.plan_network(described.config, described.experts)),
        "sequences": diagram.to_svg(diagram.plan_sequences(described.config)),
        "training": evidence.training_curves(coarse, fine),
        "paper": measured.paper,
        "test": measured.test,
        "threshold": measured.metrics["threshold"],
        "few": evidence.FEW,
        "ablated": sorted(measured.ablations),
        "table1": evidence.show_datasets(measured, made["table1"]),
        "table2": evidence.show_genres(measured, made["table2"]),
        "table3": evidence.show_areas(measured, made["table3"]),
        "table4": exhibits.changed_labels(made["table4"]),
        "table5": evidence.show_lengths(measured, made["table5"]),
        "per_genre": evidence.per_genre(measured),
        "multiples": evidence.curve_multiples(measured, sources.curves),
        "curve_names": charts.legend(evidence.curve_names(measured)),
        "spaces": show_spaces(measured),
        "similar_sets": made["similarity"].records()[:12],
    }
