"""Examples of one's own from grain, PyTorch and Hugging Face: anything with a length and numbered rows is a source.

yolojax train --workdir runs/cppe5 --config.data.source=own_sources:from_huggingface --config.data.options='{"path": "cppe-5"}'

In a loop of one's own each is a source like those of `open_split`, for example Rows(names, dataset, torch_example).
"""

import dataclasses
import pkgutil
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from yolojax import Example, assign


@dataclasses.dataclass
class Rows:
    """A source: class names, rows by number, and the function that makes an `Example` of a row."""

    names: Sequence[str]
    rows: Any
    convert: Callable[[Any], Example]
    epochs: bool = False  # whether rows from len(rows) on are those of the next epoch, as grain numbers them

    def __len__(self):
        return len(self.rows)

    def example(self, epoch, index):
        return self.convert(self.rows[epoch * len(self.rows) + index if self.epochs else index])


def from_huggingface(config, split, *, path):
    """A data set of the Hub, or a folder of its files, in the Hub's form for object detection: boxes x, y, width, height."""
    import datasets  # pyright: ignore[reportMissingImports]

    rows = datasets.load_dataset(path, split={"val": "validation"}.get(split, split))
    return Rows(class_label(rows.features["objects"]).names, rows, huggingface_example)


def class_label(objects):
    """The ClassLabel of a feature "objects", a dict of lists, which versions before 4 of datasets call a Sequence."""
    category = getattr(objects, "feature", objects)["category"]
    return getattr(category, "feature", category)


def huggingface_example(row):
    x, y, width, height = np.array(row["objects"]["bbox"], np.float32).reshape(-1, 4).T
    boxes = np.stack([x, y, x + width, y + height], 1)
    return Example(np.asarray(row["image"].convert("RGB")), boxes, np.array(row["objects"]["category"], np.int32))


def from_torch(config, split, *, dataset, names):
    """`dataset`, "module:name", is a function of the split to a torch Dataset in torchvision's form for detection."""
    return Rows(names, pkgutil.resolve_name(dataset)(split), torch_example)


def torch_example(row):
    image, target = row  # (3, H, W) uint8, and {"boxes" xyxy, "labels"}
    image, boxes, classes = np.asarray(image), np.asarray(target["boxes"], np.float32), np.asarray(target["labels"], np.int32)
    return Example(np.ascontiguousarray(image.transpose(1, 2, 0)), boxes, classes)


def torch_batches(loader, grid):
    """Batches for `feed` of a torch DataLoader with collate_fn=list, whose pictures have the network's size."""
    for rows in loader:
        examples = [torch_example(row) for row in rows]
        targets = [assign(example.boxes, example.classes, grid) for example in examples]
        yield np.stack([example.image for example in examples]), jax.tree.map(lambda *x: np.stack(x), *targets)


def from_grain(config, split, *, dataset, names):
    """`dataset`, "module:name", is a function of the split to a grain MapDataset of {"image", "boxes", "classes"}."""
    return Rows(names, pkgutil.resolve_name(dataset)(split), grain_example, epochs=True)


def grain_example(row):
    return Example(row["image"], row["boxes"], row["classes"])
