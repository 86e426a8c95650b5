"""A workdir as a run leaves it, without the training."""

from yolojax.training.loop import open_workdir, resolve
from yolojax.training.runs import make_meta


def save_run(workdir, config, step, variables):
    """Writes the configuration and one checkpoint, whose averaged variables are given."""
    config, _ = resolve(config)
    with open_workdir(config, workdir) as checkpoints:
        checkpoints.save(step, {"ema": variables}, make_meta(config, {}, []))
