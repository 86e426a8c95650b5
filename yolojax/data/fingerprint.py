"""Digests that tell whether the records of a split are the same as before, and where they differ."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from yolojax.data.annotations import Record

_PARTS = 256  # at most: few enough to be kept in every checkpoint


def fingerprint(records: Sequence[Record]) -> dict[str, Any]:
    """Digest records into plain JSON values.

    What counts is what training meets: order, paths, boxes, classes, difficult and crowd.

    Args:
        records: the records of a split.

    Returns:
        {"pictures": their number, "boxes": the number of their boxes, "parts": digests of up to 256 parts of nearly equal
        length, in order}.
    """
    return {
        "pictures": len(records),
        "boxes": sum(len(record.boxes) for record in records),
        "parts": [_digest(records[i] for i in part) for part in _parts(records)],
    }


def describe_change(before: dict[str, Any], records: Sequence[Record]) -> str | None:
    """Say in words how records differ from those that a fingerprint was taken of.

    Args:
        before: the `fingerprint`.
        records: the records now.

    Returns:
        What has changed; None if nothing has.
    """
    now = fingerprint(records)
    if now == before:
        return None
    if any(now[name] != before[name] for name in ("pictures", "boxes")):
        return (
            f"{before['pictures']} pictures with {before['boxes']} boxes then, {now['pictures']} pictures with "
            f"{now['boxes']} boxes now"
        )
    changed = [part for part, old, new in zip(_parts(records), before["parts"], now["parts"], strict=True) if old != new]
    first, last = (records[changed[0][place]].source for place in (0, -1))
    return f"{first} has changed" if first == last else f"something from {first} to {last} has changed"


def _parts(records: Sequence[Record]) -> list[np.ndarray]:
    return np.array_split(np.arange(len(records)), min(_PARTS, max(1, len(records))))


def _digest(records: Iterable[Record]) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for record in records:
        path = record.path.encode("utf-8", "surrogateescape")
        digest.update(f"{len(path)} {len(record.boxes)} ".encode() + path)
        for values, kind in ((record.boxes, "<f4"), (record.classes, "<i4"), (record.difficult, "?"), (record.crowd, "?")):
            digest.update(np.ascontiguousarray(values, kind).tobytes())
    return digest.hexdigest()
