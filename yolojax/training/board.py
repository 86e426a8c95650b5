"""TensorBoard's file of a run, written by the training thread itself.

tensorboardX's own writer is a thread behind a short queue: if the disk is full the thread ends, and whoever writes next waits
for it forever.
"""

import contextlib
import os
import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from tensorboardX.proto.event_pb2 import Event, SessionLog  # pyright: ignore[reportAttributeAccessIssue]  # made at run time
from tensorboardX.proto.summary_pb2 import Summary  # pyright: ignore[reportAttributeAccessIssue]
from tensorboardX.record_writer import masked_crc32c

from yolojax.errors import InputError
from yolojax.runtime.opencv import cv2


class Board:
    """A file of scalars and pictures that TensorBoard shows.

    It is a view of the run, not the run: if it can no longer be written, that is said once, and the rest is left out.

    Args:
        folder: where the file is made; made if it is missing.
        step: the step from which the run continues. TensorBoard hides what earlier files say of later steps.
        say: called with a line to print.

    Raises:
        InputError: the folder or the file cannot be made.
    """

    def __init__(self, folder: str | os.PathLike[str], step: int, say: Callable[[str], object]) -> None:
        name = f"events.out.tfevents.{int(time.time()):010}.{socket.gethostname()}.{os.getpid()}"
        self.path, self._say, self._file = Path(folder) / name, say, None
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file: Any = self.path.open("ab")
        except OSError as error:
            raise InputError(
                f"{folder}: TensorBoard files cannot be written: {error.strerror or error}; make room, give permission, "
                "or move what is in the way"
            ) from error
        self._add(Event(file_version="brain.Event:2"))
        if step:
            self._add(Event(step=step + 1, session_log=SessionLog(status=SessionLog.START)))

    def scalar(self, name: str, value: float, step: int) -> None:
        """Adds a number."""
        self._add(Event(step=step, summary=Summary(value=[Summary.Value(tag=name, simple_value=value)])))

    def picture(self, name: str, image: np.ndarray, step: int) -> None:
        """Adds an image, (H, W, 3) uint8 RGB."""
        # Encoded with OpenCV, because tensorboardX's own add_image needs Pillow.
        png = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes()
        encoded = Summary.Image(height=image.shape[0], width=image.shape[1], colorspace=3, encoded_image_string=png)
        self._add(Event(step=step, summary=Summary(value=[Summary.Value(tag=name, image=encoded)])))

    def flush(self) -> None:
        """Hands what was added to the system."""
        with self._left_out_if_full():
            if self._file:
                self._file.flush()

    def close(self) -> None:
        """Closes the file."""
        with self._left_out_if_full():
            if self._file:
                self._file.close()

    def _add(self, event: Any) -> None:
        event.wall_time = time.time()
        payload = event.SerializeToString()
        length = struct.pack("<Q", len(payload))
        checks = (struct.pack("<I", masked_crc32c(part)) for part in (length, payload))
        with self._left_out_if_full():
            if self._file:
                self._file.write(length + next(checks) + payload + next(checks))

    @contextlib.contextmanager
    def _left_out_if_full(self):
        try:
            yield
        except OSError as error:
            # Closing writes what is left over, and fails as well.
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None
            self._say(
                f"{self.path} cannot be written: {error.strerror or error}; the run goes on without TensorBoard, and the "
                "numbers are in metrics.jsonl"
            )
