"""Detection on pictures, videos and cameras, from sources to outputs; what detect.py calls."""

import collections
import functools
import itertools
import time
from operator import itemgetter
from pathlib import Path

from yolojax.data.images import read_image
from yolojax.data.pictures import STANDARD_INPUT, find_sources, is_video, paths_of
from yolojax.data.video import frames, open_video, properties
from yolojax.detection.outputs import Outputs, text_of
from yolojax.errors import InputError
from yolojax.predict import MAX_BATCH
from yolojax.runtime.console import Progress
from yolojax.runtime.prefetch import detect_prefetched
from yolojax.runtime.timing import timed


def detect_files(
    detector, sources, out, *, draw=True, json=True, txt=False, crops=False, score_threshold=0.3, iou_threshold=0.45, **options
):
    """Detects objects in pictures and videos, writes the outputs, and says what took the time.

    detections.json is a list with one {"file", "width", "height", "detections": [{"class", "name", "score", "box"}]} a picture;
    box is [left, top, right, bottom] in pixels of the original. Of a video it has one entry a frame, with "frame", its number
    from 0. What cannot be read is named, and the rest is done. Memory does not grow with the number of pictures or frames.

    Args:
        detector: Detector.
        sources: as `find_sources` takes them.
        out: folder; made where it is missing.
        draw: write OUT/NAME with the boxes drawn, for a video OUT/NAME.mp4.
        json: write OUT/detections.json, at the end.
        txt: write OUT/labels/NAME.txt, a line "class cx cy w h" a detection, in parts of width and height; of a video one
            NAME-FRAME.txt a frame.
        crops: write OUT/crops/CLASS/NAME-NUMBER.png, what is in each box.
        score_threshold, iou_threshold, options: as `Detector` takes them.

    Raises:
        InputError: a source without pictures, a folder that cannot be written, or, after all others were done, pictures and
            videos that cannot be read.
    """
    sources = find_sources(sources)
    outputs = Outputs(out, draw=draw, json=json, txt=txt, crops=crops)
    files = [source for source in sources if isinstance(source, Path)]
    for path in files:
        outputs.protect(path)
    for path in files:  # before anything is written
        outputs.name(path, ".mp4" if is_video(path) else None)
    detect = functools.partial(detector, score_threshold=score_threshold, iou_threshold=iou_threshold, **options)
    run = _Run(detect, outputs, alone=len(sources) == 1)
    try:
        with outputs:
            for special, group in itertools.groupby(sources, lambda source: is_video(source) or source == STANDARD_INPUT):
                for part in group if special else [list(group)]:
                    (_detect_video if is_video(part) else _detect_pictures)(run, part)
            with timed(run.waited, "drawing and writing"):
                outputs.wait(0)
    finally:
        if outputs.complete:
            print(outputs.summary())
            print(run.summary())
    if run.unreadable:
        what = "sources" if any(map(is_video, sources)) else "pictures"
        names = ", ".join(run.unreadable)
        raise InputError(f"{len(run.unreadable)} of {run.inputs} {what} could not be read: {names}")


class _Run:
    """What the parts of a run share, and where its time went."""

    def __init__(self, detect, outputs, alone):
        self.detect, self.outputs, self.alone = detect, outputs, alone
        self.inputs, self.unreadable = 0, []
        self.waited, self._began, self._first = collections.Counter(), time.perf_counter(), None

    def first_batch_is_there(self):
        """From now on the seconds count: the first batch is read while nothing else can be done, and compiles the network."""
        if self._first is None:
            self._first = time.perf_counter()
            self.waited.clear()

    def leave_out(self, name, error, progress):
        self.unreadable.append(text_of(name))
        progress.say(f"left out: {text_of(error)}")

    def summary(self):
        """One line: seconds, and the share of them that was spent waiting for each stage; the largest is the bound."""
        now, first, more = time.perf_counter(), self._first, self.outputs.pictures - MAX_BATCH
        text = f"{self.outputs.pictures} pictures in {now - self._began:.1f} s"
        if more <= 0:
            return text
        stages = ", ".join(
            f"{name} {self.waited[name]:.1f} s ({self.waited[name] / (now - first):.0%})"
            for name in ("reading", "network", "drawing and writing")
        )
        began = f"the first after {first - self._began:.1f} s, then {more / (now - first):.1f} pictures/s"
        return f"{text}: {began}, waiting for {stages}"


def _detect_pictures(run, source):
    """Detects in the pictures of a list, or in those whose paths come on standard input."""
    coming = source == STANDARD_INPUT

    def paths():
        for path in paths_of(0) if coming else source:
            run.inputs += 1
            run.outputs.protect(path)
            yield path

    _detect(run, "detect", read_image, paths(), None if coming else len(source), run.outputs.add, eager=coming)


def _detect_video(run, source):
    """Detects in the frames of a video or a camera."""
    camera = isinstance(source, int)
    path = Path(f"camera{source}" if camera else source)
    run.inputs += 1
    progress = Progress(path.name, 0, 1)
    try:
        capture = open_video(source)
    except InputError as error:
        if run.alone:
            raise
        run.leave_out(path, error, progress)
        return
    finally:
        progress.close()
    fps, count = properties(capture)
    with run.outputs.video(path, fps) as drawn:

        def add(numbered, image, detection):
            run.outputs.add(path, image, detection, frame=numbered[0], video=drawn)

        batch = 1 if camera else MAX_BATCH
        _detect(run, path.name, itemgetter(1), _frames(capture, path), count, add, batch=batch, eager=camera)


def _frames(capture, path):
    try:
        yield from frames(capture, path)
    except InputError as error:
        yield path, error


def _detect(run, label, read, items, total, add, *, batch=MAX_BATCH, eager=False):
    """Runs pictures through the detector and hands each with its detections to `add`; shows how far that is."""
    progress = Progress(label, 0, total)
    began, done = time.perf_counter(), 0
    results = detect_prefetched(run.detect, read, items, batch=batch, eager=eager, waited=run.waited)
    try:
        for item, picture, detection in results:
            run.first_batch_is_there()
            if detection is None:
                run.leave_out(item, picture, progress)
            else:
                with timed(run.waited, "drawing and writing"):
                    add(item, picture, detection)
            done += 1
            progress.advance(done, f"{done / (time.perf_counter() - began):.1f} pictures/s")
    finally:
        results.close()
        progress.close()
