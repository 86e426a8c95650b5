"""Weights & Biases or MLflow by callback: whichever is installed gets the configuration and every logged number.

cd examples && yolojax train --workdir runs/digits --config.train.callbacks=log_to_wandb:log
"""

import importlib
import json
import math
import os


def log(event):
    """A callback of a run: what happened goes to wandb, or else to mlflow.

    Args:
        event: `yolojax.Event`.

    Raises:
        ImportError: neither is installed.
    """
    numbers = {name: value for name, value in event.numbers.items() if math.isfinite(value)}
    tracker, kind = tracker_module()
    if event.kind == "start":
        with open(os.path.join(event.workdir, "config.json"), encoding="utf-8") as file:
            config = json.load(file)
        name = os.path.basename(event.workdir)
        if kind == "wandb":  # the same id: a resumed run goes on where it was
            tracker.init(project="yolojax", id=name, name=name, config=config, resume="allow")
        else:
            tracker.set_experiment("yolojax")
            tracker.start_run(run_name=name)
            tracker.log_dict(config, "config.json")
    elif event.kind in ("log", "eval"):
        named = {f"{'train' if event.kind == 'log' else 'val'}/{name}": value for name, value in numbers.items()}
        tracker.log(named, step=event.step) if kind == "wandb" else tracker.log_metrics(named, step=event.step)
    elif event.kind == "end":
        tracker.finish() if kind == "wandb" else tracker.end_run()


def tracker_module():
    """The first of wandb and mlflow that is installed, and its name."""
    for kind in ("wandb", "mlflow"):
        try:
            return importlib.import_module(kind), kind
        except ModuleNotFoundError as error:
            if error.name != kind:
                raise
    raise ImportError("log_to_wandb needs one of them: pip install wandb, or pip install mlflow")
