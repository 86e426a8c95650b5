"""What the compiled steps of training and evaluation take."""

from typing import NamedTuple

import numpy as np

from yolojax.targets import Targets


class Batch(NamedTuple):
    """What a training step takes.

    Attributes:
        images: (B, H, W, 3) RGB, uint8, or float32 in [0, 1].
        targets: batched Targets.
    """

    images: np.ndarray
    targets: Targets


class ValBatch(NamedTuple):
    """What an evaluation step takes.

    Attributes:
        images: (B, H, W, 3) RGB, uint8, or float32 in [0, 1].
        targets: batched Targets.
        aspects: (B,) float32, the ratio of height to width that each picture has in the network's input.
    """

    images: np.ndarray
    targets: Targets
    aspects: np.ndarray
