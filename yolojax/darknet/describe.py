"""Our networks as the text of a cfg, and back: which of our networks a cfg describes."""

from yolojax.config import ModelConfig
from yolojax.darknet.cfg import Section, parse_cfg
from yolojax.darknet.edit import with_size
from yolojax.darknet.layers import build_layers
from yolojax.darknet.network import build_network
from yolojax.darknet.sections import Convolution, Layer
from yolojax.errors import InputError
from yolojax.grid import AnchorGrid
from yolojax.models import build_grid
from yolojax.models.build import has_other_layers
from yolojax.models.darknet53 import BLOCKS
from yolojax.models.layers import scaled

NAMES = ("yolov3", "yolov3_spp", "yolov3_tiny")
"""Our networks that a cfg may describe, values of config.model.name."""


def cfg_text(config: ModelConfig, size: tuple[int, int]) -> str:
    """Writes the cfg of a network, for Darknet and for `parse_cfg`.

    Args:
        config: the network; its num_classes must be known.
        size: (height, width) of the input in pixels.

    Returns:
        The text of the cfg.

    Raises:
        InputError: as `build_grid`, or a network of which Darknet has no layers.
    """
    if has_other_layers(config):
        raise InputError(
            f"the network {config.name}, backbone {config.backbone}, neck {config.neck}, cannot be written as a .cfg; export "
            "it --to stablehlo or onnx"
        )
    grid = build_grid(config, size)
    if config.name == "darknet":
        return with_size(config.cfg, grid.size)
    cfg = _Cfg(config, grid)
    cfg.section("net", batch=1, subdivisions=1, width=grid.size[1], height=grid.size[0], channels=3)
    (_tiny if config.name == "yolov3_tiny" else _yolov3)(cfg)
    return "\n".join(cfg.lines) + "\n"


def recognise(size: tuple[int, int], layers: tuple[Layer, ...], grid: AnchorGrid, num_classes: int) -> ModelConfig | None:
    """Finds which of our networks has the layers of a cfg.

    Args:
        size: (height, width) of the input in pixels, from `build_layers`.
        layers: the layers of the cfg, from `build_layers`.
        grid: the grid of the cfg.
        num_classes: number of classes C of the cfg.

    Returns:
        The configuration of our network, or None if the cfg describes none of them.
    """
    convolutions = [layer.operation for layer in layers if isinstance(layer.operation, Convolution)]
    filters = [convolution.filters for convolution in convolutions if not convolution.head]
    if not filters or any(side % 32 for side in size):
        return None
    width = max(filters) / 1024  # our widest layer has 1024 filters at width 1
    decoding = {"xy_scale": (grid.xy_scales or (1.0,))[0], "squared_sizes": grid.squared_sizes}
    for name in NAMES:
        config = ModelConfig(name=name, num_classes=num_classes, width=width, anchors=grid.anchors, **decoding)
        if len(grid.anchors) == (2 if name == "yolov3_tiny" else 3):
            if build_layers(parse_cfg(cfg_text(config, size)))[1] == layers:
                return config
    return None


def model_of(sections: list[Section]) -> tuple[ModelConfig, tuple[int, int]]:
    """The configuration of the network of a cfg: one of ours if it has its layers, else the cfg as it is.

    Args:
        sections: as `read_cfg` returns them.

    Returns:
        The configuration of the network, and (height, width) of its input in pixels.

    Raises:
        InputError: as `network_from_cfg`.
    """
    size, layers = build_layers(sections)
    model, grid = build_network(sections)
    ours = recognise(size, layers, grid, model.num_classes)
    return ours or ModelConfig(name="darknet", num_classes=model.num_classes, cfg=_plain_text(sections)), size


def _plain_text(sections: list[Section]) -> str:
    """The text of a cfg without its comments."""
    blocks = [
        "\n".join([f"[{section.name}]", *(f"{name}={option.text}" for name, option in section.options.items())])
        for section in sections
    ]
    return "\n\n".join(blocks) + "\n"


class _Cfg:
    """Writes a cfg, section by section.

    Attributes:
        config: the network.
        grid: its grid.
        lines: the lines so far.
        number: the number of the last layer; [net] is not a layer.
    """

    def __init__(self, config: ModelConfig, grid: AnchorGrid) -> None:
        self.config, self.grid = config, grid
        self.lines: list[str] = []
        self.number = -2

    def section(self, name: str, **options: object) -> int:
        """Writes a section and returns the number of its layer."""
        self.lines += ([""] if self.lines else []) + [f"[{name}]"] + [f"{option}={value}" for option, value in options.items()]
        self.number += 1
        return self.number

    def conv(self, channels: int, kernel: int, stride: int = 1) -> int:
        """Writes a convolution with batch normalization and returns the number of its layer."""
        filters = scaled(channels, self.config.width)
        same = {"size": kernel, "stride": stride, "pad": 1, "activation": "leaky"}
        return self.section("convolutional", batch_normalize=1, filters=filters, **same)

    def head(self, scale: int) -> None:
        """Writes the head of a scale, from 0, the finest."""
        anchors, classes = self.grid.anchors_per_scale, self.config.num_classes
        filters = anchors * (5 + classes)
        squared, xy_scale = self.grid.squared_sizes, self.config.xy_scale
        activation = "logistic" if squared else "linear"
        self.section("convolutional", size=1, stride=1, pad=1, filters=filters, activation=activation)
        every = ", ".join(f"{_plain(width)},{_plain(height)}" for group in self.grid.anchors for width, height in group)
        mask = ",".join(str(scale * anchors + anchor) for anchor in range(anchors))
        number = anchors * self.grid.num_scales
        decoding = ({} if xy_scale == 1 else {"scale_x_y": _plain(xy_scale)}) | ({"new_coords": 1} if squared else {})
        self.section("yolo", mask=mask, anchors=every, classes=classes, num=number, **decoding)

    def up(self, channels: int, skip: int) -> None:
        """Writes the way from a head up to the next finer scale, where layer `skip` joins."""
        self.section("route", layers=-4)
        self.conv(channels, 1)
        self.section("upsample", stride=2)
        self.section("route", layers=f"-1,{skip}")


def _plain(number: float) -> str:
    return str(int(number)) if number == int(number) else repr(number)


def _yolov3(cfg: _Cfg) -> None:
    cfg.conv(32, 3)
    features = []
    for stage, blocks in enumerate(BLOCKS, 1):
        last = cfg.conv(32 * 2**stage, 3, stride=2)
        for _ in range(blocks):
            cfg.conv(16 * 2**stage, 1)
            cfg.conv(32 * 2**stage, 3)
            last = cfg.section("shortcut", **{"from": -3, "activation": "linear"})
        features.append(last)
    for scale, half in ((2, 512), (1, 256), (0, 128)):
        cfg.conv(half, 1)
        cfg.conv(2 * half, 3)
        cfg.conv(half, 1)
        if cfg.config.name == "yolov3_spp" and scale == 2:
            cfg.section("maxpool", stride=1, size=5)
            cfg.section("route", layers=-2)
            cfg.section("maxpool", stride=1, size=9)
            cfg.section("route", layers=-4)
            cfg.section("maxpool", stride=1, size=13)
            cfg.section("route", layers="-1,-3,-5,-6")
            cfg.conv(half, 1)
        cfg.conv(2 * half, 3)
        cfg.conv(half, 1)
        cfg.conv(2 * half, 3)
        cfg.head(scale)
        if scale:
            cfg.up(half // 2, features[1 + scale])


def _tiny(cfg: _Cfg) -> None:
    features = []
    for stage in range(1, 6):
        features.append(cfg.conv(8 * 2**stage, 3))
        cfg.section("maxpool", size=2, stride=2)
    cfg.conv(512, 3)
    cfg.section("maxpool", size=2, stride=1)
    cfg.conv(1024, 3)
    cfg.conv(256, 1)
    cfg.conv(512, 3)
    cfg.head(1)
    cfg.up(128, features[-1])
    cfg.conv(256, 3)
    cfg.head(0)
