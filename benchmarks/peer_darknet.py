"""A peer of the CPU benchmark: the network of a Darknet .cfg and its .weights in PyTorch, eager and channels_last.

The layers that YOLOv3, its tiny, Yolo-Fastest and yoloface are made of, in some hundred lines that share nothing with ours.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


def read_sections(path):
    """[(name, {option: text})] of a .cfg."""
    sections = []
    with open(path) as file:
        for line in file:
            line = line.partition("#")[0].strip()
            if line.startswith("["):
                sections.append((line.strip("[]"), {}))
            elif line:
                name, _, value = line.partition("=")
                sections[-1][1][name.strip()] = value.strip()
    return sections


def numbers(text):
    return [int(part) for part in text.split(",")]


class Network(nn.Module):
    """(B, 3, H, W) float32 in [0, 1] -> (B, N, 5 + C), the slots fine to coarse, as ours order them."""

    def __init__(self, cfg, weights):
        super().__init__()
        (_, net), *self.sections = read_sections(cfg)
        self.layers = nn.ModuleDict()
        channels = []
        for number, (name, options) in enumerate(self.sections):
            before = channels[-1] if channels else int(net["channels"])
            if name == "convolutional":
                self.layers[str(number)] = convolution(before, options)
                before = int(options["filters"])
            elif name == "route":
                before = sum(channels[place] for place in self.sources(number))
            channels.append(before)
        with open(weights, "rb") as file:
            major, minor, _ = np.fromfile(file, "<i4", 3)
            file.seek(20 if major * 10 + minor >= 2 else 16)
            self.fill(np.fromfile(file, "<f4"))

    def sources(self, number):
        _, options = self.sections[number]
        text = options["layers"] if "layers" in options else options["from"]
        return [place if place >= 0 else number + place for place in numbers(text)]

    @torch.no_grad()
    def fill(self, floats):
        """Gives every convolution its floats: biases, the rest of batch normalization, kernel."""
        for layer in self.layers.values():
            norm = layer.bn
            wanted = [layer.conv.bias] if norm is None else [norm.bias, norm.weight, norm.running_mean, norm.running_var]
            for tensor in (*wanted, layer.conv.weight):
                tensor.copy_(torch.from_numpy(floats[: tensor.numel()].copy()).view_as(tensor))
                floats = floats[tensor.numel() :]
        assert not len(floats), "floats are left over"

    def forward(self, images):
        outputs, heads, x = [], [], images
        for number, (name, options) in enumerate(self.sections):
            if name == "convolutional":
                x = self.layers[str(number)](x)
            elif name == "shortcut":
                x = x + outputs[self.sources(number)[0]]
            elif name == "route":
                parts = [outputs[place] for place in self.sources(number)]
                x = torch.cat(parts, 1) if len(parts) > 1 else parts[0]
            elif name == "maxpool":
                x = max_pool(x, int(options["size"]), int(options.get("stride", 1)))
            elif name == "upsample":
                x = F.interpolate(x, scale_factor=int(options["stride"]), mode="nearest")
            elif name == "dropout":
                x = F.dropout(x, float(options["probability"]), self.training)
            elif name == "yolo":
                outputs_per_slot = 5 + int(options["classes"])
                heads.append((x.shape[2], x.permute(0, 2, 3, 1).reshape(len(x), -1, outputs_per_slot)))
            else:
                raise ValueError(f"[{name}] is not known")
            outputs.append(x)
        return torch.cat([head for _, head in sorted(heads, key=lambda head: -head[0])], 1)


class Convolution(nn.Module):
    def __init__(self, conv, bn, slope):
        super().__init__()
        self.conv, self.bn, self.slope = conv, bn, slope

    def forward(self, x):
        x = self.conv(x) if self.bn is None else self.bn(self.conv(x))
        return x if self.slope is None else F.leaky_relu(x, self.slope, inplace=True)

    def fold(self):
        """Makes batch normalization part of the convolution, for inference."""
        if self.bn is not None:
            self.conv, self.bn = torch.nn.utils.fusion.fuse_conv_bn_eval(self.conv, self.bn), None


def convolution(channels, options):
    size, filters, normalized = int(options["size"]), int(options["filters"]), int(options.get("batch_normalize", 0))
    padding = size // 2 if int(options.get("pad", 0)) else int(options.get("padding", 0))
    stride, groups = int(options.get("stride", 1)), int(options.get("groups", 1))
    conv = nn.Conv2d(channels, filters, size, stride, padding, groups=groups, bias=not normalized)
    slope = {"leaky": 0.1, "linear": None}[options["activation"]]
    return Convolution(conv, nn.BatchNorm2d(filters, eps=1e-5, momentum=0.01) if normalized else None, slope)


def max_pool(x, size, stride):
    """Maxima of windows over the image with size - 1 pixels around it, the larger half of them right and below."""
    if size == stride:
        return F.max_pool2d(x, size, stride)
    before, after = (size - 1) // 2, size // 2
    if before != after:
        return F.max_pool2d(F.pad(x, (before, after, before, after), value=-torch.inf), size, stride)
    return F.max_pool2d(x, size, stride, before)


def for_inference(network):
    network = network.eval().requires_grad_(False)
    for layer in network.layers.values():
        layer.fold()
    return network.to(memory_format=torch.channels_last)
