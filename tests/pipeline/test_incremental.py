"""How much is computed again after each kind of change. Counted in items, by the journals."""

import csv
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.pipeline.conftest import Project


pytestmark = pytest.mark.slow

TRAILER_STEPS = (
    "scenes",
    "audio",
    "flow",
    "stills",
    "embed@lite_appearance",
    "embed@lite_audio",
    "embed@lite_motion",
    "embed@lite_scene",
)
LEARNING = Counter({"train": 1, "finetune": 1, "evaluate": 1})
ONE_EACH = Counter(dict.fromkeys(TRAILER_STEPS, 1))


def add_trailer(project: "Project", sample_folder: Path, later: str) -> None:
    """Add the trailer that the built project does not have."""
    header = (sample_folder / "labels.csv").read_text().splitlines()[0]
    (project.root / "new.csv").write_text(f"{header}\n{later}\n")
    project.run("mmx", "init", "--videos", str(sample_folder / "videos"), "--labels", "new.csv")


def free_box() -> bytes:
    """An empty box of the MP4 format: other bytes, the same film."""
    return (16).to_bytes(4, "big") + b"free" + bytes(8)


def test_a_second_run_does_nothing(built: "Project") -> None:
    before = built.computed()
    assert "up to date" in built.run("dvc", "repro")
    assert built.computed() == before


def test_the_report_names_what_was_rejected_and_why(built: "Project") -> None:
    page = (built.root / "reports" / "index.html").read_text()
    for reason in ("no container that is accepted", "there is no video", "Telenovela"):
        assert reason in page


def test_one_trailer_more_is_one_item_per_step(
    project: "Project", sample_folder: Path, later: str
) -> None:
    splits = project.artefacts("data/splits.parquet")
    add_trailer(project, sample_folder, later)
    plan = {step["step"]: step["compute"] for step in project.json("mmx", "plan")}
    assert plan == ONE_EACH
    assert project.repro() == ONE_EACH + LEARNING
    assert project.artefacts("data/splits.parquet") != splits


def test_a_replaced_video_is_refused_until_accepted_and_the_same_streams_compute_nothing(
    project: "Project",
) -> None:
    sources = project.artefacts("data/sources.parquet")
    video = project.root / "data" / "videos" / "0001-hollow-canyon.mp4"
    content = video.read_bytes() + free_box()
    video.unlink()
    video.write_bytes(content)
    said = project.run("dvc", "repro", fails=True)
    assert "mmx accept 0001-hollow-canyon" in said
    project.run("mmx", "accept", "0001-hollow-canyon")
    # Ingest, which has no items, hashes the file again.
    assert project.repro() == Counter()
    assert project.artefacts("data/sources.parquet") != sources


def test_an_experts_parameter_concerns_that_expert_and_turns_back(project: "Project") -> None:
    before = project.artefacts("data/features", "models")
    project.edit(
        {
            "embed.experts.lite_scene": {
                "modality": "scene",
                "reads": "clips",
                "frames_per_clip": 2,
            }
        }
    )
    computed = project.repro()
    trailers = len(list((project.root / "data" / "flow").glob("*.flow")))
    assert computed == Counter({"embed@lite_scene": trailers}) + LEARNING
    project.run("git", "checkout", "--quiet", "params.yaml")
    assert project.repro() == Counter()
    assert project.artefacts("data/features", "models") == before


def test_a_title_computes_nothing_and_a_label_trains_again(project: "Project") -> None:
    features = project.artefacts("data/features")
    project.manifest(lambda text: text.replace("Hollow Canyon", "Hollow Cañon"))
    assert project.repro() == Counter()
    assert "Hollow Cañon" in (project.root / "reports" / "index.html").read_text()
    lines = (project.root / "data" / "trailers.csv").read_text().splitlines()
    column = lines[0].split(",").index("genres")
    trailer = next(line for line in lines if line.startswith("0001-"))
    genres = trailer.split(",")[column]
    other = "War" if genres != "War" else "Western"
    project.manifest(lambda text: text.replace(trailer, trailer.replace(genres, other, 1)))
    assert project.repro() == LEARNING
    assert project.artefacts("data/features") == features


def test_imported_labels_train_again_and_plan_says_that_nothing_else_does(
    project: "Project",
) -> None:
    features = project.artefacts("data/features")
    manifest = project.root / "data" / "trailers.csv"
    with manifest.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    row = next(row for row in rows if row["trailer_id"].startswith("0001-"))
    row["imdb_id"] = "tt7654321"
    with manifest.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        writer.writeheader()
        writer.writerows(rows)
    other = "War" if row["genres"] != "War" else "Western"
    dump = project.root / "dump.tsv"
    film = f"tt7654321\t{row['title']}\t{row['year']}\t{other}"
    dump.write_text(f"tconst\tprimaryTitle\tstartYear\tgenres\n{film}\n")
    command = ("mmx", "labels", "import", "imdb", str(dump), "--date", "2026-05-01")
    (found,) = project.json(*command, "--dry-run")["trailers"]
    assert found["changes"] == {"genres": [row["genres"], other]}
    assert "1 trailers found, 1 changed" in project.run(*command, "--expires", "2100-01-01")
    assert {step["compute"] for step in project.json("mmx", "plan")} <= {0}
    assert project.repro() == LEARNING
    assert project.artefacts("data/features") == features
    sources = project.root / "data" / "label_sources.csv"
    sources.write_text(sources.read_text().replace("2100-01-01", "2020-01-01"))
    for asked in ("status", "plan"):
        assert "labels of imdb (2026-05-01) have expired" in project.run("mmx", asked)


def test_a_comment_a_touch_or_more_workers_compute_nothing(project: "Project") -> None:
    for name in ("mmx/scenes/shots.py", "mmx/flow/item.py", "mmx/training/coarse.py"):
        path = project.root / name
        path.write_text("# A remark.\n" + path.read_text() + "\n# Another.\n")
    project.edit({"run.workers": 2})
    for video in (project.root / "data" / "videos").iterdir():
        if video.exists():
            video.touch()
    manifest = (project.root / "data" / "trailers.csv").read_text().splitlines()
    project.manifest(lambda _: "\n".join([manifest[0], *reversed(manifest[1:])]) + "\n")
    assert project.repro() == Counter()


def test_a_helper_function_concerns_the_steps_that_call_it(project: "Project") -> None:
    path = project.root / "mmx" / "flow" / "quantise.py"
    path.write_text(path.read_text() + "\n\nUNUSED = 1\n")
    computed = project.repro()
    trailers = len(list((project.root / "data" / "flow").glob("*.flow")))
    assert computed == Counter({"flow": trailers})


@pytest.mark.parametrize("loss", ["store", "clone"])
def test_after_a_loss_one_more_trailer_is_still_one_item(
    loss: str, project: "Project", sample_folder: Path, later: str, tmp_path: Path
) -> None:
    if loss == "store":
        shutil.rmtree(project.root / ".mmx")
    else:
        project = pulled_clone(project, tmp_path)
    add_trailer(project, sample_folder, later)
    assert project.repro("features", "stills") == ONE_EACH


def pulled_clone(project: "Project", tmp_path: Path) -> "Project":
    """Push to a remote, clone, pull: another machine."""
    remote = tmp_path / "remote"
    project.run("dvc", "remote", "add", "--default", "shared", str(remote))
    project.commit()
    project.run("dvc", "push", "--quiet")
    clone = replace(project, root=tmp_path / "clone")
    project.run("git", "clone", "--quiet", str(project.root), str(clone.root))
    clone.run("git", "config", "user.name", "test")
    clone.run("git", "config", "user.email", "test@example.org")
    clone.run("dvc", "pull", "--quiet")
    videos = clone.root / "data" / "videos"
    shutil.copytree(project.root / "data" / "videos", videos, symlinks=True, dirs_exist_ok=True)
    return clone


def test_a_collection_too_small_to_train_still_gets_its_features(project: "Project") -> None:
    lines = (project.root / "data" / "trailers.csv").read_text().splitlines()
    project.manifest(lambda _: "\n".join(lines[:2]) + "\n")
    assert project.repro("features") == Counter()
    assert "error: " in project.run("dvc", "repro", fails=True)
