"""An assignment that no rule of ours makes: any number of slots for a box, in any order."""

import numpy as np

from yolojax.targets import Targets

ENTRIES = 20
"""K: more slots for a box than there are scales and anchors."""


def own_targets(rng, grid, count, num_classes, *, max_boxes=8, label_smoothing=0.01):
    """(Targets of one image with slots (max_boxes, ENTRIES), dense labels, scale_boxes); the box m gets 7 * m random slots."""
    centre, size = rng.uniform(0, grid.size[::-1], (count, 2)), rng.uniform(5, 40, (count, 2))
    boxes = np.zeros((max_boxes, 4), np.float32)
    boxes[:count] = np.concatenate([centre, size], 1)
    classes = np.full(max_boxes, -1, np.int32)
    classes[:count] = rng.integers(0, num_classes, count)
    slots = np.full((max_boxes, ENTRIES), grid.num_slots, np.int32)
    on_scale = np.zeros((max_boxes, grid.num_scales), bool)
    labels = [np.zeros((*shape, grid.anchors_per_scale, 5 + num_classes)) for shape in grid.shapes]
    free = rng.permutation(grid.num_slots)
    for m in range(count):
        entries = rng.permutation(ENTRIES)[: min(7 * m, ENTRIES)]
        own, free = free[: len(entries)], free[len(entries) :]
        slots[m, entries] = own
        for slot in own:
            scale = max(s for s in range(grid.num_scales) if grid.offsets[s] <= slot)
            on_scale[m, scale] = True
            label = labels[scale].reshape(-1, 5 + num_classes)[slot - grid.offsets[scale]]
            label[:4], label[4], label[5:] = boxes[m], 1, label_smoothing / num_classes
            label[5 + classes[m]] += 1 - label_smoothing
    scale_boxes = []
    for scale in range(grid.num_scales):
        on = boxes[on_scale[:, scale]]
        scale_boxes.append(np.concatenate([on, np.zeros((max_boxes - len(on), 4), np.float32)]))
    return Targets(boxes, classes, slots, on_scale), labels, scale_boxes
