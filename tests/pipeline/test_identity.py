"""What an edit costs: the items that `mmx plan` would compute after it."""

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.pipeline.conftest import ITEMS

if TYPE_CHECKING:
    from tests.pipeline.conftest import Project

pytestmark = pytest.mark.slow

EVERY = {
    "scenes", "audio", "flow", "stills",
    "embed@lite_appearance", "embed@lite_audio", "embed@lite_motion", "embed@lite_scene",
}  # fmt: skip


def costs(project: "Project") -> dict[str, int]:
    """Items to compute by step; steps without any are left out."""
    return {
        step["step"]: step["compute"] for step in project.json("mmx", "plan") if step["compute"]
    }


def all_of(*steps: str) -> dict[str, int]:
    return dict.fromkeys(steps, ITEMS)


def edit(project: "Project", name: str, old: str, new: str) -> None:
    """Replace a piece of a source file, which must be there."""
    path = project.root / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_words_cost_nothing(project: "Project") -> None:
    edit(project, "mmx/media/source.py", "the file is empty", "there is nothing in the file")
    edit(project, "mmx/scenes/shots.py", '"""Shots:', '"""Cuts:')
    edit(project, "mmx/flow/item.py", "def centre(flow: np.ndarray,", "def centre(flow,")
    edit(project, "mmx/experts/lite_scene.py", 'summary="', 'summary="In short: ')
    path = project.root / "mmx/flow/sampling.py"
    path.write_text(path.read_text() + "\n# A remark.\n")
    assert costs(project) == {}


def test_a_moved_module_costs_nothing(project: "Project") -> None:
    package = project.root / "mmx"
    (package / "media/upright.py").rename(package / "media/turned.py")
    for path in package.rglob("*.py"):
        text = path.read_text()
        if "mmx.media.upright" in text:
            path.write_text(text.replace("mmx.media.upright", "mmx.media.turned"))
    assert costs(project) == {}


def test_a_parameter_that_is_added_costs_nothing_until_it_says_something_else(
    project: "Project",
) -> None:
    edit(
        project,
        "mmx/params.py",
        '    keep: Literal["full", "crop224"] = "full"\n',
        '    keep: Literal["full", "crop224"] = "full"\n'
        '    algorithm: Annotated[str, Birth("tvl1")] = "tvl1"\n',
    )
    assert costs(project) == {}
    project.edit({"flow.algorithm": "tvl1"})
    assert costs(project) == {}
    project.edit({"flow.algorithm": "farneback"})
    assert costs(project) == all_of("flow", "stills", "embed@lite_motion")


def test_two_ways_to_say_the_same_parameters_cost_nothing(project: "Project") -> None:
    params = yaml.safe_load((project.root / "params.yaml").read_text())
    own = {"reads": "clips", "modality": "scene", "batch": params["embed"]["batch"]}
    project.edit({"embed.experts.lite_scene": own})
    assert costs(project) == {}
    project.edit({"embed.experts.lite_scene": {**own, "batch": 3}})
    assert costs(project) == all_of("embed@lite_scene")


def test_other_arithmetic_costs_all_and_is_not_adopted(project: "Project") -> None:
    edit(project, "mmx/flow/quantise.py", "255", "254")
    assert costs(project) == all_of("flow", "stills", "embed@lite_motion")
    said = project.run("mmx", "adopt", "flow", "--sample", "2", fails=True)
    assert "differs from its receipt when recomputed" in said
    # The sample stays in the store, for the run that computes all.
    assert costs(project)["flow"] == ITEMS - 2


def test_a_refactoring_is_stopped_before_it_costs_anything_and_adopted(project: "Project") -> None:
    project.edit({"run.ask_above": 0})
    project.commit()
    edit(project, "mmx/flow/item.py", "short_side_size", "size_by_short_side")
    project.run("git", "commit", "--quiet", "--all", "--message", "Clearer name")
    before = project.computed()
    done = project.complete("dvc", "repro", "flow")
    said = done.stdout + done.stderr
    assert done.returncode != 0 and "Traceback" not in said
    assert f"flow: {ITEMS} finished items would be computed again" in said
    assert re.search(r"mmx/flow/item\.py \([0-9a-f]+ [-0-9]+ Clearer name\)", said)
    assert "`mmx adopt flow`" in said and "`mmx renew flow`" in said
    assert project.computed() == before

    adopted = project.json("mmx", "adopt", "flow", "--sample", "2")
    assert adopted == [{"step": "flow", "sampled": 2, "carried": ITEMS - 2}]
    assert costs(project) == {}
    assert project.repro("flow") == Counter()
    project.run("dvc", "repro")
    trailers = sorted(path.stem for path in (project.root / "data/flow").glob("*.flow"))
    said = "".join(project.run("mmx", "trace", name) for name in trailers)
    assert f"2 of {ITEMS} recomputed, all bit-equal" in " ".join(said.split())
    project.run("mmx", "verify")


def test_renewing_computes_what_the_gate_had_stopped(project: "Project") -> None:
    project.edit({"run.ask_above": 0})
    edit(project, "mmx/flow/item.py", "short_side_size", "size_by_short_side")
    project.run("dvc", "repro", "flow", fails=True)
    project.run("mmx", "renew", "flow")
    assert project.repro("flow") == Counter(flow=ITEMS)


def test_another_python_is_adopted(project: "Project") -> None:
    edit(project, "mmx/tools.py", 'f"{sys.version_info.major}.{sys.version_info.minor}"', '"3.99"')
    path = project.root / "mmx/tools.yaml"
    path.write_text(re.sub(r"python: .*", "python: '3.99'", path.read_text()))
    assert costs(project) == all_of(*EVERY)
    adopted = project.json("mmx", "adopt", "--sample", "1")
    assert {each["step"] for each in adopted} == EVERY
    assert costs(project) == {}


@pytest.fixture
def remux(project: "Project") -> Callable[..., str]:
    """Writes a trailer's video anew by the ffmpeg program and accepts it; returns the trailer."""
    from imageio_ffmpeg import get_ffmpeg_exe

    def write(*options: str) -> str:
        rows = (project.root / "data/trailers.csv").read_text().splitlines()[1:]
        name = rows[0].split(",")[0]
        [path] = [p for p in (project.root / "data/videos").rglob("*") if p.stem in rows[0]]
        source = Path(path).resolve()
        path.unlink()
        command = [get_ffmpeg_exe(), "-v", "error", "-i", str(source), *options, str(path)]
        project.run(*command)
        project.run("mmx", "accept", name)
        return name

    return write


@pytest.mark.parametrize(
    "options",
    [
        ("-c", "copy", "-metadata", "title=Another title"),
        ("-c", "copy", "-movflags", "+faststart"),
    ],
    ids=["title", "faststart"],
)
def test_another_container_of_the_same_streams_costs_nothing(
    project: "Project", remux: Callable[..., str], options: tuple[str, str, str, str]
) -> None:
    remux(*options)
    assert costs(project) == {}


def test_new_sound_under_the_same_picture_costs_the_sound(
    project: "Project", remux: Callable[..., str]
) -> None:
    remux("-c:v", "copy", "-af", "volume=0.5")
    assert costs(project) == {"audio": 1, "embed@lite_audio": 1, "stills": 1}
