"""Networks as others write them: without the fields of ours, and one without batch normalization too."""

import flax.linen as nn
import jax.numpy as jnp

from yolojax.models.layers import ConvBN, Head


class Plain(nn.Module):
    """Two scales, strides 16 and 32, without batch normalization; heads of three anchors and three classes."""

    dtype: type = jnp.float32
    classes: int = 3

    @nn.compact
    def __call__(self, images):
        def conv(features, stride):
            return nn.Conv(features, (3, 3), (stride, stride), dtype=self.dtype, param_dtype=self.dtype)

        x = images.astype(self.dtype) / (255 if images.dtype == jnp.uint8 else 1)
        fine = nn.tanh(conv(8, 4)(nn.tanh(conv(8, 4)(x))))
        heads = [conv(3 * (5 + self.classes), 1)(x) for x in (fine, nn.tanh(conv(8, 2)(fine)))]
        return [head.reshape(*head.shape[:3], 3, -1) for head in heads]


class Mixed(nn.Module):
    """A layer and heads of ours among layers of another kind, with a parameter that starts at 0.7, and no `num_classes`."""

    @nn.compact
    def __call__(self, images, train: bool = False):
        x = images.astype(jnp.float32)
        x = nn.BatchNorm(use_running_average=not train, name="norm")(nn.Conv(4, (3, 3), (8, 8), name="patches")(x))
        x = x * self.param("gain", nn.initializers.constant(0.7), (1, 1, 1, 4))
        fine = ConvBN(8, 3, 2, name="ours")(x, train=train)
        fine = nn.Dropout(0.5, deterministic=not train)(fine)
        return Head(3, 3, name="head16")(fine), Head(3, 3, name="head32")(ConvBN(8, 3, 2, name="down")(fine, train=train))
