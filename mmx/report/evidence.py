"""The tables and figures of sections 4 to 6 for the report, with those of the paper."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from markupsafe import Markup

from mmx.evaluation import tables
from mmx.evaluation.ablations import NAMES
from mmx.evaluation.predictions import JOINED, LOGISTIC, NEAREST
from mmx.evaluation.scores import Json
from mmx.report import charts
from mmx.report.charts import Axis, Series

Cell = str | int | float | None


@dataclass(frozen=True)
class Line:
    """One row of a table on the page."""

    cells: tuple[Cell, ...]
    """The first is the row's heading."""
    style: str = ""
    """`ours`, `theirs` (another data set) or `parting` (a heading over the whole width)."""


@dataclass(frozen=True)
class Shown:
    """A table on the page."""

    columns: tuple[str, ...]
    lines: tuple[Line, ...]
    grey: frozenset[str] = frozenset()
    """Columns with too few trailers to say much."""


@dataclass(frozen=True)
class Evidence:
    """The results: of one training, and of the ablations that have been run."""

    metrics: Json
    """metrics.json."""
    ablations: Mapping[str, Json]
    """By variant."""
    genres: Sequence[str]
    length: int
    """Clips per sequence of the trained model."""
    paper: Json
    """paper.json."""

    @property
    def test(self) -> Json:
        """The records of the test split."""
        records: Json = self.metrics["splits"]["test"]
        return records

    @property
    def rows(self) -> dict[str, Json]:
        """Records of Table 2's rows by name, the random baseline last."""
        own = {"This model": self.test["coarse"]}
        if "sequence" in self.test:
            own["Sequence head, averaged"] = self.test["sequence"]
        own["After fine-tuning, same head"] = self.test["fine"]
        ablated = {entry["title"]: entry["mean"] for entry in self._table2()}
        return ablated | own | self._baselines | {"Random": self.test["random"]}

    @property
    def _baselines(self) -> dict[str, Json]:
        """Records of nearest neighbours and of logistic regression by the names of their rows."""
        named = {name: baseline_title(name) for name in self.test}
        return {title: self.test[name] for name, title in named.items() if title}

    @property
    def areas(self) -> dict[str, Json]:
        """Records of Table 3's rows: the model, its mean over several seeds, the baselines.

        The second only if the ablation of the full model has been run.
        """
        full = self.ablations.get("full")
        several = {full["title"]: full["mean"]} if full else {}
        own = {"This model": self.test["coarse"], "After fine-tuning, same head": self.test["fine"]}
        return own | several | self._baselines | {"Random": self.test["random"]}

    @property
    def deviations(self) -> dict[str, Json | None]:
        """Standard deviations over seeds of the rows that ablations trained."""
        return {entry["title"]: entry["spread"] for entry in self._table2()}

    def _table2(self) -> Iterator[Json]:
        """The ablations that are rows of Table 2."""
        return (e for name, e in self.ablations.items() if not name.startswith("length-"))

    @property
    def lengths(self) -> dict[int, tuple[Json, Json | None]]:
        """Record and deviations by sequence length, including the trained model."""
        own = {self.length: (self.test["coarse"], None)}
        ablated = {
            entry["length"]: (entry["mean"], entry["spread"])
            for name, entry in self.ablations.items()
            if name.startswith("length-")
        }
        return own | ablated


SPACES = {
    "untrained": "Untrained",
    "whitened": "Whitened",
    "coarse": "Coarse",
    "fine": "Fine-tuned",
}
"""The spaces in which trailers are compared, and their names on the page."""
FEW = 5
"""A genre with fewer positives in the test split is shown in grey."""


def baseline_title(name: str) -> str | None:
    """Return the row's name of a baseline in metrics.json; None for anything else."""
    kind, _, what = name.partition("_")
    if kind == NEAREST:
        return f"Nearest neighbours, {SPACES[what].lower()}"
    if kind == LOGISTIC:
        return f"Logistic regression, {'all joined' if what == JOINED else NAMES.get(what, what)}"
    return None


def few(record: Json) -> set[str]:
    """Return the genres of a record that have fewer than FEW positives."""
    return {genre for genre, entry in record["per_genre"].items() if entry["support"] < FEW}


def read_paper() -> Json:
    """Return what the paper prints in its tables (facts of another data set)."""
    paper: Json = tables.read_json(Path(__file__).with_name("paper.json"))
    return paper


PARTING = "The paper's own figures, on MMX-Trailer-20: another data set"


def show_datasets(evidence: Evidence, own: tables.ResultTable) -> Shown:
    """Table 1; `own` has this collection's row."""
    columns = ("Data set", "Trailers", "Frames", "Genres", "Labels at most", "Labels on average")
    theirs = [
        Line(
            (r["name"], r["trailers"], r["frames"], r["genres"], r["genres_per_trailer"], ""),
            "theirs",
        )
        for r in evidence.paper["table1"]
    ]
    return Shown(
        columns,
        (
            Line(own.rows[0], "ours"),
            Line(("Data sets as the paper's Table 1 gives them",), "parting"),
            *theirs,
        ),
    )


def show_genres(evidence: Evidence, own: tables.ResultTable) -> Shown:
    """Table 2: the weighted figures first, to be visible without scrolling, then F1 per genre."""
    genres = list(evidence.genres)
    columns = ("Model", "F1 w", "AU(PRC) w", "P w", "R w", *genres)
    unsummed = ("",) * len(tables.OVERALL)
    lines = [Line(("Support", *unsummed, *own.rows[0][1 : len(genres) + 1]))]
    for name, *cells in own.rows[1:]:
        style = "ours" if name == "This model" else ""
        overall = merge(cells[len(genres) :])
        lines.append(Line((name, *overall, *cells[: len(genres)]), style))
    known = evidence.paper["genres"]
    table = evidence.paper["table2"]
    support = dict(zip(known, table["support"], strict=True))
    theirs = [Line(("Support", *unsummed, *(support.get(g, "") for g in genres)), "theirs")]
    for row in table["rows"]:
        per_genre = dict(zip(known, row["f1_per_genre"], strict=True))
        overall = tuple(row[name] for name in tables.OVERALL)
        printed = (f"{per_genre[g]:.2f}" if g in per_genre else "" for g in genres)
        theirs.append(Line((row["name"], *overall, *printed), "theirs"))
    grey = frozenset(few(evidence.test["coarse"]))
    return Shown(columns, (*lines, Line((PARTING,), "parting"), *theirs), grey)


def show_areas(evidence: Evidence, own: tables.ResultTable) -> Shown:
    """Table 3; the trapezoid areas are in the text of the page."""
    columns = ("Method", "Genres", "Labels", "Macro", "Micro", "Weighted")
    lines = [
        Line((*row[:3], *merge(row[3:])[:3]), "ours" if row[0] == "This model" else "")
        for row in own.rows
    ]
    theirs = [Line(tuple(row.values()), "theirs") for row in evidence.paper["table3"]]
    parting = Line(("The paper's Table 3: other data sets, other vocabularies",), "parting")
    return Shown(columns, (*lines, parting, *theirs))


def show_lengths(evidence: Evidence, own: tables.ResultTable) -> Shown:
    """Table 5."""
    columns = ("Clips per sequence", "F1 w", "AU(PRC) w", "P w", "R w")
    lines = [
        Line((row[0], *merge(row[1:])), "ours" if row[0] == evidence.length else "")
        for row in own.rows
    ]
    theirs = [Line(tuple(row.values()), "theirs") for row in evidence.paper["table5"]]
    return Shown(columns, (*lines, Line((PARTING,), "parting"), *theirs))


def expert_curves(evidence: Evidence) -> dict[str, Json]:
    """Precision-recall curves of each single expert that ablations trained, by its name."""
    ablated = evidence.ablations
    return {NAMES[name]: ablated[name]["curves"] for name in NAMES if name in ablated}


def curves_of(
    genre: str, experts: Mapping[str, Json]
) -> Iterator[tuple[int, str, tuple[Sequence[float], Sequence[float]]]]:
    """Yield an expert's place among all, its name, and recall and precision for a genre.

    An expert without a curve for the genre is left out; the others keep their places and colours.
    """
    for place, (name, curves) in enumerate(experts.items()):
        if genre in curves:
            yield place, name, (curves[genre]["recall"], curves[genre]["precision"])


def curve_multiples(evidence: Evidence, own: Json) -> list[tuple[str, float | None, Markup]]:
    """Figure 9: per genre its name, average precision and curves; `all` decisions first.

    The dashed level is the precision of the random baseline. Single experts are added if their
    ablations have been run.
    """
    experts = expert_curves(evidence)
    test, random = evidence.test["coarse"], evidence.test["random"]
    shown = []
    for genre in own:
        series = [
            Series(name, *points, f"s{place + 2} thin")
            for place, name, points in curves_of(genre, experts)
        ]
        series.append(Series("This model", own[genre]["recall"], own[genre]["precision"]))
        whole = genre == "all"
        area = test["ap"]["micro"] if whole else test["per_genre"][genre]["ap"]
        level = random["ap"]["micro"] if whole else random["per_genre"][genre]["ap"]
        shown.append(
            (
                genre,
                area,
                charts.small_curve(series, title=f"Precision over recall, {genre}", level=level),
            )
        )
    return shown


def curve_names(evidence: Evidence) -> list[tuple[str, str]]:
    """Names and styles of figure 9's lines."""
    styled = [(name, f"s{at + 2}") for at, name in enumerate(expert_curves(evidence))]
    return [("This model", "s1"), *styled, ("random", "quiet dashed")]


def per_genre(evidence: Evidence) -> list[Json]:
    """Per genre: support, areas, decisions, random baseline, and the paper's F1 if it has one."""
    table = evidence.paper["table2"]
    full = next(row for row in table["rows"] if row["variant"] == "full")
    theirs = dict(zip(evidence.paper["genres"], full["f1_per_genre"], strict=True))
    random = evidence.test["random"]["per_genre"]
    return [
        {
            "genre": genre,
            "random": random[genre]["ap"],
            "paper": theirs.get(genre),
            "few": genre in few(evidence.test["coarse"]),
            "interval": _ap_interval(evidence.test["coarse"], genre),
            **entry,
        }
        for genre, entry in evidence.test["coarse"]["per_genre"].items()
    ]


def _ap_interval(record: Json, genre: str) -> list[float] | None:
    """The interval of a genre's average precision."""
    found: list[float] | None = (
        record.get("interval", {}).get("per_genre", {}).get(genre, {}).get("ap")
    )
    return found


def training_curves(coarse: Sequence[Json], fine: Sequence[Json]) -> dict[str, Markup]:
    """Figure 6, the silhouette over fine-tuning, and both losses."""
    return {
        "silhouette": _history(fine, {"silhouette": "Silhouette by primary genre"}, "silhouette"),
        "coarse": _history(
            coarse, {"train_loss": "training", "validation_loss": "validation"}, "loss"
        ),
        "fine": _history(
            fine, {"train_loss": "training", "validation_loss": "validation"}, "NT-Xent"
        ),
    }


def history(rows: Sequence[Json], key: str) -> list[tuple[int, float]]:
    """Return (epoch, figure) of every epoch that recorded the figure."""
    return [(row["epoch"], row[key]) for row in rows if row.get(key) is not None]


def _history(rows: Sequence[Json], names: Mapping[str, str], unit: str) -> Markup:
    """Draw recorded figures over epochs."""
    series = []
    for at, (key, name) in enumerate(names.items()):
        points = history(rows, key)
        series.append(Series(name, [p[0] for p in points], [p[1] for p in points], f"s{at + 1}"))
    return charts.lines(
        series, Axis("epoch"), Axis(unit), title=f"{unit} over epochs", width=460, height=230
    )


def strongest(
    explorer: pa.Table, row: int, genres: Sequence[str], count: int = 5
) -> tuple[list[str], list[list[float]], list[float]]:
    """One trailer's most probable genres over time: names, probabilities, borders in seconds.

    All are empty for a trailer without genres per sequence.
    """
    spans = explorer["sequence_spans"][row].as_py()
    values = explorer["sequence_probabilities"][row].as_py()
    if not values:
        return [], [], []
    peaks = [max(step[g] for step in values) for g in range(len(genres))]
    best = sorted(range(len(genres)), key=lambda g: (-peaks[g], g))[:count]
    return [genres[g] for g in best], [[step[g] for step in values] for g in best], spans


def merge(cells: Sequence[Cell]) -> tuple[Cell, ...]:
    """Format each figure with its uncertainty: `0.512 ± 0.020`, or `0.512 [0.401, 0.623]`.

    `cells` has all figures, then all deviations, lower and upper bounds, None where unknown.
    """
    count = len(cells) // (1 + len(tables.UNCERTAINTY))
    return tuple(show_uncertain(*cells[at::count]) for at in range(count))


def show_uncertain(figure: Cell, deviation: Cell, low: Cell, high: Cell) -> Cell:
    """Format a figure with its deviation or its interval; without either it is unchanged."""
    if figure is None or (deviation is None and low is None):
        return figure
    if deviation is not None:
        return f"{figure:.3f} ± {deviation:.3f}"
    return f"{figure:.3f} [{low:.3f}, {high:.3f}]"
