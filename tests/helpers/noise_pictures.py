"""Pictures that differ in their content."""

import numpy as np

from yolojax.data.images import write_image


def write_pictures(folder, numbers, name="{}.png"):
    """Writes small pictures of noise, each with one box, and a list all.txt of all in the folder."""
    folder.mkdir(exist_ok=True)
    for number in numbers:
        noise = np.random.default_rng(number).integers(0, 256, (12, 16, 3), dtype=np.uint8)
        write_image(folder / name.format(number), noise)
    lines = [f"{path.name} 1,1,9,9,{place % 2}\n" for place, path in enumerate(sorted(folder.glob("*.png")))]
    (folder / "all.txt").write_text("".join(lines))
    return folder / "all.txt"
