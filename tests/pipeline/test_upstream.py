"""What a step's function is given of one trailer."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mmx.engine.files import InputChangedError
from mmx.engine.receipt import Ingredients, OutputFile, Receipt
from mmx.pipeline.upstream import Upstream
from mmx.project import open_project
from mmx.steps.embed import embed_step, source_of

TRAILER, VIDEO = "0001-x", "data/videos/x.mp4"
OUTPUT = OutputFile("audio.wav", "00" * 32, 3)
SOURCE = {"sha256": "11" * 32, "video": "videos/x.mp4"}


@pytest.fixture
def given(tmp_path: Path) -> Callable[..., Upstream]:
    """What the steps before left: one trailer's receipts with these outputs."""
    template = Path(__file__).parents[2] / "params.yaml"
    (tmp_path / "params.yaml").write_bytes(template.read_bytes())

    def upstream(*outputs: OutputFile) -> Upstream:
        receipt = Receipt(Ingredients("audio", 1, {}, {}, "", {}), outputs)
        receipts = {step: {TRAILER: receipt} for step in ("audio", "flow")}
        made = Upstream(open_project(tmp_path), _receipts=receipts)
        vars(made)["sources"] = {TRAILER: SOURCE}
        return made

    return upstream


@pytest.mark.parametrize(
    ("expert", "name", "sha256"),
    [
        ("lite_audio", f"data/audio/{TRAILER}.wav", OUTPUT.sha256),
        ("lite_motion", f"data/flow/{TRAILER}.flow", OUTPUT.sha256),
        ("lite_scene", VIDEO, SOURCE["sha256"]),
    ],
)
def test_an_expert_reads_its_file_which_is_held_against_its_digest(
    given: Callable[..., Upstream], expert: str, name: str, sha256: str
) -> None:
    upstream = given(OUTPUT)
    path = upstream.project.layout.root / name
    path.parent.mkdir(parents=True)
    path.touch()
    found = source_of(expert, upstream, TRAILER)
    assert found is not None and (found.path, found.sha256) == (path, sha256)
    assert list(embed_step(expert).reads(upstream, TRAILER)) == [found]


@pytest.mark.parametrize(("expert", "name"), [("lite_audio", "audio"), ("lite_motion", "flow")])
def test_a_lost_file_is_not_taken_for_a_silent_trailer(
    given: Callable[..., Upstream], expert: str, name: str
) -> None:
    with pytest.raises(InputChangedError, match=f"data/{name}/{TRAILER}.* is missing"):
        source_of(expert, given(OUTPUT), TRAILER)


def test_a_trailer_without_sound_has_nothing_to_read(given: Callable[..., Upstream]) -> None:
    upstream = given()
    assert source_of("lite_audio", upstream, TRAILER) is None
    assert list(embed_step("lite_audio").reads(upstream, TRAILER)) == []
