"""Batch norm merged into the convolution before it: one pass less over the maps of each layer.

In evaluation a batch norm scales and shifts each channel by constants, which a convolution can do
by its own weights and bias. What is merged differs from what was trained by rounding alone.
"""

from collections import Counter
from collections.abc import Iterator
from typing import cast

from torch import fx, nn
from torch.nn.utils import fuse_conv_bn_weights

CONVOLUTIONS = (nn.Conv2d, nn.Conv3d)
NORMS = (nn.BatchNorm2d, nn.BatchNorm3d)


class _Tracer(fx.Tracer):
    """Records which module reads what; looks into neither convolutions nor batch norms."""

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        """Say whether a module is recorded as one call."""
        return isinstance(module, (*CONVOLUTIONS, *NORMS)) or super().is_leaf_module(module, name)


def fold_norms(network: nn.Module) -> nn.Module:
    """Merge batch norms into convolutions, in place, and return the network, in evaluation mode.

    Only a batch norm that alone reads the output of a convolution, both run once, is merged: the
    others stay, and so do all in a network whose path depends on its input's shape (I3D).
    """
    network.eval()
    if not any(isinstance(module, NORMS) for module in network.modules()):
        return network
    for convolution, name in list(_pairs(network)):
        norm = cast(nn.BatchNorm2d, network.get_submodule(name))
        _fold(cast(nn.Conv2d, network.get_submodule(convolution)), norm)
        network.set_submodule(name, _remainder(norm))
    return network


def _pairs(network: nn.Module) -> Iterator[tuple[str, str]]:
    """Yield the names of convolutions and of the batch norms that alone read their output."""
    try:
        graph = _Tracer().trace(network)
    except (fx.proxy.TraceError, TypeError):
        return
    runs = Counter(node.target for node in graph.nodes if node.op == "call_module")
    modules = dict(network.named_modules())
    for node in graph.nodes:
        if node.op != "call_module" or not isinstance(modules[node.target], NORMS):
            continue
        if modules[node.target].running_mean is None:  # its constants are each batch's own
            continue
        before = node.args[0]
        if (
            before.op == "call_module"
            and isinstance(modules[before.target], CONVOLUTIONS)
            and len(before.users) == runs[before.target] == runs[node.target] == 1
        ):
            yield before.target, node.target


def _fold(convolution: nn.Conv2d | nn.Conv3d, norm: nn.BatchNorm2d | nn.BatchNorm3d) -> None:
    """Give the convolution the batch norm's scale and shift."""
    assert norm.running_mean is not None and norm.running_var is not None
    convolution.weight, convolution.bias = fuse_conv_bn_weights(
        convolution.weight,
        convolution.bias,
        norm.running_mean,
        norm.running_var,
        norm.eps,
        norm.weight,
        norm.bias,
    )


def _remainder(norm: nn.Module) -> nn.Module:
    """Return what a batch norm does after it has scaled: timm's kind holds its activation."""
    return nn.Sequential(*norm.children())
