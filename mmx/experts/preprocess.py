"""Preprocessing of pictures and patches of sound, as data.

Resizing and cropping happen per picture on the CPU; range, mean and standard deviation are applied
to the whole batch on the device, so that pictures are transferred as decoded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from torch import Tensor

Method = Literal["pillow", "pillow_bicubic", "torch", "area", "decoder"]


IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
"""Of red, green and blue in [0, 1], as most ImageNet networks were trained."""


@dataclass(frozen=True)
class Resize:
    """How a picture is brought to size."""

    size: int | tuple[int, int]
    """The short side in pixels, the aspect kept; or (height, width), the aspect not kept."""
    method: Method = "pillow"
    """`pillow`: 8 bits, bilinear over the whole footprint; `pillow_bicubic`: the same, bicubic;
    `torch`: float32, bilinear between the four nearest pixels, without antialiasing; `area`:
    float32, the mean of the footprint; `decoder`: 8 bits, bilinear over the whole footprint, while
    the video's colours are converted, so that the large picture is never made. Pillow and the
    decoder take only pictures with 3 channels."""

    def __post_init__(self) -> None:
        """Refuse a size that is not known before the first picture where it has to be."""
        if self.method == "decoder" and not isinstance(self.size, tuple):
            raise ValueError("the decoder resizes to height and width, not to a short side")

    def target(self, height: int, width: int) -> tuple[int, int]:
        """(height, width) of what `height` x `width` becomes; the long side is rounded down."""
        if isinstance(self.size, tuple):
            return self.size
        short = min(height, width)
        return self.size * height // short, self.size * width // short

    def apply(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
        """Resize (H, W, C); uint8 by Pillow, float32 in 0 to 255 by torch, done by the decoder."""
        if self.method == "decoder":
            return image
        target = self.target(*image.shape[:2])
        if self.method in ("pillow", "pillow_bicubic"):
            return _resize_pillow(image, target, bicubic=self.method == "pillow_bicubic")
        return _resize_torch(image, target, self.method)


@dataclass(frozen=True)
class Pixels:
    """Preprocessing of pictures: resize, crop the centre, map to a range, normalise."""

    resize: Resize | None
    """None: the pictures come in their size, as stored flow does."""
    crop: tuple[int, int] | None
    """(height, width) cut from the centre; None keeps all of what `resize` makes of one size."""
    range: tuple[float, float] = (0.0, 1.0)
    """What 0 and 255 become."""
    mean: tuple[float, ...] = (0.0,)
    """Subtracted after the range, one per channel or one for all."""
    std: tuple[float, ...] = (1.0,)
    """Divisor after the mean, one per channel or one for all."""

    def __post_init__(self) -> None:
        """Refuse a declaration that leaves the size of the result open."""
        if self.crop is None and not (self.resize and isinstance(self.resize.size, tuple)):
            raise ValueError("pictures of one size need a crop, or a resize to height and width")

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of every prepared picture."""
        size = self.crop or (self.resize and self.resize.size)
        assert isinstance(size, tuple)
        return size

    @property
    def decoded_size(self) -> tuple[int, int] | None:
        """(width, height) that the decoder is asked for; None for the video's own."""
        if self.resize is None or self.resize.method != "decoder":
            return None
        assert isinstance(self.resize.size, tuple)
        return self.resize.size[1], self.resize.size[0]

    def prepare(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
        """Resize and crop one uint8 picture (H, W, C) to `size`."""
        resized = self.resize.apply(image) if self.resize else image
        return centre_crop(resized, self.crop) if self.crop else resized

    def normalise(self, batch: Tensor) -> Tensor:
        """Map a batch (B, C, ...) of values 0 to 255 to float32 as the network was trained."""
        low, high = self.range
        channels = (1, -1, *(1,) * (batch.ndim - 2))
        scaled = batch.float() / (255 / (high - low)) + low
        mean = scaled.new_tensor(self.mean).reshape(channels)
        return (scaled - mean) / scaled.new_tensor(self.std).reshape(channels)


@dataclass(frozen=True)
class LogMel:
    """Preprocessing of sound: the log-mel spectrogram of `mmx.experts.logmel`, in patches."""

    rate: int = 16000
    """Hertz; the stored sound must have it."""
    frames: int = 96
    """Spectrogram frames per patch."""
    bands: int = 64
    """Mel bands."""


Preprocess = Pixels | LogMel


def centre_crop(image: npt.NDArray[Any], size: tuple[int, int]) -> npt.NDArray[Any]:
    """Cut (height, width) from the centre of (H, W, C), halves rounded to even.

    Raises ValueError when the picture is smaller.
    """
    height, width = image.shape[:2]
    if height < size[0] or width < size[1]:
        raise ValueError(
            f"a picture of {height}x{width} is smaller than the crop of {size[0]}x{size[1]}"
        )
    top, left = round((height - size[0]) / 2), round((width - size[1]) / 2)
    return image[top : top + size[0], left : left + size[1]]


def _resize_pillow(
    image: npt.NDArray[np.uint8], target: tuple[int, int], *, bicubic: bool
) -> npt.NDArray[np.uint8]:
    """Resize with Pillow, whose filters cover every source pixel, in 8 bits."""
    from PIL import Image

    method = Image.Resampling.BICUBIC if bicubic else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(image).resize((target[1], target[0]), method))


def _resize_torch(
    image: npt.NDArray[np.uint8], target: tuple[int, int], method: Method
) -> npt.NDArray[np.float32]:
    """Resize in float32 with torch: plain bilinear (half-pixel centres) or means of footprints."""
    import torch
    from torch.nn import functional

    planes = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].float()
    if method == "area":
        resized = functional.adaptive_avg_pool2d(planes, target)
    else:
        resized = functional.interpolate(planes, target, mode="bilinear", align_corners=False)
    return np.ascontiguousarray(resized[0].permute(1, 2, 0).numpy())
