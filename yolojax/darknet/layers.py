"""The layers of a cfg: each section built on the layers before it, with the shape of its output."""

from yolojax.darknet.budget import check_cost
from yolojax.darknet.cfg import Section
from yolojax.darknet.sections import OPERATIONS, Layer, LayersBefore, Net, Yolo
from yolojax.darknet.sections.base import shape_text


def build_layers(sections: list[Section], size: tuple[int, int] | None = None) -> tuple[tuple[int, int], tuple[Layer, ...]]:
    """Builds the layers of the sections of a cfg, one per section after [net].

    Args:
        sections: as `parse_cfg` returns them.
        size: (height, width) of the input in pixels; by default that of [net].

    Returns:
        The size and the layers.

    Raises:
        InputError: with file, line, section and option: what cannot be honoured, and layers that do not fit each other.
    """
    for section in sections:
        _check(section)
    net = sections[0]
    before = LayersBefore(size or Net.read_size(net))
    for section in sections[1:]:
        if section.name == Net.cfg_name:
            section.fail("appears a second time")
        layer = OPERATIONS[section.name].build(section, before)
        if min(layer.shape) < 1:
            section.fail(f"leaves nothing: its output would be {shape_text(layer.shape)}")
        for source in layer.sources:
            _check_readable(section, before.layers, source)
        inputs = [before.layers[source].shape if source >= 0 else (*before.size, 3) for source in layer.sources]
        check_cost(section, layer, inputs)
        before.layers.append(layer)
    if not any(isinstance(layer.operation, Yolo) for layer in before.layers):
        net.fail("is not followed by any [yolo]: the cfg does not describe a detector of the YOLO family from version 3 on")
    return before.size, tuple(before.layers)


def _check(section: Section) -> None:
    """Refuses a section, or an option of it, that cannot be honoured."""
    if section.name == Net.cfg_name:
        Net.options.check(section)
    elif section.name in OPERATIONS:
        OPERATIONS[section.name].options.check(section)
    else:
        known = ", ".join(f"[{name}]" for name in (Net.cfg_name, *OPERATIONS))
        section.fail(f"is not a supported section; the supported ones are {known}")


def _check_readable(section: Section, layers: list[Layer], source: int) -> None:
    """Refuses a source that is a head, or a convolution whose outputs only a head can use."""
    if source >= 0 and isinstance(layers[source].operation, Yolo):
        section.fail(f"reads layer {source}, a [yolo], whose outputs can only be made into detections")
    if 0 <= source < len(layers) - 1:
        following = layers[source + 1].operation
        if isinstance(following, Yolo) and following.squared_sizes:
            section.fail(f"reads layer {source}, the outputs of a [yolo] with new_coords=1; nothing else can use them")
