"""A small text list with its pictures, and comparison to the bit: what the tests of the pipeline share."""

import numpy as np

from yolojax.config import Config
from yolojax.data.images import write_image
from yolojax.grid import AnchorGrid

NAMES = ("cat", "dog", "cow")
GRID = AnchorGrid((64, 96), (16, 32), (((6, 8), (14, 10)), ((30, 24), (50, 60))))
# (width, height) and boxes of each picture of the list; the fourth has none.
PICTURES = (
    ((80, 60), "10,10,50,40,0 20,20,70,55,1"),
    ((40, 90), "5,50,35,85,2"),
    ((120, 50), "0,0,120,50,1 60,10,90,40,0 3,3,20,20,2"),
    ((64, 64), ""),
    ((96, 64), "30.5,10.25,60,44,1"),
    ((33, 47), "1,1,32,46,0"),
    ((70, 30), "40,5,65,25,2 2,2,12,12,2"),
)


def write_list(folder):
    """Writes PICTURES and a list of them; returns a configuration that trains and validates on it, in batches of 3."""
    lines = []
    for number, ((width, height), boxes) in enumerate(PICTURES):
        noise = np.random.default_rng(number).integers(0, 256, (height, width, 3), dtype=np.uint8)
        write_image(folder / f"{number}.png", noise)
        lines.append(f"{number}.png {boxes}".strip())
    (folder / "list.txt").write_text("\n".join(lines) + "\n")
    config = Config(seed=11)
    config.data.train = config.data.val = str(folder / "list.txt")
    config.data.class_names = NAMES
    config.data.max_boxes = 5
    config.data.threads = 2
    config.train.batch_size = 3
    return config


def relist(config, boxes, size=(100, 80)):
    """Replaces the list by one picture with these boxes."""
    path = config.data.train.replace("list.txt", "alone.png")
    write_image(path, np.zeros((size[1], size[0], 3), np.uint8))
    with open(config.data.train, "w") as file:
        file.write(f"alone.png {boxes}")


def assert_same(one, two):
    """Two pytrees of arrays and numbers are equal to the bit."""
    if isinstance(one, np.ndarray):
        assert one.dtype == two.dtype
        np.testing.assert_array_equal(one, two)
    elif isinstance(one, tuple | list):
        assert len(one) == len(two)
        for left, right in zip(one, two, strict=True):
            assert_same(left, right)
    else:
        assert one == two


GRIDS = [GRID, AnchorGrid((96, 64), (16, 32), GRID.anchors), AnchorGrid((32, 32), (16, 32), GRID.anchors)]
