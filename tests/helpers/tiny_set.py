"""A YOLO data set of few small pictures, and the flags with which train.py trains on it for two steps."""

import numpy as np

from tests.conftest import REPOSITORY
from yolojax.data.images import write_image

FLAGS = (
    f"--config={REPOSITORY}/tests/helpers/tiny_config.py", "--config.data.source=auto", "--config.train.batch_size=2",
    "--config.train.epochs=1", "--config.train.eval_epochs=1", "--config.data.augment.mix_off_epochs=0",
    "--config.eval.batch_size=2",
)  # fmt: skip


def write_set(folder, names=("cat", "dog"), pictures=4, splits=("train", "val")):
    """Writes pictures of 64 x 48 with a box of each class, and data.yaml; returns the path of data.yaml."""
    rng = np.random.default_rng(0)
    for split in splits:
        (folder / "labels" / split).mkdir(parents=True)
        for number in range(pictures):
            (folder / "images" / split).mkdir(parents=True, exist_ok=True)
            write_image(folder / f"images/{split}/{number}.png", rng.integers(0, 256, (48, 64, 3), np.uint8))
            lines = [f"{c} {0.3 + 0.4 * (c % 2)} {rng.uniform(0.4, 0.6):.3f} 0.4 0.5" for c in range(len(names))]
            (folder / f"labels/{split}/{number}.txt").write_text("\n".join(lines))
    paths = "".join(f"{split}: images/{split}\n" for split in splits)
    listed = "".join(f"  - {name}\n" for name in names)
    (folder / "data.yaml").write_text(f"{paths}names:\n{listed}", encoding="utf-8")
    return folder / "data.yaml"


def data_flags(data):
    """The flags that name a data.yaml with the splits train and val."""
    return f"--config.data.train={data}", f"--config.data.val={data}"
