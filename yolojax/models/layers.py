"""The building blocks of Darknet networks, and initial values for any network made of them."""

import math
import re

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

OBJECTNESS_PRIOR = 0.01
HEAD_KERNEL_STD = 0.01


def scaled(channels, width):
    """Channels of a layer under a width multiplier: the nearest multiple of 4, at least 4; as they are at width 1."""
    return channels if width == 1 else max(4, 4 * round(channels * width / 4))


def layer_matches(layer, pattern):
    """Whether a regular expression is found in a layer's path, as in "backbone/stem"; "" is found in none."""
    return bool(pattern) and re.search(pattern, layer) is not None


def layer_of(path):
    """The path of the layer that a variable belongs to, as in "backbone/stem", from its place in the tree of variables.

    A layer is a convolution with what belongs to it: two keys before the end, as in backbone, stem, (conv, kernel).
    """
    return "/".join(key.key for key in path[:-2])


class ConvBN(nn.Module):
    """Convolution, batch normalization and leaky ReLU 0.1, as Darknet's `[convolutional] batch_normalize=1`.

    (B, H, W, C) -> (B, H / stride, W / stride, features). A stride of 2 pads one pixel on every side, where "SAME" would pad
    the far sides only and so shift the weights of Darknet.

    Attributes:
        features: channels out.
        kernel: side of the square kernel, odd.
        stride: 1 or 2.
        dtype: of the computation; parameters and statistics are float32.
        momentum: of the running statistics.
        axis_name: the pmap or shard_map axis over which batch statistics are taken, if any.
        frozen: regular expression; where it is found in the layer's path, as in "backbone/stem", training too uses the running
            statistics and keeps them.
        remat: in training the gradient keeps nothing but the layer's input, and computes the layer anew (Chen et al. 2016,
            arXiv:1604.06174).
    """

    features: int
    kernel: int
    stride: int = 1
    dtype: jnp.dtype = jnp.float32
    momentum: float = 0.99
    axis_name: str | None = None
    frozen: str = ""
    remat: bool = False

    @nn.compact
    def __call__(self, x, *, train):
        padding = self.kernel // 2

        def layer(self, x):
            x = nn.Conv(
                self.features,
                (self.kernel, self.kernel),
                (self.stride, self.stride),
                padding=((padding, padding), (padding, padding)),
                use_bias=False,
                dtype=self.dtype,
                kernel_init=nn.initializers.variance_scaling(2.0, "fan_in", "normal"),
                name="conv",
            )(x)
            x = nn.BatchNorm(
                use_running_average=not train or layer_matches("/".join(self.path), self.frozen),
                momentum=self.momentum,
                epsilon=1e-5,
                dtype=self.dtype,
                axis_name=self.axis_name,
                name="bn",
            )(x)
            return nn.leaky_relu(x, 0.1)

        return (nn.remat(layer) if self.remat and train else layer)(self, x)


class Head(nn.Module):
    """The last, linear 1x1 convolution of a scale: (B, H, W, C) -> (B, H, W, A, 5 + num_classes) float32.

    A network that computes in float64, under jax_enable_x64, has float64 heads.

    The bias of the objectness starts at log(p / (1 - p)) with p = 0.01, so that the many slots without an object do not flood
    the loss at the start (Lin et al. 2017, arXiv:1708.02002, section 4.1).
    """

    num_classes: int
    anchors: int

    @nn.compact
    def __call__(self, x):
        outputs = 5 + self.num_classes
        x = nn.Conv(
            self.anchors * outputs,
            (1, 1),
            dtype=jnp.promote_types(x.dtype, jnp.float32),
            kernel_init=nn.initializers.normal(HEAD_KERNEL_STD),
            bias_init=_objectness_prior_bias(outputs),
            name="head",
        )(x)
        return x.reshape(*x.shape[:3], self.anchors, outputs)


def upsample(x):
    """Nearest-neighbour upsampling by two; (B, H, W, C) -> (B, 2H, 2W, C)."""
    return x.repeat(2, axis=1).repeat(2, axis=2)


@jax.custom_jvp
def halve(x):
    """Max-pooling 2x2 by stride 2; (B, H, W, C) -> (B, H / 2, W / 2, C).

    The gradient goes to the first of the largest, row by row, as in Darknet's `maxpool`.
    """
    return _blocks(x).max((2, 4))


@halve.defjvp
def _halve_jvp(primals, tangents):
    # Each half chooses for itself: JAX's gradient of a maximum asks which numbers equal it and divides by how many do, which is
    # 0 / 0 where a compiler rounds the two in other ways. Nor is it as fast, and that of a window reduction is slower still.
    largest, tangent = (_blocks(x) for (x,) in (primals, tangents))
    for axis in (4, 2):
        one, other = (jax.lax.index_in_dim(largest, i, axis, keepdims=False) for i in (0, 1))
        of_one, of_other = (jax.lax.index_in_dim(tangent, i, axis, keepdims=False) for i in (0, 1))
        largest, tangent = jnp.maximum(one, other), jnp.where(one >= other, of_one, of_other)
    return largest, tangent


def _blocks(x):
    """(B, H, W, C) -> (B, H / 2, 2, W / 2, 2, C)."""
    batch, height, width, channels = x.shape
    return x.reshape(batch, height // 2, 2, width // 2, 2, channels)


def pool(x, size):
    """Max-pooling by stride 1 that keeps the size; an even window reaches one further right and down, as in Darknet."""
    return nn.max_pool(x, (size, size), padding="SAME")


def to_unit_range(images, dtype):
    """uint8 pictures to [0, 1]; floating ones are in that range already."""
    if images.dtype == jnp.uint8:
        return images.astype(dtype) / 255
    return images.astype(dtype)


def abstract_variables(model):
    """Shapes and types of a network's variables, {"params", "batch_stats"}, from an abstract evaluation."""
    # A network of a cfg has a size that its layers fit; ours take any.
    images = jax.ShapeDtypeStruct((1, *getattr(model, "size", (32, 32)), 3), jnp.float32)
    variables = jax.eval_shape(lambda images: model.init(jax.random.key(0), images, train=False), images)
    return {"batch_stats": {}, **variables}  # a network of a cfg may have no batch normalization


def initialize(model, seed):
    """Draws the initial variables of a network on the host, without compiling or running it.

    `model.init` runs or compiles the whole forward pass to learn the shapes; here they come from an abstract evaluation,
    and the values from NumPy, in the distributions of the modules' own initializers.

    Args:
        model: a network of this package.
        seed: integer.

    Returns:
        {"params", "batch_stats"}, trees of float32 NumPy arrays; the same for the same seed on every platform.
    """
    rng = np.random.default_rng(seed)

    def draw(path, leaf):
        module, name = path[-2].key, path[-1].key
        if name == "kernel" and module == "head":
            return HEAD_KERNEL_STD * rng.standard_normal(leaf.shape, np.float32)
        if name == "kernel":
            # He et al. 2015, arXiv:1502.01852, equation 10.
            return math.sqrt(2 / math.prod(leaf.shape[:-1])) * rng.standard_normal(leaf.shape, np.float32)
        if name == "bias" and module == "head":
            return np.asarray(_objectness_prior_bias(5 + model.num_classes)(None, leaf.shape))
        return (np.ones if name in ("scale", "var") else np.zeros)(leaf.shape, np.float32)

    return jax.tree_util.tree_map_with_path(draw, abstract_variables(model))


def count_floats(variables):
    """Number of floats of a tree of variables, batch statistics included, as a Darknet weights file counts them."""
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(variables))


def _objectness_prior_bias(outputs):
    def init(key, shape, dtype=np.float32):
        bias = np.zeros((shape[0] // outputs, outputs), dtype)
        bias[:, 4] = math.log(OBJECTNESS_PRIOR / (1 - OBJECTNESS_PRIOR))
        return jnp.asarray(bias.reshape(shape))

    return init
