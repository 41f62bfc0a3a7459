"""Preprocessing against the formulas and the transforms that the networks were trained with."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms
from torchvision.models.video import S3D_Weights

from mmx.experts.preprocess import IMAGENET_MEAN, IMAGENET_STD, Pixels, Resize, centre_crop
from mmx.experts.registry import get_expert
from mmx.media.frames import read_frames


def picture(height: int, width: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return generator.integers(0, 256, (height, width, channels), dtype=np.uint8)


def prepared(pixels: Pixels, image: np.ndarray) -> torch.Tensor:
    """(C, H, W) as the network gets it."""
    batch = torch.from_numpy(pixels.prepare(image).copy())[None].movedim(-1, 1)
    return pixels.normalise(batch)[0]


@pytest.mark.parametrize("size", [(256, 455), (300, 257), (720, 1280), (97, 61), (480, 853)])
@pytest.mark.parametrize("resize", [256, (256, 256)], ids=["short side", "both sides"])
def test_pictures_equal_the_transforms_of_imagenet_and_places(
    size: tuple[int, int], resize: tuple[int, int] | int
) -> None:
    pixels = Pixels(Resize(resize), crop=(224, 224), mean=IMAGENET_MEAN, std=IMAGENET_STD)
    reference = transforms.Compose(
        [
            transforms.Resize(resize),
            transforms.CenterCrop(224),
            transforms.ToTensor(),
            transforms.Normalize(IMAGENET_MEAN, IMAGENET_STD),
        ]
    )
    image = picture(*size)
    torch.testing.assert_close(
        prepared(pixels, image), reference(Image.fromarray(image)), rtol=0, atol=1e-6
    )


def test_bicubic_equals_the_transform_of_clip() -> None:
    image = picture(301, 444)
    reference = transforms.Compose(
        [
            transforms.Resize(224, transforms.InterpolationMode.BICUBIC),
            transforms.CenterCrop(224),
            transforms.ToTensor(),
        ]
    )
    pixels = Pixels(Resize(224, "pillow_bicubic"), crop=(224, 224))
    ours, theirs = prepared(pixels, image), reference(Image.fromarray(image))
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)


def test_s3d_is_given_what_torchvision_gives_it() -> None:
    image = picture(120, 200)
    preset = S3D_Weights.KINETICS400_V1.transforms()
    theirs = preset(torch.from_numpy(image).permute(2, 0, 1)[None])[:, 0]
    preprocess = get_expert("s3d").preprocess
    assert isinstance(preprocess, Pixels)
    ours = prepared(preprocess, image)
    one_grey_level = 1 / 255 / 0.21
    assert ours.shape == theirs.shape
    assert (ours - theirs).abs().max() < 0.51 * one_grey_level


@pytest.mark.parametrize(("height", "width"), [(9, 7), (16, 30), (5, 5)])
def test_plain_bilinear_is_the_formula(height: int, width: int) -> None:
    image = picture(height, width, channels=2)
    target = (11, 13)
    ours = Resize(target, "torch").apply(image)
    rows, columns = (
        np.clip((np.arange(after) + 0.5) * before / after - 0.5, 0, before - 1)
        for after, before in zip(target, (height, width), strict=True)
    )
    for y, row in enumerate(rows):
        for x, column in enumerate(columns):
            top, left = int(row), int(column)
            bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
            down, along = row - top, column - left
            expected = (
                (1 - down) * (1 - along) * image[top, left].astype(float)
                + (1 - down) * along * image[top, right]
                + down * (1 - along) * image[bottom, left]
                + down * along * image[bottom, right]
            )
            np.testing.assert_allclose(ours[y, x], expected, atol=1e-3)


def test_area_is_the_mean_of_the_footprint() -> None:
    image = picture(12, 20, channels=2)
    ours = Resize((3, 4), "area").apply(image)
    expected = image.reshape(3, 4, 4, 5, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(ours, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("size", "height", "width", "expected"),
    [
        (256, 720, 1280, (256, 455)),
        (256, 1280, 720, (455, 256)),
        (256, 256, 256, (256, 256)),
        ((128, 171), 720, 1280, (128, 171)),
    ],
)
def test_target(
    size: tuple[int, int] | int, height: int, width: int, expected: tuple[int, int]
) -> None:
    assert Resize(size).target(height, width) == expected


@pytest.mark.parametrize("size", [(7, 10), (8, 9), (4, 4)])
def test_the_crop_is_torchvisions(size: tuple[int, int]) -> None:
    image = picture(*size)
    theirs = transforms.functional.center_crop(torch.from_numpy(image).permute(2, 0, 1), [4, 3])
    assert np.array_equal(centre_crop(image, (4, 3)), theirs.permute(1, 2, 0).numpy())


def test_a_picture_smaller_than_the_crop_is_refused() -> None:
    with pytest.raises(ValueError, match="64x113 is smaller than the crop of 224x224"):
        centre_crop(picture(64, 113), (224, 224))


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [((0.0, 1.0), [0, 128 / 255, 1]), ((-1.0, 1.0), [-1, 256 / 255 - 1, 1])],
)
def test_ranges(bounds: tuple[float, float], expected: list[float]) -> None:
    pixels = Pixels(None, crop=(1, 3), range=bounds)
    batch = torch.tensor([0, 128, 255], dtype=torch.uint8).reshape(1, 1, 1, 3)
    torch.testing.assert_close(pixels.normalise(batch).ravel(), torch.tensor(expected).float())


def test_channels_are_normalised_each_by_its_own_figures_in_stacks_too() -> None:
    pixels = Pixels(None, crop=(1, 1), range=(0.0, 255.0), mean=(1.0, 2.0), std=(2.0, 4.0))
    stack = torch.tensor([5.0, 10.0]).reshape(1, 2, 1, 1, 1).expand(1, 2, 3, 1, 1)
    assert pixels.normalise(stack)[0, :, 0].ravel().tolist() == [2.0, 2.0]


def test_the_decoder_has_done_it() -> None:
    pixels = Pixels(Resize((72, 96), "decoder"), crop=None)
    assert pixels.decoded_size == (96, 72)
    image = picture(72, 96)
    assert np.array_equal(pixels.prepare(image), image)
    assert Pixels(Resize((72, 96)), crop=None).decoded_size is None


def test_the_decoder_averages_over_the_whole_footprint(video: Callable[..., Path]) -> None:
    source = video(1, size=(240, 320))
    [large] = read_frames(source)
    [small] = read_frames(source, size=(32, 24))
    picked = large.image[5::10, 5::10]
    averaged = Resize((24, 32)).apply(large.image)
    assert picked.std() > 60
    assert small.image.std() == pytest.approx(averaged.std(), abs=5)
    assert small.image.std() < picked.std() / 4


def test_a_size_left_open_is_refused() -> None:
    with pytest.raises(ValueError, match="short side"):
        Resize(160, "decoder")
    with pytest.raises(ValueError, match="one size"):
        Pixels(Resize(256), crop=None)


def test_size() -> None:
    assert Pixels(Resize(256), crop=(224, 200)).size == (224, 200)
    assert Pixels(Resize((96, 128)), crop=None).size == (96, 128)
