"""OpenCV's operations on images, for stacks of float32 tensors and with its bits.

Every line of arithmetic is one operation of IEEE 754, so that the order of roundings is what is
written here, on every device.
"""

import torch
from torch import Tensor
from torch.nn import functional

_A = -0.75
"""The parameter of the cubic kernel (Keys 1981), with OpenCV's value."""
_REACH, _MARGIN = 3.0, 8
"""From there outwards all taps lie outside the frame; and the zeros around it that hold them."""


def fused(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """Return a * b + c of float32 tensors, rounded once.

    The product is exact in float64. The sum is rounded to odd there, so that rounding it again to
    float32 equals rounding once (Boldo and Melquiond 2008).
    """
    product, c = a.double() * b.double(), c.double()
    total = product + c
    back = total - product
    lost = (product - (total - back)) + (c - back)
    uneven = torch.nextafter(total, torch.copysign(torch.full_like(total, torch.inf), lost))
    even = total.view(torch.int64) & 1 == 0
    return torch.where(even & (lost != 0), uneven, total).float()


def length(x: Tensor, y: Tensor) -> Tensor:
    """Return the length of (x, y), the float64 root rounded to float32."""
    x, y = x.double(), y.double()
    return (x * x + y * y).sqrt().float()


def centred_gradient(image: Tensor) -> tuple[Tensor, Tensor]:
    """Return centred differences of (N, rows, width) along x and y, edges repeated."""
    padded = functional.pad(image[:, None], (1, 1, 1, 1), mode="replicate")[:, 0]
    dx = 0.5 * (padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2])
    return dx, 0.5 * (padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1])


def median(images: Tensor, size: int) -> Tensor:
    """Return the median of `size` x `size` pixels of (N, C, rows, width), edges repeated."""
    padded = functional.pad(images, (size // 2,) * 4, mode="replicate")
    windows = padded.unfold(-2, size, 1).unfold(-2, size, 1)
    return windows.flatten(-2).median(dim=-1).values


def resize(images: Tensor, size: tuple[int, int], step: float | None) -> Tensor:
    """Bilinear resize of (..., rows, width); pixel centres at halves, edges repeated.

    By the ratio of the sizes, or else by the step that is given.
    """
    for dim, target in ((-1, size[1]), (-2, size[0])):
        source = images.shape[dim]
        low, part = (each.to(images.device) for each in _between(source, target, step))
        first = images.index_select(dim, low)
        second = images.index_select(dim, (low + 1).clamp_max(source - 1))
        images = fused(second - first, part[:, None] if dim == -2 else part, first)
    return images


def _between(source: int, target: int, step: float | None) -> tuple[Tensor, Tensor]:
    """The pixel before each of `target` places, and how far it is from there to the place.

    Given a step, OpenCV computes what lies at the end from the last two pixels, which rounds;
    otherwise it takes the last.
    """
    ratio = source / target if step is None else 1.0 / step
    place = (torch.arange(target, dtype=torch.float64) + 0.5) * ratio - 0.5
    place = place.clamp(0.0, source - 1.0)
    low = place.floor().clamp_max(source - 1 if step is None else source - 2)
    return low.long(), (place - low).float()


def sample(images: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Look up (N, C, rows, width) at x and y (N, rows, width): cubic, and zero outside.

    Taps are weighed along the rows first, then across them. PyTorch's own `grid_sample` takes
    positions as parts of the image's size: after that rounding no position is exactly a pixel's,
    and still frames would appear to move.
    """
    rows, width = images.shape[-2:]
    x, y = x.clamp(-_REACH, width - 1.0 + _REACH), y.clamp(-_REACH, rows - 1.0 + _REACH)
    left, top = x.floor(), y.floor()
    stride = width + 2 * _MARGIN
    first = (top.long() + _MARGIN - 1) * stride + left.long() + _MARGIN - 1
    pixels = functional.pad(images, (_MARGIN,) * 4).flatten(2)

    def tap(row: int, column: int) -> Tensor:
        place = (first + row * stride + column).flatten(1)[:, None]
        return pixels.gather(2, place.expand(-1, images.shape[1], -1)).view_as(images)

    across, down = _cubic_weights((x - left)[:, None]), _cubic_weights((y - top)[:, None])
    return _weigh([_weigh([tap(i, j) for j in range(4)], across) for i in range(4)], down)


def _weigh(taps: list[Tensor], weights: list[Tensor]) -> Tensor:
    """The sum of weighted taps, each added fused."""
    total = taps[0] * weights[0]
    for tap, weight in zip(taps[1:], weights[1:], strict=True):
        total = fused(tap, weight, total)
    return total


def _cubic_weights(t: Tensor) -> list[Tensor]:
    """Return the weights of the four taps around places, t beyond the second."""
    one = torch.ones_like(t)
    square, rest = t * t, one - t
    first, last = _A * (t * (rest * rest)), _A * (square * rest)
    slope = fused((_A + 2.0) * one, t, (-_A - 3.0) * one)
    second = fused(slope, square, one)
    return [first, second, one - first - second - last, last]
