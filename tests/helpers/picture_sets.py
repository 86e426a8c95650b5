"""Detections and truths of several images: random ones full of ties, and adversarial ones."""

import numpy as np


def random_set(rng, *, pictures=6, max_detections=10, max_truths=5, classes=3, span=6, scale=20):
    """Boxes and scores on a lattice so coarse that scores, overlaps and best truths tie; sides up to span * scale pixels."""

    def boxes(count):
        corner = rng.integers(0, span, (count, 2))
        return np.concatenate([corner, corner + rng.integers(0, span, (count, 2))], axis=1) * float(scale)

    detections, truths = [], []
    for _ in range(pictures):
        k, n = rng.integers(0, max_detections + 1), rng.integers(0, max_truths + 1)
        true_boxes, true_classes, detected_boxes = boxes(n), rng.integers(0, classes, n), boxes(k)
        detected_classes = rng.integers(0, classes, k)
        if n:
            near, source = rng.random(k) < 0.7, rng.integers(0, n, k)
            moved = true_boxes[source] + rng.integers(-1, 2, (k, 4)) * rng.integers(0, 2, (k, 1)) * (scale / 4)
            detected_boxes = np.where(near[:, None], moved, detected_boxes)
            detected_classes = np.where(near & (rng.random(k) < 0.8), true_classes[source], detected_classes)
        detections.append((detected_boxes, rng.integers(0, 8, k) / 8, detected_classes))
        truths.append((true_boxes, true_classes, rng.random(n) < 0.2))
    return detections, truths


def nothing():
    """The detections of an image without any."""
    return np.zeros((0, 4)), np.zeros(0), np.zeros(0, int)


def untrue():
    """The truths of an image without any."""
    return np.zeros((0, 4)), np.zeros(0, int), np.zeros(0, bool)


def _plain():
    boxes = np.array([[0, 0, 20, 20], [100, 0, 150, 50], [200, 0, 300, 100], [200, 10, 300, 110]], float)
    return (boxes, np.array([0.9, 0.8, 0.7, 0.6]), np.array([0, 1, 0, 0])), (boxes, np.array([0, 1, 0, 1]), np.zeros(4, bool))


def adversarial_sets():
    """{name: (detections, truths)} of classes 0 to 2."""
    rng = np.random.default_rng(0)
    (boxes, scores, classes), truth = _plain()
    corner = rng.integers(0, 300, (400, 2)).astype(float)
    many = np.concatenate([corner, corner + rng.integers(4, 60, (400, 2))], axis=1)
    odd = np.arange(400) % 2
    flat = boxes.copy()
    flat[::2, 3] = flat[::2, 1]
    crowd = truth[0], truth[1], np.ones(4, bool)
    return {
        "no pictures": ([], []),
        "no truths": ([(boxes, scores, classes)], [untrue()]),
        "no detections": ([nothing()], [truth]),
        "neither": ([nothing()], [untrue()]),
        "a class without truth": ([(boxes, scores, np.array([2, 1, 2, 0]))], [truth]),
        "a class without detections": ([(boxes, scores, np.zeros(4, int))], [truth]),
        "equal scores": ([(boxes, np.full(4, 0.5), classes)] * 3, [truth, untrue(), truth]),
        "duplicates": ([(np.repeat(boxes, 4, 0), np.repeat(scores, 4), np.repeat(classes, 4))], [truth]),
        "equal truths": ([(boxes, scores, classes)], [(np.repeat(boxes, 3, 0), np.repeat(classes, 3), np.arange(12) % 4 == 0)]),
        "without area": ([(flat, scores, classes)], [(flat, truth[1], truth[2])]),
        "inverted": ([(boxes[:, [2, 3, 0, 1]], scores, classes)], [truth]),
        "crowds only": ([(boxes, scores, classes)], [crowd]),
        "crowds of one class only": ([(boxes, scores, classes)] * 2, [crowd, (truth[0], np.ones(4, int), truth[2])]),
        "very many boxes": ([(many, rng.random(400).round(2), odd)], [(many + 2, odd, many[:, 0] < 9)]),
        "huge coordinates": ([(boxes * 2.0**30, scores, classes)], [(boxes * 2.0**30, *truth[1:])]),
        "huge offsets": ([(boxes + 2.0**30, scores, classes)], [(boxes + 2.0**30, *truth[1:])]),
        "tiny boxes": ([(boxes * 2.0**-20, scores, classes)], [(boxes * 2.0**-20, *truth[1:])]),
        # The first detection overlaps both truths by 2/3, the second only the left, which is free if the first takes the right.
        "equal overlaps": (
            [(np.array([[20, 0, 120, 100.0], [0, 0, 100, 100]]), np.array([0.9, 0.8]), np.zeros(2, int))],
            [(np.array([[0, 0, 100, 100.0], [40, 0, 140, 100]]), np.zeros(2, int), np.zeros(2, bool))],
        ),
        "more than a hundred and no truth": (
            [(np.tile(boxes, (60, 1)), np.linspace(1, 0.6, 240), np.zeros(240, int)), (boxes, scores / 2, classes)],
            [untrue(), truth],
        ),
        "more than a hundred": ([(np.tile(boxes, (60, 1)), np.linspace(1, 0, 240), np.zeros(240, int))], [truth]),
    }
