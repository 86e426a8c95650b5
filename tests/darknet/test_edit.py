"""A cfg for other classes, anchors and sizes."""

import pytest

from tests.helpers.cfgs import CSP, FACE, ZOO
from yolojax.darknet.cfg import parse_cfg
from yolojax.darknet.edit import with_anchors, with_classes, with_size
from yolojax.darknet.network import build_network
from yolojax.errors import InputError

TWO_HEADS = """[net]
width=32
height=64

[convolutional]
filters=4
stride=4

[convolutional]
filters=4
stride=2

[convolutional]
filters=18

[yolo]
mask=3,4,5
anchors=1,1, 2,2, 3,3, 4,4, 5,5, 6,6
num=6
classes=1

[route]
layers=0

[convolutional]
filters=18

[yolo]
mask=0,1,2
anchors=1,1, 2,2, 3,3, 4,4, 5,5, 6,6
num=6
classes=1
"""


@pytest.mark.parametrize("text", [FACE, CSP, ZOO])
@pytest.mark.parametrize("classes", [1, 7])
def test_classes_and_filters_change_and_nothing_else(text, classes):
    changed = with_classes(text, classes)
    model, grid = build_network(parse_cfg(changed))
    before, same = build_network(parse_cfg(text))
    assert model.num_classes == classes and grid == same and model.size == before.size
    other = {line for line in text.splitlines() if line not in changed.splitlines()}
    assert all(line.startswith(("classes=", "filters=")) for line in other)
    assert with_classes(changed, before.num_classes).splitlines() == text.splitlines()


def test_an_option_that_was_left_at_its_default_is_written():
    text = FACE.replace("classes=10\n", "").replace("filters=30", "filters=50")
    assert build_network(parse_cfg(with_classes(text, 3)))[0].num_classes == 3


def test_anchors_change_with_the_masks_that_choose_them():
    anchors = (((1.5, 2), (3, 4), (5, 6)), ((7, 8), (9, 10), (11, 12)))
    grid = build_network(parse_cfg(with_anchors(TWO_HEADS, anchors)))[1]
    assert grid.strides == (4, 8) and grid.anchors == anchors
    assert with_anchors(with_anchors(TWO_HEADS, anchors[::-1]), anchors) == with_anchors(TWO_HEADS, anchors)
    with pytest.raises(InputError, match=r"config\.model\.anchors has \[1\] anchors, fine to coarse, but .* has \[2\]"):
        with_anchors(FACE, (((1, 2),),))


def test_a_size_is_changed():
    assert with_size(FACE, (64, 96)) == FACE.replace("height=32", "height=64").replace("width=32", "width=96")


def test_a_head_that_follows_something_else_is_refused():
    text = "[net]\nwidth=32\nheight=32\n[convolutional]\nfilters=6\n[activation]\nactivation=linear\n"
    text += "[yolo]\nclasses=1\nanchors=4,6\n"
    with pytest.raises(InputError, match=r"config\.model\.cfg:8: \[yolo\] its number of classes can only be changed"):
        with_classes(text, 2)
