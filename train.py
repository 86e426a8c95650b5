"""Trains a YOLOv3 detector, or goes on with a run that was stopped.

  python train.py --workdir runs/digits                     the built-in demo: handwritten digits, minutes on a CPU
  python train.py --workdir runs/mine --config configs/data_set.py \\
      --config.data.train=train.txt --config.data.val=val.txt --config.data.names=classes.names
"""

import os

from absl import flags

from yolojax.errors import InputError
from yolojax.programs import cli
from yolojax.programs.flags import define_distributed_flags, distributed_options
from yolojax.runtime import hosts


def define():
    here = os.path.dirname(os.path.abspath(__file__))
    cli.config_flag(os.path.join(here, "configs", "digits.py"))
    flags.DEFINE_string("workdir", None, "folder of the run: checkpoints, metrics, evaluation; resumed if it has a checkpoint")
    flags.DEFINE_integer("profile", 0, "trace so many steps, after the first few, into WORKDIR/profile", lower_bound=0)
    flags.mark_flag_as_required("workdir")
    define_distributed_flags()


def main(arguments):
    if arguments:
        raise InputError(f"unexpected argument {arguments[0]!r}; --help shows how to call this program")
    with hosts.distributed_run(distributed_options()):
        from yolojax.training.loop import train_and_evaluate

        train_and_evaluate(cli.config_value(), flags.FLAGS.workdir, flags.FLAGS.profile)


if __name__ == "__main__":
    cli.run(main, define, __doc__)
