"""The log of a run: metrics.jsonl and TensorBoard."""

import contextlib
import json
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from yolojax.errors import InputError
from yolojax.runtime.files import open_regular
from yolojax.training.board import Board


class MetricsLog:
    """WORKDIR/metrics.jsonl, one JSON object per line, and the same scalars in WORKDIR/tensorboard.

    A checkpoint promises that the lines up to its step are on disk. So a run whose metrics.jsonl cannot be written ends, with
    its earlier checkpoints; TensorBoard is only a view of it, without which the run goes on (see `Board`).

    Args:
        workdir: folder of the run.
        step: the step from which the run continues. Lines of later steps are removed, because those steps are made again.
        say: called with a line to print.

    Raises:
        InputError: one of the two cannot be written.
    """

    def __init__(self, workdir: str | os.PathLike[str], step: int, say: Callable[[str], object] = print) -> None:
        self.path, self._say = Path(workdir) / "metrics.jsonl", say
        with self._named():
            _keep_lines_up_to(self.path, step)
            self._file = self.path.open("a", encoding="utf-8")
        self._board = Board(Path(workdir) / "tensorboard", step, say)

    def write(self, step: int, split: str, values: Mapping[str, float]) -> None:
        """Adds one line, {"step", "split", **values}; values that are not finite become null.

        Raises:
            InputError: the file cannot be written.
        """
        line = {"step": step, "split": split}
        for name, value in values.items():
            line[name] = value if math.isfinite(value) else None
            if math.isfinite(value):
                self._board.scalar(f"{split}/{name}", value, step)
        self._board.flush()
        with self._named():
            if not self.path.exists():
                self._file.close()
                self._file = self.path.open("a", encoding="utf-8")
                self._say(f"{self.path} is no longer there; its lines from step {step} on are in a new file")
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()

    def write_picture(self, step: int, name: str, image: np.ndarray) -> None:
        """Adds an image, (H, W, 3) uint8 RGB, to TensorBoard."""
        self._board.picture(name, image, step)

    def close(self) -> None:
        """Closes both logs."""
        # Only a line that could not be written is left to write.
        with contextlib.suppress(OSError):
            self._file.close()
        self._board.close()

    @contextlib.contextmanager
    def _named(self):
        try:
            yield
        except OSError as error:
            raise InputError(
                f"{self.path} cannot be written: {error.strerror or error}; earlier checkpoints are untouched; fix this and "
                "run the same command again"
            ) from error


def _keep_lines_up_to(path, step):
    if not path.exists():
        return
    with open_regular(path) as file:
        lines = file.read().splitlines(keepends=True)
    kept = []
    for line in lines:
        try:
            # A run that starts at step 0 evaluates it again.
            if step and line.endswith(b"\n") and json.loads(line)["step"] <= step:
                kept.append(line)
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
    # A file of several names is a backup's as well (cp -al), which must not grow.
    if len(kept) < len(lines) or os.stat(path).st_nlink > 1:
        draft = path.with_name(f".{path.name}.tmp")
        draft.write_bytes(b"".join(kept))
        os.replace(draft, path)
