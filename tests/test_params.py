"""params.yaml as people write it: what cannot be meant is refused with its line."""

import re
from pathlib import Path

import pytest

from mmx.params import ParamsError
from mmx.paramsfile import load_params
from mmx.pipeline.registry import step_sections
from mmx.project import open_project

TOP = Path(__file__).parents[1]
TEXT = (TOP / "params.yaml").read_text(encoding="utf-8")
INFINITE = "it should be a finite number"


def line_of(key: str) -> int:
    """Return the line in which params.yaml first has a leaf key, or one of a section, `a.b`."""
    section, _, leaf = key.rpartition(".")
    lines = TEXT.splitlines()
    starts = (n for n, line in enumerate(lines) if not section or line.startswith(f"{section}:"))
    start = next(starts)
    pattern = re.compile(rf"\s*{leaf}:")
    return next(n for n, line in enumerate(lines, 1) if n > start and pattern.match(line))


def changed(key: str, value: str) -> str:
    """Return params.yaml with another value of a key."""
    number = line_of(key)
    lines = TEXT.splitlines()
    lines[number - 1] = f"{lines[number - 1].partition(':')[0]}: {value}"
    return "\n".join(lines) + "\n"


def refusal(tmp_path: Path, content: str | bytes) -> str:
    """Return what is said of params.yaml with this content, without the folder."""
    encoded = content.encode() if isinstance(content, str) else content
    (tmp_path / "params.yaml").write_bytes(encoded)
    with pytest.raises(ParamsError) as caught:
        open_project(tmp_path)
    return str(caught.value).removeprefix(f"{tmp_path}/")


@pytest.mark.parametrize(
    "key",
    [
        "collection.max_seconds",
        "scenes.threshold",
        "flow.rate",
        "flow.bound",
        "flow.tau",
        "flow.lambda",
        "flow.theta",
        "flow.scale_step",
        "flow.epsilon",
        "flow.gamma",
        "split.train",
        "train.lr",
        "train.positive_cap",
        "train.clip_dropout",
        "train.feature_noise",
        "finetune.lr",
        "finetune.temperature",
        "evaluate.threshold",
        "evaluate.perplexity",
        "run.max_failed",
        "run.ask_above",
    ],
)
@pytest.mark.parametrize("value", [".inf", "-.inf", ".nan"])
def test_infinity_is_refused_with_its_line(tmp_path: Path, key: str, value: str) -> None:
    said = refusal(tmp_path, changed(key, value))
    assert f"line {line_of(key)}: {key}: {INFINITE}" in said


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("split.seed", "-1", "greater than or equal to 0"),
        ("train.seed", "100000000000000000000000", "less than 4294967296"),
        ("finetune.seed", "yes", "it should be a number, not yes or no"),
        ("evaluate.seed", "4294967296", "less than 4294967296"),
        *(
            (key, "1000000000", "less than or equal to")
            for key in (
                "collection.max_labels",
                "collection.max_pixels",
                "scenes.min_scene_len",
                "audio.rate",
                "flow.pairs_per_clip",
                "flow.short_side",
                "flow.scales",
                "flow.warps",
                "flow.inner_iterations",
                "flow.outer_iterations",
                "embed.frames_per_clip",
                "embed.batch",
                "split.min_clips",
                "model.dim",
                "model.clip",
                "model.slots",
                "model.bottleneck",
                "model.classifier",
                "model.projection",
                "train.epochs",
                "train.batch",
                "train.threads",
                "finetune.epochs",
                "finetune.constant_epochs",
                "evaluate.neighbours",
                "evaluate.pictured",
                "evaluate.key_frames",
                "evaluate.frame_width",
                "ablate.seeds",
                "run.workers",
            )
        ),
        ("run.device", "../gpu", "it is not a plain name"),
        ("profile", "huge", "it should be 'lite' or 'paper', not 'huge'"),
        ("split.train", "0.7", ""),
    ],
)
def test_what_no_machine_has_is_refused_with_its_line(
    tmp_path: Path, key: str, value: str, reason: str
) -> None:
    said = refusal(tmp_path, changed(key, value))
    assert said.startswith("params.yaml: line ") and "; " not in said
    named = "split" if key == "split.train" else key
    line = TEXT.splitlines().index("split:") + 1 if named == "split" else line_of(key)
    assert said.startswith(f"params.yaml: line {line}: {named}") and reason in said


@pytest.mark.parametrize(
    ("genres", "reason"),
    [
        ("[]", "there are 0 genres, not between 1 and 1000"),
        ("[Drama, War, Drama]", "the genre 'Drama' is there twice"),
        ("['Com\u00e9die', 'Come\u0301die']", "the genre 'Com\u00e9die' is there twice"),
        ("[Drama|War]", "the genre 'Drama|War' is not one to 64 characters on one line, without |"),
        ("[' Drama']", "the genre ' Drama' is not one"),
        ("['']", "the genre '' is not one"),
        ('["a\\tb"]', "is not one to 64 characters"),
        (f"[{'x' * 65}]", "is not one to 64 characters"),
        ("[1]", "it should be a valid string"),
    ],
)
def test_a_vocabulary_that_is_none_is_refused(tmp_path: Path, genres: str, reason: str) -> None:
    text = re.sub(r"  genres:.*?(?=  max_labels)", f"  genres: {genres}\n", TEXT, flags=re.DOTALL)
    said = refusal(tmp_path, text)
    assert said.startswith(f"params.yaml: line {line_of('collection.genres')}: collection.genres")
    assert reason in said


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (
            "    lite_scene: ",
            "    lite/scene: ",
            "embed.experts.lite/scene: it is not a plain name",
        ),
        ("    lite_scene: ", "    ../scene: ", "embed.experts.../scene: it is not a plain name"),
        ("    - naive", "    - a/b", "ablate.variants.10: it is not a plain name"),
        ("scene: [lite_scene]", "scene: [a/b]", "model.modalities.scene.0: it is not a plain name"),
        (
            "scene: [lite_scene]",
            "scene: []",
            "model.modalities.scene: Tuple should have at least 1",
        ),
        ("    scene: [", "    ../x: [", "model.modalities.../x: it is not a plain name"),
    ],
)
def test_a_name_that_is_a_path_is_refused(tmp_path: Path, old: str, new: str, reason: str) -> None:
    assert TEXT.count(old) == 1
    line = TEXT[: TEXT.index(old)].count("\n") + 1
    assert refusal(tmp_path, TEXT.replace(old, new)).startswith(
        f"params.yaml: line {line}: {reason}"
    )


def test_all_faults_are_told_up_to_ten(tmp_path: Path) -> None:
    said = refusal(tmp_path, TEXT + "".join(f"extra{n}: 1\n" for n in range(1000)))
    first = TEXT.count("\n") + 1
    assert said.startswith(f"params.yaml: line {first}: extra0: there is no such parameter; ")
    assert said.endswith("; and 990 more") and len(said) < 1000


def test_a_section_that_is_missing_is_named(tmp_path: Path) -> None:
    said = refusal(tmp_path, TEXT.replace("\nscenes:", "\nscenery:"))
    line = line_of("scenes")
    assert said == (
        "params.yaml: line 1: scenes: it is missing; "
        f"line {line}: scenery: there is no such parameter, did you mean 'scenes'?"
    )


def test_accents_of_genres_are_composed(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(TEXT.replace("- Drama", "- 'Come\u0301die'"), "utf-8")
    assert "Com\u00e9die" in load_params(tmp_path / "params.yaml").collection.genres


def test_the_environment_overrides_how_a_run_is_distributed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MMX_RUN_ENGINE", "ray")
    monkeypatch.setenv("MMX_RUN_ADDRESS", "10.0.0.1:6379")
    monkeypatch.setenv("MMX_RUN_GPUS_PER_WORKER", "0.5")
    monkeypatch.setenv("MMX_RUN_WORKERS", "3")
    run = load_params(TOP / "params.yaml", step_sections()).run
    assert (run.engine, run.address, run.gpus_per_worker) == ("ray", "10.0.0.1:6379", 0.5)
    assert run.workers == 3
    monkeypatch.setenv("MMX_RUN_WORKERS", "many")
    with pytest.raises(ParamsError, match="in the environment: MMX_RUN_WORKERS"):
        load_params(TOP / "params.yaml", step_sections())
