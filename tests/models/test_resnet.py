"""ResNets against the published numbers, and against a literal reading of the paper."""

import jax
import numpy as np
import pytest

from tests.helpers.cfgs import random_variables
from tests.helpers.networks import convolution_flops
from yolojax.errors import InputError
from yolojax.models import ResNet, abstract_variables, count_floats


@pytest.mark.parametrize(
    ("depth", "parameters", "channels"),
    [
        # torchvision's networks without the classifier (512 or 2048 times 1000 weights, and 1000 biases).
        (18, 11_689_512 - 513_000, 512),
        (50, 25_557_032 - 2_049_000, 2048),
        pytest.param(34, 21_797_672 - 513_000, 512, marks=pytest.mark.slow),
        pytest.param(101, 44_549_160 - 2_049_000, 2048, marks=pytest.mark.slow),
        pytest.param(152, 60_192_808 - 2_049_000, 2048, marks=pytest.mark.slow),
    ],
)
def test_parameters_are_the_published_ones(depth, parameters, channels):
    model = ResNet(depth)
    variables = abstract_variables(model)
    assert count_floats(variables["params"]) == parameters
    images = jax.ShapeDtypeStruct((2, 64, 96, 3), np.float32)
    features = jax.eval_shape(lambda v, x: model.apply(v, x, train=False), variables, images)
    assert [f.shape for f in features] == [(2, 64 // s, 96 // s, channels * s // 32) for s in (8, 16, 32)]


@pytest.mark.slow
@pytest.mark.parametrize(("depth", "multiplications"), [(18, 1.814e9), (50, 4.087e9)])
def test_operations_are_those_of_the_variant_with_the_stride_in_the_3x3_convolution(depth, multiplications):
    # At 224 x 224; with the stride in the first 1x1 convolution, as in the paper, ResNet-50 has 3.8e9.
    assert convolution_flops(ResNet(depth), (1, 224, 224, 3)) == pytest.approx(2 * multiplications, rel=2e-3)


def convolve(x, kernel, stride):
    """x (H, W, C), kernel (k, k, C, F), with k // 2 zeros around -> (H', W', F)."""
    size = len(kernel)
    padded = np.pad(x, ((size // 2, size // 2), (size // 2, size // 2), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), (0, 1))[::stride, ::stride]
    return np.einsum("hwcij,ijcf->hwf", windows, kernel)


def literal(variables, x, depth, blocks):
    """The features of strides 2, 4, 8, 16, 32 by table 1 and figure 5 of the paper; x is (H, W, 3)."""

    def layer(name, x, stride):
        params, stats = variables["params"][name], variables["batch_stats"][name]["bn"]
        x = (convolve(x, params["conv"]["kernel"], stride) - stats["mean"]) / np.sqrt(stats["var"] + 1e-5)
        return x * params["bn"]["scale"] + params["bn"]["bias"]

    x = np.maximum(layer("stem", x, 2), 0)
    features = [x]
    padded = np.pad(x, ((1, 1), (1, 1), (0, 0)), constant_values=-np.inf)
    x = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (0, 1))[::2, ::2].max((3, 4))
    for stage, count in enumerate(blocks, start=2):
        for block in range(1, count + 1):
            name, stride = f"stage{stage}_block{block}", 2 if stage > 2 and block == 1 else 1
            if depth == 18:
                y = layer(f"{name}_conv2", np.maximum(layer(f"{name}_conv1", x, stride), 0), 1)
            else:
                y = np.maximum(layer(f"{name}_conv1", x, 1), 0)
                y = layer(f"{name}_conv3", np.maximum(layer(f"{name}_conv2", y, stride), 0), 1)
            projected = block == 1 and (stage > 2 or depth > 34)
            x = np.maximum(y + (layer(f"{name}_shortcut", x, stride) if projected else x), 0)
        features.append(x)
    return features


@pytest.mark.parametrize(("depth", "strides", "blocks"), [(18, (2, 4, 8, 16, 32), (2, 2, 2, 2)), (50, (2, 4, 8), (3, 4))])
def test_features_are_those_of_a_literal_reading(depth, strides, blocks):
    model = ResNet(depth, width=0.125, strides=strides)
    variables = random_variables(abstract_variables(model))
    images = np.random.default_rng(1).random((2, 32, 64, 3), np.float32)
    features = jax.jit(lambda v, x: model.apply(v, x, train=False))(variables, images)
    for picture, image in enumerate(images):
        expected = literal(variables, image, depth, blocks)
        assert len(features) == len(expected)
        for a, b in zip(features, expected, strict=True):
            np.testing.assert_allclose(a[picture], b, rtol=1e-3, atol=1e-5 * np.abs(b).max())


def test_stride_64_is_one_more_stage_like_the_last_and_unused_stages_are_left_out():
    params = {s: abstract_variables(ResNet(18, strides=s))["params"] for s in ((4,), (32,), (64,))}
    more = params[64,].keys() - params[32,].keys()
    assert {name.partition("_")[0] for name in more} == {"stage6"} and len(more) == 5
    assert params[64,]["stage6_block2_conv2"]["conv"]["kernel"].shape == (3, 3, 512, 512)
    assert {name.partition("_")[0] for name in params[4,]} == {"stem", "stage2"}


def test_other_depths_are_refused():
    with pytest.raises(InputError, match="the depth of a ResNet must be one of 18, 34, 50, 101, 152, not 20"):
        abstract_variables(ResNet(20))
