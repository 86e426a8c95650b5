"""What tells whether the records of a split are those of an earlier time, and where they differ."""

import hashlib
from collections.abc import Sequence

import numpy as np

from yolojax.data.annotations import Record

_PARTS = 256  # at most: few enough to be kept in every checkpoint


def fingerprint(records: Sequence[Record]) -> dict:
    """Digests of records as plain JSON values: {"pictures", "boxes", "parts"}.

    What counts is what training meets: order, paths, boxes, classes, difficult and crowd. parts: of each of up to 256 parts of
    nearly equal length, in order.
    """
    return {
        "pictures": len(records),
        "boxes": sum(len(record.boxes) for record in records),
        "parts": [_digest(records[i] for i in part) for part in _parts(records)],
    }


def describe_change(before: dict, records: Sequence[Record]) -> str | None:
    """Where records differ from those of which `before` is the fingerprint, in words; None where they do not."""
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
    return f"what {first} says is another now" if first == last else f"something from {first} to {last} is another now"


def _parts(records):
    return np.array_split(np.arange(len(records)), min(_PARTS, max(1, len(records))))


def _digest(records):
    digest = hashlib.blake2b(digest_size=8)
    for record in records:
        path = record.path.encode("utf-8", "surrogateescape")
        digest.update(f"{len(path)} {len(record.boxes)} ".encode() + path)
        for values, kind in ((record.boxes, "<f4"), (record.classes, "<i4"), (record.difficult, "?"), (record.crowd, "?")):
            digest.update(np.ascontiguousarray(values, kind).tobytes())
    return digest.hexdigest()
