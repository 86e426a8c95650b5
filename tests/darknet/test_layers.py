"""The layers of cfgs: their shapes, and what is refused, with file, line, section and option."""

import pytest

from tests.helpers.cfgs import CSP, FACE
from yolojax.darknet.cfg import parse_cfg
from yolojax.darknet.layers import build_layers
from yolojax.darknet.network import build_network
from yolojax.darknet.sections import Convolution, Dropout, MaxPool, Route, Yolo
from yolojax.errors import InputError


def refused(text):
    with pytest.raises(InputError) as caught:
        build_layers(parse_cfg(text, "a.cfg"))
    return str(caught.value)


def test_of_an_option_given_twice_the_first_counts_as_in_darknet():
    assert build_layers(parse_cfg(FACE.replace("width=32", "width=32\nwidth=32\nbatch=1\nbatch=64")))[0] == (32, 32)
    problem = "a.cfg:2: [net] width= is given again on line 3 with another value; remove one of them"
    assert refused(FACE.replace("width=32", "width=32\nwidth=64")) == problem


DROP = "[dropout]\nprobability=.1"

# What to put in place of what in FACE, and what is said of it.
REFUSED = {
    "section": ("[dropout]", "[reorg]", "a.cfg:13: [reorg] is not a supported section; the supported ones are [net], [conv"),
    "gaussian": ("[yolo]", "[Gaussian_yolo]", "a.cfg:30: [Gaussian_yolo] is not a supported section"),
    "option": ("stride=2", "stride=2\nlikeness=3", "a.cfg:10: [convolutional] likeness=3 is not an option that yolojax knows"),
    "dilation": ("pad=1", "dilation=2", "a.cfg:10: [convolutional] dilation=2 needs an odd size and pad=1; other"),
    "binary": ("stride=2", "stride=2\nxnor=1", "a.cfg:10: [convolutional] xnor=1 changes what the network finds"),
    "weightless": ("stride=2", "stride=2\ndontload=1", "a.cfg:10: [convolutional] dontload=1 changes"),
    "channels": ("width=32", "channels=1\nwidth=32", "a.cfg:2: [net] channels=1 changes what the network finds"),
    "new_coords": ("num=2", "num=2\nnew_coords=1", "a.cfg:33: [yolo] new_coords=1 needs a [convolutional] with activation=lo"),
    "nms": ("num=2", "num=2\nnms_kind=cornersnms", "a.cfg:33: [yolo] nms_kind=cornersnms is not supported; use default"),
    "activation": (
        "activation=leaky",
        "activation=plse",
        "a.cfg:11: [convolutional] activation=plse is not supported; use lin",
    ),
    "number": ("filters=4", "filters=four", "a.cfg:7: [convolutional] filters=four must be a whole number"),
    "fraction": ("filters=4", "filters=4.5", "a.cfg:7: [convolutional] filters=4.5 must be a whole"),
    "zero": ("filters=4", "filters=0", "a.cfg:7: [convolutional] filters=0 must be at least 1"),
    "groups": ("filters=4", "filters=4\ngroups=2", "a.cfg:8: [convolutional] groups=2 must divide its 3 channels and filt"),
    "no width": ("width=32\n", "", "a.cfg:1: [net] has no width="),
    "filters": ("filters=30", "filters=255", "a.cfg:33: [yolo] classes=10 and 2 anchors need 30 channels (anchors * (5"),
    "classes": ("classes=10", "classes=4", "a.cfg:33: [yolo] classes=4 and 2 anchors need 18 channels (anchors *"),
    "mask": ("num=2", "num=2\nmask=1,2", "a.cfg:33: [yolo] there is no anchor 2 (counted from 0): num=2 and 2 anchors"),
    "anchors": ("anchors=10,12,20,24", "anchors=10,0,20,24", "a.cfg:31: [yolo] anchors must be positive"),
    "endless": ("anchors=10,12,20,24", "anchors=10,inf,20,24", "a.cfg:31: [yolo] anchors=10,inf,20,24 must be numbers"),
    "no anchors": ("anchors=10,12,20,24\n", "", "a.cfg:30: [yolo] has no anchors="),
    "probability": ("probability=.1", "probability=1", "a.cfg:14: [dropout] probability=1 must be at least 0 and less than 1"),
    "no head": ("[yolo]\nanchors=10,12,20,24\nnum=2\nclasses=10\n", "", "a.cfg:1: [net] is not followed by any [yolo]"),
    "second net": (DROP, "[net]", "a.cfg:13: [net] appears a second time"),
    "too small": ("size=1", "size=11", "a.cfg:24: [convolutional] leaves nothing: its output would be -2 x -2 x 30"),
    "padding": (DROP, "[maxpool]\nsize=2\npadding=4", "a.cfg:15: [maxpool] padding=4 leaves windows without"),
    "route": (DROP, "[route]\nlayers=-3", "a.cfg:14: [route] layers=-3 names layer -2, but this is la"),
    "itself": (DROP, "[route]\nlayers=1", "a.cfg:14: [route] layers=1 names layer 1, but this is laye"),
    "group": (DROP, "[route]\nlayers=0\ngroups=2\ngroup_id=2", "[route] group_id=2 must be less than groups=2"),
    "split": (DROP, "[route]\nlayers=0\ngroups=3", "[route] groups=3 must divide the 4 channels of layer 0"),
    "weighted": (DROP, "[shortcut]\nfrom=0\nweights_type=per_feature", "weights_type=per_feature changes"),
    "scale": (DROP, "[scale_channels]\nfrom=0", "[scale_channels] needs one factor per channel of layer 0, 16"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_honoured_is_refused_by_name_and_line(name):
    old, new, problem = REFUSED[name]
    assert FACE.count(old) >= 1
    message = refused(FACE.replace(old, new, 1))
    assert message.startswith("a.cfg:") and problem in message


def test_layers_that_do_not_fit_each_other():
    end = "\n[{}]\n{}\n"
    assert "[shortcut] from=0 is 16 x 16 x 4, which cannot be added to 8 x 8 x 6" in refused(
        FACE.replace("[convolutional]\nfilters=30", "[shortcut]\nfrom=0\n\n[convolutional]\nfilters=30")
    )
    assert "[route] layers 2 and 0 are 8 x 8 x 6 and 16 x 16 x 4: they do not fit" in refused(
        FACE + end.format("route", "layers=2,0")
    )
    assert "[sam] from=0 is 16 x 16 x 4, which cannot be multiplied by 8 x 8 x 6" in refused(
        FACE + end.format("route", "layers=2") + end.format("sam", "from=0")
    )
    assert "[convolutional] reads layer 4, a [yolo], whose outputs can only be made into detections" in refused(
        FACE + end.format("convolutional", "filters=4")
    )
    assert "[route] reads layer 2, the outputs of a [yolo] with new_coords=1; nothing else can use them" in refused(
        CSP + end.format("route", "layers=2")
    )
    assert "[yolo] has a different new_coords from another [yolo]" in refused_network(
        CSP + end.format("route", "layers=1") + end.format("convolutional", "filters=7") + "[yolo]\nclasses=2\nanchors=3,4\n"
    )
    assert "has a different number of classes from another [yolo]" in refused_network(
        FACE + end.format("route", "layers=2") + end.format("convolutional", "filters=6") + "[yolo]\nclasses=1\nanchors=3,4\n"
    )
    assert "[yolo] its 11 x 11 cells do not divide the input of 32 x 32 into squares" in refused(
        FACE.replace("stride=2", "stride=3", 1).replace("stride=2", "stride=1")
    )


def refused_network(text):
    with pytest.raises(InputError) as caught:
        build_network(parse_cfg(text, "a.cfg"))
    return str(caught.value)


def test_options_that_matter_to_training_alone_are_accepted():
    plain = build_layers(parse_cfg(FACE))
    busy = FACE.replace("width=32", "width=32\nletter_box=1\nmosaic=1\npolicy=sgdr\nmax_chart_loss=20\nchannels=3")
    busy = busy.replace("num=2", "num=2\njitter=.3\nrandom=1\niou_loss=ciou\nnms_kind=greedynms\nbeta_nms=0.6\nnew_coords=0")
    busy = busy.replace("size=1", "size=1\nstopbackward=800\nantialiasing=0")
    assert build_layers(parse_cfg(busy)) == plain


def test_shapes_and_defaults_are_darknets():
    text = FACE.replace(DROP, "[dropout]\n\n[maxpool]\nstride=2\n\n[upsample]\n\n[route]\nlayers=-1,0")
    text = text.replace("height=32", "height=64")
    size, layers = build_layers(parse_cfg(text))
    assert size == (64, 32)
    assert [layer.shape for layer in layers[:5]] == [(32, 16, 4), (32, 16, 4), (16, 8, 4), (32, 16, 4), (32, 16, 8)]
    assert layers[0].operation == Convolution(4, 3, (2, 2), 1, 1, True, "leaky", False)
    assert layers[1].operation == Dropout(0.2) and layers[2].operation == MaxPool(2, (2, 2), 1)
    assert layers[4] == ((Route(1, 0)), (3, 0), (32, 16, 8))
    assert layers[6].operation == Convolution(30, 1, (1, 1), 0, 1, False, "linear", True)
    assert layers[7].operation == Yolo(((10, 12), (20, 24)), 10, 1.0)
