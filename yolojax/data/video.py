"""Videos and cameras as RGB frames, and frames as a video, by OpenCV."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from yolojax.errors import InputError
from yolojax.runtime.opencv import cv2

# FFmpeg's own messages about a broken file do not name it. The variable is read when the first video is opened.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

ENDINGS = frozenset({".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv"})
USUAL_FPS = 25.0


def open_video(source: str | os.PathLike[str] | int) -> cv2.VideoCapture:
    """Open a video file or a camera.

    Args:
        source: path of a video file, or the number of a camera, from 0.

    Returns:
        The open capture; `frames` releases it.

    Raises:
        InputError: the camera or file cannot be opened.
    """
    if isinstance(source, int):
        capture = cv2.VideoCapture(source)
        problem = f"camera {source} cannot be opened; check that it is connected and that no other program uses it"
    else:
        if not os.path.isfile(source):
            raise InputError(f"{source}: there is no such video")
        capture = cv2.VideoCapture(os.fspath(source))
        problem = f"{source}: not a video that OpenCV can read, or damaged; convert it to H.264 in .mp4"
    if not capture.isOpened():
        capture.release()
        raise InputError(problem)
    return capture


def frames(capture: cv2.VideoCapture, source: object) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the frames of an open video in order, and release it at the end.

    Args:
        capture: a video from `open_video`.
        source: its name in errors.

    Yields:
        (index from 0, (H, W, 3) uint8 RGB).

    Raises:
        InputError: the video has no frames.
    """
    index = 0
    try:
        while True:
            is_frame, frame = capture.read()
            if not is_frame:
                break
            yield index, cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
            index += 1
    finally:
        capture.release()
    if not index:
        raise InputError(f"{source}: no frame could be read")


def properties(capture: cv2.VideoCapture) -> tuple[float, int | None]:
    """The frames per second and the number of frames of an open video; 25 and None if it does not state them."""
    rate, count = capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_COUNT)
    return rate if 0 < rate <= 1000 else USUAL_FPS, int(count) if 0 < count < 2**31 else None


class VideoFile:
    """An .mp4 (MPEG-4 part 2) that is written frame by frame, and gets its name once it is complete.

    Attributes:
        path: the file.
    """

    def __init__(self, path: str | os.PathLike[str], fps: float):
        """Choose the file and its frames per second; nothing is written yet."""
        self.path, self._fps = Path(path), fps
        self._writer: cv2.VideoWriter | None = None
        self._draft = self.path.with_name(f".{self.path.stem}.{os.getpid()}.tmp.mp4")

    def write(self, image_rgb: np.ndarray) -> None:
        """Add a frame.

        Args:
            image_rgb: (H, W, 3) uint8 RGB, of the size of the first frame.

        Raises:
            InputError: this OpenCV cannot encode the video, or the file cannot be written.
        """
        if self._writer is None:
            height, width = image_rgb.shape[:2]
            codec = cv2.VideoWriter_fourcc(*"mp4v")  # pyright: ignore[reportAttributeAccessIssue]  # OpenCV's stubs lack it
            self._writer = cv2.VideoWriter(os.fspath(self._draft), codec, self._fps, (width, height))
            if not self._writer.isOpened():
                self._draft.unlink(missing_ok=True)
                raise InputError(
                    f"{self.path}: the video cannot be written: no MPEG-4 encoder in this OpenCV, or the folder is read-only; "
                    "--nodraw writes no video"
                )
        self._writer.write(cv2.cvtColor(image_rgb, cv2.COLOR_RGB2BGR))

    def close(self, keep: bool = True) -> None:
        """Finish the file and give it its name, or remove it."""
        if self._writer is None:
            return
        self._writer.release()
        self._writer = None
        if keep:
            os.replace(self._draft, self.path)
        else:
            self._draft.unlink(missing_ok=True)
