"""The two Places365 networks (Zhou et al. 2018), with penultimate activations as output."""

import re

from torch import Tensor
from torch.nn import functional
from torchvision.models.densenet import DenseNet
from torchvision.models.resnet import BasicBlock, ResNet

CLASSES = 365
RESNET18_WIDTH = 512
DENSENET161_WIDTH = 2208

_OLD_DENSENET_NAME = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12])\.")


class Places365ResNet18(ResNet):
    """torchvision's ResNet-18 with the head of 365 places, which is loaded and not run."""

    def __init__(self) -> None:
        super().__init__(BasicBlock, [2, 2, 2, 2], num_classes=CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """Map normalised RGB (batch, 3, height, width), 224 x 224 in training, to (batch, 512)."""
        stem = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        maps = self.layer4(self.layer3(self.layer2(self.layer1(stem))))
        features: Tensor = self.avgpool(maps).flatten(1)
        return features


class Places365DenseNet161(DenseNet):
    """torchvision's DenseNet-161 with the head of 365 places, which is loaded and not run."""

    def __init__(self) -> None:
        super().__init__(
            growth_rate=48,
            block_config=(6, 12, 36, 24),
            num_init_features=96,
            num_classes=CLASSES,
        )

    def forward(self, images: Tensor) -> Tensor:
        """Map normalised RGB (batch, 3, height, width), 224 x 224 in training, to (batch, 2208)."""
        maps = functional.relu(self.features(images))
        return functional.adaptive_avg_pool2d(maps, 1).flatten(1)


def densenet_name(name: str) -> str:
    """Return today's name of a DenseNet parameter.

    Modules were once allowed a dot in their name, so the published file says `norm.1` for `norm1`.
    """
    return _OLD_DENSENET_NAME.sub(r"\1\2.", name)
