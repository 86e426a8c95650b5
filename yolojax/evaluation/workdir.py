"""The evaluation of a trained run, and the files it leaves in the workdir."""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from yolojax.config import Config, to_dict
from yolojax.data.class_map import read_for_classes
from yolojax.data.source import Source
from yolojax.data.sources import ListSource, open_split
from yolojax.errors import InputError
from yolojax.evaluation.evaluate import Evaluation, compile_eval_step, evaluate
from yolojax.evaluation.metrics.analysis import analyse
from yolojax.evaluation.metrics.coco import each_coco_result
from yolojax.evaluation.report.history import read_history
from yolojax.evaluation.report.pictures import KINDS, pictures_to_show
from yolojax.evaluation.report.samples import write_samples
from yolojax.evaluation.report.saved import SavedEvaluation, check_fits, read_evaluation
from yolojax.evaluation.report.tables import format_absent, format_table
from yolojax.evaluation.stages import stage_seconds
from yolojax.loss import build_loss
from yolojax.parts import NO_PARTS, Parts
from yolojax.runs.workdir import load_run
from yolojax.runtime.collector import paused_collector
from yolojax.runtime.console import NullOutput, Progress
from yolojax.runtime.devices import make_mesh, shardings
from yolojax.runtime.file_names import file_names
from yolojax.runtime.files import read_whole, whole_set, write_json, write_json_entries
from yolojax.runtime.hosts import check_same_on_all_hosts, is_first
from yolojax.runtime.paths import absolute
from yolojax.runtime.streams import say
from yolojax.runtime.wording import counted

SAMPLES = 2  # PNG files of each kind of image: the report holds all of them, in a tenth of the bytes
_MAY_BE_MISSING = r"sample_\d{3,}\.png|(loss|ap)\.png"  # files that not every evaluation has
SAMPLE_SIDE = 960  # pixels of such a file, at most


def evaluate_workdir(
    workdir: str | os.PathLike[str],
    checkpoint: str | int = "best",
    split: str = "val",
    data: str | os.PathLike[str] | None = None,
    compare: str | os.PathLike[str] | None = None,
    class_map: Mapping[str, str] | None = None,
    parts: Parts = NO_PARTS,
    *,
    out: str | os.PathLike[str] | None = None,
    augment: bool = False,
    soft_nms: bool = False,
) -> dict[str, Any] | None:
    """Evaluates a checkpoint of a run, prints the table and writes WORKDIR/eval/SPLIT, or another folder.

    Args:
        workdir: folder of the run.
        checkpoint: "best", "last" or a step.
        split: "val", "test" or "train", without augmentation.
        data: path of a data set in place of the one that the run's configuration names. Its classes may be some of the run's,
            in any order; detections of the others are left out. All of them are the one class of a run with
            `config.data.single_class`.
        compare: another workdir, or the folder of an evaluation, on the same images: the two are compared too.
        class_map: with `data`: {name of a class in the data: its name in the run, "" to leave its boxes out}.
        parts: parts that the run was given as objects and that have no importable name.
        out: folder to write instead: a new or empty one, or that of an earlier evaluation, which is replaced.
        augment: look at each image mirrored as well, as `Detector` does with this argument.
        soft_nms: overlapping boxes lose score instead of being removed.

    Returns:
        The dict of metrics.json, undefined numbers as NaN; None in all processes but the first.

    Raises:
        InputError: there is no run, no such checkpoint or split, data that cannot be read, nothing to compare with, or `out`
            holds something else.
    """
    if out is not None:
        _refuse_files_of_others(Path(out))
    other = read_evaluation(compare, split) if compare else None
    replicated, batch_sharding = shardings(make_mesh())
    run = load_run(workdir, checkpoint, replicated, parts)
    if class_map and not data:
        raise InputError("--class_map is used with --data; leave it out")
    classes = None
    if data:
        run.config.data.source = "auto"
        run.config.data.val = run.config.data.test = run.config.data.train = absolute(data)
        annotations, classes = read_for_classes(
            data, split, run.config.data.class_names, class_map or {}, single_class=run.config.data.single_class
        )
        source = ListSource(annotations)
    else:
        source = _own_split(run.config, split, parts)
    check_same_on_all_hosts({"checkpoint": run.step, "split": split, "data": run.config.data.val, "pictures": len(source)})
    if other:
        check_fits(other, run.config.data.class_names, len(source))
    step = compile_eval_step(
        replicated,
        batch_sharding,
        model=run.model,
        recipe=run.recipe,
        loss=build_loss(run.config.loss, parts),
        config=run.config.eval,
        augment=augment,
        soft_nms=soft_nms,
    )
    progress = Progress("evaluate", 0, len(source)) if is_first() else NullOutput()
    try:
        progress.say(
            f"evaluating the checkpoint of step {run.step} on {counted(len(source), 'picture')} of the split {split!r}"
        )
        outcome = evaluate(
            step,
            run.variables,
            source,
            run.config,
            run.grid,
            batch_sharding,
            lambda done, _: progress.advance(done),
            classes=classes,
            parts=parts,
        )
    finally:
        progress.close()
    stages = stage_seconds(
        run.variables, source, run.config, run.recipe, replicated, batch_sharding, model=run.model, parts=parts
    )
    if not is_first():
        return None
    ways = {name: True for name, used in (("augment", augment), ("soft_nms", soft_nms)) if used}
    return write_evaluation(workdir, split, run.step, outcome, source, run.config, other, out=out, stage_seconds=stages, **ways)


def _refuse_files_of_others(folder: Path) -> None:
    """Refuses a folder with anything but an evaluation.

    Raises:
        InputError: it holds files, but no metrics.json of an evaluation; or it is a file.
    """
    problem = f"{folder} holds files and no evaluation; name a new folder with --out"
    try:
        if not os.listdir(folder):
            return
        metrics = json.loads(read_whole(folder / "metrics.json", "the evaluation"))
    except FileNotFoundError:
        return
    except NotADirectoryError as error:
        raise InputError(f"{folder} is a file; name a new folder with --out") from error
    except (InputError, ValueError, RecursionError) as error:
        raise InputError(problem) from error
    except OSError as error:
        raise InputError(f"{folder}: cannot be read: {error.strerror}") from error
    if not isinstance(metrics, dict) or not {"run", "step", "split"} <= metrics.keys():
        raise InputError(problem)


def _own_split(config: Config, split: str, parts: Parts) -> Source:
    """A split of the data of the run; the message about missing data names the way to evaluate on other data."""
    path = getattr(config.data, split, "")
    try:
        return open_split(config, split, parts)
    except InputError as error:
        if (
            not path
            or config.data.source not in ("auto", "list")
            or os.path.exists(path)
            or os.path.exists(path.rpartition(":")[0])
        ):
            raise
        raise InputError(
            f"the data of this run, {path} (config.data.{split}), is no longer there; give the place where it is now, or other "
            "data, with --data PATH"
        ) from error


def write_evaluation(
    workdir: str | os.PathLike[str],
    split: str,
    step: int,
    outcome: Evaluation,
    source: Any,
    config: Config,
    other: SavedEvaluation | None = None,
    *,
    out: str | os.PathLike[str] | None = None,
    **measured: Any,
) -> dict[str, Any]:
    """Prints the table of an evaluation and writes its files into WORKDIR/eval/SPLIT, or another folder.

    metrics.json (the numbers), detections.json (COCO results; image_id is the image's number in the split, from 0),
    report.html (`write_report`), its plots, and sample_*.png (truth and detections side by side of some of the images that
    the report shows). They appear together, metrics.json last, and never with those of another evaluation.

    Args:
        workdir: folder of the run.
        split: name of the split.
        step: the step of the checkpoint that was evaluated.
        outcome: result of `evaluate`.
        source: the split.
        config: resolved configuration.
        other: result of `read_evaluation`, to compare with (`write_comparison`), or None.
        out: the other folder.
        measured: more entries of metrics.json.

    Returns:
        The dict of metrics.json, undefined numbers as NaN.
    """
    # Importing matplotlib takes half a second, which programs that only import this module need not wait for.
    from yolojax.evaluation.report.compare import format_comparison, write_comparison
    from yolojax.evaluation.report.html import write_report

    folder = Path(workdir) / "eval" / file_names([split])[0] if out is None else Path(out)
    names = config.data.class_names
    summary = analyse(outcome.summary, outcome.detections, outcome.truths, names)
    best_score = summary["best_f1"]["score_threshold"]
    pictures = pictures_to_show(outcome.detections, outcome.truths, outcome.indices, source.title, best_score)
    run = Path(workdir).resolve().name
    metrics = {"run": run, "step": step, "split": split, **summary, **measured, "pictures": pictures, "config": to_dict(config)}
    place_of = {image_id: place for place, image_id in enumerate(outcome.indices)}
    examples = {}
    for entry in (entry for kind in KINDS for entry in pictures[kind]):
        place = place_of[entry["image_id"]]
        image = source.example(0, entry["image_id"]).image
        examples[entry["image_id"]] = image, outcome.detections[place], outcome.truths[place]
    history = read_history(Path(workdir) / "metrics.jsonl")
    sampled = [examples[entry["image_id"]] for kind in KINDS for entry in pictures[kind][:SAMPLES]]
    with whole_set(folder, last="metrics.json", old=lambda name: bool(re.fullmatch(_MAY_BE_MISSING, name))) as draft:
        write_json(draft / "metrics.json", metrics)
        with paused_collector():
            write_json_entries(draft / "detections.json", each_coco_result(outcome.detections, outcome.indices))
        report = folder / write_report(draft, metrics, examples, history).name
        if sampled:
            images, detections, truths = zip(*sampled, strict=True)
            write_samples(
                draft, images, detections, truths, names, score_threshold=pictures["score_threshold"], longest_side=SAMPLE_SIDE
            )
    say(format_table(metrics))
    if any(metrics["absent"].values()):
        say(format_absent(metrics["absent"]))
    if metrics["unreadable"]:
        say(f"{metrics['unreadable']} unreadable pictures were left out")
    say(f"numbers, detections, plots and sample pictures: {folder}")
    say(f"report: {report}")
    if other:
        comparison = write_comparison(folder, metrics, outcome, source, history, other)
        say(format_comparison(metrics, other))
        say(f"comparison: {comparison}")
    return metrics
