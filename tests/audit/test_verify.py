import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks import simulated
from mmx.audit.artefacts import how_to_restore
from mmx.audit.verify import Kind, Verification, how_to_get, verify
from mmx.dvc_state.history import History
from mmx.engine.parquet import write_parquet
from mmx.engine.receipt import Receipt
from mmx.engine.run import Outcome
from mmx.experts.base import Checkpoint, Packaged
from mmx.experts.registry import get_expert
from mmx.outputs import ALL, TableOutput, receipt_files, receipts_name
from mmx.pipeline.ingredients import ingredients_of
from mmx.pipeline.run import cached_output, lay_out
from mmx.project import Project, open_project
from mmx.steps import scenes, train
from mmx.steps.embed import embed_step

TRAILER = "t00002"
TRAILER_RECEIPTS = receipts_name(TRAILER)
CLIP_ROWS = scenes.OUTPUT.shard_path(Path(), TRAILER).name
EXPERT = embed_step("lite_scene").output
assert isinstance(EXPERT, TableOutput)
EXPERT_ROWS = EXPERT.shard_path(Path(), TRAILER).name
MODALITIES = {"motion": ("lite_motion",)}
Flip = Callable[[Path], None]
ReplaceFile = Callable[[Path, bytes], None]


def found(verification: Verification) -> list[tuple[str, str]]:
    """Kind and name of every finding."""
    return [(finding.kind.value, finding.name) for finding in verification.findings]


def named(project: Project, kind: Kind, name: str, *, quick: bool = False) -> bool:
    """Say whether exactly one artefact is found, of this kind and name."""
    return found(verify(project, quick=quick)) == [(kind.value, name)]


def first(folder: Path, pattern: str) -> Path:
    """The first file of a pattern."""
    return sorted(folder.glob(pattern))[0]


def test_an_unchanged_project_has_no_findings(project: Project) -> None:
    verification = verify(project)
    assert verification.ok
    assert verification.checked["rows"] == 5 * sum(
        pq.read_metadata(path).num_rows for path in project.layout.clips.glob("*.parquet")
    )
    assert verification.checked["references"] > 0
    assert verify(project, quick=True).ok


def test_progress_ends_at_all_bytes(project: Project) -> None:
    told: list[tuple[int, int]] = []
    verify(project, tell=lambda done, total: told.append((done, total)))
    assert told[-1][0] == told[-1][1] == verify(project).checked["bytes"]
    assert told == sorted(told)


@pytest.mark.parametrize(
    "name",
    [
        f"data/videos/{TRAILER}.mp4",
        f"data/audio/{TRAILER}.wav",
        f"data/flow/{TRAILER}.flow",
        f"data/clips/{CLIP_ROWS}",
        f"data/embeddings/lite_motion/{EXPERT_ROWS}",
        f"data/flow/{TRAILER_RECEIPTS}",
        "data/features/README.md",
        "data/features/receipts.parquet",
        "data/sources.parquet",
        "data/trailers.parquet",
        "data/splits.parquet",
    ],
)
def test_a_flipped_bit_is_found_and_named_once(project: Project, flip: Flip, name: str) -> None:
    flip(project.layout.root / name)
    verification = verify(project)
    assert found(verification) == [("changed", name)]
    source = name.startswith("data/videos") or name == "data/splits.parquet"
    assert verification.findings[0].source == source


def test_a_flipped_bit_in_any_listing_of_dvc(project: Project, flip: Flip) -> None:
    path = first(project.layout.root / ".dvc/cache/files/md5", "*/*.dir")
    flip(path)
    assert named(project, Kind.CHANGED, path.relative_to(project.layout.root).as_posix())


@pytest.mark.parametrize("pattern", ["objects/*/*", "receipts/scenes/*/*.json"])
def test_a_flipped_bit_in_the_store(project: Project, flip: Flip, pattern: str) -> None:
    path = next(p for p in sorted(project.store.root.glob(pattern)) if p.stat().st_nlink == 1)
    flip(path)
    assert named(project, Kind.CHANGED, path.relative_to(project.layout.root).as_posix())


def test_a_damaged_listing_of_dvc_is_the_only_finding(
    project: Project, replace_file: ReplaceFile
) -> None:
    cache = project.layout.root / ".dvc/cache/files/md5"
    path = next(p for p in sorted(cache.glob("*/*.dir")) if b"t00001.wav" in p.read_bytes())
    entries = json.loads(path.read_bytes())
    entries[-1]["md5"] = "0" * 32
    replace_file(path, json.dumps(entries).encode())
    name = path.relative_to(project.layout.root).as_posix()
    assert named(project, Kind.CHANGED, name)


def test_a_damaged_shard_is_found_though_its_listing_is_damaged_too(
    project: Project, flip: Flip, replace_file: ReplaceFile
) -> None:
    """Damaged in bytes that hold no row; damaged rows would be found by their receipts."""
    shard = project.layout.clips / CLIP_ROWS
    content = shard.read_bytes()
    writer = b"parquet-cpp-arrow version"
    assert writer in content
    replace_file(shard, content.replace(writer, writer.upper()))
    version = History(project.layout.root).now
    assert version is not None
    listing = version.cache.path(version.outs["data/clips"])
    flip(listing)
    assert found(verify(project)) == [
        ("changed", listing.relative_to(project.layout.root).as_posix()),
        ("changed", f"data/clips/{shard.name}"),
    ]


def test_a_damaged_inode_is_named_with_all_its_links(project: Project, flip: Flip) -> None:
    flip(project.layout.flow / f"{TRAILER}.flow")
    (finding,) = verify(project).findings
    store, cache = finding.links
    assert store.startswith(".mmx/objects/")
    assert cache.startswith(".dvc/cache/files/md5/")
    assert all(project.layout.root.joinpath(name).exists() for name in finding.links)


def test_a_shard_shared_with_the_feature_store_is_one_artefact(
    project: Project, flip: Flip
) -> None:
    flip(project.layout.clips / CLIP_ROWS)
    (finding,) = verify(project).findings
    assert finding.name == f"data/clips/{CLIP_ROWS}"
    assert f"data/features/clips/{CLIP_ROWS}" in finding.links


def test_for_a_damaged_copy_the_original_is_not_reported(
    project: Project, replace_file: ReplaceFile
) -> None:
    replace_file(project.layout.flow / f"{TRAILER}.flow", b"something else")
    (finding,) = verify(project).findings
    assert (finding.name, finding.links) == (f"data/flow/{TRAILER}.flow", ())


def test_the_facts_of_a_receipt_are_covered(project: Project) -> None:
    path = first(project.store.root, "receipts/flow/*/*.json")
    data = json.loads(path.read_bytes())
    data["facts"]["pairs"] += 1
    text = json.dumps(data, sort_keys=True, separators=(",", ":"))
    path.write_text(text)
    assert named(project, Kind.CHANGED, path.relative_to(project.layout.root).as_posix())


def test_for_damaged_sources_no_video_is_reported(
    project: Project, replace_file: ReplaceFile
) -> None:
    table = pq.read_table(project.layout.sources)
    digests = pa.array(["0" * 64] * len(table))
    changed = table.set_column(table.column_names.index("sha256"), "sha256", digests)
    path = project.layout.root / "changed.parquet"
    write_parquet(changed, path)
    replace_file(project.layout.sources, path.read_bytes())
    assert named(project, Kind.CHANGED, "data/sources.parquet")


def test_for_changed_facts_in_an_output_directory_the_store_is_not_reported(
    project: Project, replace_file: ReplaceFile
) -> None:
    path = project.layout.flow / TRAILER_RECEIPTS
    content = path.read_bytes().replace(b'"pairs":1', b'"pairs":2')
    replace_file(path, content)
    assert named(project, Kind.CHANGED, f"data/flow/{TRAILER_RECEIPTS}")


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize(
    "name",
    [
        f"data/videos/{TRAILER}.mp4",
        f"data/audio/{TRAILER}.wav",
        f"data/clips/{CLIP_ROWS}",
        "data/trailers.parquet",
    ],
)
def test_a_missing_file_is_named_once(project: Project, name: str, quick: bool) -> None:
    (project.layout.root / name).unlink()
    assert named(project, Kind.MISSING, name, quick=quick)


def test_a_missing_directory_is_one_finding(project: Project) -> None:
    shutil.rmtree(project.layout.flow)
    findings = verify(project, quick=True).findings
    missing = [finding.name for finding in findings if finding.kind == Kind.MISSING]
    assert missing == ["data/flow"]


def test_a_missing_object_of_the_store(project: Project) -> None:
    path = next(p for p in sorted(project.store.root.glob("objects/*/*")) if p.stat().st_nlink == 1)
    path.unlink()
    assert named(project, Kind.MISSING, path.relative_to(project.layout.root).as_posix())


def test_a_shorter_file_is_found_without_reading(project: Project) -> None:
    path = project.layout.flow / f"{TRAILER}.flow"
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1])
    assert named(project, Kind.CHANGED, f"data/flow/{TRAILER}.flow", quick=True)


def test_quick_does_not_find_a_flipped_bit(project: Project, flip: Flip) -> None:
    flip(project.layout.flow / f"{TRAILER}.flow")
    assert verify(project, quick=True).ok
    assert not verify(project).ok


def test_a_file_without_a_receipt(project: Project) -> None:
    (project.layout.flow / "stranger.flow").write_bytes(b"?")
    assert named(project, Kind.WITHOUT_RECEIPT, "data/flow/stranger.flow")


def test_rows_without_a_receipt(project: Project) -> None:
    path = project.layout.clips / CLIP_ROWS
    table = pq.read_table(path)
    names = pa.array(["stranger"] * len(table))
    strangers = table.set_column(0, "trailer_id", names)
    path.unlink()
    write_parquet(pa.concat_tables([table, strangers]), path)
    shutil.rmtree(project.layout.root / ".dvc")
    shutil.rmtree(project.layout.features)
    assert ("without receipt", f"data/clips/{CLIP_ROWS}") in found(verify(project))


def test_rows_are_compared_where_dvc_is_not(project: Project, replace_file: ReplaceFile) -> None:
    shutil.rmtree(project.layout.root / ".dvc")
    shutil.rmtree(project.layout.features)
    path = project.layout.embeddings("lite_scene") / EXPERT_ROWS
    rows = pq.read_table(path).to_pylist()
    rows[0]["samples"] += 1
    schema = pq.read_schema(path)
    path.unlink()
    write_parquet(pa.Table.from_pylist(rows, schema), path)
    name = f"data/embeddings/lite_scene/{EXPERT_ROWS}"
    assert ("changed", name) in found(verify(project))


def test_without_dvc_the_tables_without_receipts_are_unverifiable(project: Project) -> None:
    shutil.rmtree(project.layout.root / ".dvc")
    tables = ["data/sources.parquet", "data/splits.parquet", "data/trailers.parquet"]
    assert found(verify(project)) == [("unverifiable", name) for name in tables]


def test_without_a_store_everything_else_is_verified(project: Project, flip: Flip) -> None:
    shutil.rmtree(project.store.root)
    assert verify(project).ok
    flip(project.layout.audio / f"{TRAILER}.wav")
    assert named(project, Kind.CHANGED, f"data/audio/{TRAILER}.wav")


def test_an_item_of_another_input_is_unverifiable(project: Project) -> None:
    rows = pq.read_table(project.layout.sources).to_pylist()
    for row in rows:
        if row["trailer_id"] == TRAILER:
            row |= dict.fromkeys(("sha256", "video_digest", "sound_digest"), "0" * 64)
    project.layout.sources.unlink()
    write_parquet(pa.Table.from_pylist(rows), project.layout.sources)
    simulated.dvc(project.layout.root, "commit", "--force", "--quiet", "ingest")
    names = [name for kind, name in found(verify(project, quick=True)) if kind == "unverifiable"]
    made_of_video = [
        "data/audio",
        "data/clips",
        "data/embeddings/lite_appearance",
        "data/embeddings/lite_scene",
        "data/flow",
        "reports/stills",
    ]
    assert names == [f"{out}/{TRAILER_RECEIPTS}#{TRAILER}" for out in made_of_video]


def test_a_video_is_checked_though_the_table_that_names_it_is_damaged_too(
    project: Project, flip: Callable[[Path], None]
) -> None:
    simulated.write_manifest(project.layout.root)
    flip(project.layout.sources)
    flip(project.layout.videos / f"{TRAILER}.mp4")
    found = {finding.name for finding in verify(project).findings if finding.kind == Kind.CHANGED}
    assert {"data/sources.parquet", f"data/videos/{TRAILER}.mp4"} <= found


@pytest.fixture
def model(project: Project) -> Path:
    """A coarse model in the project, made of its features: two files, one of them in a folder."""
    step = train.STEP
    params = project.params.model_copy(
        update={"model": project.params.model.model_copy(update={"modalities": MODALITIES})}
    )
    project = replace(project, params=params)
    made_of = ingredients_of(step, project)(step.inputs(project))
    with project.store.workspace() as out:
        (out / "parts").mkdir()
        (out / "model.safetensors").write_bytes(b"weights" * 99)
        (out / "parts/history.json").write_bytes(b"[]")
        receipt = Receipt(made_of, project.store.put_folder(out))
    project.store.commit(receipt)
    lay_out(step, project, Outcome({"all": receipt}), cached_output(step, project))
    return project.layout.coarse


def test_a_model_has_no_findings(project: Project, model: Path) -> None:
    before = verify(project)
    assert before.ok
    assert receipt_files(model)


@pytest.mark.parametrize("name", ["model.safetensors", "parts/history.json"])
def test_a_flipped_bit_in_a_model(project: Project, model: Path, flip: Flip, name: str) -> None:
    flip(model / name)
    (finding,) = verify(project).findings
    assert (finding.kind, finding.name) == (Kind.CHANGED, f"models/coarse/{name}")
    assert len(finding.links) == 1


def test_for_a_damaged_receipt_of_a_model_no_file_of_it_is_reported(
    project: Project, model: Path
) -> None:
    (path,) = receipt_files(model)
    path.write_bytes(path.read_bytes().replace(b'"train"', b'"trail"'))
    assert named(project, Kind.CHANGED, f"models/coarse/{receipts_name(ALL)}")


def test_a_model_of_other_features_is_unverifiable(project: Project, model: Path) -> None:
    rows = pq.read_table(project.layout.splits).to_pylist()
    rows[0]["split"] = "test"
    project.layout.splits.unlink()
    write_parquet(pa.Table.from_pylist(rows), project.layout.splits)
    names = [name for kind, name in found(verify(project, quick=True)) if kind == "unverifiable"]
    assert names == [f"models/coarse/{receipts_name(ALL)}#all"]


def test_for_damaged_labels_that_can_be_read_no_model_is_reported(
    project: Project, model: Path, replace_file: ReplaceFile
) -> None:
    labels = pq.read_table(project.layout.trailers)
    genres = [["War"], *labels["genres"].to_pylist()[1:]]
    others = labels.set_column(labels.schema.get_field_index("genres"), "genres", [genres])
    buffer = pa.BufferOutputStream()
    pq.write_table(others, buffer)
    replace_file(project.layout.trailers, buffer.getvalue().to_pybytes())
    assert found(verify(project)) == [("changed", "data/trailers.parquet")]


def test_damaged_weights_are_reported_as_a_source(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "carrier"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "net.bin").write_bytes(b"weights")
    monkeypatch.syspath_prepend(tmp_path)
    digest = hashlib.sha256(b"weights").hexdigest()
    weights = Packaged("net.bin", "carrier", "net.bin", digest, "MIT", "nothing")
    expert = replace(get_expert("lite_appearance"), weights=(weights,))
    monkeypatch.setattr("mmx.audit.verify.get_expert", lambda name: expert)
    assert verify(project).ok
    (package / "net.bin").write_bytes(b"weighty")
    damaged = verify(project).findings
    assert [(finding.kind, finding.restore) for finding in damaged] == [
        (Kind.CHANGED, "install the package carrier again")
    ]
    (package / "net.bin").unlink()
    assert [finding.kind for finding in verify(project, quick=True).findings] == [Kind.MISSING]


def test_findings_come_sorted(project: Project, flip: Flip) -> None:
    (project.layout.audio / f"{TRAILER}.wav").unlink()
    flip(project.layout.flow / f"{TRAILER}.flow")
    flip(project.layout.flow / "t00000.flow")
    kinds = [finding.kind for finding in verify(open_project(project.layout.root)).findings]
    assert kinds == [Kind.CHANGED, Kind.CHANGED, Kind.MISSING]


def test_how_to_restore_a_video(tmp_path: Path) -> None:
    video, original = tmp_path / "film.mp4", tmp_path / "elsewhere.mp4"
    assert how_to_restore(video, "") == "put the original back"
    video.symlink_to(original)
    assert how_to_restore(video, "") == f"put the original back at {original}"
    assert how_to_restore(video, "https://example.org/film") == (
        "get it from https://example.org/film"
    )


def test_how_to_restore_weights() -> None:
    [checkpoint] = get_expert("senet154").weights
    assert isinstance(checkpoint, Checkpoint)
    assert f"`mmx weights fetch` gets it from {checkpoint.sources[0].url}" in how_to_get(checkpoint)
