import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from rich.console import Console

from mmx.acquisition.ledger import Attempt, append, ledger_path
from mmx.audit.show import prov, trace_tree
from mmx.audit.trace import TracedItem, TraceError, UnknownInput, Video, all_items, trace
from mmx.engine.canonical import file_digest
from mmx.engine.receipt import Receipt
from mmx.experts.base import ExpertError
from mmx.outputs import read_receipts
from mmx.project import Project, open_project
from mmx.trailers.manifest import COLUMNS, write_records

TRAILER = "t00002"


def made(project: Project, step: str, trailer: str = TRAILER) -> Receipt:
    """The receipt that the output directory has."""
    layout = project.layout
    folders = {"scenes": layout.clips, "flow": layout.flow, "audio": layout.audio}
    return read_receipts(folders.get(step) or layout.embeddings(step.partition("@")[2]))[trailer]


def text(project: Project, **arguments: object) -> str:
    """What a terminal 100 characters wide shows."""
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(trace_tree(trace(project, TRAILER, **arguments)))  # type: ignore[arg-type]
    return console.export_text()


def test_the_chain_leads_to_the_bytes_of_the_video(project: Project) -> None:
    (motion,) = trace(project, TRAILER, clip=3, expert="lite_motion").chains
    flow = motion.inputs["flow"]
    assert isinstance(flow, TracedItem)
    scenes = flow.inputs["scenes"]
    assert isinstance(scenes, TracedItem)
    video = scenes.inputs["video"]
    assert isinstance(video, Video)
    assert video.path == f"videos/{TRAILER}.mp4"
    assert video.sha256 == file_digest(project.layout.data / video.path)
    assert [item.receipt for item in (motion, flow, scenes)] == [
        made(project, step) for step in ("embed@lite_motion", "flow", "scenes")
    ]


def test_it_ends_at_the_address_and_the_day(project: Project) -> None:
    layout = project.layout
    sha256 = file_digest(layout.videos / f"{TRAILER}.mp4")
    assert "from http" not in text(project)
    row = dict.fromkeys(COLUMNS, "") | {"trailer_id": TRAILER, "sha256": sha256}
    write_records(layout.manifest, (), [row | {"url": "http://x.org/manifest"}])
    assert "from http://x.org/manifest\n" in re.sub(" +\n", "\n", text(project))
    line = Attempt(
        date="2026-01-02T03:04:05Z",
        trailer_id=TRAILER,
        outcome="fetched",
        url="http://x.org/a",
        sha256=sha256,
    )
    append(ledger_path(layout.root), line)
    assert "from http://x.org/a on 2026-01-02" in text(project)
    entities = prov(trace(project, TRAILER))["entity"]
    assert entities[f"mmx:video/{sha256}"]["mmx:url"] == "http://x.org/a"


def test_the_row_itself_is_shown(project: Project) -> None:
    rows = trace(project, TRAILER, clip=3, expert="lite_motion").rows
    expected = [
        row
        for path in project.layout.clips.glob("*.parquet")
        for row in pq.read_table(path).to_pylist()
        if (row["trailer_id"], row["clip"]) == (TRAILER, 3)
    ]
    assert [rows["clips"]] == expected
    assert rows["lite_motion"]["samples"] == 3
    assert "embedding" not in rows["lite_motion"]


def test_journal_and_commit_give_time_and_place(project: Project) -> None:
    (chain,) = trace(project, TRAILER, expert="lite_scene").chains
    assert chain.commit is not None
    assert chain.commit.subject == "first run"
    (run,) = chain.runs
    assert run["item"] == TRAILER
    assert run["host"]


def test_every_expert_without_one_being_named(project: Project) -> None:
    steps = [chain.step for chain in trace(project, TRAILER).chains]
    assert steps == [f"embed@{name}" for name in sorted(project.params.embed.experts)]


def test_a_row_made_before_a_parameter_changed_names_its_commit(whole: Path, changed: Path) -> None:
    before = made(open_project(whole), "embed@lite_motion")
    after = made(open_project(changed), "embed@lite_motion")
    assert before.fingerprint != after.fingerprint
    told = trace(
        open_project(changed),
        TRAILER,
        clip=3,
        expert="lite_motion",
        fingerprint=before.fingerprint[:12],
    )
    (chain,) = told.chains
    flow = chain.inputs["flow"]
    assert isinstance(flow, TracedItem)
    assert chain.receipt == before
    assert (chain.commit and chain.commit.subject) == "first run"
    assert flow.changed == {"flow.bound": (20.0, 15.0)}
    assert told.rows["lite_motion"]["fingerprint"] == before.fingerprint


def test_an_item_that_did_not_change_keeps_its_first_commit(changed: Path) -> None:
    (motion,) = trace(open_project(changed), TRAILER, expert="lite_motion").chains
    commits = {item.step: item.commit and item.commit.subject for item in all_items(motion)}
    assert commits == {
        "embed@lite_motion": "second run",
        "flow": "second run",
        "scenes": "first run",
    }


def test_on_another_machine_the_published_store_is_enough(project: Project) -> None:
    expected = trace(project, TRAILER, clip=3, expert="lite_motion")
    layout = project.layout
    for folder in (layout.clips, layout.flow, layout.audio, layout.data / "embeddings"):
        shutil.rmtree(folder)
    for name in (".mmx", ".dvc", ".git"):
        shutil.rmtree(layout.root / name)
    told = trace(project, TRAILER, clip=3, expert="lite_motion")
    assert told.rows == expected.rows
    pairs = zip(all_items(told.chains[0]), all_items(expected.chains[0]), strict=True)
    assert all(left.receipt == right.receipt for left, right in pairs)
    assert told.chains[0].runs == ()


def test_an_input_without_a_receipt_is_shown_as_unknown(project: Project) -> None:
    for folder in (project.layout.flow, project.layout.features):
        shutil.rmtree(folder)
    shutil.rmtree(project.layout.root / ".dvc")
    (motion,) = trace(project, TRAILER, expert="lite_motion").chains
    digest = motion.receipt.ingredients.inputs["flow"]
    assert motion.inputs["flow"] == UnknownInput("flow", digest)
    assert "no receipt of it was found" in text(project, expert="lite_motion")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"trailer": "nobody"}, "nobody has no rows"),
        ({"trailer": TRAILER, "clip": 999}, f"{TRAILER} has no clip 999"),
        ({"trailer": TRAILER, "expert": "smell"}, "there is no expert 'smell'"),
        ({"trailer": TRAILER, "fingerprint": "beef"}, "now or in any commit"),
    ],
)
def test_what_is_not_there(project: Project, arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises((TraceError, ExpertError), match=sentence):
        trace(project, **arguments)


def test_the_tree_has_one_line_per_item(project: Project) -> None:
    shown = text(project, clip=3, expert="lite_motion")
    lines = [line.strip("│├└─ ") for line in shown.splitlines()]
    assert lines[0] == f"{TRAILER}, clip 3"
    assert lines[1].startswith("frames ")
    assert any(line.startswith("embed@lite_motion ") for line in lines)
    assert sum(line.startswith("scenes ") for line in lines) == 2
    assert sum(line == "as above" for line in lines) == 1
    assert len(lines) < 45


def test_prov_relates_row_items_and_video(project: Project) -> None:
    document = json.loads(json.dumps(prov(trace(project, TRAILER, clip=3, expert="lite_motion"))))
    motion, flow = made(project, "embed@lite_motion"), made(project, "flow")
    row = f"mmx:row/{TRAILER}/3/lite_motion"
    generated = {
        (relation["prov:entity"], relation["prov:activity"])
        for relation in document["wasGeneratedBy"].values()
    }
    assert (row, f"mmx:item/{motion.fingerprint}") in generated
    assert (f"mmx:result/{flow.output_digest}", f"mmx:item/{flow.fingerprint}") in generated
    used = {
        (relation["prov:activity"], relation["prov:entity"])
        for relation in document["used"].values()
    }
    assert (f"mmx:item/{motion.fingerprint}", f"mmx:result/{flow.output_digest}") in used
    video = flow.ingredients.inputs["video"]
    assert (f"mmx:item/{flow.fingerprint}", f"mmx:video/{video}") in used


def test_prov_names_only_what_it_declares(project: Project) -> None:
    document = prov(trace(project, TRAILER, clip=3))
    known = {*document["entity"], *document["activity"], *document["agent"]}
    for kind in ("wasGeneratedBy", "used", "wasAssociatedWith", "wasDerivedFrom"):
        assert document[kind]
        for relation in document[kind].values():
            assert set(relation.values()) <= known
