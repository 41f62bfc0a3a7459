"""The commands that a user types in a project that has been run."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet as pq
import pytest

from scripts.reference_pages import tables

if TYPE_CHECKING:
    from tests.pipeline.conftest import Project


pytestmark = pytest.mark.slow

TRAILER = "0000-amber-harbour"


def test_status_and_plan_find_nothing_left_to_do(built: "Project") -> None:
    status = built.status()
    assert {step["pending"] + step["blocked"] for step in status["steps"]} == {0}
    assert {"ingest", "features", "split", "train", "evaluate"} <= {
        step["step"] for step in status["steps"]
    }
    assert {row["step"] for row in status["rejected"]} == {"ingest"}
    plan = built.json("mmx", "plan")
    assert [step["compute"] for step in plan] == [0] * len(plan)
    assert all(step["seconds_per_item"] > 0 and step["bytes_per_item"] > 0 for step in plan)


def test_the_tables_have_the_columns_that_the_documentation_describes(built: "Project") -> None:
    described = {table.path: list(table.columns) for table in tables()}
    for path, columns in described.items():
        found = sorted(built.root.glob(re.sub("XX|EXPERT", "*", path)))
        # Other tables are made by commands that were not called here.
        assert found or path.endswith(".csv"), path
        for file in found if path.endswith(".parquet") else ():
            assert pq.read_schema(file).names[: len(columns)] == columns, file


def test_the_notebook_runs_and_finds_the_reports_figures(built: "Project") -> None:
    cells = json.loads((built.root / "docs/tour.ipynb").read_text())["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert len(code) >= 7
    code.append("import json; print(json.dumps([areas, own.to_dict(), nearest('fine')]))")
    found = built.run("python", "-c", "\n".join(code)).splitlines()[-1]
    areas, _, near = json.loads(found)
    tested = json.loads((built.root / "reports/metrics.json").read_text())["splits"]["test"]
    for name in ("coarse", "fine", "logistic_joined", "nearest_whitened"):
        assert areas[name] == pytest.approx(tested[name]["ap"]["micro"], abs=1e-6)
    assert len(set(near)) == len(near) > 0


def test_before_the_first_run_everything_is_planned(
    clone: "Callable[[Path], Project]", sample_folder: Path, tmp_path: Path
) -> None:
    fresh = clone(tmp_path / "fresh")
    labels = sample_folder / "labels.csv"
    fresh.run("mmx", "init", "--videos", str(sample_folder / "videos"), "--labels", str(labels))
    plan = fresh.json("mmx", "plan")
    (trailers,) = {step["compute"] for step in plan}
    assert trailers > 0 and {step["seconds_per_item"] for step in plan} == {None}
    assert all(step["hours"] > 0 and step["terabytes"] > 0 for step in plan)
    states = {step["step"]: step for step in fresh.status()["steps"]}
    assert states["scenes"]["pending"] == states["flow"]["blocked"] == trailers
    assert states["ingest"]["pending"] > trailers and states["evaluate"]["blocked"] == 1


def test_a_changed_parameter_is_planned_with_all_that_follows(project: "Project") -> None:
    project.edit({"flow.short_side": 40})
    plan = {step["step"]: step for step in project.json("mmx", "plan")}
    trailers = plan["flow"]["compute"]
    assert trailers == plan["embed@lite_motion"]["compute"] > 0
    assert plan["scenes"]["compute"] == plan["embed@lite_scene"]["compute"] == 0
    pending = {step["step"]: step["pending"] for step in project.status()["steps"]}
    assert pending["flow"] == trailers


def test_predicting_a_trailer_of_the_collection_gives_its_own_embedding(
    built: "Project", sample_folder: Path
) -> None:
    video = sample_folder / "videos" / f"{TRAILER}.mp4"
    (found,) = built.json("mmx", "predict", str(video))
    table = pq.read_table(built.root / "data" / "trailer_embeddings.parquet")
    row = table["trailer_id"].to_pylist().index(TRAILER)
    assert found["embedding"] == table["fine"][row].as_py()
    assert found["neighbours"][0]["trailer_id"] == TRAILER
    assert found["neighbours"][0]["similarity"] > 0.999999
    assert sum(found["genres"].values()) > 0 and found["sequences"]


def test_similar_films_are_the_nearest_by_cosine(built: "Project") -> None:
    found = built.json("mmx", "similar", TRAILER)
    table = pq.read_table(built.root / "data" / "trailer_embeddings.parquet")
    names = table["trailer_id"].to_pylist()
    vectors = np.array(table["fine"].to_pylist(), float)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    cosine = vectors @ vectors[names.index(TRAILER)]
    nearest = [name for _, name in sorted(zip(-cosine, names, strict=True)) if name != TRAILER]
    assert [each["trailer_id"] for each in found] == nearest[:10]
    assert "no embedding" in built.run("mmx", "similar", "few-clips", fails=True)


def test_a_video_that_cannot_be_read_is_one_sentence(built: "Project", tmp_path: Path) -> None:
    (tmp_path / "notes.mp4").write_text("not a film")
    said = built.run("mmx", "predict", str(tmp_path / "notes.mp4"), fails=True)
    assert said.strip().splitlines()[-1].startswith("error: notes.mp4: ")


def test_everything_is_traced_and_verified(built: "Project") -> None:
    tree = built.run("mmx", "trace", TRAILER, "--clip", "0")
    table = pq.read_table(built.root / "data" / "sources.parquet").to_pylist()
    digest = next(row["sha256"] for row in table if row["trailer_id"] == TRAILER)
    assert digest[:12] in tree and "lite_scene" in tree
    assert "entity" in built.json("mmx", "trace", TRAILER)
    assert built.json("mmx", "verify")["findings"] == []
    audit = built.json("mmx", "audit", "--recompute", "4")
    assert {verdict for found in audit["counts"].values() for verdict in found} == {"identical"}


def test_a_release_has_what_both_models_say(project: "Project", tmp_path: Path) -> None:
    release = tmp_path / "1.0.0"
    project.run("mmx", "publish", str(release))
    assert "no findings" in project.run("mmx", "verify", "--release", str(release))
    rows = pq.read_table(release / "trailers").to_pylist()
    table = pq.read_table(project.root / "data" / "trailer_embeddings.parquet").to_pylist()
    vectors = {row["trailer_id"]: (row["coarse"], row["fine"]) for row in table}
    for row in rows:
        models = row["embedding_coarse"], row["embedding_fine"]
        assert models == vectors.get(row["trailer_id"], (None, None))
    explorer = pq.read_table(project.root / "reports/evaluation/explorer.parquet").to_pylist()
    probabilities = {row["trailer_id"]: row["probabilities"] for row in explorer}
    for row in pq.read_table(release / "predictions").to_pylist():
        if row["model"] == "coarse":
            found = [value for name, value in row.items() if isinstance(value, float)]
            assert found == probabilities[row["trailer_id"]]
    said = project.run("mmx", "publish", str(tmp_path / "x"), "--version", "1.0.0", fails=True)
    assert "there is a release 1.0.0 already" in said


def test_a_bit_flipped_in_a_shard_is_found_mended_and_nothing_else_is_touched(
    project: "Project",
) -> None:
    before = project.artefacts("data/clips")
    shard = project.root / min(name for name in before if name.endswith(".parquet"))
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.chmod(0o644)
    shard.write_bytes(content)
    assert shard.name in project.run("mmx", "verify", fails=True)
    project.run("mmx", "repair")
    project.run("dvc", "repro")
    assert project.artefacts("data/clips") == before
    project.run("mmx", "verify")


def test_a_refactoring_is_adopted_after_a_sample(project: "Project") -> None:
    path = project.root / "mmx" / "flow" / "quantise.py"
    path.write_text(path.read_text() + "\n\nUNUSED = 1\n")
    run = ("python", "-c", "from mmx.cli import main; main()")
    (said,) = project.json(*run, "adopt", "flow", "--sample", "2")
    trailers = len(list((project.root / "data" / "flow").glob("*.flow")))
    assert (said["sampled"], said["carried"]) == (2, trailers - 2)
    assert not project.repro()


def test_pruning_removes_what_no_output_needs_and_only_that(project: "Project") -> None:
    project.edit({"flow.short_side": 40})
    project.run("dvc", "repro", "flow")
    removed = project.json("mmx", "prune")
    assert removed["objects"] >= len(list((project.root / "data" / "flow").glob("*.flow")))
    project.run("git", "checkout", "--quiet", "params.yaml", "dvc.lock")
    project.run("dvc", "checkout", "--quiet")
    assert not project.repro()


def test_a_second_run_at_the_same_time_says_so_and_leaves(project: "Project") -> None:
    hold = (
        "from mmx.project import open_project; import subprocess\n"
        "with open_project().store.locked('elsewhere'):\n"
        "    done = subprocess.run(['python', '-m', 'stages.run', 'scenes'], capture_output=True)\n"
        "print(done.returncode, done.stderr.decode())"
    )
    said = project.run("python", "-c", hold)
    assert said.startswith("5 error: another run is using the item store: elsewhere")


def test_other_versions_than_written_are_refused_until_taken(project: "Project") -> None:
    path = project.root / "mmx" / "tools.yaml"
    path.write_text(path.read_text().replace("av: ", "av: 0."))
    said = project.run("dvc", "repro", fails=True)
    assert "mmx/tools.yaml says av 0." in said and "mmx tools --write" in said
    project.run("mmx", "tools", "--write")
    assert not project.repro()


def test_switching_the_profile_keeps_comments_and_refuses_over_edits(tmp_path: Path) -> None:
    from mmx.params import ParamsError
    from mmx.paramsfile import load_params
    from mmx.profiles import switch_profile

    top = Path(__file__).parents[2]
    path = tmp_path / "params.yaml"
    shutil.copy(top / "params.yaml", path)
    before = path.read_text().splitlines()
    switch_profile(path, "paper")
    paper = load_params(path)
    assert (paper.profile, paper.model.bottleneck, paper.train.epochs) == ("paper", 2048, 200)
    switch_profile(path, "lite")
    squeezed = [" ".join(line.split()) for line in path.read_text().splitlines()]
    assert squeezed == [" ".join(line.split()) for line in before]
    path.write_text(path.read_text().replace("  short_side: 128", "  short_side: 96"))
    try:
        switch_profile(path, "paper")
    except ParamsError as error:
        assert "flow.short_side" in str(error)
    else:
        raise AssertionError("an edit was overwritten")
    assert "flow.short_side" in switch_profile(path, "paper", force=True)
