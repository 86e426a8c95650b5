"""What a training refuses at its start: data without boxes, and annotations made at another size of their pictures."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from yolojax.data.annotations import Record
from yolojax.data.image_size import try_sizes
from yolojax.data.plausible import (
    boxes_under_a_pixel,
    differs_from_stated,
    no_boxes,
    same_truth,
    stated_size_message,
    under_a_pixel,
)
from yolojax.data.sources import ListSource
from yolojax.errors import InputError

if TYPE_CHECKING:
    from yolojax.config import DataConfig


def check_training_data(data: DataConfig, sources: Mapping[str, Any]) -> None:
    """Refuse data that is well-formed and yet cannot be meant.

    Args:
        data: where the data comes from.
        sources: {"train", "val"}: the sources of the splits. Those without records are not looked at.

    Raises:
        InputError: the training split has no box, or none as large as a pixel; a split has a picture twice with different
            boxes; or pictures of a split do not have the size that their annotations state and `data.stated_sizes` is "refuse".
            The message names the first place.
    """
    train = sources["train"]
    if isinstance(train, ListSource):
        _check_boxes(train, _where(data, "train"))
    for split, source in sources.items():
        if isinstance(source, ListSource):
            _check_one_truth(source, _where(data, split))
    if data.stated_sizes == "refuse":
        for split, source in sources.items():
            if isinstance(source, ListSource):
                _check_sizes(source, _where(data, split))


def _where(data: DataConfig, split: str) -> str:
    path = getattr(data, split)
    return f"config.data.{split} is {path}" if path else f"the pictures of the split {split}"


def _check_boxes(source: ListSource, where: str) -> None:
    if not any(len(record.boxes) for record in source.records):
        raise InputError(f"{where}: {no_boxes(source.records)}")
    if all(record.crowd.all() for record in source.records):
        raise InputError(
            f"{where}: all boxes are around crowds, which are not trained on; give boxes of single objects as well"
        )
    if all((record.crowd | under_a_pixel(record.boxes)).all() for record in source.records):
        first = next(problem.message for record in source.records for problem in boxes_under_a_pixel(record))
        raise InputError(f"{where}: no box is as large as a pixel; {first}")


def _check_one_truth(source: ListSource, where: str) -> None:
    first: dict[str, Record] = {}
    for record in source.records:
        earlier = first.setdefault(os.path.abspath(record.path), record)
        if earlier is not record and not same_truth(record, earlier):
            raise InputError(
                f"{where}: {record.source}: picture {record.path} is already at {earlier.source}, with other boxes; each would "
                "be trained on as if the boxes of the other were not there; give it once, with all its boxes"
            )


def _check_sizes(source: ListSource, where: str) -> None:
    records = [record for record in source.records if record.stated_size]
    sizes = zip(records, try_sizes(records), strict=True)
    different = [(record, size) for record, size in sizes if isinstance(size, tuple) and differs_from_stated(record, size)]
    if different:
        raise InputError(
            f"{where}: {len(different):,} of {len(source):,} pictures do not have the size that their annotations state; "
            f"{stated_size_message(*different[0])}. If the boxes are in pixels of the pictures as they are, set "
            "--config.data.stated_sizes=ignore"
        )
