"""A workdir as a run leaves it, without the training."""

from yolojax.runs.workdir import make_meta, open_workdir
from yolojax.training.loop import resolve


def save_run(workdir, config, step, variables):
    """Writes the configuration and one checkpoint, whose averaged variables are given."""
    config, _ = resolve(config)
    with open_workdir(config, workdir) as checkpoints:
        checkpoints.save(step, {"ema": variables}, make_meta(config, {}, []))
