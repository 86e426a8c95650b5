"""Compact targets beside the dense labels of the TensorFlow YOLOv3 family: host time, bytes to the device, loss and gradient.

python benchmarks/targets_and_loss.py

YOLOv3 at 416 x 416, 80 classes, batch 8. The peer assigns box by box in Python, as that family's data loaders do, and computes
the same loss on dense labels; both losses are compiled and give the same value. The last row of each block is `simota_loss`,
which assigns in every step from the predictions: its ratio is the time of the compact loss in its own.
"""

import time

import jax
import jax.numpy as jnp
import numpy as np
import optax

from yolojax.boxes import cxcywh_to_xyxy, giou, iou
from yolojax.decode import decode
from yolojax.grid import AnchorGrid
from yolojax.loss import yolo_loss
from yolojax.simota import simota_loss
from yolojax.targets import Targets, assign, densify

GRID, CLASSES, BATCH, ROUNDS = AnchorGrid((416, 416)), 80, 8, 15


def assign_box_by_box(boxes, classes):
    """The dense labels and ignore boxes of one picture, one box and one scale at a time."""
    labels = [np.zeros((*shape, 3, 5 + CLASSES), np.float32) for shape in GRID.shapes]
    ignore, counts = [np.zeros((150, 4), np.float32) for _ in labels], [0, 0, 0]
    for box, class_id in zip(boxes, classes, strict=True):
        onehot = np.full(CLASSES, 0.01 / CLASSES)
        onehot[class_id] += 0.99
        x, y, w, h = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2, box[2] - box[0], box[3] - box[1]
        overlaps = []
        for scale, stride in enumerate(GRID.strides):
            column, row = int(x / stride), int(y / stride)
            anchors = np.asarray(GRID.anchors[scale])
            centre = np.array([(column + 0.5) * stride, (row + 0.5) * stride])
            tiles = np.concatenate([centre - anchors / 2, centre + anchors / 2], -1)
            overlaps.append(iou(box[None], tiles))
            chosen = overlaps[-1] > 0.3
            if chosen.any():
                labels[scale][row, column, chosen] = np.concatenate([[x, y, w, h, 1], onehot])
                ignore[scale][counts[scale]] = x, y, w, h
                counts[scale] += 1
        if not any((o > 0.3).any() for o in overlaps):
            scale, anchor = divmod(int(np.argmax(np.concatenate(overlaps))), 3)
            row, column = int(y / GRID.strides[scale]), int(x / GRID.strides[scale])
            labels[scale][row, column, anchor] = np.concatenate([[x, y, w, h, 1], onehot])
            ignore[scale][counts[scale]] = x, y, w, h
            counts[scale] += 1
    return labels, ignore


def dense_loss(raw, labels, ignore):
    """The same loss as `yolo_loss` on dense labels, (B,)."""
    predictions, total = decode(raw, GRID), 0
    for scale, (first, count) in enumerate(zip(GRID.offsets, GRID.slots_per_scale, strict=True)):
        part = slice(first, first + count)
        label = labels[scale].reshape(BATCH, count, -1)
        boxes, logits = predictions.boxes[:, part], predictions.objectness_logits[:, part]
        t, size = label[..., 4], label[..., 2] * label[..., 3] / 416**2
        box = t * (2 - size) * (1 - giou(cxcywh_to_xyxy(boxes), cxcywh_to_xyxy(label[..., :4])))
        overlap = iou(cxcywh_to_xyxy(boxes)[:, :, None], cxcywh_to_xyxy(ignore[scale])[:, None]).max(-1)
        background = (1 - t) * (overlap < 0.5)
        bce = optax.sigmoid_binary_cross_entropy(logits, t)
        objectness = (t - jax.nn.sigmoid(logits)) ** 2 * (t + background) * bce
        classes = optax.sigmoid_binary_cross_entropy(predictions.class_logits[:, part], label[..., 5:]).sum(-1)
        total += (box + objectness + t * classes).sum(1)
    return total


def milliseconds(call):
    """Median over rounds, a picture."""
    call()
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return 1e3 * float(np.median(times)) / BATCH


def main():
    rng = np.random.default_rng(0)
    raw = tuple(jnp.asarray(rng.normal(0, 1, (BATCH, *s, 3, 5 + CLASSES)), jnp.float32) for s in GRID.shapes)
    of_dense = jax.jit(jax.value_and_grad(lambda raw, labels, ignore: dense_loss(raw, labels, ignore).mean()))
    of_compact = jax.jit(jax.value_and_grad(lambda raw, targets: sum(t.mean() for t in yolo_loss(raw, targets, GRID))))
    of_simota = jax.jit(jax.value_and_grad(lambda raw, targets: sum(t.mean() for t in simota_loss(raw, targets, GRID))))
    print(f"{'boxes a picture':34}{'dense':>12}{'compact':>12}{'ratio':>9}")
    for n in (5, 20, 100):
        low = rng.uniform(0, 300, (BATCH, n, 2))
        boxes = np.concatenate([low, low + rng.uniform(5, 115, low.shape)], -1)
        classes = rng.integers(0, CLASSES, (BATCH, n))
        pairs = list(zip(boxes, classes, strict=True))
        compact = Targets(*map(np.stack, zip(*(assign(*pair, GRID) for pair in pairs), strict=True)))
        labels, ignore = (
            tuple(map(np.stack, zip(*part, strict=True)))
            for part in zip(*(densify(assign(*pair, GRID), GRID, CLASSES) for pair in pairs), strict=True)
        )
        on_device = jax.device_put((labels, ignore, compact))
        values = of_dense(raw, *on_device[:2])[0], of_compact(raw, on_device[2])[0]
        np.testing.assert_allclose(*values, rtol=1e-5)

        rows = {
            "host, ms": [
                milliseconds(lambda pairs=pairs: [assign_box_by_box(*pair) for pair in pairs]),
                milliseconds(lambda pairs=pairs: [assign(*pair, GRID) for pair in pairs]),
            ],
            "to the device, kB": [sum(x.nbytes for x in jax.tree.leaves(t)) / BATCH / 1e3 for t in ((labels, ignore), compact)],
            "loss and gradient, ms": [
                milliseconds(lambda d=on_device: jax.block_until_ready(of_dense(raw, *d[:2]))),
                milliseconds(lambda d=on_device: jax.block_until_ready(of_compact(raw, d[2]))),
            ],
        }
        for name, (dense, ours) in rows.items():
            print(f"{n:4d}  {name:28}{dense:12.2f}{ours:12.2f}{dense / ours:9.1f}")
        simota = milliseconds(lambda d=on_device: jax.block_until_ready(of_simota(raw, d[2])))
        fixed = rows["loss and gradient, ms"][1]
        print(f"{n:4d}  {'the same of SimOTA, ms':28}{'':12}{simota:12.2f}{fixed / simota:9.1f}")


if __name__ == "__main__":
    main()
