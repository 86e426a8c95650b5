"""The evaluation of a trained run, and the files it leaves in the workdir."""

import os
from pathlib import Path

import numpy as np

from yolojax.data.sources import open_split
from yolojax.evaluation.analysis import analyse
from yolojax.evaluation.evaluate import compile_eval_step, evaluate
from yolojax.evaluation.report import coco_results, format_absent, format_table, write_json, write_samples
from yolojax.evaluation.stages import stage_seconds
from yolojax.loss import build_loss
from yolojax.training.checkpoints import load_run
from yolojax.training.logs import Progress
from yolojax.training.step import make_mesh, shardings

SAMPLES = 8


def evaluate_workdir(workdir, checkpoint="best", split="val", data=None):
    """Evaluates a checkpoint of a run, prints the table and writes WORKDIR/eval/SPLIT; what eval.py calls.

    Args:
        workdir: of `train_and_evaluate`.
        checkpoint: "best", "last" or a step.
        split: "val", "test" or "train", without augmentation.
        data: path of a data set in place of the one that the run's configuration names; the classes are those of the run.

    Returns:
        The dict of eval/SPLIT/metrics.json, undefined numbers as NaN.

    Raises:
        InputError: no run there, no such checkpoint or split, or data that cannot be read.
    """
    replicated, batch_sharding = shardings(make_mesh())
    run = load_run(workdir, checkpoint, replicated)
    if data:
        run.config.data.source = "auto"
        run.config.data.val = run.config.data.test = run.config.data.train = os.path.abspath(data)
    source = open_split(run.config, split)
    step = compile_eval_step(
        replicated,
        batch_sharding,
        model=run.model,
        grid=run.grid,
        loss=build_loss(run.config.loss),
        config=run.config.eval,
        class_scores=run.config.loss.class_scores,
    )
    progress = Progress("evaluate", 0, len(source))
    try:
        progress.say(f"evaluating the checkpoint of step {run.step} on {len(source)} pictures of the split {split!r}")
        outcome = evaluate(
            step, run.variables, source, run.config, run.grid, batch_sharding, lambda done, _: progress.advance(done)
        )
    finally:
        progress.close()
    stages = stage_seconds(run.variables, source, run.config, run.grid, replicated, batch_sharding, model=run.model)
    return write_evaluation(workdir, split, run.step, outcome, source, run.config, stage_seconds=stages)


def write_evaluation(workdir, split, step, outcome, source, config, **measured):
    """Prints the table of an evaluation and writes its files into WORKDIR/eval/SPLIT.

    metrics.json (the numbers), detections.json (COCO results; image_id is the picture's number in the split, from 0) and
    sample_*.png (truth and detections side by side of some pictures, evenly spread over the split).

    Args:
        workdir, split: where to.
        step: of the checkpoint that was evaluated.
        outcome: Evaluation.
        source: the split.
        config: Config.
        measured: more entries of metrics.json.

    Returns:
        The dict of metrics.json, undefined numbers as NaN.
    """
    folder = Path(workdir) / "eval" / split
    names = config.data.class_names
    summary = analyse(outcome.summary, outcome.detections, outcome.truths, names)
    metrics = {"step": step, "split": split, **summary, **measured}
    write_json(folder / "metrics.json", metrics)
    write_json(folder / "detections.json", coco_results(outcome.detections, outcome.indices))
    shown = np.unique(np.linspace(0, len(outcome.indices) - 1, SAMPLES).astype(int)) if outcome.indices else []
    write_samples(
        folder,
        [source.example(0, outcome.indices[i]).image for i in shown],
        [outcome.detections[i] for i in shown],
        [outcome.truths[i] for i in shown],
        names,
    )
    print(format_table(metrics))
    if any(metrics["absent"].values()):
        print(format_absent(metrics["absent"]))
    if metrics["unreadable"]:
        print(f"{metrics['unreadable']} unreadable pictures were left out")
    print(f"numbers, detections and sample pictures: {folder}", flush=True)
    return metrics
