"""A training on a data set that is named in one word: what follows from the data, chosen and said."""

import os
import shlex
from collections.abc import Collection, Sequence

import numpy as np

from yolojax.config import Config
from yolojax.darknet.beside import is_partial
from yolojax.data.anchors import anchor_fit, find_anchors, network_boxes
from yolojax.data.annotations import Record
from yolojax.data.formats.read import recognise, split_of
from yolojax.data.image_size import try_sizes
from yolojax.data.sources import open_split
from yolojax.errors import InputError
from yolojax.models import build_grid
from yolojax.models.build import grid_to_fit
from yolojax.references import is_part
from yolojax.runs.workdir import is_imported, read_config
from yolojax.runtime.command import command
from yolojax.runtime.paths import absolute
from yolojax.runtime.wording import counted
from yolojax.training.pretrained import lower_rates

GOOD_RECALL = 0.98
"""Best possible recall from which the published anchors are kept."""
_MEASURED = 10_000  # pictures, at most, whose boxes the anchors are fitted to
_KEPT = "anchors: those of the network that training starts from"
_NAMED = 10  # class names in a line


def use_data(
    config: Config,
    data: str | os.PathLike[str],
    names: str | os.PathLike[str] | None = None,
    *,
    overridden: Collection[str] = (),
    workdir: str | os.PathLike[str] = "",
    adopted: bool = False,
    fine_tune: bool = False,
) -> list[str]:
    """Makes a configuration train on a data set, and fits the anchors to it where the published ones miss boxes.

    Training and validation are the splits of the data set, or a share of it is for validation (see `open_split`). The anchors
    stay as they are where the configuration sets some, or where the network has been trained with the published ones.

    Args:
        config: it is changed. What it says about data is replaced.
        data: a data set of any format.
        names: a file with one class name per line; None: the names of the data.
        overridden: dotted names of the fields that are to stay as they are, such as "data.val".
        workdir: of the run; it may hold an imported network.
        adopted: whether the network is that of the weights that training starts from (`adopt_network`), anchors included.
        fine_tune: whether then the learning rates too follow from the weights (`lower_rates`).

    Returns:
        Lines that say what was chosen.

    Raises:
        InputError: data that cannot be used.
    """
    chosen = {"source": "auto", "train": absolute(data), "val": "", "test": "", "class_names": ()}
    chosen["names"] = absolute(names) if names else ""
    for name, value in chosen.items():
        if f"data.{name}" not in overridden:
            setattr(config.data, name, value)
    train, val = (open_split(config, split) for split in ("train", "val"))
    records: Sequence[Record] = getattr(train, "records", ())
    form = recognise(split_of(config.data.train)[0])
    height, width = config.data.size
    shown = ", ".join(train.names[:_NAMED]) + ", ..." * (len(train.names) > _NAMED)
    imported = read_config(workdir) if is_imported(workdir) else None
    lines = [
        f"{data}: recognised as {form}; {counted(len(train.names), 'class')}: {shown}",
        f"{counted(len(train), 'picture')} for training, {len(val)} for validation",
        f"network {(imported or config).model.name} at {height} x {width} pixels (config.model.name, config.data.size)",
    ]
    if imported and imported.data.size != config.data.size:
        height, width = imported.data.size
        lines.append(f"it was imported for {height} x {width} pixels (--config.data.size={height},{width})")
    if fine_tune:
        lines += lower_rates(config, train.names, overridden)
    fixed = bool(config.init_from) and not is_partial(config.init_from)
    if adopted and fixed and "model.anchors" not in overridden:
        return [*lines, _KEPT, *_warn_of_anchors(config, data, records)]
    return [*lines, _choose_anchors(config, records, fixed=fixed or bool(imported))]


def _warn_of_anchors(config: Config, data: str | os.PathLike[str], records: Sequence[Record]) -> list[str]:
    """A line if the anchors of a trained network miss boxes of the data."""
    boxes = _boxes(records, config)
    if not len(boxes):
        return []
    recall = anchor_fit(boxes, build_grid(config.model, config.data.size), ratio=_ratio(config)).recall
    if recall >= GOOD_RECALL:
        return []
    height, width = config.data.size
    network = {"darknet": " --cfg FILE.cfg", "yolov3_tiny": " --network yolov3_tiny"}.get(config.model.name, "")
    return [
        f"these anchors have a best possible recall of {recall:.1%}: boxes of other sizes are learned with the nearest; "
        f"{command('anchors')} {shlex.quote(str(data))}{network} --size {height}x{width} finds others (config.model.anchors)"
    ]


def _choose_anchors(config: Config, records: Sequence[Record], *, fixed: bool) -> str:
    """Sets the anchors of a configuration if those of its network miss boxes; returns a line about them.

    Args:
        config: it is changed.
        records: the training pictures.
        fixed: whether the network has been trained already, with its anchors.
    """
    if config.model.anchors or config.model.name == "darknet":
        return "anchors: those of the configuration"
    if fixed:
        return _KEPT
    boxes = _boxes(records, config)
    ratio = _ratio(config)
    blank = grid_to_fit(config.model, config.data.size)
    if blank and len(boxes):
        fitted = find_anchors(boxes, blank)
        config.model.anchors = fitted.anchors
        return f"anchors: fitted to the boxes, best possible recall {anchor_fit(boxes, fitted, ratio=ratio).recall:.1%}"
    published = build_grid(config.model, config.data.size)
    whose = "those of the network" if is_part(config.model.name) else "the published ones"
    if not len(boxes):
        return f"anchors: {whose}"
    before = anchor_fit(boxes, published, ratio=ratio)
    kept = f"anchors: {whose}, best possible recall {before.recall:.1%}"
    if before.recall >= GOOD_RECALL:
        return kept
    try:
        fitted = find_anchors(boxes, published)
    except InputError:
        return f"{kept}; the boxes have too few different sizes to fit others"
    after = anchor_fit(boxes, fitted, ratio=ratio)
    if (after.recall, after.mean_iou) <= (before.recall, before.mean_iou):
        return f"{kept}; those fitted to the boxes are no better"
    config.model.anchors = fitted.anchors
    return f"anchors: fitted to the boxes, best possible recall {after.recall:.1%}; {whose} have {before.recall:.1%}"


def _ratio(config: Config) -> float | None:
    """The factor by which the run's assignment compares shapes; None where it compares overlaps."""
    return config.loss.assign_ratio if config.loss.assign_rule == "ratio" else None


def _boxes(records: Sequence[Record], config: Config) -> np.ndarray:
    """(n, 4) xyxy in pixels of the input: the boxes of some thousand pictures, of those whose size can be read."""
    records = records[:: 1 + len(records) // _MEASURED]
    sizes = zip(records, try_sizes(records), strict=True)
    measured = [(record, original) for record, original in sizes if not isinstance(original, InputError)]
    read, originals = [record for record, _ in measured], [original for _, original in measured]
    return network_boxes(read, originals, config.data.size, stretch=config.data.fit == "darknet_stretch")
