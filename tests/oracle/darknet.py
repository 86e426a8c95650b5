"""A literal reading of cfg and weights: loops over pixels, channels first, floats taken one after the other."""

import numpy as np


def run(text, floats, image):
    """What every layer of a cfg computes for a picture (3, H, W), batch normalization with stored statistics.

    Returns the outputs (C, H, W) of all layers, and how many floats were used.
    """
    outputs, used = [], 0

    def take(*shape):
        nonlocal used
        values = np.array(floats[used : used + int(np.prod(shape))], np.float64).reshape(shape)
        used += values.size
        return values

    def layer(number):
        return outputs[number if number >= 0 else len(outputs) + number]

    x = np.asarray(image, np.float64)
    for name, options in _sections(text)[1:]:
        if name == "convolutional":
            x = _convolve(x, options, take)
        elif name == "maxpool":
            x = _maxpool(x, int(options["size"]), int(options["stride"]))
        elif name == "avgpool":
            x = x.mean((1, 2))[:, None, None]
        elif name == "shortcut":
            x = x.copy()
            for number in _wholes(options["from"]):
                other = layer(number)
                for channel in range(min(len(x), len(other))):
                    x[channel] += other[channel]
        elif name == "route":
            groups, group = int(options.get("groups", 1)), int(options.get("group_id", 0))
            x = np.concatenate([np.split(layer(number), groups)[group] for number in _wholes(options["layers"])])
        elif name == "upsample":
            x = np.kron(x, np.ones((1, int(options["stride"]), int(options["stride"])))) * float(options.get("scale", 1))
        elif name in ("scale_channels", "sam"):
            x = layer(int(options["from"])) * x
        elif name not in ("dropout", "activation", "yolo"):
            raise AssertionError(name)
        if name not in ("convolutional", "yolo"):
            x = _activate(x, options.get("activation", "linear"))
        outputs.append(x)
    return outputs, used


def _sections(text):
    sections = []
    for line in text.split("\n"):
        if line.startswith("["):
            sections.append((line[1:-1], {}))
        elif line:
            sections[-1][1][line.split("=")[0]] = line.split("=")[1]
    return sections


def _wholes(text):
    return [int(part) for part in text.split(",")]


def _convolve(x, options, take):
    filters, size, groups = int(options["filters"]), int(options["size"]), int(options.get("groups", 1))
    down, right = int(options.get("stride_y", options["stride"])), int(options.get("stride_x", options["stride"]))
    pad = size // 2 if int(options.get("pad", 0)) else int(options.get("padding", 0))
    channels, height, width = x.shape
    bias = take(filters)
    if int(options.get("batch_normalize", 0)):
        gamma, mean, variance = take(filters), take(filters), take(filters)
    kernel = take(filters, channels // groups, size, size)
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))
    out = np.zeros((filters, (height + 2 * pad - size) // down + 1, (width + 2 * pad - size) // right + 1))
    for f in range(filters):
        first = f // (filters // groups) * (channels // groups)
        mine = padded[first : first + channels // groups]
        for row in range(out.shape[1]):
            for column in range(out.shape[2]):
                window = mine[:, row * down : row * down + size, column * right : column * right + size]
                out[f, row, column] = (window * kernel[f]).sum()
        if int(options.get("batch_normalize", 0)):
            out[f] = (out[f] - mean[f]) / np.sqrt(variance[f] + 1e-5) * gamma[f]
        out[f] += bias[f]
    return _activate(out, options.get("activation", "logistic"))


def _maxpool(x, size, stride):
    padding = size - 1
    height, width = ((side + padding - size) // stride + 1 for side in x.shape[1:])
    out = np.zeros((len(x), height, width))
    for row in range(height):
        for column in range(width):
            top, left = row * stride - padding // 2, column * stride - padding // 2
            out[:, row, column] = x[:, max(top, 0) : top + size, max(left, 0) : left + size].max((1, 2))
    return out


def _activate(x, name):
    return {
        "linear": lambda: x,
        "leaky": lambda: np.where(x > 0, x, 0.1 * x),
        "relu": lambda: np.maximum(x, 0),
        "relu6": lambda: np.clip(x, 0, 6),
        "mish": lambda: x * np.tanh(np.log1p(np.exp(x))),
        "swish": lambda: x / (1 + np.exp(-x)),
        "logistic": lambda: 1 / (1 + np.exp(-x)),
        "tanh": lambda: np.tanh(x),
        "elu": lambda: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    }[name]()
