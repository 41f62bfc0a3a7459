"""The example of docs/adding-a-step.md, taken from the page and run: a step is one file."""

import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest
import yaml

from tests.pipeline.conftest import ITEMS

if TYPE_CHECKING:
    from tests.pipeline.conftest import Project

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[2] / "docs" / "adding-a-step.md"


@pytest.fixture
def extended(project: "Project") -> "Project":
    """A project with results, and the step of the page added to it."""
    code, params, stage = re.findall(r"```(?:python|yaml)\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (project.root / "mmx/steps/brightness.py").write_text(code)
    project.edit(yaml.safe_load(params))
    path = project.root / "dvc.yaml"
    path.write_text(path.read_text().replace("stages:\n", f"stages:\n{stage}\n", 1))
    return project


def test_a_step_is_one_file(extended: "Project") -> None:
    [planned] = [step for step in extended.json("mmx", "plan") if step["compute"]]
    assert (planned["step"], planned["compute"]) == ("brightness", ITEMS)
    assert extended.repro("brightness") == Counter(brightness=ITEMS)
    shards = sorted((extended.root / "data/brightness").glob("b*.parquet"))
    rows = [row for path in shards for row in pq.read_table(path).to_pylist()]
    assert len(rows) > ITEMS and all(0 < row["brightness"] < 255 for row in rows)
    [state] = [step for step in extended.status()["steps"] if step["step"] == "brightness"]
    assert (state["done"], state["pending"]) == (ITEMS, 0)


def test_its_parameters_its_code_and_its_results_count_as_those_of_any_step(
    extended: "Project",
) -> None:
    extended.run("dvc", "repro")
    extended.run("mmx", "verify")
    extended.edit({"brightness.every": 3})
    assert extended.repro("brightness") == Counter(brightness=ITEMS)
    path = extended.root / "mmx/steps/brightness.py"
    path.write_text(path.read_text().replace("seen", "found"))
    extended.run("mmx", "adopt", "brightness", "--sample", "3")
    assert extended.repro("brightness") == Counter()
    path.write_text(path.read_text().replace("image.mean()", "image.max()"))
    assert extended.repro("brightness") == Counter(brightness=ITEMS)


def test_an_unknown_key_of_its_section_is_refused(extended: "Project") -> None:
    extended.edit({"brightness.evry": 3})
    assert "brightness.evry" in extended.run("mmx", "status", fails=True)
