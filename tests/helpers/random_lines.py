"""Boxes for the lines of a text list, at random."""

import numpy as np

NAMES = ("cat", "dog", "cow")


def random_boxes(count, seed):
    rng = np.random.default_rng(seed)
    low = rng.uniform(0, 30, (count, 2))
    rows = np.concatenate([low, low + rng.uniform(3, 30, (count, 2)), rng.integers(0, 3, (count, 1))], axis=1)
    return " ".join(f"{x1:.2f},{y1:.2f},{x2:.2f},{y2:.2f},{c:.0f}" for x1, y1, x2, y2, c in rows)
