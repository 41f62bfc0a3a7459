"""What the items to compute cost, against sums by hand."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks import simulated
from mmx.cli.app import app
from mmx.pipeline.upstream import Upstream
from mmx.project import Project
from mmx.upkeep.plan import StepPlan, project_plan
from mmx.upkeep.prices import Prices, PricesError, read_prices, step_costs

GOOD = "core_hour: 0.04\ngpu_hour: 2\nterabyte_month: 20\negress_terabyte: 90\ncurrency: EUR\n"
PRICES = Prices(0.04, 2, 20, 90, "EUR")


def planned(step: str, terabytes: float = 0.0, **hours: float) -> StepPlan:
    given = {"hours": 1.0, "core_hours": 0.0, "gpu_hours": 0.0, **hours}
    return StepPlan(step, 1, 0, None, None, terabytes=terabytes, **given)


@pytest.fixture(autouse=True)
def simulated_ingest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take what ingest wrote for what it would write: simulated videos cannot be read."""
    monkeypatch.setattr("mmx.upkeep.plan.present", Upstream)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "prices.yaml"
    path.write_text(GOOD)
    return path


def test_a_cost_is_hours_and_terabytes_times_their_prices(file: Path) -> None:
    assert read_prices(file) == PRICES
    plans = [planned("flow", 1.5, core_hours=600), planned("embed@x", core_hours=10, gpu_hours=5)]
    flow, embed, total = step_costs(plans, PRICES)
    assert (flow.computing, flow.storage, flow.egress) == (24, 30, 135)
    assert embed.computing == pytest.approx(10.4)
    assert embed.terabytes == embed.storage == embed.egress == 0
    assert (total.step, total.core_hours, total.gpu_hours) == ("total", 610, 5)
    assert total.computing == pytest.approx(34.4)
    assert (total.terabytes, total.storage, total.egress) == (1.5, 30, 135)


def test_nothing_to_compute_costs_nothing(project: Project) -> None:
    assert step_costs(project_plan(project), PRICES)[-1].computing == 0


def test_rates_are_those_of_the_journal_with_its_devices(project: Project) -> None:
    simulated.write_video(project.layout.root, "t00090")
    simulated.write_video(project.layout.root, "t00091")
    simulated.ingest(project)
    (project.store.root / "journal" / "flow.jsonl").unlink()
    project.store.note("flow", {"item": "a", "seconds": 5400.0, "device": "A GPU"})
    project.store.note("flow", {"item": "b", "seconds": 1800.0, "device": "cpu"})
    project.store.note("flow", {"item": "c", "seconds": "long", "device": "A GPU"})
    (project.store.root / "journal" / "audio.jsonl").unlink()
    plans = {plan.step: plan for plan in project_plan(project)}
    flow, audio = plans["flow"], plans["audio"]
    assert (flow.compute, flow.core_hours, flow.gpu_hours) == (2, 2.0, 1.5)
    assert flow.hours == pytest.approx(2.0 / project.workers)
    assert audio.seconds_per_item is None
    assert audio.core_hours > 0 == audio.gpu_hours
    cost = {each.step: each for each in step_costs(plans.values(), PRICES)}
    assert cost["flow"].computing == pytest.approx(2 * 0.04 + 1.5 * 2)
    assert cost["total"].core_hours == pytest.approx(
        sum(plan.core_hours for plan in plans.values())
    )
    assert flow.bytes_per_item and cost["flow"].terabytes == 2 * flow.bytes_per_item / 1e12


def test_the_command_prints_a_total_and_its_currency(
    project: Project, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.layout.root)
    shown = CliRunner().invoke(app, ["plan", "--prices", str(file)])
    assert shown.exit_code == 0 and "total" in shown.output and "in EUR:" in shown.output
    found = json.loads(CliRunner().invoke(app, ["plan", "--prices", str(file), "--json"]).output)
    assert found["currency"] == "EUR" and found["costs"][-1]["step"] == "total"


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (GOOD, "", "has no core_hour, gpu_hour"),
        (GOOD, "- 1\n", "has no core_hour, gpu_hour"),
        ("gpu_hour: 2\n", "", "has no gpu_hour"),
        ("gpu_hour", "gpu_hours", "has no gpu_hour"),
        ("currency: EUR", "currency: EUR\ntax: 3", "line 6: tax is none of"),
        ("0.04", "free", "line 1: core_hour should be a number"),
        ("0.04", "true", "line 1: core_hour should be a number"),
        ("20", "-20", "line 3: terabyte_month should be a number"),
        ("90", ".inf", "line 4: egress_terabyte should be a number"),
        ("90", ".nan", "line 4: egress_terabyte should be a number"),
        ("90", "1e300", "line 4: egress_terabyte should be a number"),
        ("EUR", "3", "line 5: currency should be a name"),
        ("EUR", '"\\e[31m"', "line 5: currency should be a name"),
        ("EUR", "E" * 17, "line 5: currency should be a name"),
        ("0.04", "[", "is not YAML"),
        ("gpu_hour: 2", "core_hour: 2", "appears twice"),
    ],
)
def test_what_is_no_file_of_prices_is_refused(
    file: Path, before: str, after: str, said: str
) -> None:
    file.write_text(GOOD.replace(before, after))
    with pytest.raises(PricesError, match=said):
        read_prices(file)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.yaml", tmp_path / "none" / "prices.yaml"):
        with pytest.raises(PricesError, match="there is no file"):
            read_prices(path)
