"""What a step's function is given of one trailer."""

from pathlib import Path

import pytest

from mmx.engine.receipt import Ingredients, OutputFile, Receipt
from mmx.engine.run import StepFailedError
from mmx.experts.registry import get_expert
from mmx.pipeline import Upstream, source_of
from mmx.project import open_project

TRAILER, VIDEO = "0001-x", "data/videos/x.mp4"
OUTPUT = OutputFile("audio.wav", "00" * 32, 3)


@pytest.fixture
def given(tmp_path: Path):
    """What the steps before left: one trailer's receipts with these outputs."""
    template = Path(__file__).parents[1] / "params.yaml"
    (tmp_path / "params.yaml").write_bytes(template.read_bytes())

    def upstream(*outputs: OutputFile) -> Upstream:
        receipt = Receipt(Ingredients("audio", 1, {}, {}, "", {}), outputs)
        made = {TRAILER: receipt}
        return Upstream(open_project(tmp_path), {"audio": made, "flow": made})

    return upstream


def source(upstream: Upstream, expert: str) -> Path | None:
    video = upstream.project.layout.root / VIDEO
    return source_of(get_expert(expert), TRAILER, video, upstream)


@pytest.mark.parametrize(
    ("expert", "name"),
    [
        ("lite_audio", f"data/audio/{TRAILER}.wav"),
        ("lite_motion", f"data/flow/{TRAILER}.flow"),
        ("lite_scene", VIDEO),
    ],
)
def test_an_expert_reads_its_file_and_a_lost_one_is_no_silent_trailer(given, expert, name):
    upstream = given(OUTPUT)
    with pytest.raises(StepFailedError, match=f"{name} is missing"):
        source(upstream, expert)
    path = upstream.project.layout.root / name
    path.parent.mkdir(parents=True)
    path.touch()
    assert source(upstream, expert) == path


def test_a_trailer_without_sound_has_nothing_to_read(given):
    assert source(given(), "lite_audio") is None
