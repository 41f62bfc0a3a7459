"""The paths of everything below a project's top folder."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path


@dataclass(frozen=True)
class Layout:
    """Every path of a project, from its top folder."""

    root: Path

    @property
    def params(self) -> Path:
        """params.yaml."""
        return self.root / "params.yaml"

    @property
    def tools(self) -> Path:
        """Versions that can affect results; below mmx/, which every stage depends on."""
        return self.root / "mmx" / "tools.yaml"

    @property
    def weights_lock(self) -> Path:
        """weights.lock.yaml: the sha256 of every file of weights that was fetched."""
        return self.root / "weights.lock.yaml"

    @property
    def data(self) -> Path:
        """The folder that the manifest's paths are relative to."""
        return self.root / "data"

    @property
    def manifest(self) -> Path:
        """The manifest, written by hand: one row per trailer."""
        return self.root / "data" / "trailers.csv"

    @property
    def duplicates(self) -> Path:
        """Pairs of trailers that are one film, as `mmx duplicates` found them; in git."""
        return self.root / "data" / "duplicates.csv"

    @property
    def label_sources(self) -> Path:
        """Dumps of which labels were imported, as `mmx labels import` records them; in git."""
        return self.root / "data" / "label_sources.csv"

    @property
    def videos(self) -> Path:
        """Videos or links to them, named by the manifest's column `video`."""
        return self.root / "data" / "videos"

    @property
    def trailers(self) -> Path:
        """Every manifest row: labels, status, reason of a rejection."""
        return self.root / "data" / "trailers.parquet"

    @property
    def sources(self) -> Path:
        """Accepted trailers only: video, sha256, probe. A changed label changes nothing in it."""
        return self.root / "data" / "sources.parquet"

    @property
    def clips(self) -> Path:
        """Clip table, sharded."""
        return self.root / "data" / "clips"

    @property
    def audio(self) -> Path:
        """One wav per trailer that has sound."""
        return self.root / "data" / "audio"

    @property
    def flow(self) -> Path:
        """One flow file per trailer."""
        return self.root / "data" / "flow"

    def embeddings(self, expert: str) -> Path:
        """One table per expert, sharded."""
        return self.root / "data" / "embeddings" / expert

    @property
    def features(self) -> Path:
        """The Parquet feature store."""
        return self.root / "data" / "features"

    @property
    def splits(self) -> Path:
        """trailer_id, group_id, split."""
        return self.root / "data" / "splits.parquet"

    @property
    def coarse(self) -> Path:
        """The coarse genre model."""
        return self.root / "models" / "coarse"

    @property
    def fine(self) -> Path:
        """The fine-tuned model."""
        return self.root / "models" / "fine"

    @property
    def trailer_embeddings(self) -> Path:
        """The embedding of every trailer, coarse and fine."""
        return self.root / "data" / "trailer_embeddings.parquet"

    @property
    def predictions(self) -> Path:
        """The probability of every genre for every trailer, by each model and baseline."""
        return self.root / "data" / "predictions.parquet"

    @property
    def sequence_predictions(self) -> Path:
        """The same for every sequence of clips."""
        return self.root / "data" / "sequence_predictions.parquet"

    @property
    def clip_predictions(self) -> Path:
        """What a model gives each genre, by clip."""
        return self.root / "data" / "clip_predictions.parquet"

    @property
    def evaluated(self) -> tuple[Path, ...]:
        """The tables that evaluation writes into data/."""
        by_part = self.sequence_predictions, self.clip_predictions
        return self.trailer_embeddings, self.predictions, *by_part

    @property
    def reports(self) -> Path:
        """Metrics, tables, figures and the page."""
        return self.root / "reports"

    @property
    def evaluation(self) -> Path:
        """Output of the evaluate step: embeddings, metrics, tables, plots."""
        return self.reports / "evaluation"

    @property
    def metrics(self) -> Path:
        """Every metric, per genre and overall."""
        return self.reports / "metrics.json"

    @property
    def evidence(self) -> Path:
        """The paper's tables and figures of this collection, one file each."""
        return self.reports / "evidence"

    @property
    def page(self) -> Path:
        """The report."""
        return self.reports / "index.html"

    @property
    def stills(self) -> Path:
        """Output of the stills step: a sheet per trailer, which the page shows."""
        return self.reports / "stills"

    @property
    def ablations(self) -> Path:
        """One folder per variant."""
        return self.reports / "ablations"

    def curves(self, step: str) -> Path:
        """Curves of a running training, written by dvclive; not versioned."""
        return self.reports / "curves" / step


def find_root(start: Path) -> Path:
    """Return the nearest folder, from `start` upwards, that has a params.yaml; else `start`."""
    here = start.resolve()
    with_params = (each for each in (here, *here.parents) if (each / "params.yaml").is_file())
    return next(with_params, here)


def find_main(root: Path) -> Path | None:
    """Return the project that the one in `root` is another checkout of; None where it is none.

    Such a checkout has what git versions and nothing else: a git worktree (its `.git` is a file
    that names the repository), or the temporary folder of an experiment (`dvc exp run --temp` and
    `--queue` make them in .dvc/tmp/exps).
    """
    parents = root.resolve().parents
    for folder, above in pairwise(parents):
        if (folder.name, above.name) == ("exps", "tmp") and above.parent.name == ".dvc":
            return above.parent.parent
    return _main_worktree(root.resolve())


def _main_worktree(root: Path) -> Path | None:
    """Return the same project in the repository's main worktree, if `root` is in another one."""
    top = next((each for each in (root, *root.parents) if (each / ".git").exists()), None)
    if top is None or not (top / ".git").is_file():
        return None
    words = (top / ".git").read_text(encoding="utf-8").partition("gitdir: ")
    administration = (top / words[2].strip()).resolve()
    if administration.parent.name != "worktrees":
        return None
    main = administration.parent.parent.parent / root.relative_to(top)
    return main if (main / "params.yaml").is_file() else None
