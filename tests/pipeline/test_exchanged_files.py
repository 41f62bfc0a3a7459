"""A file that is exchanged for another leaves no result under the digest of the first."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks import simulated
from mmx.engine.errors import StepFailedError
from mmx.engine.files import InputChangedError
from mmx.pipeline import registry
from mmx.pipeline.registry import run_step
from mmx.project import open_project
from mmx.steps import features

if TYPE_CHECKING:
    from tests.pipeline.conftest import Project

Install = Callable[[Path], None]
SHARED = Path(__file__).parents[1] / "shared"
TRAILER = "t00001"
READS = {
    "scenes": f"data/videos/{TRAILER}.mp4",
    "audio": f"data/videos/{TRAILER}.mp4",
    "flow": f"data/videos/{TRAILER}.mp4",
    "embed@lite_appearance": f"data/videos/{TRAILER}.mp4",
    "embed@lite_scene": f"data/videos/{TRAILER}.mp4",
    "embed@lite_audio": f"data/audio/{TRAILER}.wav",
    "embed@lite_motion": f"data/flow/{TRAILER}.flow",
}


def made_of(root: Path, name: str) -> set[str]:
    """Fingerprints of all receipts of a step."""
    return {receipt.fingerprint for receipt in open_project(root).store.receipts(name)}


def forget(root: Path, name: str) -> None:
    """Have a step compute everything again."""
    project = open_project(root)
    shutil.rmtree(project.store.root / "receipts" / name)
    shutil.rmtree(registry.find_item_step(name, project.params).output.path(root))


@pytest.fixture
def exchanging(root: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Let the functions of steps exchange a file while they work."""
    path = os.pathsep.join([str(SHARED), str(simulated.ROOT), *sys.path])
    monkeypatch.syspath_prepend(SHARED)
    monkeypatch.setenv("PYTHONPATH", path)
    real = registry.all_steps

    def changed(step: Any) -> Any:
        name = step.name.partition("@")[0]
        if name not in ("scenes", "audio", "flow", "embed"):
            return step
        return replace(step, recipe=replace(step.recipe, function=f"exchanging:{name}"))

    def install(victim: Path) -> None:
        monkeypatch.setenv("MMX_TEST_REPLACED", str(victim))
        monkeypatch.setattr(registry, "all_steps", lambda params: list(map(changed, real(params))))

    return install


@pytest.mark.parametrize(("name", "file"), READS.items(), ids=READS)
def test_while_an_item_reads_it(root: Path, exchanging: Install, name: str, file: str) -> None:
    forget(root, name)
    exchanging(root / file)
    with pytest.raises(StepFailedError, match=rf"{TRAILER} first: {Path(file).name} has other"):
        run_step(name, open_project(root))
    assert len(made_of(root, name)) == 3


@pytest.mark.parametrize(("name", "file"), READS.items(), ids=READS)
def test_after_ingest_and_before_a_stage(root: Path, name: str, file: str) -> None:
    forget(root, name)
    path = root / file
    before = path.read_bytes()
    path.unlink()
    path.write_bytes(b"another film")
    with pytest.raises(StepFailedError, match=f"{path.name} has other bytes than its digest says"):
        run_step(name, open_project(root))
    assert len(made_of(root, name)) == 3
    path.write_bytes(before)
    outcome = run_step(name, open_project(root))
    assert outcome is not None and outcome.computed == [TRAILER]


def test_clips_that_were_exchanged_are_read_by_nobody(root: Path) -> None:
    project = open_project(root)
    [shard] = [p for p in (root / "data/clips").glob("c*.parquet") if trailer_in(p, TRAILER)]
    other = next(p for p in (root / "data/clips").glob("c*.parquet") if p != shard)
    shutil.copy(other, root / "copy")
    os.replace(root / "copy", shard)
    forget(root, "flow")
    with pytest.raises(StepFailedError, match=f"the rows of {TRAILER} are not those that scenes"):
        run_step("flow", project)


def trailer_in(path: Path, trailer: str) -> bool:
    import pyarrow.parquet as pq

    return trailer in pq.read_table(path, columns=["trailer_id"])["trailer_id"].to_pylist()


def test_a_shard_that_is_exchanged_while_the_store_is_built(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mmx import features as store

    build = store.build_store

    def and_exchange(*args: Any, **options: Any) -> str:
        digest: str = build(*args, **options)
        path = next((root / "data/clips").glob("c*.parquet"))
        path.unlink()
        path.write_bytes(b"other")
        return digest

    monkeypatch.setattr(store, "build_store", and_exchange)
    with pytest.raises(InputChangedError, match=r"c..\.parquet was changed while it was read"):
        features.run(open_project(root))


LEARN = {
    "train": "data/features/lite_scene",
    "finetune": "models/coarse/model.safetensors",
    "evaluate": "models/fine/model.safetensors",
}


def victim_of(root: Path, place: str) -> Path:
    path = root / place
    return next(path.glob("e*.parquet")) if path.is_dir() else path


@pytest.mark.slow
@pytest.mark.parametrize(("name", "place"), LEARN.items(), ids=LEARN)
@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_what_a_training_reads(
    project: "Project", monkeypatch: pytest.MonkeyPatch, name: str, place: str, when: str
) -> None:
    """Of a project whose stages have run; the training itself is exchanged for a short one."""
    victim = victim_of(project.root, place)
    monkeypatch.syspath_prepend(SHARED)
    monkeypatch.setenv("MMX_TEST_REPLACED", str(victim))
    opened = open_project(project.root)
    step = registry.find_item_step(name, opened.params)
    function = "exchanging:learn" if when == "meanwhile" else step.recipe.function
    step = replace(step, recipe=replace(step.recipe, function=function, scratch=False), modules=())
    if when == "before":
        victim.unlink()
        victim.write_bytes(b"another")
    before = len(list(opened.store.receipts(name)))
    with pytest.raises(StepFailedError, match=f"{victim.name} has other bytes"):
        replace(step, schema=step.schema + 1).run(opened)
    assert len(list(opened.store.receipts(name))) == before


@pytest.mark.slow
def test_a_stage_ends_in_a_sentence(project: "Project") -> None:
    trailer = (project.root / "data/trailers.csv").read_text().splitlines()[1].split(",")[0]
    (video,) = (project.root / "data/videos").rglob(f"{trailer}.*")
    source = video.resolve()
    video.unlink()
    subprocess.run(["cp", str(source), str(video)], check=True)
    with video.open("ab") as file:
        file.write(b"more")
    project.edit({"scenes.threshold": 26.0})
    said = project.run(sys.executable, "-m", "stages.run", "scenes", fails=True)
    assert f"{video.name} has other bytes than its digest says: put the old file back" in said
    assert "Traceback" not in said
