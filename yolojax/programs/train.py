"""Trains a YOLOv3 detector, or resumes a run that was stopped.

yolojax train --workdir runs/mine --data FOLDER         your own pictures, labelled in any format that is recognised
yolojax train --workdir runs/mine --data FOLDER --weights FILE.weights      the same, fine-tuning a trained network
yolojax train --workdir runs/mine --data FOLDER --cfg FILE.cfg              a network of Darknet, from random weights
yolojax train --workdir runs/mine                       resumes the run in runs/mine with its own configuration
yolojax train --workdir runs/digits                     without data, a new run is the built-in demo: handwritten digits
yolojax train --workdir runs/mine --config data_set:yolov3_tiny --data FOLDER --config.train.epochs=50
"""

import os
import sys
from collections.abc import Collection

from absl import flags

from yolojax.config import Config
from yolojax.errors import InputError
from yolojax.programs import cli
from yolojax.programs.config_flag import chosen_config, continued_run, default_config, overridden_fields
from yolojax.programs.flags import define_distributed_flags, distributed_options, refuse_arguments
from yolojax.runtime.distributed import distributed_run
from yolojax.runtime.paths import absolute
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
    flags.DEFINE_string(
        "weights",
        None,
        "trained weights to start from, on top of --config fine_tune: a .weights of Darknet, whose .cfg is found beside it, "
        "first layers (darknet53.conv.74), a workdir, or WORKDIR/checkpoints/STEP; network, anchors, input size and fit are "
        "taken from there, and heads are adapted to the classes of the data",
    )
    flags.DEFINE_string(
        "cfg",
        None,
        "with --weights FILE.weights: the .cfg of the network that they belong to (default: found beside it); without "
        "--weights: the Darknet network to train from random weights, with its anchors, input size and fit",
    )
    cli.config_flag(default_config(sys.argv[1:]))
    flags.DEFINE_integer("profile", 0, "trace this many steps, after the first few, into WORKDIR/profile", lower_bound=0)
    flags.mark_flag_as_required("workdir")
    define_distributed_flags()


def main(arguments: list[str]) -> None:
    """Trains with the configuration, the data and the workdir that the flags name."""
    refuse_arguments(arguments)
    chosen = flags.FLAGS
    overridden = overridden_fields()
    for flag, field in (("data", "data.train"), ("names", "data.names"), ("weights", "init_from"), ("cfg", "init_cfg")):
        if chosen[flag].value is not None and field in overridden:
            raise InputError(f"--{flag} and --config.{field} say the same; give one of them")
    if chosen.names is not None and chosen.data is None:
        raise InputError("--names goes with --data; give that, or --config.data.names")
    with distributed_run(distributed_options()):
        from yolojax.data.sources import open_split
        from yolojax.runs.workdir import is_imported
        from yolojax.runtime.hosts import is_first
        from yolojax.training.loop import train_and_evaluate
        from yolojax.training.own_data import use_data
        from yolojax.training.pretrained import adopt_network, lower_rates, untrained_network

        config, lines = cli.config_value(), []
        if continued_run(sys.argv[1:]):
            lines = [f"the configuration is that of the run: {os.path.join(chosen.workdir, 'config.json')}"]
            _continue(config)
        else:
            trained = chosen.weights is not None
            if (trained or chosen.cfg is not None) and is_imported(chosen.workdir):
                flag = "weights" if trained else "cfg"
                raise InputError(f"{chosen.workdir} holds an imported network; name another --workdir, or leave out --{flag}")
            without_data = chosen.data is None and "data.train" not in overridden and not flags.FLAGS["config"].present
            if without_data and is_imported(chosen.workdir):
                raise InputError(f"{chosen.workdir} holds an imported network; name the data to train it on with --data FOLDER")
            if trained:
                _start_from(config, overridden)
            elif chosen.cfg is not None:
                lines = untrained_network(config, chosen.cfg, overridden)
            if adopted := config.init_network:
                lines = adopt_network(config, overridden)
            fine_tune = adopted and chosen_config(sys.argv[1:]) == "fine_tune"
            if chosen.data is not None:
                lines += use_data(
                    config,
                    chosen.data,
                    chosen.names,
                    overridden=overridden,
                    workdir=chosen.workdir,
                    adopted=adopted,
                    fine_tune=fine_tune,
                )
            elif fine_tune:
                lines += lower_rates(config, open_split(config, "train").names, overridden)
        if is_first():
            say("\n".join(lines), end="\n" * bool(lines))
        train_and_evaluate(config, chosen.workdir, chosen.profile)


def _start_from(config: Config, overridden: Collection[str]) -> None:
    """Puts what --weights and --cfg say into the configuration."""
    chosen = flags.FLAGS
    if "init_network" in overridden and not config.init_network:
        raise InputError(
            "--weights takes the network of the weights; to load their layers into the network of the configuration, give "
            "--config.init_from instead"
        )
    config.init_from, config.init_cfg = absolute(chosen.weights), chosen.cfg or ""
    config.init_network = True
    if "init_heads" not in overridden:
        config.init_heads = "adapt"


def _continue(config: Config) -> None:
    """Puts what the flags say about places into the configuration of a run that continues."""
    from yolojax.training.pretrained import has_network_of

    chosen = flags.FLAGS
    if chosen.weights is not None and absolute(chosen.weights) != config.init_from:
        raise InputError(
            f"{chosen.workdir} holds a run that did not start from {chosen.weights}; leave out --weights to resume it, or name "
            "another --workdir"
        )
    if chosen.weights is None and chosen.cfg is not None and not has_network_of(config, chosen.cfg):
        raise InputError(
            f"{chosen.workdir} holds a run whose network is not that of {chosen.cfg}; leave out --cfg to resume it, or name "
            "another --workdir"
        )
    if chosen.data is not None:
        config.data.train = absolute(chosen.data)
    elif config.data.source in ("auto", "list"):
        _check_data_is_there(config.data.train)
    if chosen.names is not None:
        config.data.names, config.data.class_names = absolute(chosen.names), ()


def _check_data_is_there(path: str) -> None:
    """Refuse to continue a run whose training data is no longer where it was."""
    from yolojax.data.formats.read import split_of

    try:
        split_of(path)
    except InputError as error:
        raise InputError(f"{error}; if the data has moved, give its new place with --data") from error
