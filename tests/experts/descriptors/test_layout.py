"""Colour and layout on pictures whose description is known."""

import colorsys

import pytest
import torch
from torch import Tensor

from mmx.experts.descriptors.layout import CELLS, HUES, ORIENTATIONS, Layout, colours, edges, hsv


def plain(*rgb: float, height: int = 32, width: int = 48) -> Tensor:
    return torch.tensor(rgb).reshape(1, 3, 1, 1).expand(1, 3, height, width).contiguous()


def noise(count: int = 2, height: int = 32, width: int = 48) -> Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(0))


def waves(turns: float) -> Tensor:
    """Grey waves whose brightness changes in the direction of `turns`."""
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    angle = torch.tensor(2 * torch.pi * turns)
    wave = torch.sin((x * angle.cos() + y * angle.sin()) * 2 * torch.pi / 16)
    return (0.5 + 0.4 * wave).expand(1, 3, 64, 64)


def test_hsv_is_pythons() -> None:
    picture = noise(1, 6, 6)
    picture[0, :, 0, 0], picture[0, :, 0, 1], picture[0, :, 0, 2] = 0, 1, 0.5
    ours = torch.cat(hsv(picture), dim=1)[0]
    for y in range(6):
        for x in range(6):
            expected = colorsys.rgb_to_hsv(*picture[0, :, y, x].tolist())
            assert ours[:, y, x].tolist() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("rgb", "bin"), [((1.0, 0.0, 0.0), 0), ((0.0, 1.0, 0.0), 4), ((0.0, 0.0, 1.0), 8)]
)
def test_a_pure_colour_fills_its_bin_in_every_cell(
    rgb: tuple[float, float, float], bin: int
) -> None:
    maps = colours(plain(*rgb)).reshape(-1, sum(side * side for side in CELLS))
    hues = maps[:HUES]
    assert (hues[bin] == 1).all()
    assert hues.sum() == hues[bin].sum()


def test_grey_has_no_hue() -> None:
    assert colours(plain(0.3, 0.3, 0.3)).reshape(22, -1)[:HUES].abs().sum() == 0


def test_a_picture_without_edges_has_no_orientation() -> None:
    assert edges(plain(0.2, 0.9, 0.4)).abs().max() == 0


@pytest.mark.parametrize("orientation", range(ORIENTATIONS))
def test_waves_have_the_orientation_of_their_change(orientation: int) -> None:
    share = edges(waves(orientation / ORIENTATIONS / 2)).reshape(-1, ORIENTATIONS, 16)[0]
    assert (share.argmax(dim=0) == orientation).all()
    assert share.max() > 0.9


def test_orientation_is_not_direction() -> None:
    torch.testing.assert_close(edges(waves(0.1)), edges(1 - waves(0.1)))


def test_values_are_bounded_and_the_picture_is_last() -> None:
    pictures = torch.cat([noise(), plain(1.0, 1.0, 1.0), plain(0.0, 0.0, 0.0)])
    described = Layout()(pictures)
    assert described.min() >= 0
    assert described.max() <= 1
    small = described[:, -48:].reshape(-1, 3, 4, 4)
    torch.testing.assert_close(small[0, 1, 0, 3], pictures[0, 1, :8, 36:].mean())


def test_a_mirrored_picture_is_another_layout_of_the_same_colours() -> None:
    picture = noise(1)
    own, mirrored = (colours(p).reshape(22, -1) for p in (picture, picture.flip(3)))
    torch.testing.assert_close(own[:, 0], mirrored[:, 0])
    torch.testing.assert_close(own[:, 1], mirrored[:, 2])
    assert not torch.allclose(own[:, 1], mirrored[:, 1])
