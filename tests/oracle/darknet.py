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
    dilation = int(options.get("dilation", 1))
    padded = np.pad(x, ((0, 0), (pad * dilation, pad * dilation), (pad * dilation, pad * dilation)))
    out = np.zeros((filters, (height + 2 * pad - size) // down + 1, (width + 2 * pad - size) // right + 1))
    for f in range(filters):
        first = f // (filters // groups) * (channels // groups)
        mine = padded[first : first + channels // groups]
        for row in range(out.shape[1]):
            for column in range(out.shape[2]):
                for i in range(size):
                    for j in range(size):
                        pixels = mine[:, row * down + i * dilation, column * right + j * dilation]
                        out[f, row, column] += (pixels * kernel[f, :, i, j]).sum()
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


def new_coords(x, text, size):
    """The boxes of the last [yolo], new_coords=1, for the output (A * (5 + C), H, W) of the layer before it.

    The numbers are sigmoids already. Returns rows of x, y, w, h in pixels and a score for each class, by row, column, anchor.
    """
    options = _sections(text)[-1][1]
    sides, mask, stretch = _wholes(options["anchors"]), _wholes(options["mask"]), float(options.get("scale_x_y", 1))
    rows = []
    x = x.reshape(len(mask), -1, *x.shape[1:])
    for i in range(x.shape[2]):
        for j in range(x.shape[3]):
            for anchor, number in enumerate(mask):
                one = x[anchor, :, i, j]
                across = (j + one[0] * stretch - 0.5 * (stretch - 1)) / x.shape[3] * size[1]
                down = (i + one[1] * stretch - 0.5 * (stretch - 1)) / x.shape[2] * size[0]
                width, height = one[2] * one[2] * 4 * sides[2 * number], one[3] * one[3] * 4 * sides[2 * number + 1]
                rows.append([across, down, width, height, *(one[4] * one[5:])])
    return np.array(rows)


def diou_nms(boxes, scores, threshold, beta):
    """Which boxes (n, 4) x, y, w, h, in shares of the picture, are left of one class: greedy, IoU - (d / c)^beta."""
    order = sorted(range(len(scores)), key=lambda i: -scores[i])
    left = []
    for i in order:
        x, y, w, h = boxes[i]
        for j in left:
            a, b, c, d = boxes[j]
            across = min(x + w / 2, a + c / 2) - max(x - w / 2, a - c / 2)
            down = min(y + h / 2, b + d / 2) - max(y - h / 2, b - d / 2)
            common = across * down if across > 0 and down > 0 else 0
            width = max(x + w / 2, a + c / 2) - min(x - w / 2, a - c / 2)
            height = max(y + h / 2, b + d / 2) - min(y - h / 2, b - d / 2)
            distance = ((x - a) ** 2 + (y - b) ** 2) / (width**2 + height**2)
            if common / (w * h + c * d - common) - distance**beta > threshold:
                break
        else:
            left.append(i)
    return sorted(left)
