"""Videos and cameras as RGB frames, and frames as a video, by OpenCV."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from yolojax.errors import InputError
from yolojax.runtime.drafts import draft_of
from yolojax.runtime.files import open_regular
from yolojax.runtime.marks import mark_output
from yolojax.runtime.opencv import cv2

# FFmpeg's own messages about a broken file do not name it. The variable is read when the first video is opened.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

ENDINGS = frozenset({".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv"})
USUAL_FPS = 25.0
_MOST_FAILED = 100  # frames that cannot be read one after the other, in a video that may go on


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
        with _in_utf8(Path(source)) as path:
            capture = cv2.VideoCapture(os.fspath(path))
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
        InputError: the video has no frames, its file ends before them, or some between others are damaged.
    """
    index, count = 0, properties(capture)[1]
    failed, damaged = 0, False
    try:
        while True:
            is_frame, frame = capture.read()
            if is_frame:
                yield index, cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
                index += 1
                failed, damaged = 0, damaged or failed > 0
            elif count is None or index >= count or failed == _MOST_FAILED:
                break
            else:
                failed += 1
    finally:
        capture.release()
    if not index:
        raise InputError(f"{source}: no frame could be read")
    if count and index < count and isinstance(source, str | os.PathLike):
        # A few may be missing of an undamaged file: some players drop them, and in an MP4 more of them may be cut out.
        damaged = damaged or (Path(source).suffix.lower() == ".avi" and index < 0.9 * count)
        if fault := "cut short" if _is_cut(source) else "damaged" if damaged else None:
            raise InputError(f"{source}: only {index} of {count} frames could be read, since the file is {fault}")


def properties(capture: cv2.VideoCapture) -> tuple[float, int | None]:
    """The frames per second and the number of frames of an open video; 25 and None if it does not state them."""
    rate, count = capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_COUNT)
    return rate if 0.01 <= rate <= 1000 else USUAL_FPS, int(count) if 0 < count < 2**31 else None


def _is_cut(path: str | os.PathLike[str]) -> bool:
    """Whether an AVI or MP4 file is shorter than its parts say; False for other files, whose parts say nothing."""
    end, size = 0, os.path.getsize(path)
    with open_regular(path) as file:
        for _ in range(10_000):
            if end >= size:
                break
            file.seek(end)
            head = file.read(16)
            if head[:4] == b"RIFF" and len(head) >= 8:
                length = 8 + int.from_bytes(head[4:8], "little")
            elif end or head[4:8] == b"ftyp":
                length = int.from_bytes(head[8:16] if head[:4] == b"\0\0\0\1" else head[:4], "big")
                length = length or size - end  # 0: up to the end of the file
            else:
                return False
            end += max(8, length)
    return end > size


@contextlib.contextmanager
def _in_utf8(path: Path) -> Iterator[Path]:
    """The absolute path of a file or folder, or a link to it if its name is not UTF-8: OpenCV would crash."""
    try:
        os.fspath(path).encode()
    except UnicodeEncodeError:
        with tempfile.TemporaryDirectory() as folder:
            link = Path(folder) / f"link{path.suffix if path.suffix.isascii() else ''}"
            link.symlink_to(path.absolute())
            yield link
    else:
        yield path.absolute()  # FFmpeg takes what is before a colon for a protocol


class VideoFile:
    """An .mp4 (MPEG-4 part 2) that is written frame by frame, and gets its name once it is complete.

    Attributes:
        path: the file.
    """

    def __init__(self, path: str | os.PathLike[str], fps: float):
        """Choose the file and its frames per second; nothing is written yet."""
        self.path, self._fps = Path(path), fps
        self._writer: cv2.VideoWriter | None = None
        self._draft = draft_of(self.path.with_suffix(".mp4"))
        self._size, self._count, self._failed = (0, 0), 0, False

    def write(self, image_rgb: np.ndarray) -> None:
        """Add a frame.

        Args:
            image_rgb: (H, W, 3) uint8 RGB; resized if the first frame had another size.

        Raises:
            InputError: this OpenCV cannot encode the video, or the file cannot be written. Further frames are left out.
        """
        if self._failed:
            return
        if self._writer is None:
            self._size = image_rgb.shape[1], image_rgb.shape[0]
            codec = cv2.VideoWriter_fourcc(*"mp4v")  # pyright: ignore[reportAttributeAccessIssue]  # OpenCV's stubs lack it
            with _in_utf8(self._draft.parent) as folder:
                self._writer = cv2.VideoWriter(os.fspath(folder / self._draft.name), codec, self._fps, self._size)
            if not self._writer.isOpened():
                self._failed, reason = True, self._reason()
                self._draft.unlink(missing_ok=True)
                raise InputError(
                    f"{self.path}: the video cannot be written: {reason or 'no MPEG-4 encoder in this OpenCV'}; --nodraw "
                    "writes no video"
                )
        if (image_rgb.shape[1], image_rgb.shape[0]) != self._size:
            image_rgb = cv2.resize(image_rgb, self._size)
        self._writer.write(cv2.cvtColor(image_rgb, cv2.COLOR_RGB2BGR))
        self._count += 1

    def close(self, keep: bool = True) -> None:
        """Finish the file and give it its name, or remove it. A later run may replace it, see `runtime.marks`.

        Raises:
            InputError: the file cannot be written, or lacks frames, about which OpenCV says nothing; then it is removed.
        """
        if self._writer is None or self._failed:
            return
        self._writer.release()
        self._writer = None
        try:
            if keep:
                written = self._frames_written()
                if written != self._count:
                    reason = self._reason() or f"it has {written} of {self._count} frames"
                    raise InputError(f"{self.path}: the video cannot be written: {reason}; --nodraw writes no video")
                mark_output(self._draft, self.path)
                os.replace(self._draft, self.path)
        except OSError as error:
            raise InputError(f"{self.path}: the video cannot be written: {error.strerror}") from error
        finally:
            self._draft.unlink(missing_ok=True)

    def _frames_written(self) -> int:
        with _in_utf8(self._draft.parent) as folder:
            capture = cv2.VideoCapture(os.fspath(folder / self._draft.name))
        count = properties(capture)[1] or 0
        capture.release()
        return count

    def _reason(self) -> str | None:
        """Why nothing can be written into the folder, in the system's words; OpenCV does not say."""
        probe = draft_of(self.path)
        try:
            probe.write_bytes(bytes(1 << 16))
        except OSError as error:
            return error.strerror
        finally:
            with contextlib.suppress(OSError):
                probe.unlink(missing_ok=True)
        return None
