"""The 34-layer R(2+1)D (Tran et al. 2018) as the published checkpoints have it."""

from torch import Tensor, nn
from torchvision.models.video.resnet import BasicBlock, Conv2Plus1D, R2Plus1dStem, VideoResNet

CLASSES = 400
WIDTH = 512
EPSILON = 1e-3
MOMENTUM = 0.9

SECOND_MIDPLANES = {"layer2": (128, 288), "layer3": (256, 576), "layer4": (512, 1152)}
"""Planes and mid-planes of `conv2` in the first block of a layer.

torchvision reuses the block's first value (230, 460, 921), which counts the layer's *input*; the
network that was trained counts the planes that `conv2` really reads.
"""


class R2Plus1D34(VideoResNet):
    """torchvision's video ResNet with blocks 3 / 4 / 6 / 3, and the two differences named above.

    Batch norm has an epsilon of 1e-3, a hundred times torch's own. The head of `classes` actions
    (400 for Kinetics, 359 or 487 for IG-65M) is loaded and not run.
    """

    def __init__(self, classes: int = CLASSES) -> None:
        super().__init__(
            block=BasicBlock,
            conv_makers=[Conv2Plus1D] * 4,
            layers=[3, 4, 6, 3],
            stem=R2Plus1dStem,
            num_classes=classes,
        )
        for layer, (planes, midplanes) in SECOND_MIDPLANES.items():
            self.get_submodule(layer)[0].conv2[0] = Conv2Plus1D(planes, planes, midplanes)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm3d):
                module.eps, module.momentum = EPSILON, MOMENTUM

    def forward(self, frames: Tensor) -> Tensor:
        """Map normalised RGB (batch, 3, time, height, width) to (batch, 512).

        Trained on 8 or 32 frames of 112 x 112; any size and length is taken.
        """
        maps = self.layer4(self.layer3(self.layer2(self.layer1(self.stem(frames)))))
        features: Tensor = self.avgpool(maps).flatten(1)
        return features
