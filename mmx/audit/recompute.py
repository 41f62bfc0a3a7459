"""Recompute published rows from the videos and compare them.

Needs only the videos, a published store and the code: neither the item store nor DVC. The rows are
computed by the same engine in a temporary project, with the parameters in their receipts.

Tolerance. In the environment of the receipts (same code, same versions of the tools) and on the
same kind of CPU, rows must be equal bit for bit. In other environments the order of sums and the
kernels differ: outputs of a float32 network of a hundred layers differ by about 1e-5 of their
largest value, and a flow value at the border of two of the 256 levels may be rounded to the other,
which changes a histogram by one count in thousands. RELATIVE is ten times the larger of both, and
far below the effect of another frame or another preprocessing (0.1 and more).
"""

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, replace
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc

from mmx.audit.diff import Items, read_items, why
from mmx.engine.canonical import file_digest
from mmx.errors import UserError
from mmx.experts.registry import expert_names, get_expert
from mmx.features.read import list_experts, read_table
from mmx.features.schema import RECEIPTS_FILE, expert_table
from mmx.outputs import ITEM, read_receipts
from mmx.params import Params
from mmx.pipeline.registry import all_tools, known_step, with_needs
from mmx.pipeline.step import TrailerStep
from mmx.project import Project
from mmx.steps.embed import step_name
from mmx.temporary import Source, temporary_project
from mmx.tools import write_tools
from mmx.trailers.inspection import inspect_file

RELATIVE = 1e-2
"""Largest accepted difference on another machine, relative to the row's largest value."""


class RecomputeError(UserError):
    """Rows cannot be recomputed: there are none, or a step fails."""


@dataclass(frozen=True)
class Row:
    """A sampled row."""

    expert: str
    trailer: str
    clip: int


@dataclass(frozen=True)
class Comparison:
    """The comparison of one row."""

    row: Row
    verdict: str
    """`identical`, `close`, `different`, `missing` or `no video`."""
    difference: float | None = None
    """Largest difference, relative to the row's largest value."""


@dataclass(frozen=True)
class Recomputation:
    """What `mmx audit --recompute` found."""

    comparisons: tuple[Comparison, ...]
    environment: tuple[str, ...]
    """Differences in code, tools and weights from the receipts; empty if there are none."""

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """Number of rows by expert and verdict."""
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for comparison in self.comparisons:
            counts[comparison.row.expert][comparison.verdict] += 1
        return {expert: dict(sorted(found.items())) for expert, found in sorted(counts.items())}

    @property
    def ok(self) -> bool:
        """True if every row was recomputed and is identical or close."""
        return all(comparison.verdict in ("identical", "close") for comparison in self.comparisons)


def recompute(
    project: Project, count: int, seed: int = 0, *, videos: Path | None = None
) -> Recomputation:
    """Draw `count` rows of the feature store, recompute and compare them.

    All experts get the same number of rows. videos: a folder with the videos under any names,
    identified by sha256; by default those of the project. Whole trailers are computed, since a
    trailer is the smallest item of a step. Raise RecomputeError if the store has no rows.
    """
    store = project.layout.features
    rows = draw(store, count, seed)
    receipts = read_items(store / RECEIPTS_FILE)
    found = _find_videos(project, videos, store)
    comparisons = [Comparison(row, "no video") for row in rows if row.trailer not in found]
    here = [row for row in rows if row.trailer in found]
    environment: set[str] = set()
    for values, group in _group_rows(here, project.params, receipts):
        steps = _needed_steps(group, project.params)
        params = _with_parameters(project.params, steps, values)
        drawn = sources_of(group, found, project)
        with temporary_project(replace(project, params=params), drawn) as again:
            # Not the project's tools.yaml: rows are recomputed with the versions installed here.
            write_tools(again.layout.tools, all_tools())
            for step in steps:
                step.run(again)
                environment |= _environment_differences(step, again, receipts)
            comparisons += [_compare_row(row, store, again) for row in group]
    ordered = sorted(comparisons, key=lambda comparison: astuple(comparison.row))
    return Recomputation(tuple(ordered), tuple(sorted(environment)))


def draw(store: Path, count: int, seed: int) -> list[Row]:
    """Draw rows of all experts in turn; RecomputeError if there are none."""
    chance = random.Random(seed)
    piles = []
    for expert in sorted(list_experts(store)):
        if expert_table(expert).paths(store):
            table = read_table(store / expert, columns=[ITEM, "clip"])
            pairs = zip(table[ITEM].to_pylist(), table["clip"].to_pylist(), strict=True)
            pile = [Row(expert, trailer, clip) for trailer, clip in pairs]
            chance.shuffle(pile)
            piles.append(pile)
    turns = (row for turn in zip_longest(*piles) for row in turn if row)
    rows = list(islice(turns, count))
    if not rows:
        raise RecomputeError("the feature store has no embeddings: there is nothing to draw from")
    return rows


def _find_videos(project: Project, videos: Path | None, store: Path) -> dict[str, Path]:
    """Return a path for each trailer whose video is present with the expected sha256."""
    table = read_table(store / "trailers", columns=[ITEM, "video_sha256"]).to_pylist()
    wanted: dict[str, list[str]] = defaultdict(list)
    for row in table:
        wanted[row["video_sha256"]].append(row[ITEM])
    folder = videos or project.layout.videos
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            found |= dict.fromkeys(wanted.get(file_digest(path), []), path)
    return found


def _group_rows(
    rows: Iterable[Row], params: Params, receipts: Items
) -> list[tuple[dict[str, Any], list[Row]]]:
    """Group rows by equal parameters: (parameters, rows) for each temporary project."""
    groups: list[tuple[dict[str, Any], list[Row]]] = []
    for row in rows:
        own = parameters_of(row, params, receipts)
        for values, group in groups:
            if all(values.get(key, value) == value for key, value in own.items()):
                values.update(own)
                group.append(row)
                break
        else:
            groups.append((own, [row]))
    return groups


def parameters_of(row: Row, params: Params, receipts: Items) -> dict[str, Any]:
    """Return every parameter that affected a row, by leaf key.

    A parameter that the receipt does not name had its birth value.
    """
    values: dict[str, Any] = {}
    for step in _needed_steps([row], params):
        receipt = receipts.get((step.name, row.trailer))
        if receipt:
            values |= params.births(step.keys)
            values |= step.normalise(receipt.ingredients.parameters)
    return values


def _with_parameters(
    params: Params, steps: Iterable[TrailerStep], values: Mapping[str, Any]
) -> Params:
    """Return parameters with these values by leaf key, and only the experts of these steps."""
    data = params.model_dump(mode="json", by_alias=True)
    tables = {step.output.table for step in steps} & {*expert_names()}
    data["embed"]["experts"] = {name: {"reads": get_expert(name).reads} for name in sorted(tables)}
    for key, value in values.items():
        *parents, last = key.split(".")
        section = data
        for name in parents:
            section = section[name]
        section[last] = value
    return type(params).model_validate(data)


def sources_of(group: Iterable[Row], found: Mapping[str, Path], project: Project) -> list[Source]:
    """Return the sources of the videos of sampled rows. found: video by trailer.

    An unreadable video gets the digest of its file in place of its streams; the steps report it.
    """
    sources = []
    for trailer in sorted({row.trailer for row in group}):
        read = inspect_file(found[trailer], project.limits)
        facts = read.facts or {
            "video_digest": read.sha256,
            "sound_digest": read.sha256,
            "width": 0,
            "height": 0,
        }
        sources.append(Source(trailer, found[trailer], {"sha256": read.sha256, **facts}))
    return sources


def _needed_steps(group: Iterable[Row], params: Params) -> list[TrailerStep]:
    """Return the steps that the sampled rows need, in the order of dependencies."""
    steps = [known_step(step_name(row.expert), params) for row in group]
    return with_needs(filter(None, steps), params)


def _environment_differences(step: TrailerStep, again: Project, receipts: Items) -> set[str]:
    """Return the differences of a step's code, tools, weights and parameters from the receipts."""
    made = read_receipts(step.output.path(again.layout.root))
    differences: set[str] = set()
    for trailer, receipt in made.items():
        before = receipts.get((step.name, trailer))
        if before:
            same_inputs = replace(receipt.ingredients, inputs=before.ingredients.inputs)
            differences |= {f"{step.name}: {text}" for text in why(before.ingredients, same_inputs)}
    return differences


def _compare_row(row: Row, store: Path, again: Project) -> Comparison:
    """Compare a published row with the recomputed one."""
    published = vectors(store / row.expert, row)
    computed = vectors(again.layout.embeddings(row.expert), row)
    if computed is None or published is None:
        return Comparison(row, "missing")
    if computed.shape != published.shape:
        return Comparison(row, "different")
    if computed.tobytes() == published.tobytes():
        return Comparison(row, "identical", 0.0)
    largest = float(np.abs(published).max())
    difference = float(np.abs(computed - published).max()) / largest if largest else float("inf")
    return Comparison(row, "close" if difference <= RELATIVE else "different", difference)


def vectors(table: Path, row: Row) -> np.ndarray | None:
    """Return a row's vector (width) or vectors (time x width), float32; None if it is missing."""
    try:
        found = read_table(table, [row.trailer], [ITEM, "clip", "embedding"])
    except FileNotFoundError:
        return None
    rows = found.filter(pc.equal(found["clip"], row.clip))["embedding"].to_pylist()
    return np.array(rows[0], np.float32) if rows else None
