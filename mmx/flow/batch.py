"""Dual TV-L1 optical flow of many pairs at once with PyTorch, on whatever device it runs.

The same algorithm and the same pyramid as `mmx.flow.tvl1`, on tensors (N, channels, rows, width)
in float32. Each pair stops by its own error: a pair that has stopped leaves the batch until the
next warp, so that what it gets does not depend on its neighbours.
"""

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from mmx.flow.parameters import TVL1Params
from mmx.flow.pyramid import Backend, coarse_to_fine

DEFAULTS = TVL1Params()
_TINY = 1e-20
"""Smallest squared gradient that is divided by; below it, the thresholding step is its bound."""

_A = -0.75
"""The parameter of the cubic kernel, with OpenCV's value."""
_REACH, _MARGIN = 3.0, 8
"""From there outwards all taps lie outside the frame; and the zeros around it that hold them."""


@dataclass(frozen=True)
class _Field:
    """One warp's data term, per pair."""

    slope: Tensor
    """(N, channels, rows, width): I1wx, I1wy and, with an illumination term, gamma."""
    square: Tensor
    """(N, rows, width): squared length of the image's gradient."""
    constant: Tensor
    """(N, rows, width): rho_c."""

    def keep(self, chosen: Tensor) -> "_Field":
        """Return the chosen pairs' part."""
        return _Field(self.slope[chosen], self.square[chosen], self.constant[chosen])


def tvl1_batch(
    prev: Tensor,
    next_: Tensor,
    params: TVL1Params = DEFAULTS,
    device: str | torch.device = "cpu",
) -> Tensor:
    """Return the movement from each `prev` to its `next_`: float32 (N, H, W, 2) on `device`.

    The frames are (N, H, W) with sides of at least 2 pixels, uint8 or floating point with grey
    levels of 0 to 1; ValueError for other shapes. Pixels right and down.
    """
    if prev.ndim != 3 or prev.shape != next_.shape or min(prev.shape[1:]) < 2:
        raise ValueError(
            f"two stacks of frames (N, H, W) are needed, not {[*prev.shape]} and {[*next_.shape]}"
        )
    backend = Backend(_resize, partial(_solve, params=params))
    with torch.inference_mode():
        frames = (grey_levels(prev.to(device)), grey_levels(next_.to(device)))
        flow = coarse_to_fine(*frames, params, backend)
        return flow[:, :2].movedim(1, -1).contiguous()


def grey_levels(frames: Tensor) -> Tensor:
    """Return float32 grey levels of 0 to 255 of uint8 frames, or of floating ones of 0 to 1."""
    return frames.float() if frames.dtype == torch.uint8 else frames.float() * 255.0


def _solve(prev: Tensor, next_: Tensor, flow: Tensor | None, *, params: TVL1Params) -> Tensor:
    """All warps of one scale: (N, rows, width) frames to flow (N, channels, rows, width)."""
    channels = 3 if params.gamma else 2
    u = prev.new_zeros(len(prev), channels, *prev.shape[1:]) if flow is None else flow
    p = u.new_zeros(*u.shape[:2], 2, *u.shape[2:])
    image = torch.stack([next_, *_centred_gradient(next_)], dim=1)
    for _ in range(params.warps):
        _iterate(u, p, _linearise(prev, image, u, params.gamma), params)
    return u


def _iterate(u: Tensor, p: Tensor, field: _Field, params: TVL1Params) -> None:
    """The iterations of one warp, in place, each pair until its own error stops it."""
    active = torch.arange(len(u), device=u.device)
    stop = params.epsilon**2 * u.shape[-2] * u.shape[-1]
    now, dual = u, p
    for n in range(params.outer_iterations * params.inner_iterations):
        if n % params.inner_iterations == 0 and params.median_filtering > 1:
            now = torch.cat([_median(now[:, :2], params.median_filtering), now[:, 2:]], dim=1)
        now, dual, error = _relax(now, dual, field, params)
        going = error > stop
        if not bool(going.all()):
            u[active[~going]], p[active[~going]] = now[~going], dual[~going]
            active, now, dual, field = active[going], now[going], dual[going], field.keep(going)
            if not len(active):
                return
    u[active], p[active] = now, dual


def _relax(
    u: Tensor, p: Tensor, field: _Field, params: TVL1Params
) -> tuple[Tensor, Tensor, Tensor]:
    """One iteration: thresholding step, u, p; also the sum of squared changes of u of each pair."""
    bound, ratio = params.lambda_ * params.theta, params.tau / params.theta
    rho = field.constant + (field.slope * u).sum(1)
    scalar = (rho / field.square.clamp_min(_TINY)).clamp(-bound, bound)
    new = u - scalar[:, None] * field.slope + params.theta * _divergence(p)
    change = new - u
    slope = _forward_gradient(new)
    p = (p + ratio * slope) / (1.0 + ratio * torch.hypot(slope[:, :, 0], slope[:, :, 1]))[
        :, :, None
    ]
    return new, p, change.square().sum((1, 2, 3))


def _divergence(p: Tensor) -> Tensor:
    """Backward differences of p (N, C, 2, rows, width), zero outside the image."""
    px, py = p[:, :, 0], p[:, :, 1]
    divergence = px + py
    divergence[..., 1:] -= px[..., :-1]
    divergence[..., 1:, :] -= py[..., :-1, :]
    return divergence


def _forward_gradient(u: Tensor) -> Tensor:
    """Forward differences (N, C, 2, rows, width) of u, zero in the last column and row."""
    gradient = u.new_zeros(*u.shape[:2], 2, *u.shape[2:])
    gradient[:, :, 0, :, :-1] = u.diff(dim=-1)
    gradient[:, :, 1, :-1] = u.diff(dim=-2)
    return gradient


def _centred_gradient(image: Tensor) -> tuple[Tensor, Tensor]:
    """Centred differences of (N, rows, width), edges repeated."""
    padded = functional.pad(image[:, None], (1, 1, 1, 1), mode="replicate")[:, 0]
    dx = 0.5 * (padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2])
    return dx, 0.5 * (padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1])


def _linearise(prev: Tensor, image: Tensor, u: Tensor, gamma: float) -> _Field:
    """Warp I1 and its gradient (N, 3, rows, width) by the flow."""
    rows, width = prev.shape[1:]
    x = torch.arange(width, device=u.device) + u[:, 0]
    y = torch.arange(rows, device=u.device)[:, None] + u[:, 1]
    warped = _sample(image, x, y)
    slope = warped[:, 1:]
    constant = warped[:, 0] - (slope * u[:, :2]).sum(1) - prev
    square = slope.square().sum(1)
    if u.shape[1] == 3:
        slope = torch.cat([slope, torch.full_like(slope[:, :1], gamma)], dim=1)
    return _Field(slope, square, constant)


def _sample(image: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Look up (N, C, rows, width) at x and y (N, rows, width): cubic, and zero outside.

    PyTorch's own `grid_sample` takes positions as parts of the image's size: rounded so, no place
    is a pixel's any more, and still frames would seem to move.
    """
    rows, width = image.shape[-2:]
    x, y = x.clamp(-_REACH, width - 1.0 + _REACH), y.clamp(-_REACH, rows - 1.0 + _REACH)
    left, top = x.floor(), y.floor()
    stride = width + 2 * _MARGIN
    first = (top.long() + _MARGIN - 1) * stride + left.long() + _MARGIN - 1
    pixels = functional.pad(image, (_MARGIN,) * 4).flatten(2)
    across, down = _cubic(x - left), _cubic(y - top)
    sampled = torch.zeros_like(image)
    for row in range(4):
        for column in range(4):
            index = (first + row * stride + column).flatten(1)[:, None].expand(-1, 3, -1)
            weight = (down[row] * across[column])[:, None]
            sampled += weight * pixels.gather(2, index).view_as(image)
    return sampled


def _cubic(t: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The weights of the four taps around a place, t beyond the second (Keys 1981)."""
    rest = 1.0 - t
    first, last = _A * t * rest * rest, _A * t * t * rest
    second = 1.0 + t * t * ((_A + 2.0) * t - (_A + 3.0))
    return first, second, 1.0 - first - second - last, last


def _median(u: Tensor, size: int) -> Tensor:
    """The median of `size` x `size` pixels of (N, C, rows, width), edges repeated."""
    reach = size // 2
    padded = functional.pad(u, (reach,) * 4, mode="replicate")
    windows = padded.unfold(-2, size, 1).unfold(-2, size, 1)
    return windows.flatten(-2).median(dim=-1).values


def _resize(images: Tensor, size: tuple[int, int], step: float | None) -> Tensor:
    """Bilinear resize of (..., rows, width); pixel centres at halves, edges repeated."""
    for dim, target in zip((-2, -1), size, strict=True):
        source = images.shape[dim]
        ratio = source / target if step is None else 1.0 / step
        place = (torch.arange(target, dtype=torch.float64) + 0.5) * ratio - 0.5
        place = place.clamp(0.0, source - 1.0).to(images.device)
        low = place.floor().long()
        part = (place - low).float()
        part = part[:, None] if dim == -2 else part
        high = (low + 1).clamp_max(source - 1)
        images = torch.lerp(images.index_select(dim, low), images.index_select(dim, high), part)
    return images
