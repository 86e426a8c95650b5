"""Detection on files: pictures and folders in, drawn pictures and one JSON out; what detect.py calls."""

import glob
import os
from pathlib import Path

from yolojax.data.images import ENDINGS, read_image, write_image
from yolojax.draw import draw_detections
from yolojax.errors import InputError
from yolojax.evaluation.report import write_json
from yolojax.predict import MAX_BATCH
from yolojax.training.logs import Progress


def find_pictures(sources):
    """Lists the pictures that sources name.

    Args:
        sources: pictures, folders (the pictures directly in them, by name) and globs.

    Returns:
        Paths, each once, in the order of the sources.

    Raises:
        InputError: a source that does not exist, or a folder or glob without pictures.
    """
    paths = {}
    for source in sources:
        if os.path.isdir(source):
            found = sorted(p for p in Path(source).iterdir() if p.suffix.lower() in ENDINGS and p.is_file())
            problem = f"{source}: no pictures in this folder ({', '.join(sorted(ENDINGS))})"
        elif os.path.exists(source):
            found, problem = [Path(source)], None
        else:
            found = sorted(Path(p) for p in glob.glob(source, recursive=True) if os.path.isfile(p))
            problem = f"{source}: there is no such picture or folder"
        if not found:
            raise InputError(problem)
        for path in found:
            paths.setdefault(path.parent.resolve() / path.name, path)
    return list(paths.values())


def detect_files(detector, sources, out, *, score_threshold=0.3, iou_threshold=0.45):
    """Detects objects in pictures; writes OUT/NAME with the boxes drawn and OUT/detections.json.

    detections.json is a list with one {"file", "width", "height", "detections": [{"class", "name", "score", "box"}]} a picture;
    box is [left, top, right, bottom] in pixels of the original. A picture that cannot be read is named, and the rest is done.

    Args:
        detector: Detector.
        sources: pictures, folders and globs.
        out: folder; made where it is missing.
        score_threshold, iou_threshold: as `Detector` takes them.

    Returns:
        The list of detections.json.

    Raises:
        InputError: a source without pictures, a folder that cannot be written, or, after all others were done, pictures that
            cannot be read.
    """
    paths = find_pictures(sources)
    out = Path(out)
    drawn = _drawn_paths(paths, out)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{out}: the folder cannot be made: {error.strerror}") from error
    results, unreadable = [], []
    progress = Progress("detect", 0, len(paths))
    try:
        for first in range(0, len(paths), MAX_BATCH):
            group = []
            for path in paths[first : first + MAX_BATCH]:
                try:
                    group.append((path, read_image(path)))
                except InputError as error:
                    unreadable.append(_text(path))
                    progress.say(f"left out: {_text(error)}")
            found = detector([image for _, image in group], score_threshold, iou_threshold)
            for (path, image), detection in zip(group, found, strict=True):
                boxes, scores, classes, names = detection
                write_image(drawn[path], draw_detections(image, boxes, classes, names, scores))
                results.append(_as_json(path, image, detection))
            progress.advance(min(first + MAX_BATCH, len(paths)))
    finally:
        progress.close()
    write_json(out / "detections.json", results)
    total = sum(len(result["detections"]) for result in results)
    print(f"{total} detections in {len(results)} pictures: drawn pictures and detections.json are in {out}")
    if unreadable:
        raise InputError(f"{len(unreadable)} of {len(paths)} pictures could not be read: {', '.join(unreadable)}")
    return results


def _as_json(path, image, detection):
    entries = [
        {"class": int(c), "name": detection.names[c], "score": round(float(s), 4), "box": [round(float(v), 2) for v in box]}
        for box, s, c in zip(detection.boxes, detection.scores, detection.classes, strict=True)
    ]
    return {"file": _text(path), "width": image.shape[1], "height": image.shape[0], "detections": entries}


def _text(value):
    """A path or a message about it; bytes of a file name that are no UTF-8, which could not be printed, become U+FFFD."""
    return os.fsencode(str(value)).decode("utf-8", "replace")


def _drawn_paths(paths, out):
    """Where each drawn picture goes: its own name, with a number where two are alike, as PNG where its format is rare."""
    drawn, taken = {}, set()
    for path in paths:
        stem, ending = (path.stem, path.suffix) if path.suffix.lower() in ENDINGS else (path.name, ".png")
        name, number = stem + ending, 1
        while name.lower() in taken:
            number += 1
            name = f"{stem}-{number}{ending}"
        taken.add(name.lower())
        drawn[path] = out / name
    # Compared as files, not as names: links and letter case give one file many names.
    originals = {_identity(path) for path in paths}
    for target in drawn.values():
        if target.exists() and _identity(target) in originals:
            raise InputError(f"{target} is one of the pictures and would be overwritten; name another folder with --out")
    return drawn


def _identity(path):
    status = path.stat()
    return status.st_dev, status.st_ino
