"""What a run goes on from: the newest checkpoint that can be read, and the data it was trained with."""

import itertools

from yolojax.data.fingerprint import describe_change
from yolojax.errors import InputError
from yolojax.runs.workdir import IMPORTED
from yolojax.runtime.hosts import gather, is_first


def restore_newest(checkpoints, abstract):
    """Reads the newest checkpoint of a training that can be read.

    Newer ones that cannot, and older ones of unknown metrics, are renamed to STEP.unreadable and else left as they are.

    Args:
        checkpoints: Checkpoints with at least one that a training made.
        abstract: as of `Checkpoints.restore`.

    Returns:
        (step, arrays, meta, lines): the lines name for people what could not be read.

    Raises:
        InputError: there is none that can be read; then nothing is renamed.
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
        raise InputError(f"{damaged[max(damaged)]}; there is none before it that can be read")
    # Several processes share the folder: the first renames for all of them.
    kept_as = gather({str(step): _set_aside(checkpoints, step) for step in damaged} if is_first() else {})[0]
    for step in damaged:
        checkpoints.forget(step)
    lines = [
        f"{error}; it is kept as {kept_as[str(step)]}, and the run goes on from step {newest[0]}"
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
        raise InputError(f"{folder}: the checkpoint cannot be read, and not be renamed: {error.strerror}") from error
    return aside.name


def check_data(meta, data, sources, workdir, step):
    """Refuses to resume with records that are not those of the checkpoint.

    Args:
        meta: of the checkpoint.
        data: {split: fingerprint of its records now}.
        sources: {split: source}.
        workdir, step: for the message.

    Raises:
        InputError: it says what changed.
    """
    for split, source in sources.items():
        before = meta.get("data", {}).get(split)
        changed = describe_change(before, source.records) if before and before != data[split] else None
        if changed:
            raise InputError(
                f"the data of config.data.{split} is not that with which {workdir} was trained up to step {step}: {changed}; "
                f"put it back as it was to resume, or name another --workdir, from this run with --config.init_from={workdir}"
            )
