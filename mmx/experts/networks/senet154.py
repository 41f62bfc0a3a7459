"""SENet154 (Hu, Shen, Sun 2018) with its penultimate activations as output."""

from timm.models.senet import SEBottleneck, SENet
from torch import Tensor

WIDTH = 2048


class SENet154(SENet):
    """timm's legacy SENet in the shape of the published Caffe port.

    Its 987 keys (1,143 with the batch counters) are those of `senet154-c7b49a05.pth`; the ImageNet
    head stays so that the file loads strictly, and is not run.
    """

    def __init__(self) -> None:
        super().__init__(
            block=SEBottleneck,
            layers=(3, 8, 36, 3),
            groups=64,
            reduction=16,
            inplanes=128,
            input_3x3=True,
            downsample_kernel_size=3,
            downsample_padding=1,
        )

    def forward(self, images: Tensor) -> Tensor:
        """Map normalised RGB (batch, 3, height, width), 224 x 224 in training, to (batch, 2048)."""
        maps = self.forward_features(images)  # type: ignore[no-untyped-call]
        features: Tensor = self.forward_head(maps, pre_logits=True)
        return features
