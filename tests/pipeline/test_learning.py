"""What DVC does with models, metrics and ablations."""

import json
import shutil
from collections import Counter
from typing import TYPE_CHECKING

import pytest
import yaml

if TYPE_CHECKING:
    from tests.pipeline.conftest import Project


pytestmark = pytest.mark.slow


def test_ablations_end_in_the_report_and_leave_the_default_path_as_it_was(
    project: "Project",
) -> None:
    before = project.computed()
    project.edit({"ablate.seeds": 2, "ablate.variants": ["audio", "full"]})
    assert json.loads(project.run("dvc", "status", "--json")) == {}
    project.run("mmx", "ablate")
    assert project.computed() - before == Counter({"ablate@audio": 1, "ablate@full": 1})
    page = (project.root / "reports/index.html").read_text()
    assert "Rows with ± are means over 2 seeds" in page
    for table in ("table2", "table3"):
        rows = json.loads((project.root / f"reports/evidence/{table}.json").read_text())
        [full] = [row for row in rows if "Full model" in row.values()]
        assert full["ap_weighted_spread"] >= 0
    assert "up to date" in project.run("dvc", "repro")
    made = project.computed()
    shutil.rmtree(project.root / ".mmx" / "receipts")
    project.run("mmx", "ablate")
    assert project.computed() == made
    assert json.loads(project.run("dvc", "status", "--json")) == {}
    project.run("mmx", "verify")


def test_another_order_of_the_genres_is_learnt_anew_and_embeds_nothing(project: "Project") -> None:
    params = yaml.safe_load((project.root / "params.yaml").read_text())
    project.edit({"collection.genres": params["collection"]["genres"][::-1]})
    project.run("dvc", "repro", "ingest")
    status = json.loads(project.run("dvc", "status", "--json"))
    assert {"train", "split", "evaluate"} <= set(status)
    assert not {"scenes", "audio", "flow", "embed@lite_scene", "features"} & set(status)


def test_metrics_are_a_short_row_each(built: "Project") -> None:
    heading, *rows = built.run("dvc", "metrics", "show").strip().splitlines()
    assert len(heading.split()) == 9
    assert [row.split()[0].rsplit("/")[-1] for row in rows] == [
        "coarse.json",
        "fine.json",
        "random.json",
    ]
    whole = json.loads((built.root / "reports/metrics.json").read_text())
    assert set(whole["splits"]) == {"train", "validation", "test"}


def test_the_lock_stays_small_enough_to_be_read(built: "Project") -> None:
    assert len((built.root / "dvc.lock").read_bytes()) < 16_000
