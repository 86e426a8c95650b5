"""The log of a run: metrics.jsonl and TensorBoard."""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from tensorboardX import SummaryWriter
from tensorboardX.proto.summary_pb2 import Summary  # pyright: ignore[reportAttributeAccessIssue]  # made at run time

from yolojax.errors import InputError
from yolojax.runtime.opencv import cv2


class MetricsLog:
    """WORKDIR/metrics.jsonl, one JSON object per line, and the same scalars in WORKDIR/tensorboard.

    Args:
        workdir: folder of the run.
        step: the step from which the run continues. Lines of later steps are removed, because those steps are made again.
    """

    def __init__(self, workdir: str | os.PathLike[str], step: int) -> None:
        self.path = Path(workdir) / "metrics.jsonl"
        _keep_lines_up_to(self.path, step)
        self._file = self.path.open("a", encoding="utf-8")
        self._board: Any = SummaryWriter(str(Path(workdir) / "tensorboard"), purge_step=step + 1 if step else None)

    def write(self, step: int, split: str, values: Mapping[str, float]) -> None:
        """Adds one line, {"step", "split", **values}; values that are not finite become null.

        Raises:
            InputError: the file cannot be written.
        """
        line = {"step": step, "split": split}
        for name, value in values.items():
            line[name] = value if math.isfinite(value) else None
            if math.isfinite(value):
                self._board.add_scalar(f"{split}/{name}", value, step)
        try:
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()
        except OSError as error:
            raise InputError(f"{self.path} cannot be written: {error.strerror}") from error

    def write_picture(self, step: int, name: str, image: np.ndarray) -> None:
        """Adds an image, (H, W, 3) uint8 RGB, to TensorBoard."""
        # Encoded with OpenCV, because tensorboardX's own add_image needs Pillow.
        png = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes()
        encoded = Summary.Image(height=image.shape[0], width=image.shape[1], colorspace=3, encoded_image_string=png)
        self._board.file_writer.add_summary(Summary(value=[Summary.Value(tag=name, image=encoded)]), step)

    def close(self) -> None:
        """Closes both logs."""
        self._file.close()
        self._board.close()


def _keep_lines_up_to(path, step):
    if not path.exists():
        return
    lines = path.read_bytes().splitlines(keepends=True)
    kept = []
    for line in lines:
        try:
            # A run that starts at step 0 evaluates it again.
            if step and line.endswith(b"\n") and json.loads(line)["step"] <= step:
                kept.append(line)
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
    if len(kept) < len(lines):
        draft = path.with_name(f".{path.name}.tmp")
        draft.write_bytes(b"".join(kept))
        os.replace(draft, path)
