"""Layers of a cfg that no machine can compute are refused by their shapes, before anything is allocated."""

import pytest

from yolojax.darknet.cfg import MOST_SECTIONS, parse_cfg
from yolojax.darknet.network import build_network
from yolojax.errors import InputError

HEAD = "[convolutional]\nfilters=18\nsize=1\n[yolo]\nclasses=1\nanchors=8,8,16,16,32,32\nnum=3\n"


def build(layers, width=96):
    return build_network(parse_cfg(f"[net]\nheight=96\nwidth={width}\n{layers}{HEAD}"))


@pytest.mark.parametrize(
    "layers",
    [
        "[upsample]\nstride=1000\n[maxpool]\nsize=1000\nstride=1000\npadding=0\n",
        "[convolutional]\nfilters=8\nsize=3\npadding=2000000000\n",
        "[maxpool]\nsize=2000000001\nstride=1\n",
        "[convolutional]\nfilters=1000000000\nsize=3\npad=1\n",
        "[convolutional]\nfilters=8\nsize=1000000\npad=1\n",
        "[route]\nlayers=-1,-1\n" * 40,
    ],
)
def test_layers_that_do_not_fit_into_memory(layers):
    layers = f"[convolutional]\nfilters=8\nsize=3\npad=1\n{layers}"
    with pytest.raises(InputError, match=r"cfg:\d+: \[\w+\] needs .* for one picture \(.*, more than half of the memory"):
        build(layers)


def test_layers_that_would_take_hours():
    layers = "[convolutional]\nfilters=8\nsize=3\npad=1\n[maxpool]\nsize=2001\nstride=1\n"
    with pytest.raises(
        InputError, match=r"\[maxpool\] takes \de\+\d+ comparisons for one picture, more than 1e\+10: make size="
    ):
        build(layers)


@pytest.mark.parametrize("width", [10**8, 96 * 10**7])
def test_inputs_that_do_not_fit_into_memory(width):
    with pytest.raises(InputError, match=r"needs [\d,]+.* GiB for one picture"):
        build("", width)


def test_a_usual_network_is_built():
    build("[convolutional]\nfilters=8\nsize=3\npad=1\n[maxpool]\nsize=13\nstride=1\n")


def test_more_sections_than_any_network_has():
    with pytest.raises(InputError, match="cfg:10001: more than 10,000 sections"):
        parse_cfg("[net]\n" + "[dropout]\n" * (MOST_SECTIONS + 5))
