"""A folder of pictures of one's own."""

import numpy as np

from yolojax.data.images import write_image


def write_folder(folder, count=20, size=(48, 64), side=(8, 20)):
    """Writes pictures with one box each and a list all.txt of them; returns the list."""
    folder.mkdir(parents=True)
    (folder / "classes.names").write_text("cat\ndog\n")
    lines = []
    for number in range(count):
        rng = np.random.default_rng(number)
        write_image(folder / f"{number}.png", rng.integers(0, 256, (*size, 3), dtype=np.uint8))
        width, height = rng.integers(*side, 2).tolist()
        x, y = rng.integers(0, size[1] - width), rng.integers(0, size[0] - height)
        lines.append(f"{number}.png {x},{y},{x + width},{y + height},{number % 2}\n")
    (folder / "all.txt").write_text("".join(lines))
    return folder / "all.txt"
