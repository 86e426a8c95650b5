"""Suppression beside OpenCV and a literal NumPy loop: milliseconds from decoded heads to detections, at three score thresholds.

python benchmarks/nms.py

YOLOv3 at 416 x 416: 10,647 slots of 80 classes, 20 objects a picture; every (slot, class) pair over the threshold is a
candidate. Ours suppresses the best 1000 of a picture, and 300 come out. The peers suppress all, as they are commonly used, or
are given the best 1000 as well; as a box is suppressed by better ones only, the best 300 are the same in every case. All begin
with the logits, and give the same boxes, which is checked first. Medians over rounds in which they take turns, each for a tenth
of a second at least: of the time by the clock, and, as ours may use several cores, of the processor time.
"""

import functools
import time

import jax
import numpy as np

from yolojax.boxes import cxcywh_to_xyxy
from yolojax.decode import Predictions
from yolojax.grid import AnchorGrid
from yolojax.nms import postprocess
from yolojax.runtime.opencv import cv2

GRID, CLASSES, OBJECTS, ROUNDS = AnchorGrid((416, 416)), 80, 20, 5
CANDIDATES, DETECTIONS, IOU = 1000, 300, 0.45
TURN_SECONDS = 0.1


def heads_of_a_picture(rng):
    """Boxes, objectness and class logits as a trained network gives them: sure near objects, almost zero elsewhere."""
    geometry = GRID.slot_geometry
    count, stride = len(geometry), geometry[:, 2:3]
    centres = (geometry[:, :2] + rng.uniform(0, 1, (count, 2))) * stride
    sizes = geometry[:, 3:] * rng.lognormal(0, 0.3, (count, 2))
    objectness, classes = rng.normal(-9, 1.5, count), rng.normal(-5, 1.5, (count, CLASSES))
    for _ in range(OBJECTS):
        centre, size = rng.uniform(40, 376, 2), np.exp(rng.uniform(np.log(20), np.log(200), 2))
        cells = np.abs(geometry[:, :2] + 0.5 - centre / stride).max(1)
        mismatch = np.abs(np.log(geometry[:, 3:] / size)).max(1)
        near = (cells < 1.6) & (mismatch < 0.9)
        many = near.sum()
        centres[near] = centre + rng.normal(0, 0.04, (many, 2)) * size
        sizes[near] = size * rng.lognormal(0, 0.08, (many, 2))
        objectness[near] = 4 - 3 * cells[near] - 3 * mismatch[near] + rng.normal(0, 1, many)
        classes[near, rng.integers(CLASSES)] = rng.normal(2, 1, many)
    return np.concatenate([centres, sizes], -1), objectness, classes


def candidates(boxes, objectness, classes, threshold, limit):
    """The candidates of a picture by falling score, as usual in NumPy: boxes xyxy (k, 4), scores (k,), classes (k,)."""
    scores = 1 / (1 + np.exp(-objectness))[:, None] / (1 + np.exp(-classes))
    slots, labels = np.nonzero(scores > threshold)
    scores = scores[slots, labels]
    order = np.argsort(-scores, kind="stable")[:limit]
    return cxcywh_to_xyxy(boxes[slots[order]]), scores[order], labels[order]


def by_opencv(predictions, threshold, limit=None):
    """cv2.dnn.NMSBoxesBatched, a picture at a time, of its best `limit` candidates or of all."""
    found = []
    for picture in zip(*predictions, strict=True):
        boxes, scores, labels = candidates(*picture, threshold, limit)
        sizes = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], -1)
        kept = cv2.dnn.NMSBoxesBatched(sizes, scores, labels.astype(np.int32), threshold, IOU)
        kept = np.sort(np.asarray(kept, int).reshape(-1))[:DETECTIONS]
        found.append((boxes[kept], labels[kept]))
    return found


def by_loop(predictions, threshold, limit=None):
    """A faster loop: class by class, the best box removes those it overlaps."""
    found = []
    for picture in zip(*predictions, strict=True):
        boxes, _, labels = candidates(*picture, threshold, limit)
        kept = []
        for label in np.unique(labels):
            rows = np.flatnonzero(labels == label)
            while len(rows):
                best, rows = rows[0], rows[1:]
                kept.append(best)
                shared = np.minimum(boxes[best, 2:], boxes[rows, 2:]) - np.maximum(boxes[best, :2], boxes[rows, :2])
                shared = np.maximum(shared, 0).prod(-1)
                area, areas = (boxes[best, 2:] - boxes[best, :2]).prod(), (boxes[rows, 2:] - boxes[rows, :2]).prod(-1)
                rows = rows[shared / (area + areas - shared) <= IOU]
        kept = np.sort(kept)[:DETECTIONS].astype(int)
        found.append((boxes[kept], labels[kept]))
    return found


def by_textbook(predictions, threshold, limit=None):
    """The loop as textbooks have it: the best box of all removes those of its class that it overlaps."""
    found = []
    for picture in zip(*predictions, strict=True):
        boxes, _, labels = candidates(*picture, threshold, limit)
        areas, rows, kept = (boxes[:, 2:] - boxes[:, :2]).prod(-1), np.arange(len(boxes)), []
        while len(rows) and len(kept) < DETECTIONS:
            best, rows = rows[0], rows[1:]
            kept.append(best)
            shared = np.minimum(boxes[best, 2:], boxes[rows, 2:]) - np.maximum(boxes[best, :2], boxes[rows, :2])
            shared = np.maximum(shared, 0).prod(-1)
            rows = rows[(labels[rows] != labels[best]) | (shared / (areas[best] + areas[rows] - shared) <= IOU)]
        found.append((boxes[kept], labels[kept]))
    return found


def check(found, reference, what):
    for row, (boxes, labels) in enumerate(reference):
        count = int(found.valid[row].sum())
        assert count == len(boxes), f"{what}: {len(boxes)} boxes in picture {row}, ours {count}"
        np.testing.assert_array_equal(found.classes[row, :count], labels, what)
        np.testing.assert_allclose(found.boxes[row, :count], boxes, rtol=1e-4, atol=1e-2, err_msg=what)


def milliseconds(calls):
    """Median time of each call, by the clock and of the processors, over rounds in which they take turns: (2, calls)."""
    times = np.zeros((ROUNDS, len(calls), 2))
    for turn in times:
        for place, call in enumerate(calls):
            began, count = np.array([time.perf_counter(), time.process_time()]), 0
            while not count or time.perf_counter() - began[0] < TURN_SECONDS:
                call()
                count += 1
            turn[place] = (np.array([time.perf_counter(), time.process_time()]) - began) / count
    return 1e3 * np.median(times, axis=0).T


def main():
    rng = np.random.default_rng(0)
    pictures = [heads_of_a_picture(rng) for _ in range(8)]
    ours = jax.jit(
        lambda predictions, threshold: postprocess(
            predictions,
            score_threshold=threshold,
            iou_threshold=IOU,
            max_candidates=CANDIDATES,
            max_detections=DETECTIONS,
            multi_label=True,
        )
    )
    print(f"{'':28}{'OpenCV':>17}{'OpenCV of 1000':>17}{'NumPy loop':>17}{'loop of 1000':>17}{'textbook loop':>17}{'ours':>9}")
    print(f"{'batch':>5}{'score':>8}{'over it':>9}{'':6}" + f"{'ms':>10}{'ratio':>7}" * 5 + f"{'ms':>9}")
    for batch in (1, 8):
        predictions = Predictions(*(np.stack(part).astype(np.float32) for part in zip(*pictures[:batch], strict=True)))
        on_device = jax.device_put(predictions)
        scores = jax.nn.sigmoid(on_device.objectness_logits)[..., None] * jax.nn.sigmoid(on_device.class_logits)
        for threshold in (0.3, 0.05, 0.001):
            peers = [
                functools.partial(peer, predictions, threshold, limit)
                for peer in (by_opencv, by_loop)
                for limit in (None, CANDIDATES)
            ]
            peers.append(functools.partial(by_textbook, predictions, threshold))
            found = jax.device_get(ours(on_device, threshold))
            for peer in peers:
                check(found, peer(), str(peer.func))
            measured = milliseconds([*peers, lambda p=on_device, t=threshold: jax.block_until_ready(ours(p, t))])
            start = f"{batch:5}{threshold:8}{int((scores > threshold).sum()) // batch:9}"
            for kind, (*theirs, own) in zip(("clock", "cpu"), measured, strict=True):
                print(f"{start:22}{kind:>6}" + "".join(f"{peer:10.1f}{peer / own:7.1f}" for peer in theirs) + f"{own:9.2f}")
                start = ""


if __name__ == "__main__":
    main()
