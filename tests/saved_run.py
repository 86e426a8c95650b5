"""A workdir as a run leaves it, without the training."""

from yolojax.config import to_dict
from yolojax.evaluation.report import write_json
from yolojax.training.checkpoints import Checkpoints
from yolojax.training.loop import resolve
from yolojax.training.runs import make_meta


def save_run(workdir, config, step, variables):
    """Writes the configuration and one checkpoint, whose averaged variables are given."""
    config, _ = resolve(config)
    with Checkpoints(workdir) as checkpoints:
        checkpoints.save(step, {"ema": variables}, make_meta(config, {}, []))
    write_json(workdir / "config.json", to_dict(config))
