"""Dual TV-L1 optical flow of many pairs at once with PyTorch, on any device of PyTorch.

The same algorithm, pyramid and order of roundings as `mmx.flow.dual_tvl1`, on tensors (N, channels,
rows, width) in float32. Each pair stops by its own changes: a pair that has stopped leaves the
batch until the next warp, so that its flow does not depend on its neighbours.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from mmx.flow.parameters import TVL1Params
from mmx.flow.pyramid import Backend, coarse_to_fine
from mmx.flow.stopping import Stop, stop_for
from mmx.flow.tensors import centred_gradient, length, median, resize, sample

DEFAULTS = TVL1Params()
_EPSILON = torch.finfo(torch.float32).eps
"""A squared gradient not above it counts as zero."""


@dataclass(frozen=True)
class _Field:
    """One warp's data term, per pair."""

    slope: Tensor
    """(N, channels, rows, width): I1wx, I1wy and, with an illumination term, gamma."""
    square: Tensor
    """(N, rows, width): squared length of the image's gradient."""
    divisor: Tensor
    """The same, infinite where there is no gradient."""
    constant: Tensor
    """(N, rows, width): rho_c."""

    def keep(self, chosen: Tensor) -> "_Field":
        """Return the chosen pairs' part."""
        parts = (self.slope, self.square, self.divisor, self.constant)
        return _Field(*(part[chosen] for part in parts))


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
    backend = Backend(resize, _enlarge, partial(_solve, params=params))
    with torch.inference_mode():
        frames = (grey_levels(prev.to(device)), grey_levels(next_.to(device)))
        flow = coarse_to_fine(*frames, params, backend)
        steps: Tensor = flow[:, :2].movedim(1, -1).contiguous()
        return steps


def grey_levels(frames: Tensor) -> Tensor:
    """Return float32 grey levels of 0 to 255 of uint8 frames, or of floating ones of 0 to 1."""
    return frames.float() if frames.dtype == torch.uint8 else frames.float() * 255.0


def _enlarge(images: Tensor, factor: float) -> None:
    images[...] = images.double() * factor


def _solve(prev: Tensor, next_: Tensor, flow: Tensor | None, *, params: TVL1Params) -> Tensor:
    """All warps of one scale: (N, rows, width) frames to flow (N, channels, rows, width)."""
    channels = 3 if params.gamma else 2
    u = prev.new_zeros(len(prev), channels, *prev.shape[1:]) if flow is None else flow
    p = u.new_zeros(*u.shape[:2], 2, *u.shape[2:])
    image = torch.stack([next_, *centred_gradient(next_)], dim=1)
    for _ in range(params.warps):
        _iterate(u, p, _linearise(prev, image, u, params.gamma), params)
    return u


def _linearise(prev: Tensor, image: Tensor, u: Tensor, gamma: float) -> _Field:
    """Warp I1 and its gradient (N, 3, rows, width) by the flow."""
    rows, width = prev.shape[1:]
    x = torch.arange(width, device=u.device) + u[:, 0]
    y = torch.arange(rows, device=u.device)[:, None] + u[:, 1]
    warped, ix, iy = sample(image, x, y).unbind(1)
    constant = warped - ix * u[:, 0] - iy * u[:, 1] - prev
    square = ix * ix + iy * iy
    divisor = square.masked_fill(square <= _EPSILON, torch.inf)
    slope = [ix, iy, torch.full_like(ix, gamma)][: u.shape[1]]
    return _Field(torch.stack(slope, dim=1), square, divisor, constant)


def _iterate(u: Tensor, p: Tensor, field: _Field, params: TVL1Params) -> None:
    """The iterations of one warp, in place, each pair until its own changes stop it."""
    active = torch.arange(len(u), device=u.device)
    stop = stop_for(params, u.shape[-2] * u.shape[-1])
    now, dual = u, p
    for n in range(params.outer_iterations * params.inner_iterations):
        if n % params.inner_iterations == 0 and params.median_filtering > 1:
            now = torch.cat([median(now[:, :2], params.median_filtering), now[:, 2:]], dim=1)
        now, dual, changes = _relax(now, dual, field, params)
        going = _exceed(changes, stop)
        if not bool(going.all()):
            u[active[~going]], p[active[~going]] = now[~going], dual[~going]
            active, now, dual, field = active[going], now[going], dual[going], field.keep(going)
            if not len(active):
                return
    u[active], p[active] = now, dual


def _exceed(changes: Tensor, stop: Stop) -> Tensor:
    """Whether the squared changes (N, rows, width) of each pair are above the stop.

    OpenCV adds one pixel after the other to a float32; where that could change the result, so does
    this.
    """
    sums = changes.sum((1, 2), dtype=torch.float64)
    exceed = sums > stop.above
    for pair in (~exceed & (sums > stop.below)).nonzero().flatten().tolist():
        added = np.add.accumulate(changes[pair].cpu().numpy().ravel())[-1]
        exceed[pair] = bool(added > stop.value)
    return exceed


def _relax(
    u: Tensor, p: Tensor, field: _Field, params: TVL1Params
) -> tuple[Tensor, Tensor, Tensor]:
    """One iteration: thresholding step, u, p; also the squared change of u at every pixel."""
    scalar = _threshold(_residual(u, field), field, params.lambda_ * params.theta)
    new = (u - scalar[:, None] * field.slope) + params.theta * _divergence(p)
    change = new - u
    squares = (change * change).unbind(1)
    slope = _forward_gradient(new)
    ratio = params.tau / params.theta
    scale = 1.0 + ratio * length(slope[:, :, 0], slope[:, :, 1])
    return new, (p + ratio * slope) / scale[:, :, None], sum(squares[1:], squares[0])


def _residual(u: Tensor, field: _Field) -> Tensor:
    """rho, with the illumination term where there is one."""
    terms = (field.slope * u).unbind(1)
    rho = field.constant + (terms[0] + terms[1])
    return rho + terms[2] if len(terms) == 3 else rho


def _threshold(rho: Tensor, field: _Field, bound: float) -> Tensor:
    """The thresholding step's scalar: v = u - scalar * (I1wx, I1wy, gamma)."""
    far = rho.abs() > bound * field.square
    return torch.where(far, rho.sign() * bound, rho / field.divisor)


def _divergence(p: Tensor) -> Tensor:
    """Backward differences of p (N, C, 2, rows, width), zero outside the image.

    OpenCV adds the three parts in another order in the first column.
    """
    px, py = p[:, :, 0], p[:, :, 1]
    across, down = px.clone(), py.clone()
    across[..., 1:] -= px[..., :-1]
    down[..., 1:, :] -= py[..., :-1, :]
    divergence = across + down
    divergence[..., 1:, 0] = (px[..., 1:, 0] + py[..., 1:, 0]) - py[..., :-1, 0]
    return divergence


def _forward_gradient(u: Tensor) -> Tensor:
    """Forward differences (N, C, 2, rows, width) of u, zero in the last column and row."""
    gradient = u.new_zeros(*u.shape[:2], 2, *u.shape[2:])
    gradient[:, :, 0, :, :-1] = u.diff(dim=-1)
    gradient[:, :, 1, :-1] = u.diff(dim=-2)
    return gradient
