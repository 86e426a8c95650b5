"""The peer of the GPU benchmarks: YOLOv3 in PyTorch, its loss, its step and its detections; and the check that both agree.

python benchmarks/peer_torch.py --check               # 96 px, width 0.25, on the CPU: seconds

Written as a user of PyTorch would write it for speed: channels_last, autocast to bfloat16 or float32 with TF32 (which JAX too
uses on a GPU), LeakyReLU in place, fused Adam, no Python per box, the heads in the type of autocast where ours are float32,
labels only as long as the boxes of the batch need, BatchNorm folded into the convolutions for inference, and suppression of a
whole batch by one call of torchvision. The network takes the variables of ours, so that everything can be compared.
"""

import argparse
import types

import gpu_common as common
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from yolojax.models.darknet53 import BLOCKS
from yolojax.models.layers import scaled
from yolojax.targets import Targets

MAX_LOG_SIZE = 20.0


class ConvBN(nn.Module):
    def __init__(self, channels_in, channels, kernel, stride=1):
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels, kernel, stride, kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(channels, eps=1e-5, momentum=0.01)

    def forward(self, x):
        return F.leaky_relu(self.bn(self.conv(x)), 0.1, inplace=True)


class YOLOv3(nn.Module):
    """(B, H, W, 3) uint8 -> (B, N, 5 + C) float32, slots in the order of ours; the layers have the names of ours."""

    def __init__(self, num_classes, width=1.0):
        super().__init__()
        self.outputs = 5 + num_classes
        layers = {}

        def conv(name, channels_in, channels, kernel, stride=1):
            layers[name] = ConvBN(channels_in, channels, kernel, stride)
            return channels

        x, features = conv("backbone/stem", 3, scaled(32, width), 3), []
        for stage, blocks in enumerate(BLOCKS, start=1):
            x = conv(f"backbone/stage{stage}_down", x, scaled(32 * 2**stage, width), 3, 2)
            for block in range(1, blocks + 1):
                half = conv(f"backbone/stage{stage}_block{block}_reduce", x, scaled(16 * 2**stage, width), 1)
                conv(f"backbone/stage{stage}_block{block}_expand", half, x, 3)
            features.append(x)
        fine, middle, x = features[-3:]
        for stride, half, skip in ((32, 512, middle), (16, 256, fine), (8, 128, None)):
            narrow, wide = scaled(half, width), scaled(2 * half, width)
            for number, channels, kernel in ((1, narrow, 1), (2, wide, 3), (3, narrow, 1), (4, wide, 3), (5, narrow, 1)):
                x = conv(f"neck{stride}_conv{number}", x, channels, kernel)
            conv(f"detect{stride}", x, wide, 3)
            layers[f"head{stride}"] = nn.Conv2d(wide, 3 * self.outputs, 1)
            if skip is not None:
                x = conv(f"up{stride}", x, scaled(half // 2, width), 1) + skip
        self.layers = nn.ModuleDict(layers)

    def forward(self, images):
        layers = self.layers
        # In memory the pictures are channels_last already.
        x = images.permute(0, 3, 1, 2).to(next(self.parameters()).dtype) / 255
        x, features = layers["backbone/stem"](x), []
        for stage, blocks in enumerate(BLOCKS, start=1):
            x = layers[f"backbone/stage{stage}_down"](x)
            for block in range(1, blocks + 1):
                name = f"backbone/stage{stage}_block{block}"
                x = x + layers[f"{name}_expand"](layers[f"{name}_reduce"](x))
            features.append(x)
        fine, middle, x = features[-3:]
        heads = []
        for stride, skip in ((32, middle), (16, fine), (8, None)):
            for number in range(1, 6):
                x = layers[f"neck{stride}_conv{number}"](x)
            head = layers[f"head{stride}"](layers[f"detect{stride}"](x))
            heads.append(head.permute(0, 2, 3, 1).reshape(len(head), -1, self.outputs).float())
            if skip is not None:
                x = torch.cat([F.interpolate(layers[f"up{stride}"](x), scale_factor=2, mode="nearest"), skip], 1)
        return torch.cat(heads[::-1], 1)


def load_variables(network, variables):
    """Gives the network the variables {"params", "batch_stats"} of ours."""

    def leaf(kind, name, part, variable):
        tree = variables[kind]
        for key in (*name.split("/"), part, variable):
            tree = tree[key]
        array = np.asarray(tree)
        return torch.tensor(array.transpose(3, 2, 0, 1) if variable == "kernel" else array)

    with torch.no_grad():
        for name, layer in network.layers.items():
            if isinstance(layer, ConvBN):
                layer.conv.weight.copy_(leaf("params", name, "conv", "kernel"))
                layer.bn.weight.copy_(leaf("params", name, "bn", "scale"))
                layer.bn.bias.copy_(leaf("params", name, "bn", "bias"))
                layer.bn.running_mean.copy_(leaf("batch_stats", name, "bn", "mean"))
                layer.bn.running_var.copy_(leaf("batch_stats", name, "bn", "var"))
            else:
                layer.weight.copy_(leaf("params", name, "head", "kernel"))
                layer.bias.copy_(leaf("params", name, "head", "bias"))
    return network


def build_network(num_classes, width, variables, device):
    """The network on its device, channels_last, with the variables of ours; TF32 is allowed."""
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
    network = load_variables(YOLOv3(num_classes, width), variables)
    return network.to(device, memory_format=torch.channels_last)


def host_batch(images, targets):
    """A batch of ours as tensors; the targets no longer than the picture with the most boxes needs."""
    longest = max(1, int((targets.classes >= 0).sum(1).max()))
    cut = [torch.from_numpy(np.ascontiguousarray(member[:, :longest])) for member in targets]
    return torch.from_numpy(images), Targets(cut[0], cut[1].long(), cut[2].long(), cut[3])


def decode_boxes(t, geometry):
    xy = (torch.sigmoid(t[..., :2]) + geometry[..., :2]) * geometry[..., 2:3]
    half = torch.exp(t[..., 2:4].clamp(max=MAX_LOG_SIZE)) * geometry[..., 3:5] / 2
    return torch.cat([xy - half, xy + half], -1)


def overlap(a, b, generalized=False):
    """IoU, or GIoU, of xyxy boxes (..., 4), broadcast."""
    side = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(min=0)
    shared = side[..., 0] * side[..., 1]
    union = (a[..., 2:] - a[..., :2]).prod(-1) + (b[..., 2:] - b[..., :2]).prod(-1) - shared
    result = shared / union.clamp(min=1e-16)
    if not generalized:
        return result
    hull = (torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])).prod(-1)
    return result - (hull - union) / hull.clamp(min=1e-16)


def yolo_loss(flat, targets, grid, geometry, ignore_iou=0.5, label_smoothing=0.01):
    """Our `yolo_loss`: box, objectness and classification, each (B,); flat (B, N, 5 + C), geometry (N, 5)."""
    batch, slots, outputs = flat.shape
    boxes, classes, at, on_scale = targets
    positive = at < slots
    inside = torch.where(positive, at, 0).flatten(1)
    answers = torch.gather(flat, 1, inside[..., None].expand(-1, -1, outputs)).unflatten(1, at.shape[1:])
    true = torch.cat([boxes[..., :2] - boxes[..., 2:] / 2, boxes[..., :2] + boxes[..., 2:] / 2], -1)

    predicted = decode_boxes(answers[..., :4], geometry[inside].unflatten(1, at.shape[1:]))
    scale = 2 - boxes[..., 2] * boxes[..., 3] / (grid.size[0] * grid.size[1])
    box = scale[..., None] * (1 - overlap(predicted, true[:, :, None], generalized=True))
    box = torch.where(positive, box, 0).sum((1, 2))

    labels = F.one_hot(classes.clamp(min=0), outputs - 5).float() * (1 - label_smoothing) + label_smoothing / (outputs - 5)
    labels = labels[:, :, None].expand(-1, -1, at.shape[2], -1)
    classification = F.binary_cross_entropy_with_logits(answers[..., 5:], labels, reduction="none").sum(-1)
    classification = torch.where(positive, classification, 0).sum((1, 2))

    with torch.no_grad():
        t = torch.zeros(batch, slots + 1, device=flat.device).scatter_(1, at.flatten(1), 1.0)[:, :slots]
        everywhere, best = decode_boxes(flat[..., :4], geometry), []
        for number, (first, count) in enumerate(zip(grid.offsets, grid.slots_per_scale, strict=True)):
            part = overlap(everywhere[:, first : first + count, None], true[:, None])
            best.append(torch.where(on_scale[:, None, :, number], part, 0).amax(-1))
        background = (1 - t) * (torch.cat(best, 1) < ignore_iou)
    logits = flat[..., 4]
    focal = (t - torch.sigmoid(logits)) ** 2
    objectness = focal * (t + background) * F.binary_cross_entropy_with_logits(logits, t, reduction="none")
    return box, objectness.sum(1), classification


def make_step(network, grid, dtype, compiled):
    """A training step: (images, targets) on the device -> the three loss terms, means over the batch."""
    device = next(network.parameters()).device
    geometry = torch.tensor(grid.slot_geometry, device=device)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4, fused=True)
    network.train()

    def objective(images, targets):
        with torch.autocast(device.type, torch.bfloat16, enabled=dtype == "bf16"):
            flat = network(images)
        return torch.stack([term.mean() for term in yolo_loss(flat, targets, grid, geometry)])

    objective = torch.compile(objective, dynamic=False) if compiled else objective

    def step(images, targets):
        terms = objective(images, targets)
        terms.sum().backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return terms.detach()

    return step


def make_detector(network, grid, dtype, compiled):
    """Pictures (B, H, W, 3) uint8 on the device -> predictions there: boxes (B, N, 4), scores (B, N), classes (B, N)."""
    network = network.eval().requires_grad_(False)
    for layer in network.layers.values():
        if isinstance(layer, ConvBN):
            layer.conv, layer.bn = torch.nn.utils.fusion.fuse_conv_bn_eval(layer.conv, layer.bn), nn.Identity()
    network = network.to(torch.bfloat16) if dtype == "bf16" else network
    geometry = torch.tensor(grid.slot_geometry, device=next(network.parameters()).device)

    def predict(images):
        flat = network(images)
        best, classes = flat[..., 5:].max(-1)
        return decode_boxes(flat[..., :4], geometry), torch.sigmoid(flat[..., 4]) * torch.sigmoid(best), classes

    # CUDA graphs: without them small batches wait for Python.
    return torch.compile(predict, dynamic=False, mode="reduce-overhead") if compiled else predict


def suppress(boxes, scores, classes, score_threshold, iou_threshold=0.45, max_candidates=1024, max_detections=100):
    """What our `postprocess` finds, by torchvision: for each picture (boxes xyxy, scores, classes) on the host."""
    try:
        from torchvision.ops import batched_nms
    except ImportError:
        raise SystemExit("the peer needs torchvision for non-maximum suppression; pip install torchvision") from None
    count = len(scores)
    scores, slots = scores.topk(min(max_candidates, scores.shape[1]))
    picture, place = torch.nonzero(scores > score_threshold, as_tuple=True)
    slots, scores = slots[picture, place], scores[picture, place]
    boxes, classes = boxes[picture, slots], classes[picture, slots]
    # It moves each group to a place of its own; float64 keeps the boxes exact there.
    kept = batched_nms(boxes.double(), scores, 1000 * picture + classes, iou_threshold)
    found = torch.cat([boxes, scores[:, None], classes[:, None], picture[:, None]], 1)[kept].cpu().numpy()
    found = [found[found[:, 6] == number][:max_detections] for number in range(count)]
    return [(rows[:, :4], rows[:, 4], rows[:, 5].astype(int)) for rows in found]


def uploader(device):
    """A function that begins to copy the tensors of a host batch to the device, and returns one that waits and gives them."""
    if device == "cpu":
        return lambda batch: lambda: batch
    stream = torch.cuda.Stream()

    def upload(batch):
        images, targets = batch
        with torch.cuda.stream(stream):
            images, *targets = (part.pin_memory().to(device, non_blocking=True) for part in (images, *targets))

        def ready():
            torch.cuda.current_stream().wait_stream(stream)
            for part in (images, *targets):
                part.record_stream(torch.cuda.current_stream())
            return images, Targets(*targets) if targets else ()

        return ready

    return upload


def check():
    """Compares the loss terms, the gradient and the detections of both on the CPU; raises where they disagree.

    In float64 up to the heads: in float32 rounding alone turns some activations from one side of the kink to the other, and the
    gradient of so deep and narrow a network with them.
    """
    import jax
    import jax.numpy as jnp

    from yolojax import loss
    from yolojax.decode import decode
    from yolojax.nms import postprocess

    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_enable_x64", True)
    options = types.SimpleNamespace(size=96, width=0.25)
    grid, model = common.make_grid(options), common.make_model(options).clone(dtype=jnp.float64)
    variables, (images, targets) = common.lively_variables(options), common.make_batch(options, 2)

    def objective(params):
        variables_of = {"params": params, "batch_stats": variables["batch_stats"]}
        raw, _ = model.apply(variables_of, images, train=True, mutable=["batch_stats"])
        terms = jnp.stack([term.mean() for term in loss.yolo_loss(raw, targets, grid)])
        return terms.sum(), terms

    (_, terms), gradient = jax.jit(jax.value_and_grad(objective, has_aux=True))(variables["params"])
    network = build_network(common.CLASSES, options.width, variables, "cpu").train().double()
    batch = host_batch(images, targets)
    theirs = torch.stack([t.mean() for t in yolo_loss(network(batch[0]), batch[1], grid, torch.tensor(grid.slot_geometry))])
    theirs.sum().backward()
    np.testing.assert_allclose(theirs.detach().numpy(), terms, rtol=1e-5, err_msg="loss terms")

    # In the shape of a network, so that its parameters lie in the same order.
    with torch.no_grad():
        wanted = load_variables(
            YOLOv3(common.CLASSES, options.width), {"params": gradient, "batch_stats": variables["batch_stats"]}
        )
    pairs = zip(network.parameters(), wanted.parameters(), strict=True)
    errors, norms = zip(*(((p.grad - w.detach()).norm() ** 2, w.detach().norm() ** 2) for p, w in pairs), strict=True)
    error = (sum(errors) / sum(norms)).sqrt().item()
    assert error < 1e-4, f"the gradients differ by {error:.1e} of their norm"

    predict = jax.jit(lambda images: decode(model.apply(variables, images, train=False), grid))
    predictions = predict(images)
    network = build_network(common.CLASSES, options.width, variables, "cpu").double()
    detect = make_detector(network, grid, "f32", False)
    threshold = score_threshold(detect, images)
    found = jax.device_get(postprocess(predictions, score_threshold=threshold))
    with torch.no_grad():
        detections = suppress(*detect(batch[0]), threshold)
    for row, (boxes, _, classes) in enumerate(detections):
        valid = found.valid[row]
        np.testing.assert_array_equal(found.classes[row][valid], classes, "classes found")
        np.testing.assert_allclose(found.boxes[row][valid], boxes, rtol=1e-3, atol=1e-2, err_msg="boxes found")
    counts = [len(boxes) for boxes, _, _ in detections]
    print(f"the peer agrees: loss terms {terms}, gradient to {error:.0e}, {counts} detections")


def score_threshold(detect, images, count=100):
    """The score that `count` slots of a picture pass; those of an untrained network mean nothing by themselves."""
    with torch.no_grad():
        _, scores, _ = detect(torch.from_numpy(images))
    # Between two scores, where rounding does not decide.
    return float(scores.flatten().topk(count * len(images) + 1).values[-2:].mean())


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--check", action="store_true", required=True)
    options.parse_args()
    check()
