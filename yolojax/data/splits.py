"""Which pictures the splits of the configured data have: their own, those of the same data set, or a share of it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from yolojax.data.content import chosen_for_validation
from yolojax.data.formats.find import standard_split
from yolojax.data.formats.names import read_names
from yolojax.data.formats.read import FORMATS, Annotations, has_splits, outside, read_annotations, recognise, split_of, splits
from yolojax.data.formats.text import read_text_list
from yolojax.data.problems import Effect, Problem, effect_of, refuse
from yolojax.data.single_class import NUMBERS, as_one_class, the_class
from yolojax.errors import InputError
from yolojax.runtime.command import command

if TYPE_CHECKING:
    from yolojax.config import DataConfig

_NAMED = 3  # missing pictures in a message


def split_annotations(data: DataConfig, split: str) -> tuple[Annotations, list[str]]:
    """Read the annotations of a split; see `sources.open_split` for which pictures it has.

    Args:
        data: where the pictures are.
        split: "train", "val" or "test".

    Returns:
        The annotations, and lines about which pictures these are.

    Raises:
        InputError: as for `sources.open_split`.
    """
    path, lines = getattr(data, split), []
    if split != "train" and not path and (path := _own_split(data, split)):
        lines = [f"the split {split_of(path)[1]} of {split_of(path)[0]}, because config.data.{split} is not set"]
    shared = split != "test" and bool(data.train) and _divides_training_data(data)
    if shared:
        path = data.train
    path = path or (_beside_val(data) if split == "test" else "")
    if not path:
        hint = f" (or {command('eval')} --data PATH)" if split == "test" else ""
        hint = ", or a config.data.val_share greater than 0" if split == "val" and data.train else hint
        raise InputError(f"config.data.{split} is not set: give the path of a list or a data set{hint}")
    annotations, missing = _read(data, path, "train" if shared else split)
    lines += missing
    if shared:
        annotations, chosen = _divided(data, annotations, split)
        lines += chosen
    if data.single_class:
        annotations, line = as_one_class(annotations, the_class(data))
        lines.append(line)
    elsewhere = outside(path, annotations.records) if data.source == "auto" else None
    return annotations, [*lines, elsewhere] if elsewhere else lines


def _read(data: DataConfig, path: str, split: str) -> tuple[Annotations, list[str]]:
    """What a data set says about a split, and a line about missing pictures if they are passed over."""
    form = FORMATS["text" if data.source == "list" else recognise(split_of(path)[0])]
    names = _given_names(data) or (NUMBERS if data.single_class and form.name == "text" else ())
    problems: list[Problem] = []
    missing: list[str] = []

    def collect(kind: str, message: str) -> None:
        if kind == "missing picture":
            missing.append(message)
        elif data.source == "list" or kind in form.stops or effect_of(kind) is Effect.STOP:
            refuse(kind, message)
        else:
            problems.append(Problem(kind, message))

    if data.source == "list":
        annotations = Annotations(tuple(names), read_text_list(path, names, collect), [])
    else:
        annotations = read_annotations(path, _split_in(path, split), names, collect)._replace(problems=problems)
    if not missing:
        return annotations, []
    gone = [record.path for record in annotations.records if not os.path.isfile(record.path)]
    number = len(gone) or len(missing)
    advice = "config.data.on_unreadable=skip"
    if data.on_unreadable == "skip":
        return annotations, [f"{number} pictures are missing and are passed over ({advice}), the first at {missing[0]}"]
    count = f"{number} pictures are missing: " if number > 1 else ""
    others = f"; also {', '.join(gone[1:_NAMED])}{', ...' * (len(gone) > _NAMED)}" if len(gone) > 1 else ""
    raise InputError(f"{count}{missing[0]}{others} ({advice} passes over missing pictures)")


def _given_names(data: DataConfig) -> Sequence[str]:
    """The class names by which the data is read; none for its own."""
    names = read_names(data.names) if data.names else ()
    if data.single_class:  # one name in class_names is the name of all classes together
        return names or (data.class_names if len(data.class_names) > 1 else ())
    return data.class_names or names


def _split_in(path: str, split: str) -> str | None:
    """What a data set calls a split, such as "valid" for "val"; None, for all of it, to train on one without splits."""
    available = () if split_of(path)[1] else splits(path)
    unnamed = not available or (len(available) == 1 and not standard_split(available[0]))
    if split == "train" and unnamed:
        return None
    return _spelling(available, split) or split


def _spelling(available: Sequence[str], split: str) -> str | None:
    """The one of the splits that is meant by a standard name, that name itself first; None if there is none."""
    return next((name for name in (split, *available) if name in available and standard_split(name) == split), None)


def _own_split(data: DataConfig, split: str) -> str:
    """FOLDER:SPLIT for a split beside the split train of the training data; "" where it has none."""
    if data.source != "auto" or not data.train or data.val:
        return ""
    path, chosen = split_of(data.train)
    available = splits(path) if standard_split(chosen or "train") == "train" else ()
    name = _spelling(available, split)
    return f"{path}:{name}" if name else ""


def _divides_training_data(data: DataConfig) -> bool:
    """Whether a share of the training pictures becomes the split val."""
    return not data.val and data.val_share > 0 and not _own_split(data, "val")


def _divided(data: DataConfig, annotations: Annotations, split: str) -> tuple[Annotations, list[str]]:
    """The pictures of the training data that are for training or for validation, and a line that says so for validation."""
    records = annotations.records
    chosen = chosen_for_validation([record.path for record in records], data.val_share)
    if split == "val" and not chosen.any():
        raise InputError(
            f"{data.train}: choosing pictures for validation needs two different ones that can be read; add pictures, or set "
            "config.data.val"
        )
    kept = [record for record, in_val in zip(records, chosen, strict=True) if in_val == (split == "val")]
    line = f"{len(kept)} of {len(records)} pictures, chosen by their content (config.data.val_share = {data.val_share:g})"
    return annotations._replace(records=kept), [line] * (split == "val")


def _beside_val(data: DataConfig) -> str:
    """The folder or data.yaml of the split val, which may have a split test as well; "" for other formats."""
    path = split_of(data.val)[0] if data.val else ""
    return path if path and data.source == "auto" and has_splits(path) else ""
