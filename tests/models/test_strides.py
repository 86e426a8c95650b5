"""Strides: those that a backbone is asked for, and those that shapes have."""

import jax.numpy as jnp
import pytest

from yolojax.errors import InputError
from yolojax.models import CSPDarknet53, Darknet53, ResNet, abstract_variables
from yolojax.models.strides import check_strides, strides_of


@pytest.mark.parametrize("backbone", [Darknet53, CSPDarknet53, ResNet])
@pytest.mark.parametrize("strides", [(), (1, 8), (8, 24), (16, 8), (8, 8), (32, 128)])
def test_strides_that_no_backbone_has_are_refused(backbone, strides):
    with pytest.raises(
        InputError, match=rf"strides of {backbone.__name__} must be some of 2, 4, 8, 16, 32, 64, in rising order"
    ):
        abstract_variables(backbone(strides=strides))


def test_strides_may_be_a_list():
    check_strides([4, 64], "Darknet53")


def test_strides_are_found_from_shapes():
    maps = [jnp.zeros((1, 16, 24, 3, 8)), jnp.zeros((1, 4, 6, 3, 8)), jnp.zeros((1, 1, 2, 3, 8))]
    assert strides_of((64, 96), maps[:2], "it") == (4, 16)
    assert strides_of((64, 96), (maps[1], maps[0]), "it") == (16, 4)  # the order is the caller's affair
    with pytest.raises(InputError, match=r"it makes \[\(16, 24\), \(4, 6\), \(1, 2\)\] cells .* of 64 x 96 pixels"):
        strides_of((64, 96), maps, "it")
    with pytest.raises(InputError, match="a whole number, the same down and across"):
        strides_of((66, 99), maps[:1], "it")


@pytest.mark.parametrize(
    "maps", [jnp.zeros((3, 4, 4, 8)), [], [jnp.zeros((4, 4))], {8: jnp.zeros((1, 4, 4, 8))}, [None]], ids=str
)
def test_what_is_no_list_of_maps_is_refused(maps):
    with pytest.raises(InputError, match=r"the backbone B must return a list or tuple of arrays \(B, H_s, W_s, ...\)"):
        strides_of((32, 32), maps, "the backbone B")
