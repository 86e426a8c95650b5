"""The text list, written; `yolojax.data.annotations` reads it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from yolojax.data.annotations import Record


def write_text_list(path: Path, records: Sequence[Record], file_names: Sequence[str]) -> None:
    """Write records as a text list, `path x1,y1,x2,y2,class ...`, with just the digits that bring each float32 back."""
    lines = []
    for record, file_name in zip(records, file_names, strict=True):
        boxes = (
            ",".join([*(np.format_float_positional(side, trim="-") for side in box), str(class_id)])
            for box, class_id in zip(record.boxes, record.classes.tolist(), strict=True)
        )
        lines.append(" ".join([file_name, *boxes]) + "\n")
    path.write_text("".join(lines), "utf-8")
