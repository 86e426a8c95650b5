"""A backbone of one's own, under the neck of YOLOv3 or in a network of one's own: any Flax module that makes raw heads.

cd examples && yolojax train --workdir runs/own_net --config.model.name=own_backbone:Net --config.data.size='(96,96)'
cd examples && yolojax train --workdir runs/mine --config.model.name=yolov3 --config.model.backbone=own_backbone:Backbone

Options: --config.model.options='{"width": 32}' and --config.model.backbone_options. Evaluation, detection and export need the
workdir alone.
"""

import flax.linen as nn
import jax.numpy as jnp


class Backbone(nn.Module):
    """Residual stages with group normalization (Wu and He 2018, arXiv:1803.08494): features at strides 8 and 16."""

    width: int = 16

    @nn.compact
    def __call__(self, x, *, train):
        features = []
        for stage in range(4):
            channels = self.width * 2**stage
            x = nn.silu(nn.GroupNorm(4)(nn.Conv(channels, (3, 3), (2, 2))(x)))
            x = x + nn.silu(nn.GroupNorm(4)(nn.Conv(channels, (3, 3))(x)))
            features.append(x)
        return features[2:]


class Net(nn.Module):
    """The backbone, one linear head for each of its features, and the anchors that belong to them.

    Strides and the number of anchors are found from the shapes of the heads.
    """

    num_classes: int
    width: int = 16
    anchors: tuple = (((12, 20), (20, 32), (24, 48)), ((32, 40), (40, 64), (64, 80)))

    @nn.compact
    def __call__(self, images, *, train):
        x = images.astype(jnp.float32) / (255 if images.dtype == jnp.uint8 else 1)
        heads = []
        for feature, anchors in zip(Backbone(self.width)(x, train=train), self.anchors, strict=True):
            head = nn.Conv(len(anchors) * (5 + self.num_classes), (1, 1), bias_init=self.objectness_prior)(feature)
            heads.append(head.reshape(*head.shape[:3], len(anchors), 5 + self.num_classes).astype(jnp.float32))
        return tuple(heads)

    def objectness_prior(self, key, shape, dtype=jnp.float32):
        """Objectness begins at 0.01 (Lin et al. 2017, arXiv:1708.02002, section 4.1): nearly all slots are background."""
        bias = jnp.zeros((shape[0] // (5 + self.num_classes), 5 + self.num_classes), dtype)
        return bias.at[:, 4].set(jnp.log(0.01 / 0.99)).reshape(shape)
