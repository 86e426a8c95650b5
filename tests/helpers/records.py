"""Records of pictures with more and more boxes."""

import numpy as np

from yolojax.data.annotations import Record


def records(number=3):
    return [
        Record(f"{i}.png", np.full((i, 4), i, np.float32), np.arange(i, dtype=np.int32), f"list.txt:{i + 1}")
        for i in range(number)
    ]
