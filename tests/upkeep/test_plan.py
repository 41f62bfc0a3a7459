"""Before the first run, `mmx plan` goes by shipped rates, lengths and parameters."""

import shutil

import pytest
from typer.testing import CliRunner

from mmx.cli.app import app
from mmx.pipeline.registry import trailer_steps
from mmx.pipeline.upstream import Upstream
from mmx.profiles import switch_profile
from mmx.project import Project, open_project
from mmx.upkeep.plan import project_plan


@pytest.fixture(autouse=True)
def simulated_ingest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take what ingest wrote for what it would write: simulated videos cannot be read."""
    monkeypatch.setattr("mmx.upkeep.plan.present", Upstream)


@pytest.fixture
def fresh(project: Project) -> Project:
    """A project whose videos are known, a minute each, and of which nothing else is made."""
    for folder in (project.store.root, project.layout.clips, project.layout.root / ".dvc/cache"):
        shutil.rmtree(folder)
    for step in trailer_steps(project.params):
        shutil.rmtree(step.output.path(project.layout.root), ignore_errors=True)
    return project


def test_a_first_run_takes_the_shipped_rates_of_as_many_minutes(fresh: Project) -> None:
    minutes = len(Upstream(fresh).sources)
    rates = {step.name: step.rate(fresh.params) for step in trailer_steps(fresh.params)}
    for plan in project_plan(fresh):
        rate = rates[plan.step]
        assert plan.compute == minutes and plan.seconds_per_item is plan.bytes_per_item is None
        assert plan.core_hours == pytest.approx(minutes * rate.seconds / 3600)
        assert plan.terabytes == pytest.approx(minutes * rate.bytes / 1e12)


def test_the_paper_profile_is_planned_before_its_weights_are_here(
    fresh: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MMX_WEIGHTS", str(fresh.layout.root / "none"))
    lite = sum(plan.core_hours for plan in project_plan(fresh))
    switch_profile(fresh.layout.params, "paper", force=True)
    plans = {plan.step: plan for plan in project_plan(open_project(fresh.layout.root))}
    assert plans["flow"].compute == plans["embed@senet154"].compute > 0
    assert sum(plan.core_hours for plan in plans.values()) > 50 * lite


def test_people_read_units_and_programs_read_hours(
    fresh: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(fresh.layout.root)
    shown = CliRunner().invoke(app, ["plan"]).output
    assert "shipped" in shown and "MB" in shown and "together" in shown
    assert "shipped rates are rough" in shown
