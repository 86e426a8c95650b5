"""Digests that tell whether the records of a split are the same as before, and where they differ."""

import hashlib
import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from yolojax.data.annotations import Record

PARTS = 256
"""Into how many parts records are divided at most: few enough to be kept in every checkpoint."""


def fingerprint(records: Sequence[Record]) -> dict[str, Any]:
    """Digest records into plain JSON values.

    What counts is what training meets: order, paths, boxes, classes, difficult and crowd. In the digests called "relative",
    paths start from the folder that holds all pictures, so these stay the same when the data set is moved.

    Args:
        records: the records of a split.

    Returns:
        {"pictures": their number, "boxes": the number of their boxes, "parts": digests of up to 256 parts of nearly equal
        length, in order, "relative": the same with relative paths}.
    """
    paths, relative = [record.path for record in records], _relative_paths(records)
    parts = _parts(records)
    return {
        "pictures": len(records),
        "boxes": sum(len(record.boxes) for record in records),
        "parts": [_digest((paths[i], records[i]) for i in part) for part in parts],
        "relative": [_digest((relative[i], records[i]) for i in part) for part in parts],
    }


def is_same(before: dict[str, Any], now: dict[str, Any]) -> bool:
    """Whether two fingerprints are those of the same data, in the same place or moved.

    Args:
        before: the `fingerprint` taken earlier; those of earlier versions have no "relative", and moved data differs from them.
        now: the fingerprint of the records now.
    """
    counts = all(before[name] == now[name] for name in ("pictures", "boxes"))
    return counts and (before["parts"] == now["parts"] or before.get("relative") == now["relative"])


def describe_change(before: dict[str, Any], records: Sequence[Record]) -> str | None:
    """Say in words how records differ from those that a fingerprint was taken of.

    Args:
        before: the `fingerprint`.
        records: the records now.

    Returns:
        What has changed; None if nothing has but the folder that holds the pictures, see `is_same`.
    """
    now = fingerprint(records)
    if is_same(before, now):
        return None
    if any(now[name] != before[name] for name in ("pictures", "boxes")):
        return (
            f"{before['pictures']} pictures with {before['boxes']} boxes then, {now['pictures']} pictures with "
            f"{now['boxes']} boxes now"
        )
    kind = "relative" if before.get("relative") else "parts"
    changed = [part for part, old, new in zip(_parts(records), before[kind], now[kind], strict=True) if old != new]
    first, last = (records[changed[0][place]].source for place in (0, -1))
    what = f"{first} has changed" if first == last else f"something from {first} to {last} has changed"
    if kind == "parts" and len(changed) == len(before[kind]):
        what += ", or the data has moved, which checkpoints of earlier versions cannot tell: put it back where it was"
    return what


def _relative_paths(records: Sequence[Record]) -> list[str]:
    """The paths of pictures from the folder that holds them all, with slashes."""
    paths = [os.path.abspath(record.path) for record in records]
    try:
        folder = os.path.commonpath([os.path.dirname(path) for path in paths])
    except ValueError:  # no pictures, or several drives
        return paths
    return [os.path.relpath(path, folder).replace(os.sep, "/") for path in paths]


def _parts(records: Sequence[Record]) -> list[np.ndarray]:
    return np.array_split(np.arange(len(records)), min(PARTS, max(1, len(records))))


def _digest(records: Iterable[tuple[str, Record]]) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for name, record in records:
        path = name.encode("utf-8", "surrogateescape")
        digest.update(f"{len(path)} {len(record.boxes)} ".encode() + path)
        for values, kind in ((record.boxes, "<f4"), (record.classes, "<i4"), (record.difficult, "?"), (record.crowd, "?")):
            digest.update(np.ascontiguousarray(values, kind).tobytes())
    return digest.hexdigest()
