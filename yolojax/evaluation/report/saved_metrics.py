"""What metrics.json of an earlier evaluation must hold, so that another one can be compared with it."""

import sys
from collections.abc import Mapping
from typing import Any

HEADLINES = {
    "AP50": ("ap50",), "AP": ("ap",), "AP75": ("ap75",), "VOC AP": ("voc_ap50",), "F1": ("best_f1", "f1"),
    "precision": ("best_f1", "precision"), "recall": ("best_f1", "recall"), "at score": ("best_f1", "score_threshold"),
    "AP, small": ("ap_small",), "AP, medium": ("ap_medium",), "AP, large": ("ap_large",), "loss": ("loss",),
    "images per second": ("images_per_second",),
}  # fmt: skip
CLASS_KEYS = {"AP50": "ap50", "AP": "ap"}


def check_metrics(metrics: Mapping[str, Any]) -> None:
    """Refuses metrics that lack an entry which a comparison uses, or have one of another type.

    Args:
        metrics: the contents of metrics.json.

    Raises:
        ValueError: the entry is named.
    """
    from yolojax.evaluation.report.configuration import config_leaves  # here, not above: it loads matplotlib

    for keys in HEADLINES.values():
        _check(_is_number(_entry(metrics, *keys), none=True), "is no number", *keys)
    for key in ("images", "unreadable", "boxes", "step"):
        _check(_is_count(_entry(metrics, key)), "is no whole number from 0", key)
    rows = _entry(metrics, "per_class")
    _check(isinstance(rows, dict), "is no group of classes", "per_class")
    for name in rows:
        for key in CLASS_KEYS.values():
            _check(_is_number(_entry(rows, name, key), none=True), "is no number", "per_class", name, key)
        _check(_is_count(_entry(rows, name, "boxes")), "is no whole number from 0", "per_class", name, "boxes")
    for kind, axis in (("precision", "recall"), ("f1", "score")):
        points = _entry(metrics, "curves", axis)
        _check(_is_curve(points), "is no list of numbers", "curves", axis)
        curves = _entry(metrics, "curves", kind)
        _check(isinstance(curves, dict), "is no group of classes", "curves", kind)
        named: list[tuple[tuple[str, ...], Any]] = [((kind, name), curve) for name, curve in curves.items()]
        if kind == "f1":
            named.append((("f1_all",), _entry(metrics, "curves", "f1_all")))
        for keys, curve in named:
            fits = curve is None or (_is_curve(curve) and len(curve) == len(points))
            _check(fits, f"is no list of {len(points)} numbers", "curves", *keys)
    _check(_is_number(_entry(metrics, "pictures", "score_threshold")), "is no number", "pictures", "score_threshold")
    _check(isinstance(_entry(metrics, "config"), dict), "is no configuration", "config")
    try:
        list(config_leaves(metrics["config"]))
    except RecursionError:
        _check(False, "is nested too deeply", "config")


def _entry(value: Any, *keys: str) -> Any:
    for place, key in enumerate(keys, 1):
        _check(isinstance(value, dict) and key in value, "is missing", *keys[:place])
        value = value[key]
    return value


def _check(fits: bool, problem: str, *keys: str) -> None:
    if not fits:
        raise ValueError(f"{'.'.join(keys)} {problem}")


def _is_number(value: Any, *, none: bool = False) -> bool:
    if value is None:
        return none
    # A whole number of a hundred digits is none to calculate with.
    return isinstance(value, int | float) and not (isinstance(value, int) and abs(value) > sys.maxsize)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= sys.maxsize


def _is_curve(value: Any) -> bool:
    return isinstance(value, list) and all(_is_number(number, none=True) for number in value)
