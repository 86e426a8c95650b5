"""What a run says while it goes on: metrics.jsonl, TensorBoard, and a progress display."""

import json
import math
import os
from pathlib import Path

from tensorboardX import SummaryWriter
from tensorboardX.proto.summary_pb2 import Summary

from yolojax.errors import InputError
from yolojax.runtime.opencv import cv2


class MetricsLog:
    """WORKDIR/metrics.jsonl, one JSON object a line, and the same scalars in WORKDIR/tensorboard."""

    def __init__(self, workdir, step):
        """Opens the log of a run that goes on after `step`; lines of later steps, which will be made again, are dropped."""
        self.path = Path(workdir) / "metrics.jsonl"
        _keep_lines_up_to(self.path, step)
        self._file = self.path.open("a", encoding="utf-8")
        self._board = SummaryWriter(str(Path(workdir) / "tensorboard"), purge_step=step + 1 if step else None)

    def write(self, step, split, values):
        """Adds one line: {"step", "split", **values}; what is not finite becomes null."""
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

    def write_picture(self, step, name, image):
        """Adds a picture, (H, W, 3) uint8 RGB, to TensorBoard."""
        # Encoded here: tensorboardX's own add_image needs Pillow for it.
        png = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes()
        picture = Summary.Image(height=image.shape[0], width=image.shape[1], colorspace=3, encoded_image_string=png)
        self._board.file_writer.add_summary(Summary(value=[Summary.Value(tag=name, image=picture)]), step)

    def close(self):
        """Closes both files."""
        self._file.close()
        self._board.close()


def _keep_lines_up_to(path, step):
    if not path.exists():
        return
    lines = path.read_bytes().splitlines(keepends=True)
    kept = []
    for line in lines:
        try:
            if line.endswith(b"\n") and json.loads(line)["step"] <= step:
                kept.append(line)
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
    if len(kept) < len(lines):
        draft = path.with_name(f".{path.name}.tmp")
        draft.write_bytes(b"".join(kept))
        os.replace(draft, path)
