"""Every section is one complete class, registered once, whose options are what it declares."""

import dataclasses
import inspect

import numpy as np
import pytest

from tests.helpers.cfgs import CSP, FACE, ZOO, random_variables
from yolojax.darknet.cfg import Section, parse_cfg
from yolojax.darknet.layers import build_layers
from yolojax.darknet.network import build_network
from yolojax.darknet.sections import OPERATIONS, Layer, Net, Operation, Options, Yolo, layer_options, register
from yolojax.errors import InputError
from yolojax.models import abstract_variables

NAMES = (
    "convolutional", "maxpool", "avgpool", "shortcut", "route", "upsample", "scale_channels", "sam", "activation", "dropout",
    "yolo",
)  # fmt: skip


def subclasses(kind):
    return [kind, *(deeper for subclass in kind.__subclasses__() for deeper in subclasses(subclass))]


def test_every_section_is_registered_once():
    assert tuple(OPERATIONS) == NAMES
    concrete = [
        kind for kind in subclasses(Operation) if kind.__module__.startswith("yolojax.") and not inspect.isabstract(kind)
    ]
    assert sorted(concrete, key=str) == sorted(OPERATIONS.values(), key=str)
    with pytest.raises(ValueError, match=r"\[yolo\] is registered already, as Yolo"):
        register(Yolo)
    assert tuple(OPERATIONS) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_section_is_complete(name):
    kind = OPERATIONS[name]
    assert kind.cfg_name == vars(kind)["cfg_name"] == name
    assert isinstance(vars(kind)["options"], Options) and kind.__doc__
    assert "build" in vars(kind) and kind.compute is not Operation.compute
    assert dataclasses.is_dataclass(kind) and kind.__dataclass_params__.frozen
    fields = {field.name for field in dataclasses.fields(kind)}
    assert all(f"{field}: " in kind.__doc__ for field in fields)


def test_networks_are_static():
    for text in (ZOO, CSP, FACE):
        one, two = (build_layers(parse_cfg(text))[1] for _ in range(2))
        assert one == two and hash(one) == hash(two)
    # Operations with the same fields are equal only where they compute the same.
    kinds = [OPERATIONS[name]("linear") for name in ("shortcut", "scale_channels", "sam", "activation")]
    assert len(set(kinds)) == len(kinds)


class Recorded(dict):
    """The options of a section, which remember those that were asked for."""

    def __init__(self, options):
        super().__init__(options)
        self.read = set()

    def __contains__(self, option):
        self.read.add(option)
        return super().__contains__(option)

    def __getitem__(self, option):
        self.read.add(option)
        return super().__getitem__(option)


def test_the_honoured_options_are_those_that_are_read():
    read = {name: set() for name in ("net", *OPERATIONS)}
    # Without pad, padding is read; with diounms, beta_nms; without mask, num.
    for text in (ZOO, CSP, FACE):
        sections = [section._replace(options=Recorded(section.options)) for section in parse_cfg(text)]
        build_layers(sections)
        for section in sections:
            read[section.name] |= section.options.read
    assert read == {"net": Net.options.honoured, **{name: kind.options.honoured for name, kind in OPERATIONS.items()}}


START = """
[convolutional]
filters=8

[convolutional]
filters=8
"""
HEAD = """
[convolutional]
filters=14
activation=logistic

[yolo]
classes=2
num=2
anchors=4,6,7,5
"""

# Sections with the option set to each of two values, which give different layers or are refused.
EFFECTS = {
    ("net", "width"): ("height=32", 32, 64),
    ("net", "height"): ("width=32", 32, 64),
    ("convolutional", "filters"): ("", 8, 4),
    ("convolutional", "size"): ("", 1, 3),
    ("convolutional", "stride"): ("", 1, 2),
    ("convolutional", "stride_x"): ("", 1, 2),
    ("convolutional", "stride_y"): ("stride=2", 2, 1),
    ("convolutional", "pad"): ("size=3", 1, 0),
    ("convolutional", "padding"): ("size=3", 1, 0),
    ("convolutional", "groups"): ("filters=8", 1, 4),
    ("convolutional", "dilation"): ("size=3\npad=1", 1, 2),
    ("convolutional", "batch_normalize"): ("", 0, 1),
    ("convolutional", "activation"): ("", "relu", "elu"),
    ("maxpool", "size"): ("", 3, 1),
    ("maxpool", "stride"): ("size=2", 1, 2),
    ("maxpool", "stride_x"): ("size=2", 1, 2),
    ("maxpool", "stride_y"): ("size=2\nstride=2", 2, 1),
    ("maxpool", "padding"): ("size=3", 2, 1),
    ("shortcut", "from"): ("", -2, -1),
    ("shortcut", "activation"): ("from=-2", "linear", "leaky"),
    ("route", "layers"): ("", -1, -2),
    ("route", "groups"): ("layers=-1", 1, 2),
    ("route", "group_id"): ("layers=-1\ngroups=2", 0, 1),
    ("upsample", "stride"): ("", 1, 2),
    ("upsample", "scale"): ("stride=1", 1, 0.5),
    ("scale_channels", "from"): ("", 0, 1),
    ("scale_channels", "activation"): ("from=0", "relu", "logistic"),
    ("sam", "from"): ("", 0, -1),
    ("sam", "activation"): ("from=0", "tanh", "swish"),
    ("activation", "activation"): ("", "relu", "mish"),
    ("dropout", "probability"): ("", 0.1, 0.3),
    ("yolo", "mask"): ("anchors=4,6,7,5\nnum=2\nclasses=2", "0,1", "1,0"),
    ("yolo", "anchors"): ("num=2\nclasses=2", "4,6,7,5", "4,6,7,6"),
    ("yolo", "num"): ("anchors=4,6,7,5\nclasses=2\nmask=0,1", 2, 1),
    ("yolo", "classes"): ("anchors=4,6,7,5\nnum=2", 2, 3),
    ("yolo", "scale_x_y"): ("anchors=4,6,7,5\nnum=2\nclasses=2", 1, 1.1),
    ("yolo", "new_coords"): ("anchors=4,6,7,5\nnum=2\nclasses=2", 0, 1),
    ("yolo", "nms_kind"): ("anchors=4,6,7,5\nnum=2\nclasses=2", "greedynms", "diounms"),
    ("yolo", "beta_nms"): ("anchors=4,6,7,5\nnum=2\nclasses=2\nnms_kind=diounms", 0.6, 0.7),
}  # fmt: skip


def text_with(name, options):
    """A cfg in which the section has the options."""
    if name == "net":
        return f"[net]\n{options}\n" + START + HEAD
    start, section = "[net]\nwidth=32\nheight=32\n" + START, f"\n[{name}]\n{options}\n"
    if name == "yolo":
        return start + HEAD[: HEAD.index("[yolo]")] + section
    return start + ("[avgpool]\n" if name == "scale_channels" else "") + section + HEAD


def outcome(text):
    try:
        return build_layers(parse_cfg(text))
    except InputError as error:
        return str(error)


def kinds():
    return {"net": Net, **OPERATIONS}.items()


def test_every_honoured_option_has_an_effect():
    assert set(EFFECTS) == {(name, option) for name, kind in kinds() for option in kind.options.honoured}
    for (name, option), (others, one, two) in EFFECTS.items():
        first, second = (outcome(text_with(name, f"{others}\n{option}={value}")) for value in (one, two))
        assert not isinstance(first, str), (name, option, first)
        assert first != second and "is not an option" not in str(second), (name, option)


SECTIONS = {
    "net": "width=32\nheight=32",
    **dict.fromkeys(("convolutional", "maxpool", "avgpool", "activation", "dropout"), ""),
    "upsample": "stride=1",
    **dict.fromkeys(("shortcut", "scale_channels", "sam"), "from=0"),
    "route": "layers=-1,0",
    "yolo": "anchors=4,6,7,5\nnum=2\nclasses=2",
}


@pytest.mark.parametrize("name", SECTIONS)
def test_options_without_effect_are_accepted_and_neutral_ones_at_no_other_value(name):
    options = dict(kinds())[name].options
    assert not options.honoured & options.training and not options.neutral.keys() & (options.honoured | options.training)
    plain = outcome(text_with(name, SECTIONS[name]))
    assert not isinstance(plain, str), plain
    training = "\n".join(f"{option}=7\n{option}=8" for option in sorted(options.training))
    assert outcome(text_with(name, f"{SECTIONS[name]}\n{training}")) == plain
    for option, values in options.neutral.items():
        for value in values:
            assert outcome(text_with(name, f"{SECTIONS[name]}\n{option}={value}")) == plain
        problem = f"[{name}] {option}=77 changes what the network finds and is not supported; only {' or '.join(values)} is"
        assert problem in outcome(text_with(name, f"{SECTIONS[name]}\n{option}=77"))
    assert f"[{name}] likeness=3 is not an option that yolojax knows" in outcome(
        text_with(name, f"{SECTIONS[name]}\nlikeness=3")
    )


@pytest.fixture
def registry():
    """The registry, which is afterwards as it was."""
    before = dict(OPERATIONS)
    yield OPERATIONS
    OPERATIONS.clear()
    OPERATIONS.update(before)


def test_a_new_section_is_one_class(registry):
    @register
    @dataclasses.dataclass(frozen=True)
    class Offset(Operation):
        """A number added to the previous layer."""

        cfg_name = "offset"
        options = layer_options(honoured="by", training="slowly", neutral={"twice": ("0",)})

        by: float

        @classmethod
        def build(cls, section: Section, before):
            source, shape = before.previous()
            return Layer(cls(section.number("by")), (source,), shape)

        def compute(self, context, *inputs):
            (x,) = inputs
            return x + self.by * context.number

    text = FACE.replace("[yolo]", "[offset]\nby={}\nslowly=1\ntwice=0\nclip=3\n\n[yolo]")
    (model, grid), (other, _) = (build_network(parse_cfg(text.format(by))) for by in (0, 0.5))
    assert model != other and grid == build_network(parse_cfg(FACE))[1]
    variables = random_variables(abstract_variables(model))
    images = np.random.default_rng(0).random((1, 32, 32, 3), np.float32)
    (before,), (after,) = (network.apply(variables, images, train=False) for network in (model, other))
    np.testing.assert_allclose(after - before, 2, rtol=1e-5)  # 0.5 times layer 4
    for change, problem in (
        ("by=x", "cfg:31: [offset] by=x must be a number"),
        ("by=1\ntwice=1", "[offset] twice=1 changes what the network finds and is not supported; only 0 is"),
        ("by=1\nhow=1", "[offset] how=1 is not an option that yolojax knows"),
    ):
        assert problem in outcome(text.replace("by={}", change))
    assert outcome(text.replace("offset", "onset")).endswith("[yolo], [offset]")
