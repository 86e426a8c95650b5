"""Detection on pictures, videos and cameras, from sources to outputs."""

import collections
import functools
import itertools
import os
import time
from collections.abc import Iterable
from operator import itemgetter
from pathlib import Path
from typing import Any

from yolojax.backend import MAX_DETECTIONS
from yolojax.data.images import read_image
from yolojax.data.pictures import STANDARD_INPUT, find_sources, is_video, paths_of
from yolojax.data.video import frames, open_video, properties
from yolojax.detection.outputs import NAMED, Outputs, text_of
from yolojax.errors import InputError
from yolojax.predict import MAX_BATCH, Detector
from yolojax.runtime.console import Progress
from yolojax.runtime.prefetch import detect_prefetched
from yolojax.runtime.streams import say
from yolojax.runtime.timing import timed
from yolojax.runtime.wording import counted


def detect_files(
    detector: Detector,
    sources: Iterable[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    draw: bool = True,
    json: bool = True,
    txt: bool = False,
    crops: bool = False,
    score_threshold: float = 0.3,
    iou_threshold: float = 0.45,
    **options: Any,
) -> None:
    """Detects objects in pictures and videos, writes the outputs, and prints where the time went.

    detections.json is a list with an entry {"file", "width", "height", "detections": [{"class", "name", "score", "box"}]} per
    picture; box is [left, top, right, bottom] in pixels of the original. A video has an entry per frame, with its number from
    0 as "frame". Pictures and videos that cannot be read are named and left out, and outputs that cannot be written do not
    keep the others from being written. Each file is whole or not there. Memory does not grow with the number of frames.

    Args:
        detector: finds the objects.
        sources: as `find_sources` takes them.
        out: folder; made if it is missing.
        draw: write OUT/NAME with the boxes drawn, for a video OUT/NAME.mp4.
        json: write OUT/detections.json, at the end.
        txt: write OUT/labels/NAME.txt, with a line "class cx cy w h" per detection, in fractions of width and height; for a
            video one NAME-FRAME.txt per frame.
        crops: write OUT/crops/CLASS/NAME-NUMBER.png, the content of each box.
        score_threshold: as `Detector` takes it.
        iou_threshold: as `Detector` takes it.
        **options: further options of `Detector`. Where `max_detections` is 100 or more, a line says how many pictures have as
            many.

    Raises:
        InputError: a source without pictures, an output that would overwrite a source, a folder or detections.json that cannot
            be written, or, after everything else is done, pictures and videos that cannot be read and outputs that cannot be
            written.
    """
    sources = list(sources)
    entries = find_sources(sources)
    from_stdin = STANDARD_INPUT in entries
    outputs = Outputs(out, draw=draw, json=json, txt=txt, crops=crops, more_to_come=from_stdin)
    for source in [*sources, *([0] if from_stdin else [])]:  # lists of paths are the user's files too
        outputs.protect(source)
    files = [source for source in entries if isinstance(source, Path)]
    for path in files:
        outputs.protect(path)
    for path in files:  # so that a source which would be overwritten is refused before anything is written
        outputs.name(path, ".mp4" if is_video(path) else None)
    detect = functools.partial(detector, score_threshold=score_threshold, iou_threshold=iou_threshold, **options)
    run = _Run(detect, outputs, len(entries) == 1, options.get("max_detections", MAX_DETECTIONS))
    try:
        with outputs:
            for alone, group in itertools.groupby(entries, lambda source: is_video(source) or source == STANDARD_INPUT):
                if not alone:
                    _detect_pictures(run, list(group))
                    continue
                for entry in group:
                    (_detect_video if is_video(entry) else _detect_pictures)(run, entry)
            with timed(run.waited, "drawing and writing"):
                outputs.wait(0)
    finally:
        if outputs.complete:
            say(outputs.summary())
            if run.full:
                say(run.note_of_full_pictures())
            say(run.summary())
    problems = [*run.broken_input]
    if run.unreadable:
        kind = "sources" if any(map(is_video, entries)) else "pictures"
        rest = len(run.unreadable) - NAMED
        names = ", ".join(run.unreadable[:NAMED]) + f" and {rest} more" * (rest > 0)
        problems.append(f"{len(run.unreadable)} of {run.inputs} {kind} could not be read: {names}")
    if outputs.unwritten:
        count, first = outputs.unwritten, outputs.first_unwritten
        problems.append(first if count == 1 else f"{count} outputs could not be written, the first: {first}")
    if problems:
        raise InputError("; ".join(problems))


class _Run:
    """The state that all sources of a run share, and where its time went.

    Attributes:
        detect: function of a list of images to their Detections.
        outputs: where detections go.
        only_source: whether the run has a single source, so that the run fails with it.
        most: how many detections of a picture are kept.
        full: how many pictures have so many.
        inputs: how many pictures and videos the sources held so far.
        unreadable: names of those that could not be read.
        broken_input: why standard input was not read to its end; empty if it was.
        waited: seconds spent waiting for each stage.
    """

    def __init__(self, detect, outputs, only_source, most):
        self.detect, self.outputs, self.only_source, self.most = detect, outputs, only_source, most
        self.inputs, self.unreadable, self.full = 0, [], 0
        self.broken_input: list[str] = []
        self.waited = collections.Counter()
        self._start, self._first_result = time.perf_counter(), None

    def note_first_result(self):
        """Starts the stages' clocks at the first result: the first batch is read while nothing else can run, and compiles."""
        if self._first_result is None:
            self._first_result = time.perf_counter()
            self.waited.clear()

    def leave_out(self, name, error, progress):
        self.unreadable.append(text_of(name))
        progress.say(f"left out: {text_of(error)}")

    def note_if_full(self, detection):
        """Counts a picture that may have more detections than are kept, unless fewer than by default were asked for."""
        self.full += len(detection.boxes) == self.most >= MAX_DETECTIONS

    def note_of_full_pictures(self):
        pictures = counted(self.full, "picture has", "pictures have")
        return f"{pictures} {self.most} detections, the most that are kept; --max_detections={2 * self.most} keeps more"

    def summary(self):
        """One line: the seconds of the run, and which share of them it waited for each stage; the largest is the bottleneck."""
        now = time.perf_counter()
        text = f"{counted(self.outputs.pictures, 'picture')} in {now - self._start:.1f} s"
        after_first_batch = self.outputs.pictures - MAX_BATCH
        if after_first_batch <= 0 or self._first_result is None:
            return text
        seconds = now - self._first_result
        stages = ", ".join(
            f"{name} {self.waited[name]:.1f} s ({self.waited[name] / seconds:.0%})"
            for name in ("reading", "network", "drawing and writing")
        )
        speed = f"the first after {self._first_result - self._start:.1f} s, then {after_first_batch / seconds:.1f} images/s"
        return f"{text}: {speed}, waiting for {stages}"


def _detect_pictures(run, source):
    """Detects in a list of pictures, or in the pictures whose paths arrive on standard input."""
    from_stdin = source == STANDARD_INPUT

    def paths():
        for path in _from_stdin(run) if from_stdin else source:
            run.inputs += 1
            run.outputs.protect(path)
            yield path

    total = None if from_stdin else len(source)
    _detect(run, "detect", read_image, paths(), total, run.outputs.add, eager=from_stdin)


def _from_stdin(run):
    """Yields the paths on standard input up to the end, or to a line that is none, which is no fault of those before it."""
    try:
        yield from paths_of(0)
    except InputError as error:
        run.broken_input.append(str(error))


def _detect_video(run, source):
    """Detects in the frames of a video or a camera."""
    camera = isinstance(source, int)
    path = Path(f"camera{source}" if camera else source)
    run.inputs += 1
    progress = Progress(path.name, 0, 1)
    try:
        capture = open_video(source)
    except InputError as error:
        if run.only_source:
            raise
        run.leave_out(path, error, progress)
        return
    finally:
        progress.close()
    fps, count = properties(capture)
    with run.outputs.video(path, fps) as drawn:

        def add(numbered_frame, image, detection):
            run.outputs.add(path, image, detection, frame=numbered_frame[0], video=drawn)

        batch = 1 if camera else MAX_BATCH
        _detect(run, path.name, itemgetter(1), _frames(capture, path), count, add, batch=batch, eager=camera)


def _frames(capture, path):
    """Yields the (number, frame) of a video, and at a read error (path, error), which `_detect` reports."""
    try:
        yield from frames(capture, path)
    except InputError as error:
        yield path, error


def _detect(run, label, read, items, total, add, *, batch=MAX_BATCH, eager=False):
    """Runs images through the detector, passes each with its Detection to `add`, and shows the progress.

    Args:
        run: _Run.
        label: label of the progress display.
        read: function of an item to its image, (H, W, 3) uint8 RGB.
        items: iterable.
        total: how many items there are; None if unknown.
        add: function of (item, image, Detection).
        batch: how many images go through the network at once.
        eager: whether to detect at once rather than wait until a batch is full.
    """
    progress = Progress(label, 0, total)
    start, done = time.perf_counter(), 0
    results = detect_prefetched(run.detect, read, items, batch=batch, eager=eager, waited=run.waited)
    try:
        for item, image, detection in results:
            run.note_first_result()
            if detection is None:  # then the image is an InputError
                run.leave_out(item[0] if isinstance(item, tuple) else item, image, progress)
            else:
                run.note_if_full(detection)
                with timed(run.waited, "drawing and writing"):
                    add(item, image, detection)
            done += 1
            progress.advance(done, f"{done / (time.perf_counter() - start):.1f} images/s")
    finally:
        results.close()
        progress.close()
