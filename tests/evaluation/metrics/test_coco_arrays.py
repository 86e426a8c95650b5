"""COCO's numbers from flat arrays, beside those of pycocotools."""

import numpy as np
import pytest

from yolojax.evaluation import coco_evaluate
from yolojax.evaluation.metrics import coco


def random_pictures(rng, pictures, classes, most_truths, most_detections):
    """Truths of all sizes, some of them crowds, and detections near them or anywhere, with many equal scores."""
    detections, truths = [], []
    for _ in range(pictures):
        count = rng.integers(0, most_truths + 1)
        low = rng.uniform(0, 400, (count, 2))
        boxes = np.concatenate([low, low + rng.uniform(4, 160, (count, 2))], axis=1)
        truth_classes = rng.integers(0, classes, count)
        truths.append((boxes, truth_classes, rng.random(count) < 0.1))
        near = np.repeat(boxes, 3, axis=0) + rng.normal(0, 6, (3 * count, 4))
        some = rng.integers(0, most_detections + 1)
        low = rng.uniform(0, 400, (some, 2))
        anywhere = np.concatenate([low, low + rng.uniform(1, 200, (some, 2))], axis=1)
        found = np.concatenate([near, anywhere])
        found_classes = np.concatenate([np.repeat(truth_classes, 3), rng.integers(0, classes + 1, some)])
        detections.append((found, rng.integers(1, 30, len(found)) / 30, found_classes))
    return detections, truths


@pytest.mark.parametrize(
    ("seed", "classes", "most_truths", "most"), [(0, 3, 6, 30), (1, 1, 12, 150), (2, 8, 2, 5), (3, 2, 0, 9)]
)
def test_many_detections_have_the_numbers_of_pycocotools(monkeypatch, seed, classes, most_truths, most):
    pictures = random_pictures(np.random.default_rng(seed), 40, classes, most_truths, most)
    metrics, per_class, per_size = coco_evaluate(*pictures)
    monkeypatch.setattr(coco, "LIBRARY_DETECTIONS", 0)
    monkeypatch.setattr(coco, "COCOeval", None)
    ours, our_classes, our_sizes = coco_evaluate(*pictures)
    assert ours == pytest.approx(metrics, rel=1e-12, nan_ok=True)
    assert our_classes.keys() == per_class.keys() and our_sizes.keys() == per_size.keys()
    for theirs, mine in ((per_class, our_classes), (per_size, our_sizes)):
        for key, numbers in theirs.items():
            assert mine[key] == pytest.approx(numbers, rel=1e-12, nan_ok=True)
    assert most_truths == 0 or 0 < ours["ap"] < 1
