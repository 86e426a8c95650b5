"""The meta beside a checkpoint's arrays: what may stand in it, also in one of an earlier version or edited by hand."""

from typing import Any

from yolojax.data.fingerprint import PARTS
from yolojax.errors import InputError

MOST_STEPS = 2**31 - 1
"""The last step that the counter in the state of a run can have."""


def check_meta(meta: Any) -> dict[str, Any]:
    """Refuses meta that the programs cannot use; entries that an earlier version did not write may be missing.

    Args:
        meta: a JSON value, as `workdir.make_meta` makes it.

    Returns:
        The same value.

    Raises:
        InputError: an entry is missing that every version wrote ("metrics", "pending"), or is of another type; it is named.
    """
    if not isinstance(meta, dict):
        raise InputError("its meta is not a group of values")
    for name in ("metrics", "pending"):
        if name not in meta:
            raise InputError(f"its meta has no {name!r}")
    if not _is_numbers(meta["metrics"]):
        raise InputError("metrics in its meta are not numbers by name")
    if not isinstance(meta["pending"], list) or not all(map(_is_numbers, meta["pending"])):
        raise InputError("pending in its meta is not a list of numbers by name")
    scores = meta.get("scores", [])
    if not isinstance(scores, list) or not all(score is None or _is_number(score) for score in scores):
        raise InputError("scores in its meta is not a list of numbers")
    skipped = meta.get("skipped", 0)
    if not isinstance(skipped, int) or skipped < 0 or isinstance(skipped, bool):
        raise InputError(f"skipped in its meta is not a whole number from 0, but {skipped!r}")
    for name in ("data", "config"):
        if not isinstance(meta.get(name, {}), dict):
            raise InputError(f"{name} in its meta is not a group of values")
    return meta


def known_fingerprint(value: Any) -> dict[str, Any] | None:
    """The fingerprint of a split as `data.fingerprint` takes it, or of a source of the user's own; None for anything else.

    Args:
        value: what the meta of a checkpoint says of the split.
    """
    if not isinstance(value, dict) or "own" in value:
        return value if isinstance(value, dict) else None
    counts = [value.get(name) for name in ("pictures", "boxes")]
    if not all(isinstance(count, int) for count in counts):
        return None
    digests = min(PARTS, max(1, value["pictures"]))
    every = [value.get("parts"), *([value["relative"]] if "relative" in value else [])]
    return value if all(isinstance(parts, list) and len(parts) == digests for parts in every) else None


def _is_numbers(value: Any) -> bool:
    return isinstance(value, dict) and all(number is None or _is_number(number) for number in value.values())


def _is_number(value: Any) -> bool:
    # A skipped step has a loss that is not finite; a whole number of a hundred digits is no number to calculate with.
    return isinstance(value, float) or (isinstance(value, int) and abs(value) < 2**63)
