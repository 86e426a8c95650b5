"""What a run goes on from: the newest checkpoint that can be read, and the data it was trained with."""

from yolojax.data.fingerprint import describe_change
from yolojax.errors import InputError
from yolojax.training.checkpoints import IMPORTED


def restore_newest(checkpoints, abstract):
    """Reads the newest checkpoint of a training that can be read; newer ones that cannot are set aside.

    Args:
        checkpoints: Checkpoints with at least one that a training made.
        abstract: as of `Checkpoints.restore`.

    Returns:
        (step, arrays, meta, lines): the lines name for people what could not be read.

    Raises:
        InputError: there is none that can be read; then nothing is renamed.
    """
    damaged = {}
    for step in reversed([step for step in checkpoints.steps() if step != IMPORTED]):
        try:
            meta, arrays = checkpoints.meta(step), checkpoints.restore(step, abstract)
            break
        except InputError as error:
            damaged[step] = error
    else:
        raise InputError(f"{damaged[max(damaged)]}; there is none before it that can be read")
    lines = [
        f"{error}; it is kept as {checkpoints.set_aside(number)}, and the run goes on from step {step}"
        for number, error in damaged.items()
    ]
    return step, arrays, meta, lines


def check_data(meta, sources, workdir, step):
    """Refuses to resume with records that are not those of the checkpoint.

    Args:
        meta: of the checkpoint.
        sources: {split: source}.
        workdir, step: for the message.

    Raises:
        InputError: it says what changed.
    """
    for split, source in sources.items():
        before = meta.get("data", {}).get(split)
        changed = describe_change(before, source.records) if before else None
        if changed:
            raise InputError(
                f"the data of config.data.{split} is not that with which {workdir} was trained up to step {step}: {changed}; "
                f"put it back as it was to resume, or name another --workdir, from this run with --config.init_from={workdir}"
            )
