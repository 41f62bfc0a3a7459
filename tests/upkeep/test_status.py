"""`mmx status` covers every step: rows, items of trailers, and steps that read all trailers."""

import json
import shutil
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest
from projects import run_all
from typer.testing import CliRunner

from benchmarks import simulated
from mmx.cli.app import app
from mmx.engine.parquet import read_parquet, write_parquet
from mmx.project import Project, open_project
from mmx.trailers.intake import Ingested
from mmx.upkeep.status import ProjectStatus, StepStatus, project_status


@pytest.fixture(autouse=True)
def simulated_ingest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ingest find what stands in the tables: simulated videos cannot be read."""

    def found(project: Project) -> Ingested:
        layout = project.layout
        return Ingested(read_parquet(layout.trailers), read_parquet(layout.sources), Counter())

    monkeypatch.setattr("mmx.trailers.intake.ingest_project", found)


def steps_of(found: ProjectStatus) -> dict[str, StepStatus]:
    return {step.step: step for step in found.steps}


def states(project: Project) -> dict[str, str]:
    """Return the one state of every step all of whose items are in it."""
    found = steps_of(project_status(open_project(project.layout.root)))
    names = ("done", "failed", "pending", "blocked")
    return {
        step: "+".join(name for name in names if getattr(each, name))
        for step, each in found.items()
    }


def test_all_that_was_run_is_done_and_what_follows_is_blocked_or_pending(project: Project) -> None:
    found = states(project)
    assert next(iter(found)) == "ingest" and list(found)[-2:] == ["finetune", "evaluate"]
    assert {found.pop("finetune"), found.pop("evaluate")} == {"blocked"}
    assert found.pop("train") == "pending"
    assert set(found.values()) == {"done"} and {"features", "split", "flow"} <= found.keys()


def test_ablations_are_listed_once_they_were_run(project: Project) -> None:
    assert not [step for step in states(project) if step.startswith("ablate")]
    (project.layout.ablations / "naive").mkdir(parents=True)
    assert states(project)["ablate@naive"] == "pending"


def test_a_changed_parameter_makes_what_reads_all_pending(project: Project) -> None:
    simulated.set_param(project.layout.root, "flow.bound", 15.0)
    found = states(project)
    assert found["scenes"] == "done" and found["flow"] == "pending"
    assert found["features"] == found["split"] == "pending"


@pytest.mark.slow
def test_a_new_store_is_pending_when_only_the_items_were_made(project: Project) -> None:
    simulated.write_video(project.layout.root, "t00090")
    before = read_parquet(project.layout.features / "receipts.parquet")
    run_all(open_project(project.layout.root))
    assert states(project)["features"] == "done"
    write_parquet(before, project.layout.features / "receipts.parquet")
    assert states(project)["features"] == "pending"


def test_a_trailer_that_left_makes_the_split_pending(project: Project) -> None:
    write_parquet(read_parquet(project.layout.splits)[1:], project.layout.splits)
    assert states(project)["split"] == "pending"


def test_nothing_made_is_pending_and_blocked(project: Project) -> None:
    shutil.rmtree(project.layout.features)
    for folder in ("clips", "audio", "flow", "embeddings"):
        shutil.rmtree(project.layout.data / folder)
    project.layout.splits.unlink()
    found = states(project)
    assert found["scenes"] == found["audio"] == "pending" and found["flow"] == "blocked"
    assert {found[name] for name in ("features", "train", "evaluate")} == {"blocked"}


def test_rejected_rows_and_trailers_without_a_clip_are_named(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = project.layout.trailers
    table = read_parquet(path)
    lost = {"trailer_id": "lost", "status": "rejected", "reason": "there is no video 'lost.mp4'"}
    write_parquet(pa.concat_tables([table, pa.Table.from_pylist([lost], table.schema)]), path)
    _empty_receipt(project, "t00001")
    found = project_status(project)
    assert steps_of(found)["ingest"] == StepStatus("ingest", 5, 1, 0, 0, "rows")
    assert found.without_clips == ("t00001",)
    monkeypatch.chdir(project.layout.root)
    shown = CliRunner().invoke(app, ["status"]).output
    assert "ingest  lost: there is no video 'lost.mp4'\nwithout a clip: t00001\n" in shown


def _empty_receipt(project: Project, trailer: str) -> None:
    """Let the receipt of a trailer's clips say that there are none."""
    for path in (project.layout.clips / "_receipts").iterdir():
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        for line in lines:
            if line["item"] == trailer:
                line["receipt"]["facts"]["clips"] = 0
        path.unlink()
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_rows_that_ingest_has_not_seen_yet_are_pending(project: Project, tmp_path: Path) -> None:
    project.layout.trailers.unlink()
    table = pa.table({"trailer_id": ["new"], "status": ["accepted"], "reason": [None]})
    sources = read_parquet(project.layout.sources)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "mmx.trailers.intake.ingest_project", lambda _: Ingested(table, sources, Counter())
        )
        assert steps_of(project_status(project))["ingest"].pending == 1
