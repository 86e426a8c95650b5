"""Resuming a run: from its newest readable checkpoint, with the data it was trained on."""

import itertools
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from yolojax.data.fingerprint import describe_change, is_same
from yolojax.errors import InputError
from yolojax.runs.meta import known_fingerprint
from yolojax.runs.workdir import IMPORTED, continue_command
from yolojax.runtime.hosts import gather, is_first

if TYPE_CHECKING:
    from yolojax.runs.checkpoints import Checkpoints  # imports Orbax


def restore_newest(checkpoints: "Checkpoints", abstract: Any) -> tuple[int, Any, dict[str, Any], list[str]]:
    """Reads the newest readable checkpoint that training made.

    Unreadable checkpoints that are newer, and older ones whose metrics cannot be read, are renamed to STEP.unreadable and
    otherwise left as they are.

    Args:
        checkpoints: the checkpoints of the run; at least one of them was made by training.
        abstract: as for `Checkpoints.restore`.

    Returns:
        (step, arrays, meta, lines); the lines say which checkpoints could not be read, for printing.

    Raises:
        InputError: no checkpoint can be read; then nothing is renamed.
    """
    newest, damaged = None, {}
    for step in reversed(checkpoints.steps()):
        try:
            meta = checkpoints.meta(step)
            if newest is None and step != IMPORTED:
                newest = step, checkpoints.restore(step, abstract), meta
        except InputError as error:
            damaged[step] = error
    if newest is None:
        raise InputError(f"{damaged[max(damaged)]}; no earlier checkpoint can be read either")
    # All processes of a distributed run share the folder; the first one renames.
    kept_as = gather({str(step): _set_aside(checkpoints, step) for step in damaged} if is_first() else {})[0]
    for step in damaged:
        checkpoints.forget(step)
    lines = [
        f"{error}; it is kept as {kept_as[str(step)]}, and the run continues from step {newest[0]}"
        for step, error in damaged.items()
    ]
    return *newest, lines


def _set_aside(checkpoints, step):
    """Renames a checkpoint's folder, so that the step can be saved again; returns its new name."""
    folder = checkpoints.folder / str(step)
    names = (folder.with_name(f"{step}.unreadable{'-' * (n > 0)}{n or ''}") for n in itertools.count())
    aside = next(name for name in names if not name.exists())
    try:
        folder.rename(aside)
    except OSError as error:
        raise InputError(f"{folder}: the checkpoint can be neither read nor renamed: {error.strerror}") from error
    return aside.name


def check_data(
    meta: Mapping[str, Any],
    data: Mapping[str, Any],
    sources: Mapping[str, Any],
    paths: Mapping[str, str],
    workdir: str | os.PathLike[str],
    step: int,
) -> list[str]:
    """Refuses to resume with data that differs from what the checkpoint was trained on; data may have been moved.

    Args:
        meta: the meta of the checkpoint.
        data: {split: fingerprint of its records now}.
        sources: {split: ListSource or DigitsSource}.
        paths: {split: the path of its data now}.
        workdir: folder of the run, for the message.
        step: the step of the checkpoint, for the message.

    Returns:
        Lines that name the splits that were moved, for printing.

    Raises:
        InputError: a split has changed; the message says how.
    """
    notes = []
    for split, source in sources.items():
        before, now = known_fingerprint(meta.get("data", {}).get(split)), data[split]
        recorded = meta.get("config", {}).get("data", {})
        path = recorded.get(split, paths[split]) if isinstance(recorded, Mapping) else paths[split]
        if now is None:  # it follows from the configuration
            continue
        if "own" in now:  # of a source of the user's own
            if before and before != now:
                raise _changed(split, workdir, step, f"its fingerprint was {before}, and is {now}")
            continue
        if before:
            changed = None if is_same(before, now) else describe_change(before, source.records)
        else:
            changed = f"it is read from {paths[split]}, not from {path}" if path != paths[split] else None
        if changed:
            raise _changed(split, workdir, step, changed)
        if path != paths[split] or (before and before["parts"] != now["parts"]):
            place = f"{path} -> {paths[split]}" if path != paths[split] else f"other pictures' folder in {path}"
            notes.append(
                f"the data of config.data.{split} has moved: {place}; it is the same "
                f"({now['pictures']} pictures, {now['boxes']} boxes)"
            )
    return notes


def _changed(split: str, workdir: str | os.PathLike[str], step: int, how: str) -> InputError:
    return InputError(
        f"the data of config.data.{split} has changed since {workdir} was trained up to step {step}: {how}; "
        f"put it back as it was to resume, or train on from its weights in a new workdir: {continue_command(workdir)}"
    )
