import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from benchmarks import simulated
from mmx.audit.repair import Repair, repair
from mmx.audit.verify import Kind, verify
from mmx.engine.errors import StoreBusyError
from mmx.outputs import TableOutput, read_receipts, receipts_name
from mmx.project import Project
from mmx.steps import scenes
from mmx.steps.embed import embed_step

pytestmark = pytest.mark.slow

TRAILER = "t00002"
TRAILER_RECEIPTS = receipts_name(TRAILER)
CLIP_ROWS = scenes.OUTPUT.shard_path(Path(), TRAILER).name
EXPERT = embed_step("lite_scene").output
assert isinstance(EXPERT, TableOutput)
EXPERT_ROWS = EXPERT.shard_path(Path(), TRAILER).name
Flip = Callable[[Path], None]
Rerun = Callable[[Project], dict[str, int]]
Outputs = Callable[[Path], dict[str, bytes]]


def names(repaired: Repair) -> list[str]:
    """Names of what was taken out."""
    return [finding.name for finding in repaired.removed]


def computed(counts: dict[str, int]) -> dict[str, int]:
    """The steps that computed anything."""
    return {step: count for step, count in counts.items() if count}


def test_nothing_to_repair_changes_nothing(project: Project, outputs: Outputs) -> None:
    before = outputs(project.layout.root), (project.layout.root / "dvc.lock").read_bytes()
    assert repair(project) == Repair((), (), (), ())
    assert before == (outputs(project.layout.root), (project.layout.root / "dvc.lock").read_bytes())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "stages", "again"),
    [
        (f"data/flow/{TRAILER}.flow", {"flow"}, {"flow": 1}),
        (f"data/audio/{TRAILER}.wav", {"audio"}, {"audio": 1}),
        (f"data/embeddings/lite_motion/{EXPERT_ROWS}", {"embed@lite_motion"}, {}),
        (f"data/flow/{TRAILER_RECEIPTS}", {"flow"}, {}),
        ("data/features/receipts.parquet", {"features"}, {}),
        ("data/trailers.parquet", {"ingest"}, {}),
    ],
)
def test_exactly_what_was_damaged_is_made_again(
    project: Project,
    flip: Flip,
    rerun: Rerun,
    outputs: Outputs,
    name: str,
    stages: set[str],
    again: dict[str, int],
) -> None:
    expected = outputs(project.layout.root)
    path = project.layout.root / name
    flip(path)
    repaired = repair(project)
    assert names(repaired) == [name]
    assert stages <= set(repaired.stages)
    assert not path.exists()
    assert computed(rerun(project)) == again
    assert outputs(project.layout.root) == expected


def test_every_link_is_removed(project: Project, flip: Flip) -> None:
    flip(project.layout.flow / f"{TRAILER}.flow")
    (finding,) = verify(project).findings
    repair(project)
    assert not any(path.exists() for path in finding.paths)


def test_the_receipt_of_a_lost_object_is_removed(project: Project, flip: Flip) -> None:
    receipt = read_receipts(project.layout.flow)[TRAILER]
    flip(project.layout.flow / f"{TRAILER}.flow")
    path = project.store.object(receipt.outputs[0].sha256)
    shutil.copyfile(project.layout.flow / f"{TRAILER}.flow", path.with_name("new"))
    path.with_name("new").replace(path)
    repair(project)
    assert project.store.find("flow", receipt.fingerprint) is None


def test_without_a_store_the_other_items_are_stored(
    project: Project, flip: Flip, rerun: Rerun, outputs: Outputs
) -> None:
    expected = outputs(project.layout.root)
    shutil.rmtree(project.store.root)
    flip(project.layout.flow / f"{TRAILER}.flow")
    repair(project)
    secured = {receipt.fingerprint for receipt in project.store.receipts("flow")}
    others = {
        receipt.fingerprint
        for item, receipt in read_receipts(project.layout.flow).items()
        if item != TRAILER
    }
    assert secured == others
    assert rerun(project)["flow"] == 1
    assert outputs(project.layout.root) == expected


def test_rows_of_a_damaged_shard_are_made_again_where_no_store_has_them(
    project: Project, flip: Flip, rerun: Rerun, outputs: Outputs
) -> None:
    expected = outputs(project.layout.root)
    shutil.rmtree(project.store.root)
    flip(project.layout.embeddings("lite_scene") / EXPERT_ROWS)
    repair(project)
    inside = sum(
        receipts_name(name) == TRAILER_RECEIPTS for name in read_receipts(project.layout.clips)
    )
    assert rerun(project)["embed@lite_scene"] <= inside
    assert outputs(project.layout.root) == expected


def test_a_damaged_object_is_removed_and_made_again_when_needed(
    project: Project, flip: Flip, rerun: Rerun, outputs: Outputs
) -> None:
    receipt = read_receipts(project.layout.clips)[TRAILER]
    path = project.store.object(receipt.outputs[0].sha256)
    expected = outputs(project.layout.root)
    flip(path)
    repair(project)
    assert not path.exists()
    assert verify(project).ok
    assert computed(rerun(project)) == {}
    assert outputs(project.layout.root) == expected


def test_after_a_damaged_receipt_of_the_store_nothing_is_computed(
    project: Project, flip: Flip, rerun: Rerun, outputs: Outputs
) -> None:
    expected = outputs(project.layout.root)
    fingerprint = read_receipts(project.layout.clips)[TRAILER].fingerprint
    flip(project.store.receipt_path("scenes", fingerprint))
    other = next(shard for shard in project.layout.clips.glob("c*") if shard.name != CLIP_ROWS)
    flip(other)
    assert "scenes" in repair(project).stages
    assert project.store.find("scenes", fingerprint)
    assert computed(rerun(project)) == {}
    assert outputs(project.layout.root) == expected


def test_with_two_damaged_receipts_the_feature_store_has_a_third(
    project: Project, flip: Flip, rerun: Rerun, outputs: Outputs
) -> None:
    expected = outputs(project.layout.root)
    fingerprint = read_receipts(project.layout.clips)[TRAILER].fingerprint
    flip(project.store.receipt_path("scenes", fingerprint))
    flip(project.layout.clips / TRAILER_RECEIPTS)
    repair(project)
    assert project.store.find("scenes", fingerprint)
    assert computed(rerun(project)) == {}
    assert outputs(project.layout.root) == expected


def test_the_receipt_of_a_missing_object_is_removed(project: Project) -> None:
    receipt = read_receipts(project.layout.clips)[TRAILER]
    project.store.object(receipt.outputs[0].sha256).unlink()
    assert not verify(project).ok
    repair(project)
    assert verify(project).ok


@pytest.mark.parametrize(
    ("name", "how"),
    [
        (f"data/videos/{TRAILER}.mp4", "put the original back"),
        ("data/splits.parquet", "`dvc pull data/splits.parquet`"),
    ],
)
def test_a_source_is_named_with_where_to_get_it_and_left(
    project: Project, flip: Flip, name: str, how: str
) -> None:
    path = project.layout.root / name
    flip(path)
    content = path.read_bytes()
    repaired = repair(project)
    assert [finding.name for finding in repaired.sources] == [name]
    assert how in repaired.sources[0].restore
    assert repaired.removed == ()
    assert path.read_bytes() == content


def test_a_file_without_a_receipt_is_not_removed(project: Project) -> None:
    path = project.layout.flow / "stranger.flow"
    path.write_bytes(b"?")
    repaired = repair(project)
    assert [(f.kind, f.name) for f in repaired.left] == [
        (Kind.WITHOUT_RECEIPT, "data/flow/stranger.flow")
    ]
    assert path.exists()


def test_not_while_a_run_is_in_progress(project: Project) -> None:
    with project.store.locked("flow"), pytest.raises(StoreBusyError, match="flow"):
        repair(project)


def test_a_broken_list_of_locks_is_cleared(project: Project) -> None:
    path = project.layout.root / ".dvc/tmp/rwlock"
    path.write_text('{"half')
    repair(project)
    assert not path.exists()
    path.write_text("{}")
    repair(project)
    assert path.exists()


@pytest.mark.slow
def test_only_the_stage_is_removed_from_lock_and_run_cache(project: Project, flip: Flip) -> None:
    root = project.layout.root
    simulated.dvc(root, "repro", "--force", "scenes", "flow")
    runs = set((root / ".dvc/cache/runs").glob("*/*/*"))
    before = yaml.safe_load((root / "dvc.lock").read_text())["stages"]
    flip(project.layout.flow / f"{TRAILER}.flow")
    repair(project)
    after = yaml.safe_load((root / "dvc.lock").read_text())["stages"]
    assert list(after) == list(before)
    assert [name for name in before if after[name] != before[name]] == ["flow"]
    assert "outs" not in after["flow"]
    gone = runs - set((root / ".dvc/cache/runs").glob("*/*/*"))
    assert len(gone) == 1
    assert not next(iter(gone)).parent.exists()


@pytest.mark.slow
def test_dvc_repro_restores_it_and_the_lock_is_as_before(
    project: Project, flip: Flip, outputs: Outputs
) -> None:
    root = project.layout.root
    expected, lock = outputs(root), (root / "dvc.lock").read_bytes()
    flip(project.layout.flow / f"{TRAILER}.flow")
    flip(project.layout.clips / CLIP_ROWS)
    repair(project)
    told = simulated.dvc(root, "repro", "flow")
    assert "scenes: 0 computed, 5 reused" in told
    assert "flow: 1 computed, 4 reused" in told
    assert outputs(root).keys() <= expected.keys()
    for name in ("data/flow", "data/clips"):
        made = {path: data for path, data in outputs(root).items() if path.startswith(name)}
        assert made == {path: data for path, data in expected.items() if path.startswith(name)}
    simulated.dvc(root, "repro")
    assert outputs(root) == expected
    assert (root / "dvc.lock").read_bytes() == lock
