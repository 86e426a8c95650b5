"""The layers of a cfg: each section as an operation on the outputs of layers before it, with the shape of its output."""

from yolojax.darknet.cfg import Section
from yolojax.darknet.operations import (
    ACTIVATIONS,
    Activation,
    AveragePool,
    Convolution,
    Dropout,
    Layer,
    MaxPool,
    Route,
    Scale,
    Shortcut,
    Upsample,
    Yolo,
)
from yolojax.darknet.options import check_section


def build_layers(sections: list[Section], size: tuple[int, int] | None = None) -> tuple[tuple[int, int], tuple[Layer, ...]]:
    """Turns the sections of a cfg into layers, one a section after [net].

    Args:
        sections: of `parse_cfg`.
        size: (height, width) of the input in pixels; that of [net] by default.

    Returns:
        The size, and the layers.

    Raises:
        InputError: with file, line, section and option: what cannot be honoured, and layers that do not fit each other.
    """
    for section in sections:
        check_section(section)
    net = sections[0]
    size = size or (net.whole("height", minimum=1), net.whole("width", minimum=1))
    layers = []
    for section in sections[1:]:
        if section.name == "net":
            section.fail("stands a second time")
        layer = BUILDERS[section.name](section, layers, size)
        if min(layer.shape) < 1:
            section.fail(f"has nothing left: its output would be {_by(layer.shape)}")
        for source in layer.sources:
            if source >= 0 and isinstance(layers[source].operation, Yolo):
                section.fail(f"reads layer {source}, a [yolo]; nothing but the detections can be made of that")
            if 0 <= source < len(layers) - 1 and getattr(layers[source + 1].operation, "squared_sizes", False):
                section.fail(f"reads layer {source}, the outputs of a [yolo] with new_coords=1; nothing else can use them")
        layers.append(layer)
    if not any(isinstance(layer.operation, Yolo) for layer in layers):
        net.fail("is not followed by any [yolo]: the cfg describes no detector of the YOLO family from version 3 on")
    return size, tuple(layers)


def _by(shape):
    return " x ".join(map(str, shape))


def _shape(layers, size, source):
    return layers[source].shape if source >= 0 else (*size, 3)


def _previous(layers, size):
    return len(layers) - 1, _shape(layers, size, len(layers) - 1)


def _sources(section, option, layers, count=None):
    """The numbers of the layers that an option names; negative ones count from this layer back."""
    sources = []
    for number in section.wholes(option):
        source = number + len(layers) if number < 0 else number
        if not 0 <= source < len(layers):
            section.fail(f"{option}={number} names layer {source}, but this is layer {len(layers)}", option)
        sources.append(source)
    if count and len(sources) != count:
        section.fail(f"{option}={section.text(option)} must name {count} layer", option)
    return tuple(sources)


def _activation(section, default):
    activation = section.text("activation", default)
    if activation not in ACTIVATIONS:
        section.fail(f"activation={activation} cannot be honoured; {', '.join(ACTIVATIONS)} can", "activation")
    return activation


def _strides(section):
    stride = section.whole("stride", 1, minimum=1)
    return section.whole("stride_y", stride, minimum=1), section.whole("stride_x", stride, minimum=1)


def _convolutional(section, layers, size):
    source, (height, width, channels) = _previous(layers, size)
    filters, kernel = section.whole("filters", 1, minimum=1), section.whole("size", 1, minimum=1)
    groups = section.whole("groups", 1, minimum=1)
    if channels % groups or filters % groups:
        section.fail(f"groups={groups} must divide its {channels} channels and filters={filters}", "groups")
    strides = _strides(section)
    padding = kernel // 2 if section.whole("pad", 0) else section.whole("padding", 0, minimum=0)
    dilation = section.whole("dilation", 1, minimum=1)
    if dilation > 1 and 2 * padding != kernel - 1:
        section.fail(f"dilation={dilation} wants an odd size and pad=1; otherwise Darknet's own sizes do not fit", "dilation")
    normalize, activation = section.whole("batch_normalize", 0), _activation(section, "logistic")
    operation = Convolution(filters, kernel, strides, padding, groups, bool(normalize), activation, False, dilation)
    return Layer(operation, (source,), (*_windows((height, width), 2 * padding, kernel, strides), filters))


def _windows(size, padding, kernel, strides):
    return tuple((side + padding - kernel) // stride + 1 for side, stride in zip(size, strides, strict=True))


def _maxpool(section, layers, size):
    source, (height, width, channels) = _previous(layers, size)
    strides = _strides(section)
    window = section.whole("size", section.whole("stride", 1), minimum=1)
    padding = section.whole("padding", window - 1, minimum=0)
    if padding // 2 >= window or (padding + 1) // 2 >= window + max(strides):
        section.fail(f"padding={padding} leaves windows without a pixel", "padding")
    return Layer(MaxPool(window, strides, padding), (source,), (*_windows((height, width), padding, window, strides), channels))


def _avgpool(section, layers, size):
    source, shape = _previous(layers, size)
    return Layer(AveragePool(), (source,), (1, 1, shape[2]))


def _shortcut(section, layers, size):
    previous, shape = _previous(layers, size)
    sources = _sources(section, "from", layers)
    for source in sources:
        if layers[source].shape[:2] != shape[:2]:
            section.fail(f"from={source} is {_by(layers[source].shape)}, which cannot be added to {_by(shape)}", "from")
    return Layer(Shortcut(_activation(section, "linear")), (previous, *sources), shape)


def _route(section, layers, size):
    sources = _sources(section, "layers", layers)
    groups, group = section.whole("groups", 1, minimum=1), section.whole("group_id", 0, minimum=0)
    if group >= groups:
        section.fail(f"group_id={group} must be less than groups={groups}", "group_id")
    shapes = [layers[source].shape for source in sources]
    for source, shape in zip(sources, shapes, strict=True):
        if shape[:2] != shapes[0][:2]:
            section.fail(f"layers {sources[0]} and {source} are {_by(shapes[0])} and {_by(shape)}: they do not fit", "layers")
        if shape[2] % groups:
            section.fail(f"groups={groups} must divide the {shape[2]} channels of layer {source}", "groups")
    return Layer(Route(groups, group), sources, (*shapes[0][:2], sum(shape[2] for shape in shapes) // groups))


def _upsample(section, layers, size):
    source, (height, width, channels) = _previous(layers, size)
    stride = section.whole("stride", 2, minimum=1)
    return Layer(Upsample(stride, section.number("scale", 1.0)), (source,), (height * stride, width * stride, channels))


def _scale_channels(section, layers, size):
    previous, shape = _previous(layers, size)
    (source,) = _sources(section, "from", layers, 1)
    if shape != (1, 1, layers[source].shape[2]):
        section.fail(f"needs one factor a channel of layer {source}, {_by(layers[source].shape)}, not {_by(shape)}", "from")
    return Layer(Scale(_product_activation(section)), (source, previous), layers[source].shape)


def _sam(section, layers, size):
    previous, shape = _previous(layers, size)
    (source,) = _sources(section, "from", layers, 1)
    if layers[source].shape != shape:
        section.fail(f"from={source} is {_by(layers[source].shape)}, which cannot be multiplied with {_by(shape)}", "from")
    return Layer(Scale(_product_activation(section)), (source, previous), shape)


def _product_activation(section):
    # Darknet takes these two here without a word and computes neither.
    if section.text("activation", "linear") in ("mish", "swish"):
        section.fail("activation cannot be mish or swish, which Darknet does not compute here", "activation")
    return _activation(section, "linear")


def _activation_layer(section, layers, size):
    source, shape = _previous(layers, size)
    return Layer(Activation(_activation(section, "linear")), (source,), shape)


def _dropout(section, layers, size):
    source, shape = _previous(layers, size)
    probability = section.number("probability", 0.2)
    if not 0 <= probability < 1:
        section.fail(f"probability={probability:g} must be at least 0 and less than 1", "probability")
    return Layer(Dropout(probability), (source,), shape)


def _yolo(section, layers, size):
    source, shape = _previous(layers, size)
    classes, sides = section.whole("classes", 20, minimum=1), section.numbers("anchors")
    if "mask" in section.options:
        mask = section.wholes("mask")
    else:
        mask = range(section.whole("num", 1, minimum=1))
    pairs = tuple(zip(sides[::2], sides[1::2], strict=False))
    for number in mask:
        if not 0 <= number < min(len(pairs), section.whole("num", 1)):
            number_of = f"num={section.whole('num', 1)} and {len(pairs)} anchors"
            section.fail(f"there is no anchor {number} (they count from 0): {number_of}", "mask")
    anchors = tuple(pairs[number] for number in mask)
    if min(min(anchor) for anchor in anchors) <= 0:
        section.fail("anchors must be positive", "anchors")
    wanted = len(mask) * (5 + classes)
    if source < 0 or shape[2] != wanted:
        section.fail(
            f"classes={classes} and {len(mask)} anchors need {wanted} channels (anchors * (5 + classes)), but layer {source} "
            f"gives {shape[2]}: its filters= or these do not fit",
            "classes",
        )
    if (
        any(side % cells for side, cells in zip(size, shape[:2], strict=True))
        or len({side // cells for side, cells in zip(size, shape[:2], strict=True)}) > 1
    ):
        section.fail(f"its {shape[0]} x {shape[1]} cells do not divide the input of {size[0]} x {size[1]} into squares")
    before = layers[source]
    squared, kind = section.whole("new_coords", 0) == 1, section.text("nms_kind", "default")
    of_convolution = isinstance(before.operation, Convolution)
    if squared and not (of_convolution and before.operation.activation == "logistic"):
        section.fail("new_coords=1 wants a [convolutional] with activation=logistic before it", "new_coords")
    if kind not in ("default", "greedynms", "diounms"):
        section.fail(f"nms_kind={kind} cannot be honoured; default, greedynms and diounms can", "nms_kind")
    if of_convolution:
        # Decoding takes the sigmoid of the heads itself.
        activation = "linear" if squared else before.operation.activation
        layers[source] = before._replace(operation=before.operation._replace(head=True, activation=activation))
    power = section.number("beta_nms", 0.6) if kind == "diounms" else None
    return Layer(Yolo(anchors, classes, section.number("scale_x_y", 1.0), squared, power), (source,), shape)


BUILDERS = {
    "convolutional": _convolutional,
    "maxpool": _maxpool,
    "avgpool": _avgpool,
    "shortcut": _shortcut,
    "route": _route,
    "upsample": _upsample,
    "scale_channels": _scale_channels,
    "sam": _sam,
    "activation": _activation_layer,
    "dropout": _dropout,
    "yolo": _yolo,
}
