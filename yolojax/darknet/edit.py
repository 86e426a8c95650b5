"""A network's cfg for other data: another number of classes, other anchors, another input size."""

from collections.abc import Mapping, Sequence

from yolojax.darknet.cfg import Section, parse_cfg
from yolojax.darknet.layers import build_layers
from yolojax.darknet.sections import Layer, Yolo
from yolojax.errors import InputError

_PATH = "config.model.cfg"  # what messages call the text


def with_classes(text: str, num_classes: int) -> str:
    """Changes the number of classes of a network: `classes` of each [yolo], and `filters` of the convolution before it.

    Args:
        text: the text of a cfg.
        num_classes: C, at least 1.

    Returns:
        The text of the cfg for C classes; all other lines are as they were.

    Raises:
        InputError: the cfg cannot be honoured, or a [yolo] does not follow a [convolutional].
    """
    sections, heads = _heads(text)
    changes: dict[int, dict[str, object]] = {}
    for number, layer in heads:
        source = layer.sources[0] + 1  # [net] is not a layer
        if sections[source].name != "convolutional":
            sections[number + 1].fail("its number of classes can only be changed if it follows a [convolutional]")
        yolo = layer.operation
        assert isinstance(yolo, Yolo)
        changes[source] = {"filters": len(yolo.anchors) * (5 + num_classes)}
        changes[number + 1] = {"classes": num_classes}
    return _changed(text, sections, changes)


def with_anchors(text: str, anchors: Sequence[Sequence[tuple[float, float]]]) -> str:
    """Changes the anchors of a network, and of each [yolo] the mask that chooses its own.

    Args:
        text: the text of a cfg.
        anchors: for each [yolo], fine to coarse, (width, height) of its anchors in pixels; as many as it has now.

    Returns:
        The text of the cfg with these anchors; all other lines are as they were.

    Raises:
        InputError: the cfg cannot be honoured, or has other numbers of anchors.
    """
    sections, heads = _heads(text)
    heads = sorted(heads, key=lambda head: -head[1].shape[0])
    counts = [len(layer.operation.anchors) for _, layer in heads if isinstance(layer.operation, Yolo)]
    if [len(scale) for scale in anchors] != counts:
        given = [len(scale) for scale in anchors]
        raise InputError(f"config.model.anchors has {given} anchors, fine to coarse, but {_PATH} has {counts}; give as many")
    every = ",".join(f"{width:g},{height:g}" for scale in anchors for width, height in scale)
    changes, first = {}, 0
    for (number, _), count in zip(heads, counts, strict=True):
        mask = ",".join(map(str, range(first, first + count)))
        changes[number + 1] = {"anchors": every, "num": sum(counts), "mask": mask}
        first += count
    return _changed(text, sections, changes)


def with_size(text: str, size: tuple[int, int]) -> str:
    """Changes the input size of a network.

    Args:
        text: the text of a cfg.
        size: (height, width) in pixels.

    Returns:
        The text of the cfg with another height and width in [net].
    """
    return _changed(text, parse_cfg(text, _PATH), {0: dict(zip(("height", "width"), size, strict=True))})


def _heads(text: str) -> tuple[list[Section], list[tuple[int, Layer]]]:
    """The sections of a cfg, and its [yolo] layers with their numbers."""
    sections = parse_cfg(text, _PATH)
    _, layers = build_layers(sections)
    return sections, [(number, layer) for number, layer in enumerate(layers) if isinstance(layer.operation, Yolo)]


def _changed(text: str, sections: Sequence[Section], changes: Mapping[int, Mapping[str, object]]) -> str:
    """The text with other values of options; {number of the section: {option: value}}."""
    lines = text.splitlines()
    added: dict[int, list[str]] = {}
    for number, values in changes.items():
        section = sections[number]
        for option, value in values.items():
            if option in section.options:
                lines[section.options[option].line - 1] = f"{option}={value}"
            else:
                added.setdefault(section.line, []).append(f"{option}={value}")
    return "\n".join(line for place, line in enumerate(lines, 1) for line in (line, *added.get(place, ()))) + "\n"
