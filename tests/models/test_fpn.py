"""The neck for any number of scales."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from yolojax.errors import InputError
from yolojax.models import FPN, count_floats

SIZE = 128


def features(strides, channels=6):
    return [jax.ShapeDtypeStruct((1, SIZE // stride, SIZE // stride, channels), jnp.float32) for stride in strides]


def build(neck, strides):
    """(maps, parameters), by shapes alone."""
    maps, variables = jax.eval_shape(
        lambda *x: neck.init_with_output(jax.random.key(0), list(x), strides=strides, train=False), *features(strides)
    )
    return maps, variables["params"]


@pytest.mark.parametrize("strides", [(4,), (64,), (8, 32), (16, 32), (4, 8, 16, 32), (2, 4, 8, 16, 32, 64)], ids=str)
@pytest.mark.parametrize("width", [1, 0.25])
def test_channels_halve_from_scale_to_scale(strides, width):
    maps, params = build(FPN(width=width), strides)
    narrow = [int(512 * width) // 2 ** (len(strides) - 1 - scale) for scale in range(len(strides))]
    assert [x.shape for x in maps] == [(1, SIZE // s, SIZE // s, c) for s, c in zip(strides, narrow, strict=True)]
    ups = [f"up{stride}" for stride in strides[1:]]
    assert params.keys() == {f"neck{stride}_conv{number}" for stride in strides for number in range(1, 6)} | {*ups}
    for scale, (stride, channels) in enumerate(zip(strides, narrow, strict=True)):
        shapes = [params[f"neck{stride}_conv{number}"]["conv"]["kernel"].shape for number in range(1, 6)]
        joined = 6 + (channels if scale < len(strides) - 1 else 0)
        wider, narrower = (3, 3, channels, 2 * channels), (1, 1, 2 * channels, channels)
        assert shapes == [(1, 1, joined, channels), wider, narrower, wider, narrower]
    for coarse, fine in zip(strides[1:], narrow, strict=False):
        assert params[f"up{coarse}"]["conv"]["kernel"].shape == (1, 1, 2 * fine, fine)


def test_pyramid_pooling_is_on_the_coarsest_scale():
    plain, spp = (build(FPN(spp), (8, 16))[1] for spp in (False, True))
    assert spp.keys() - plain.keys() == {"spp"} and spp["spp"]["conv"]["kernel"].shape == (1, 1, 4 * 512, 512)
    assert count_floats(spp) - count_floats(plain) == 4 * 512 * 512 + 2 * 512


def test_a_coarse_cell_reaches_the_fine_cells_that_it_covers_and_no_others():
    # Strides 8 and 32: one coarse cell lies over 4 x 4 fine ones, and each of two 3x3 convolutions on a scale adds one around.
    neck = FPN(width=1 / 128)
    coarse = np.zeros((1, 8, 8, 6), np.float32)
    fine = np.zeros((1, 32, 32, 6), np.float32)
    variables = jax.jit(lambda: neck.init(jax.random.key(0), [fine, coarse], strides=(8, 32), train=False))()
    apply = jax.jit(lambda x: neck.apply(variables, [fine, x], strides=(8, 32), train=False)[0])
    changed = np.any(apply(coarse) != apply(np.where(np.arange(8)[:, None, None] == 3, 1, coarse)), axis=(0, 2, 3))
    # Row 3 becomes rows 1 to 5 of the coarse map, so rows 4 to 23, and then rows 2 to 25 of the fine map.
    assert np.flatnonzero(changed).tolist() == list(range(2, 26))


def test_strides_that_do_not_divide_each_other_are_refused():
    with pytest.raises(InputError, match=r"the neck FPN needs strides of which each divides the next, not \(8, 12\)"):
        FPN().init(jax.random.key(0), [jnp.zeros((1, 3, 3, 2)), jnp.zeros((1, 2, 2, 2))], strides=(8, 12), train=False)
