"""Trains a YOLOv3 detector, or resumes a run that was stopped.

yolojax train --workdir runs/mine --data FOLDER         your own pictures, labelled in any format that is recognised
yolojax train --workdir runs/mine                       resumes the run in runs/mine with its own configuration
yolojax train --workdir runs/digits                     without data, a new run is the built-in demo: handwritten digits
yolojax train --workdir runs/mine --config data_set:yolov3_tiny --data FOLDER --config.train.epochs=50
"""

import os
import sys

from absl import flags

from yolojax.errors import InputError
from yolojax.programs import cli
from yolojax.programs.config_flag import continued_run, default_config, overridden_fields
from yolojax.programs.flags import define_distributed_flags, distributed_options, refuse_arguments
from yolojax.runtime.distributed import distributed_run
from yolojax.runtime.streams import say


def define() -> None:
    """Defines the flags."""
    flags.DEFINE_string("workdir", None, "folder of the run: checkpoints, metrics, evaluation; resumed if it has a checkpoint")
    flags.DEFINE_string(
        "data",
        None,
        "the data set: a folder or file of any format that yolojax check recognises; format, splits, classes and anchors are "
        "chosen and printed, on top of --config data_set",
    )
    flags.DEFINE_string("names", None, "with --data: file with one class name per line (default: the names in the data)")
    cli.config_flag(default_config(sys.argv[1:]))
    flags.DEFINE_integer("profile", 0, "trace this many steps, after the first few, into WORKDIR/profile", lower_bound=0)
    flags.mark_flag_as_required("workdir")
    define_distributed_flags()


def main(arguments: list[str]) -> None:
    """Trains with the configuration, the data and the workdir that the flags name."""
    refuse_arguments(arguments)
    chosen = flags.FLAGS
    overridden = overridden_fields()
    for flag, field in (("data", "data.train"), ("names", "data.names")):
        if chosen[flag].value is not None and field in overridden:
            raise InputError(f"--{flag} and --config.{field} say the same; give one of them")
    if chosen.names is not None and chosen.data is None:
        raise InputError("--names goes with --data; give that, or --config.data.names")
    with distributed_run(distributed_options()):
        from yolojax.runtime.hosts import is_first
        from yolojax.training.loop import train_and_evaluate
        from yolojax.training.own_data import use_data

        config, lines = cli.config_value(), []
        if continued_run(sys.argv[1:]):
            lines = [f"the configuration is that of the run: {os.path.join(chosen.workdir, 'config.json')}"]
            if chosen.data is not None:
                config.data.train = os.path.abspath(chosen.data)
            elif config.data.source in ("auto", "list"):
                _check_data_is_there(config.data.train)
            if chosen.names is not None:
                config.data.names, config.data.class_names = os.path.abspath(chosen.names), ()
        elif chosen.data is not None:
            lines = use_data(config, chosen.data, chosen.names, overridden=overridden, workdir=chosen.workdir)
        if is_first():
            say("\n".join(lines), end="\n" * bool(lines))
        train_and_evaluate(config, chosen.workdir, chosen.profile)


def _check_data_is_there(path: str) -> None:
    """Refuse to continue a run whose training data is no longer where it was."""
    from yolojax.data.formats.read import split_of

    try:
        split_of(path)
    except InputError as error:
        raise InputError(f"{error}; if the data has moved, give its new place with --data") from error
