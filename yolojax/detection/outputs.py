"""The outputs of a detection run: drawn pictures and videos, detections.json, YOLO labels and crops, written by threads."""

import collections
import concurrent.futures
import contextlib
import functools
import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from yolojax.data.images import write_image
from yolojax.data.video import VideoFile
from yolojax.detection.places import Places
from yolojax.draw import draw_detections
from yolojax.errors import InputError
from yolojax.predict import Detection
from yolojax.runtime.drafts import draft_of, remove_left_behind
from yolojax.runtime.file_names import file_names
from yolojax.runtime.files import write_text
from yolojax.runtime.marks import mark_output
from yolojax.runtime.streams import say
from yolojax.runtime.threads import thread_pool, worker_count
from yolojax.runtime.wording import counted

WAITING = 8  # how many pictures may wait to be drawn and written
BYTES_WAITING = 1 << 28  # how many bytes of decoded pictures may; one more always may
NAMED = 10  # how many outputs that could not be written, or sources that could not be read, are named


class Outputs:
    """The outputs of one run; its `with` block completes detections.json, or removes it if the block fails.

    Args:
        out: folder; made if it is missing.
        draw: whether to draw pictures and videos.
        json: whether to write detections.json.
        txt: whether to write YOLO labels.
        crops: whether to write crops.
        more_to_come: whether sources may come that are not known when the run begins.

    Attributes:
        out: the folder.
        pictures: how many pictures and frames were added so far.
        detections: how many detections they had.
        unwritten: how many outputs could not be written; the others are.
        first_unwritten: which was the first of them, and why.
        complete: whether everything else is written.
    """

    def __init__(
        self,
        out: str | os.PathLike[str],
        *,
        draw: bool = True,
        json: bool = True,
        txt: bool = False,
        crops: bool = False,
        more_to_come: bool = False,
    ) -> None:
        self.out, self.pictures, self.detections, self.complete = Path(out), 0, 0, False
        self._draw, self._json, self._txt, self._crops = draw, json, txt, crops
        self.unwritten, self.first_unwritten = 0, ""
        self._places = Places(self.out, more_to_come=more_to_come)
        self._names: dict[Path, tuple[Path | None, str | None]] = {}

    def protect(self, path: str | os.PathLike[str] | int) -> None:
        """Registers a source, and its YOLO labels, which no output may overwrite; an open file by its number."""
        self._places.protect(path)

    def name(self, path: Path, ending: str | None = None) -> tuple[Path | None, str | None]:
        """Chooses the names of a source's outputs: its own, with a number if two sources have the same name.

        Args:
            path: the path of the source.
            ending: the extension of its drawing; by default the picture's own, or .png for formats that cannot be written.

        Returns:
            (path of the drawing, name of labels and crops without extension). None for what is not written.

        Raises:
            InputError: an output would overwrite one of the sources.
        """
        if path not in self._names:
            self._names[path] = None, None  # after an error nothing is written for any frame
            drawn = self._places.drawing(path, ending) if self._draw else None
            stem = self._places.stem(path, video=ending is not None) if self._txt or self._crops else None
            self._names[path] = drawn, stem
        return self._names[path]

    def __enter__(self) -> Self:
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            for folder in (self.out, self.out / "labels", *self.out.glob("crops/*")):
                remove_left_behind(folder)
            self._file, self._draft = None, draft_of(self.out / "detections.json")
            if self._json:
                self._places.check(self.out / "detections.json")
                self._file = self._draft.open("w", encoding="utf-8", errors="backslashreplace")
                self._file.write("[\n")
        except OSError as error:
            raise InputError(f"{self.out}: the folder cannot be made: {error.strerror}") from error
        self._pool = thread_pool(worker_count(), "yolojax-write")
        self._encoder = concurrent.futures.ThreadPoolExecutor(1, "yolojax-encode")  # one thread keeps frames in order
        self._waiting: collections.deque[concurrent.futures.Future] = collections.deque()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            # Ctrl-C is how a camera is ended.
            if kind is None or issubclass(kind, KeyboardInterrupt):
                self.wait(0)
                for problem in self._places.release():
                    self._note_unwritten(problem)
                if self._file:
                    self._file.write("\n]\n")
                    self._file.close()
                    self._places.check(self.out / "detections.json")  # a source that came late may be called so
                    mark_output(self._draft, self.out / "detections.json")
                    os.replace(self._draft, self.out / "detections.json")
                self.complete = True
        except OSError as error:
            raise InputError(f"{self.out / 'detections.json'}: the file cannot be written: {error.strerror}") from error
        finally:
            self._pool.shutdown(cancel_futures=True)
            self._encoder.shutdown(cancel_futures=True)
            self._places.discard()
            if self._file:
                with contextlib.suppress(OSError):  # a full disk raises again
                    self._file.close()
                self._draft.unlink(missing_ok=True)

    def summary(self) -> str:
        """One line: how many detections there were, and which outputs are where."""
        kinds = {"drawn pictures": self._draw, "detections.json": self._json, "labels": self._txt, "crops": self._crops}
        written = [kind for kind, wanted in kinds.items() if wanted]
        listed = " and ".join([", ".join(written[:-1])] * (len(written) > 1) + written[-1:])
        return f"{counted(self.detections, 'detection')} in {counted(self.pictures, 'picture')}: {listed} are in {self.out}"

    @contextlib.contextmanager
    def video(self, path: Path, fps: float) -> Iterator[VideoFile | None]:
        """Opens the drawn video of a source inside a `with` block.

        Args:
            path: the path of the source.
            fps: frames per second.

        Yields:
            The video to pass to `add`; None if nothing is drawn.
        """
        drawn = self._try(lambda: self.name(path, ".mp4")[0])
        place = self._try(lambda: self._places.place(drawn)) if drawn else None
        video, keep = VideoFile(place, fps) if place else None, False
        try:
            yield video
            keep = True
        except KeyboardInterrupt:
            keep = True
            raise
        finally:
            try:
                if keep:
                    self.wait(0)
            except BaseException:
                keep = False
                raise
            finally:
                # A frame that is still waiting would open the file again.
                for write in self._waiting:
                    write.cancel()
                concurrent.futures.wait(self._waiting)
                if video:
                    self._try(lambda: video.close(keep))

    def add(
        self,
        path: Path,
        image: np.ndarray,
        detection: Detection,
        *,
        frame: int | None = None,
        video: VideoFile | None = None,
    ) -> None:
        """Queues the outputs of a picture, or of a frame of a video; waits while too many are queued.

        Args:
            path: the path of the source.
            image: (H, W, 3) uint8 RGB.
            detection: what was found in it.
            frame: number of the frame; None for a picture.
            video: the result of `video`, in which the frame is drawn.

        Raises:
            InputError: detections.json cannot be written.
        """
        self.pictures += 1
        self.detections += len(detection.boxes)
        if self._file:
            try:
                self._file.write(",\n" * (self.pictures > 1) + _as_json(path, image, detection, frame))
            except OSError as error:
                raise InputError(f"{self.out / 'detections.json'}: the file cannot be written: {error.strerror}") from error
        drawn, stem = self._try(lambda: self.name(path, None if frame is None else ".mp4")) or (None, None)
        if video:
            self._waiting.append(self._encoder.submit(_draw, video.write, image, detection))
        elif drawn and frame is None:
            self._waiting.append(self._pool.submit(self._write_drawing, drawn, image, detection))
        if stem:
            stem = stem if frame is None else f"{stem}-{frame:06}"
            if self._txt:
                self._waiting.append(self._pool.submit(self._write_labels, stem, image, detection))
            if self._crops:
                self._waiting.append(self._pool.submit(self._write_crops, stem, image, detection))
        self.wait(min(WAITING, max(1, BYTES_WAITING // image.nbytes)))

    def wait(self, allowed: int) -> None:
        """Waits until at most `allowed` outputs are queued; those that could not be written are counted."""
        while len(self._waiting) > allowed:
            self._try(self._waiting.popleft().result)

    def _try(self, write):
        """What a function returns, or None if an output cannot be written, which must not lose the others."""
        try:
            return write()
        except InputError as error:
            self._note_unwritten(error)

    def _note_unwritten(self, error):
        self.unwritten += 1
        self.first_unwritten = self.first_unwritten or text_of(error)
        if self.unwritten <= NAMED:
            say(f"not written: {text_of(error)}")

    def _write_drawing(self, path, image, detection):
        place = self._places.place(path)
        _draw(lambda picture: write_image(place, picture, marked=True), image, detection)

    def _write_labels(self, stem, image, detection):
        """Writes one line per detection: class, and the box as cx cy w h in fractions of the picture's width and height."""
        height, width = image.shape[:2]
        low, high = np.split(detection.boxes.astype(np.float64) / (width, height, width, height), 2, axis=1)
        rows = np.concatenate([(low + high) / 2, high - low], axis=1)
        lines = [f"{c} " + " ".join(f"{v:.6f}" for v in row) + "\n" for c, row in zip(detection.classes, rows, strict=True)]
        path = self.out / "labels" / f"{stem}.txt"
        try:
            write_text(self._places.place(path), "".join(lines), marked=True)
        except OSError as error:
            raise InputError(f"{path}: the labels cannot be written: {error.strerror}") from error

    def _write_crops(self, stem, image, detection):
        """Writes CLASS/STEM-NUMBER.png for each detection: the pixels that its box touches."""
        folders = _class_folders(tuple(detection.names))
        for number, (box, class_id) in enumerate(zip(detection.boxes, detection.classes, strict=True)):
            left, top = np.floor(box[:2]).astype(int)
            right, bottom = np.ceil(box[2:]).astype(int)
            target = self.out / "crops" / folders[class_id] / f"{stem}-{number}.png"
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise InputError(f"{target.parent}: the folder cannot be made: {error.strerror}") from error
            write_image(self._places.place(target), image[top:bottom, left:right], marked=True)


_class_folders = functools.lru_cache(maxsize=1)(file_names)


def text_of(value: object) -> str:
    """A path, or a message about it, as printable text: bytes of a file name that are not UTF-8 become U+FFFD."""
    return os.fsencode(str(value)).decode("utf-8", "replace")


def _as_json(path, image, detection, frame):
    entry = {"file": text_of(path)} | ({} if frame is None else {"frame": frame})
    entry |= {"width": image.shape[1], "height": image.shape[0]}
    entry["detections"] = [
        {"class": int(c), "name": detection.names[c], "score": round(float(s), 4), "box": [round(float(v), 2) for v in box]}
        for box, s, c in zip(detection.boxes, detection.scores, detection.classes, strict=True)
    ]
    return json.dumps(entry, allow_nan=False, ensure_ascii=False)


def _draw(write, image, detection):
    write(draw_detections(image, detection.boxes, detection.classes, detection.names, detection.scores))
