"""Trains a YOLOv3 detector, or resumes a run that was stopped.

  yolojax train --workdir runs/digits                     the built-in demo: handwritten digits, minutes on a CPU
  yolojax train --workdir runs/mine --config data_set \\
      --config.data.train=train.txt --config.data.val=val.txt --config.data.names=classes.names
"""

from absl import flags

from yolojax.programs import cli
from yolojax.programs.flags import define_distributed_flags, distributed_options, refuse_arguments
from yolojax.runtime.distributed import distributed_run


def define() -> None:
    """Defines the flags."""
    cli.config_flag("digits")
    flags.DEFINE_string("workdir", None, "folder of the run: checkpoints, metrics, evaluation; resumed if it has a checkpoint")
    flags.DEFINE_integer("profile", 0, "trace this many steps, after the first few, into WORKDIR/profile", lower_bound=0)
    flags.mark_flag_as_required("workdir")
    define_distributed_flags()


def main(arguments: list[str]) -> None:
    """Trains with the configuration and the workdir that the flags name."""
    refuse_arguments(arguments)
    with distributed_run(distributed_options()):
        from yolojax.training.loop import train_and_evaluate

        train_and_evaluate(cli.config_value(), flags.FLAGS.workdir, flags.FLAGS.profile)
