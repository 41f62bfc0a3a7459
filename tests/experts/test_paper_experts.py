"""The declarations of the paper's experts: what they load, and what is done to their input."""

import math
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional
from torchvision import transforms

from mmx.experts.base import Checkpoint, Expert
from mmx.experts.checkpoints import CheckpointError, read_state
from mmx.experts.networks.i3d import I3D, i3d_name
from mmx.experts.preprocess import Pixels
from mmx.experts.registry import get_expert
from mmx.experts.sampling import Patches, Stacks
from mmx.experts.vggish import ABOUT, declare
from mmx.experts.weights import MissingWeights, Place, require, verify

DATA = Path(__file__).parent / "data"
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
SMALL = {
    "senet154": (3, 64, 64),
    "resnet18_places365": (3, 64, 64),
    "densenet161_places365": (3, 64, 64),
    "i3d_flow": (2, 9, 193, 193),
    "i3d_rgb": (3, 9, 193, 193),
    "r2plus1d_34": (3, 4, 32, 32),
    "vggish": (1, 96, 64),
    "vggish_youtube8m": (1, 96, 64),
    "vggish_linear": (1, 96, 64),
}
"""Shapes of small samples that each network still takes."""


@pytest.fixture(scope="module")
def place(standins: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Stand-ins for every file of weights, in its published form."""
    folder = tmp_path_factory.mktemp("weights")
    place = Place(folder / "files", folder / "weights.lock.yaml")
    distinct = [name for name in SMALL if name not in ("vggish", "vggish_linear")]
    standins.write_standins(place.folder, place.lock, tuple(distinct))
    return place


def files(expert: Expert, place: Place) -> dict[str, Path]:
    return {status.weights.file: status.path for status in require(expert.weights, place)}


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_every_published_form_loads_and_gives_the_declared_width(name: str, place: Place) -> None:
    expert = get_expert(name)
    network = expert.build(files(expert, place))
    samples = torch.randn(2, *SMALL[name], generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        rows = network(samples)
    assert rows.shape == (2, expert.width)
    assert rows.dtype == torch.float32
    assert torch.isfinite(rows).all()
    assert not torch.equal(rows[0], rows[1])


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_what_is_loaded_is_what_the_file_holds(name: str, place: Place) -> None:
    expert = get_expert(name)
    loaded = list(expert.build(files(expert, place)).state_dict().values())
    found: dict[str, torch.Tensor] = {}
    for checkpoint in expert.weights:
        assert isinstance(checkpoint, Checkpoint)
        found |= read_state(place.folder / checkpoint.file, checkpoint.format)
    given = [v for n, v in found.items() if not n.endswith("num_batches_tracked")]
    kept = [value for value in loaded if value.ndim]
    assert sum(value.numel() for value in given) == sum(value.numel() for value in kept)
    total = sum(value.double().sum().item() for value in given)
    assert sum(value.double().sum().item() for value in kept) == pytest.approx(total, rel=1e-6)


def test_the_published_files_are_not_the_stand_ins(place: Place) -> None:
    """The lock alone lets them in: without it each is refused, or pinned as unpublished."""
    bare = Place(place.folder, place.lock.with_name("other.lock.yaml"))
    for name in SMALL:
        for status in verify(get_expert(name).weights, bare):
            assert isinstance(status.weights, Checkpoint)
            published = any(source.digest for source in status.weights.sources)
            assert status.state == ("refused" if published else "ready")


def test_the_other_layout_of_i3d_gives_the_same_network(place: Place, tmp_path: Path) -> None:
    expert = get_expert("i3d_flow")
    [ours] = files(expert, place).values()
    state = read_state(ours, "torch")
    lines = (DATA / "i3d_hassony2_flow.txt").read_text(encoding="utf-8").splitlines()[1:]
    theirs = {i3d_name(f"{layer}."): layer for layer in (line.split()[0] for line in lines)}
    layers = {name: name.rsplit(".", 1) for name in state}
    renamed = {f"{theirs[f'{a}.']}.{b}": state[name] for name, (a, b) in layers.items()}
    assert not renamed.keys() & state.keys()
    torch.save(renamed, tmp_path / "model_flow.pth")
    one, two = (
        expert.build({"i3d_flow.pt": path}).state_dict()
        for path in (ours, tmp_path / "model_flow.pth")
    )
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_a_checkpoint_of_another_network_names_what_does_not_fit(place: Place) -> None:
    expert = get_expert("i3d_flow")
    with pytest.raises(CheckpointError, match=r"fit I3D: .*Conv3d_1a_7x7\.conv3d\.weight \(wanted"):
        expert.build({"i3d_flow.pt": place.folder / "i3d_rgb.pt"})
    assert isinstance(expert.build(), I3D)


@pytest.mark.parametrize("name", SMALL)
def test_without_its_files_an_expert_says_where_each_is_to_be_had(
    name: str, tmp_path: Path
) -> None:
    expert = get_expert(name)
    with pytest.raises(MissingWeights) as caught:
        require(expert.weights, Place(tmp_path, tmp_path / "weights.lock.yaml"))
    for checkpoint in expert.weights:
        assert isinstance(checkpoint, Checkpoint)
        assert f"put at {tmp_path / checkpoint.file}" in str(caught.value)
        for source in checkpoint.sources:
            assert source.size is not None
            assert f"{source.url} ({source.size / 1e6:.1f} MB)" in str(caught.value)


@pytest.mark.parametrize("name", SMALL)
def test_the_size_that_is_told_is_four_bytes_per_value(name: str) -> None:
    expert = get_expert(name)
    state = expert.build().state_dict()
    values = sum(v.numel() for n, v in state.items() if not n.endswith("num_batches_tracked"))
    told = 0
    for checkpoint in expert.weights:
        assert isinstance(checkpoint, Checkpoint)
        told += checkpoint.sources[0].size or 0
    assert told == pytest.approx(4 * values, rel=0.005)


def test_widths_are_the_real_ones_beside_the_papers() -> None:
    said = {name: (get_expert(name).width, get_expert(name).paper_width) for name in SMALL}
    assert said == {
        "senet154": (2048, 2048),
        "resnet18_places365": (512, 1024),
        "densenet161_places365": (2208, None),
        "i3d_flow": (1024, 1024),
        "i3d_rgb": (1024, None),
        "r2plus1d_34": (512, 1024),
        "vggish": (128, 128),
        "vggish_youtube8m": (128, 128),
        "vggish_linear": (128, 128),
    }


def test_the_switches_of_vggish_are_recorded() -> None:
    switches = {name: dict(get_expert(name).settings) for name in SMALL if "vggish" in name}
    assert switches == {
        "vggish": {"relu": True, "pca": False, "quantise": False},
        "vggish_youtube8m": {"relu": True, "pca": True, "quantise": True},
        "vggish_linear": {"relu": False, "pca": False, "quantise": False},
    }
    assert get_expert("vggish").describe()["settings"] == [
        ["relu", True],
        ["pca", False],
        ["quantise", False],
    ]
    with pytest.raises(ValueError, match="only whitened"):
        declare("vggish", relu=True, pca=False, quantise=True, about=ABOUT)


def picture(height: int, width: int, channels: int = 3) -> np.ndarray:
    rng = np.random.default_rng(height)
    coarse = rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)
    smooth = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    return np.array(smooth)[..., :channels].copy()


def prepared(name: str, image: np.ndarray) -> torch.Tensor:
    """What the network sees of one picture, (C, H, W)."""
    preprocess = get_expert(name).preprocess
    assert isinstance(preprocess, Pixels)
    ready = torch.from_numpy(preprocess.prepare(image).copy())
    return preprocess.normalise(ready.movedim(-1, 0)[None])[0]


@pytest.mark.parametrize("size", [(360, 640), (481, 270), (256, 256)])
@pytest.mark.parametrize(
    ("name", "resize"),
    [
        ("senet154", 256),
        ("resnet18_places365", (256, 256)),
        ("densenet161_places365", (256, 256)),
    ],
)
def test_image_networks_see_what_their_authors_transforms_give(
    name: str, resize: tuple[int, int] | int, size: tuple[int, int]
) -> None:
    image = picture(*size)
    reference = transforms.Compose(
        [
            transforms.Resize(resize),
            transforms.CenterCrop(224),
            transforms.ToTensor(),
            transforms.Normalize(*IMAGENET),
        ]
    )
    expected = reference(Image.fromarray(image))
    torch.testing.assert_close(prepared(name, image), expected, rtol=1e-5, atol=1e-6)


def test_places_pictures_are_stretched_and_not_only_cropped() -> None:
    wide = picture(256, 512)
    assert not torch.allclose(
        prepared("resnet18_places365", wide), prepared("senet154", wide), atol=0.1
    )


def test_i3d_sees_a_centre_crop_from_minus_one_to_one() -> None:
    flow = picture(256, 455, channels=2)
    top, left = (256 - 224) // 2, 116  # 115.5 is rounded to even
    crop = flow[top : top + 224, left : left + 224].astype(np.float64)
    expected = torch.from_numpy(2 * crop / 255 - 1).permute(2, 0, 1).float()
    torch.testing.assert_close(prepared("i3d_flow", flow), expected, rtol=0, atol=1e-6)
    extremes = np.zeros((224, 224, 2), np.uint8)
    extremes[..., 1] = 255
    assert prepared("i3d_flow", extremes).amax(dim=(1, 2)).tolist() == [-1.0, 1.0]


def test_flow_that_was_cropped_when_it_was_stored_is_seen_as_it_is() -> None:
    flow = picture(224, 224, channels=2)
    expected = torch.from_numpy(flow.astype(np.float64) / 127.5 - 1).permute(2, 0, 1).float()
    torch.testing.assert_close(prepared("i3d_flow", flow), expected, rtol=0, atol=1e-6)


def test_i3d_on_rgb_resizes_the_short_side_first() -> None:
    image = picture(360, 640)
    resized = Image.fromarray(image).resize((455, 256), Image.Resampling.BILINEAR)
    crop = transforms.CenterCrop(224)(transforms.ToTensor()(resized))
    torch.testing.assert_close(prepared("i3d_rgb", image), 2 * crop - 1, rtol=0, atol=1e-6)


def test_r2plus1d_stretches_to_128_by_171_and_crops_112() -> None:
    image = picture(360, 640)
    plain = torch.from_numpy(image).permute(2, 0, 1).float() / 255
    resized = functional.interpolate(plain[None], (128, 171), mode="bilinear", align_corners=False)
    mean = torch.tensor([0.43216, 0.394666, 0.37645])[:, None, None]
    std = torch.tensor([0.22803, 0.22145, 0.216989])[:, None, None]
    normal = (resized[0] - mean) / std
    top, left = round((128 - 112) / 2.0), round((171 - 112) / 2.0)
    expected = normal[:, top : top + 112, left : left + 112]
    torch.testing.assert_close(prepared("r2plus1d_34", image), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "length", "first_and_last"),
    [
        ("i3d_flow", 1, [(0, 0)]),
        ("i3d_flow", 9, [(0, 8)]),
        ("i3d_flow", 64, [(0, 63)]),
        ("i3d_flow", 65, [(0, 63), (1, 64)]),
        ("i3d_flow", 128, [(0, 63), (64, 127)]),
        ("r2plus1d_34", 1, [(0, 0)]),
        ("r2plus1d_34", 33, [(0, 31), (1, 32)]),
        ("r2plus1d_34", 80, [(0, 31), (32, 63), (48, 79)]),
    ],
)
def test_stacks_cover_a_clip_to_its_end(
    name: str, length: int, first_and_last: list[tuple[int, int]]
) -> None:
    sampling = get_expert(name).sampling
    assert isinstance(sampling, Stacks)
    stacks = sampling.indices(length)
    assert [(row[0], row[-1]) for row in stacks.tolist()] == first_and_last
    assert set(stacks.ravel()) == set(range(length))


@pytest.mark.parametrize(("name", "length"), [("i3d_flow", 64), ("r2plus1d_34", 32)])
def test_a_short_clip_repeats_its_last_frame_and_says_how_often(name: str, length: int) -> None:
    sampling = get_expert(name).sampling
    assert isinstance(sampling, Stacks)
    [stack] = sampling.indices(9).tolist()
    assert stack == [*range(9), *[8] * (length - 9)]
    assert sampling.padding(9) == length - 9
    assert sampling.indices(1).tolist() == [[0] * length]
    assert sampling.padding(1) == length - 1
    assert sampling.padding(10_000) == 0
    assert len(sampling.indices(10_000)) == math.ceil(10_000 / length)


def test_vggish_sees_patches_every_0_96_s() -> None:
    sampling = get_expert("vggish").sampling
    assert isinstance(sampling, Patches)
    three_seconds = sampling.starts(16_000, 64_000, 160_000)
    assert three_seconds.tolist() == [16_000, 31_360, 46_720]
    assert sampling.length == 15_600
