"""The convolutions of networks in the order of their weights files."""

import flax.linen as nn
import pytest

from yolojax.darknet.places import places
from yolojax.errors import InputError
from yolojax.models import FPN, Darknet53, ResNet, YOLOv3, YOLOv3Tiny


def test_our_networks_take_the_layers_in_the_order_of_their_cfgs():
    names = ["/".join(place.path) for place in places(YOLOv3(80, spp=True))]
    assert len(names) == len(set(names)) == 76
    assert names[:3] == ["backbone/stem", "backbone/stage1_down", "backbone/stage1_block1_reduce"]
    assert names[52:62] == [
        "neck32_conv1", "neck32_conv2", "neck32_conv3", "spp", "neck32_conv4", "neck32_conv5", "detect32", "head32", "up32",
        "neck16_conv1",
    ]  # fmt: skip
    assert names.index("backbone/stage3_block2_expand") < names.index("backbone/stage3_block8_reduce")
    assert len(places(YOLOv3(80))) == 75 and len(places(YOLOv3Tiny(80))) == 13
    with pytest.raises(TypeError, match="the order of Darknet's layers is not known for Dense"):
        places(nn.Dense(3))


def test_a_given_darknet_and_fpn_are_the_published_network_and_others_have_no_order():
    given = YOLOv3(80, backbone=Darknet53(), neck=FPN(spp=True))
    assert places(given) == places(YOLOv3(80, spp=True))
    for backbone, given in (
        (ResNet(), "ResNet with strides"),
        (Darknet53(strides=(4, 32)), r"Darknet53 with strides \(4, 32\)"),
    ):
        with pytest.raises(InputError, match=rf"YOLOv3 on Darknet53 with strides \(8, 16, 32\), not on {given}"):
            places(YOLOv3(80, backbone=backbone))
    with pytest.raises(InputError, match="can only hold YOLOv3 with the neck FPN, not with Dense"):
        places(YOLOv3(80, neck=nn.Dense(3)))
