"""The training run, in order: resolve the configuration, resume or start, step, log, evaluate, save."""

import contextlib
import functools
import math
import os

import jax

from yolojax.config import checked, flatten
from yolojax.data.pipeline import train_batches
from yolojax.data.sources import open_split
from yolojax.draw import draw_detections
from yolojax.errors import InputError
from yolojax.evaluation.evaluate import compile_eval_step, evaluate
from yolojax.evaluation.metrics.analysis import largest_f1
from yolojax.evaluation.workdir import write_evaluation
from yolojax.loss import build_loss
from yolojax.models import abstract_variables, build_grid, build_model, count_floats, initialize
from yolojax.runs.imported import adopt_model, imported_variables
from yolojax.runs.lock import lock_workdir
from yolojax.runs.resume import check_data, restore_newest
from yolojax.runs.selection import exhausted, score, without_improvement
from yolojax.runs.workdir import abstract_arrays, make_meta, open_workdir, restore_variables
from yolojax.runtime.allocator import keep_freed_memory
from yolojax.runtime.console import NullOutput, Progress
from yolojax.runtime.devices import check_batch_size, local_rows, make_mesh, shardings
from yolojax.runtime.hosts import check_same_on_all_hosts, is_first
from yolojax.runtime.prefetch import prefetch_to_devices
from yolojax.training.metrics_log import MetricsLog
from yolojax.training.optimizer import make_optimizer
from yolojax.training.preflight import compile_checked
from yolojax.training.profile import traced
from yolojax.training.recorder import Recorder
from yolojax.training.schedules import make_schedule
from yolojax.training.step import compile_train_step, create_state, eval_variables
from yolojax.training.stop import StopSignals
from yolojax.training.transfer import check_decay, check_freeze, initial_values

BOARD_PICTURES = 4


def train_and_evaluate(config, workdir, profile_steps=0):
    """Trains a detector, evaluating and saving as it goes, and evaluates the best checkpoint at the end.

    A workdir that has a checkpoint is resumed: the run goes on exactly as if it had never stopped, from the newest checkpoint
    that can be read. SIGTERM and Ctrl-C save a checkpoint before leaving.

    Args:
        config: `Config`, or an ml_collections ConfigDict of the same fields.
        workdir: folder of the run; made where it is missing. Nothing in it is ever deleted but superseded checkpoints.
        profile_steps: so many steps, after the first few, are traced into WORKDIR/profile; 0: none.

    Returns:
        The dict of WORKDIR/eval/val/metrics.json; None in any but the first of several processes, which writes everything.

    Raises:
        InputError: configuration or data that cannot be used, a workdir of another configuration or other data, or where
            another run trains, too many losses that are not finite, a checkpoint that cannot be written.
        KeyboardInterrupt, SystemExit: Ctrl-C or SIGTERM, after a checkpoint has been saved; of several processes the latter.
    """
    with contextlib.ExitStack() as at_the_end:
        return _train_and_evaluate(config, workdir, profile_steps, at_the_end)


def _train_and_evaluate(config, workdir, profile_steps, at_the_end):
    config, train_source = resolve(adopt_model(checked(config), workdir))
    mesh = make_mesh()
    if config.train.keep_memory and jax.default_backend() == "cpu":
        keep_freed_memory()
    check_batch_size(config.train.batch_size, mesh, "config.train.batch_size", config.train.accumulate)
    val_source = open_split(config, "val")
    check_same_on_all_hosts({**flatten(config), "training pictures": len(train_source), "validation pictures": len(val_source)})
    model, grid = build_model(config.model), build_grid(config.model, config.data.size)
    train_grids = [build_grid(config.model, size) for size in config.data.sizes or [config.data.size]]
    loss = build_loss(config.loss)

    steps_per_epoch = len(train_source) / config.train.batch_size
    total_steps = max(1, round(config.train.epochs * steps_per_epoch))
    schedule = make_schedule(config.optimizer, steps_per_epoch, total_steps)
    optimizer = make_optimizer(config.optimizer, schedule)
    replicated, split = shardings(mesh)

    # The resume cases, in order: a workdir without a checkpoint starts at step 0, even if a run was begun there; so does one
    # into which a network was imported, with its variables; one with any other checkpoint must have been made by this very
    # configuration with this very data, and goes on from the newest that can be read.
    if is_first():
        at_the_end.enter_context(lock_workdir(workdir))
    checkpoints = open_workdir(config, workdir)
    sources = {"train": train_source, "val": val_source}
    data = {name: source.fingerprint() for name, source in sources.items()}
    start_step = (checkpoints.steps() or [0])[-1]
    make_state = functools.partial(create_state, optimizer=optimizer, average=config.optimizer.ema_decay > 0)
    freeze_epochs = config.train.freeze_epochs
    frozen_steps = max(1, round(freeze_epochs * steps_per_epoch)) if freeze_epochs else total_steps
    notes = []
    variables = abstract_variables(model)
    abstract = abstract_arrays(jax.eval_shape(make_state, variables), replicated)
    if start_step:
        start_step, state, meta, notes = restore_newest(checkpoints, abstract)
        check_data(meta, data, sources, workdir, start_step)
    else:
        variables = imported_variables(checkpoints, config, model) or initialize(model, config.seed)
        if config.init_from:
            variables, notes = initial_values(config.init_from, variables, model)
        # In one program: array by array takes a second or two longer. From the host: imported variables lie on one device.
        state = jax.jit(make_state, out_shardings=replicated)(jax.device_get(variables))
        meta = make_meta(config, {}, [])
    log = MetricsLog(workdir, start_step) if is_first() else NullOutput()
    progress = Progress("train", start_step, total_steps) if is_first() else NullOutput()
    running = at_the_end.enter_context(contextlib.ExitStack())
    for resource in (contextlib.closing(progress), contextlib.closing(log), checkpoints):
        running.enter_context(resource)

    progress.say(
        f"{config.model.name}, {len(config.data.class_names)} classes, {count_floats(variables):,} floats, "
        f"{grid.size[0]} x {grid.size[1]} pixels; {len(train_source)} training and {len(val_source)} validation pictures; "
        f"{total_steps} steps of {config.train.batch_size} on {mesh.size} {jax.devices()[0].platform.upper()} device(s)"
        f"{f' in {jax.process_count()} processes' if jax.process_count() > 1 else ''}"
    )
    if config.train.freeze:
        notes.append(f"{check_freeze(config.train.freeze, variables)} for the first {frozen_steps} steps")
    if config.optimizer.decay_layers:
        notes.append(check_decay(config.optimizer.decay_layers, variables))
    for note in (*train_source.notes("training"), *val_source.notes("validation"), *notes):
        progress.say(note)
    progress.say(f"resuming {workdir} at step {start_step}" if start_step else f"starting in {workdir}")

    train_steps = {
        (train_grid.size, frozen): compile_train_step(
            mesh,
            model=model,
            optimizer=optimizer,
            grid=train_grid,
            loss=loss,
            ema_decay=config.optimizer.ema_decay,
            ema_warmup_steps=config.optimizer.ema_warmup_steps,
            frozen=frozen,
            accumulate=config.train.accumulate,
            remat=config.train.remat,
        )
        for train_grid in train_grids
        for frozen in {config.train.freeze, ""}
    }
    eval_step = compile_eval_step(
        replicated, split, model=model, grid=grid, loss=loss, config=config.eval, class_scores=config.loss.class_scores
    )
    recorder = Recorder(config, schedule, train_source, log, progress, meta["pending"], meta.get("skipped", 0))
    # The scores of a run from before there were any are none.
    scores = meta.get("scores", [])
    best_by, eval_every = config.train.save_best_by, max(1, round(config.train.eval_epochs * steps_per_epoch))
    outcome = evaluated_step = None

    # Of a run that ended early only the evaluation is made again.
    ended = exhausted(scores, config.train.early_stopping)
    last_step = start_step if ended else total_steps
    if start_step < last_step:
        # The program that needs the most memory is compiled now, the others when they are first wanted.
        largest = max(train_grids, key=lambda train_grid: train_grid.num_slots)
        key = largest.size, config.train.freeze if frozen_steps >= total_steps else ""
        train_steps[key] = compile_checked(train_steps[key], config, largest, abstract, split, progress.say)
    rows = local_rows(split, config.train.batch_size)
    batches = train_batches(train_source, config, train_grids, start_step, last_step, rows)
    steps = traced(
        enumerate(recorder.waiting(prefetch_to_devices(batches, split)), start=start_step + 1),
        profile_steps,
        os.path.join(workdir, "profile"),
        wait=lambda: jax.block_until_ready(state),
        say=progress.say,
    )
    with StopSignals(mesh) as stop, contextlib.closing(batches), contextlib.closing(steps):
        for step, (batch, counts) in steps:
            frozen = config.train.freeze if step <= frozen_steps else ""
            state, metrics = train_steps[batch.images.shape[1:3], frozen](state, batch)
            recorder.add(step, metrics, stop.share(counts))
            progress.advance(step)
            evaluating = step % eval_every == 0 or step == total_steps
            saving = evaluating or step % config.train.checkpoint_steps == 0
            if not (saving or stop.signal()):
                continue
            # Whatever the log says up to this step is on disk before the checkpoint that a resumed run starts from.
            pending = recorder.flush(last=step == total_steps)
            validation = {}
            if evaluating:
                variables, evaluated_step = eval_variables(state), step
                outcome = evaluate(eval_step, variables, val_source, config, grid, split, progress.evaluating)
                validation = _log_validation(step, outcome, val_source, config, log, progress)
                recorder.restart_clock()
                scores.append(score(validation, best_by))
                ended = exhausted(scores, config.train.early_stopping)
            if ended:
                pending = recorder.flush(last=True)
            checkpoints.save(step, state, make_meta(config, validation, pending, scores, data, recorder.skipped))
            if stop.signal(computed=True):
                checkpoints.wait()
                progress.say(f"stopped; step {step} is saved in {workdir}, and the same command goes on from there")
                stop.leave()
            if ended:
                break
    checkpoints.wait()
    if ended:
        progress.say(f"the run has ended: {without_improvement(scores)} evaluations without a better {best_by}")

    best_step = checkpoints.best_step() or checkpoints.steps()[-1]
    if best_step != evaluated_step:
        best = restore_variables(checkpoints, best_step, config, model, replicated)
        outcome = evaluate(eval_step, best, val_source, config, grid, split, progress.evaluating)
    running.close()
    if not is_first():
        return None
    print(f"the best checkpoint by {best_by} is that of step {best_step}:")
    return write_evaluation(workdir, "val", best_step, outcome, val_source, config)


def resolve(config):
    """Completes a configuration: class names and their number from the data, absolute paths.

    Returns:
        The Config and the source of its split "train", which was opened for the class names.

    Raises:
        InputError: fields that are wrong or do not fit each other, data that cannot be read.
    """
    config = checked(config)
    for name in ("train", "val", "test", "names"):
        path = getattr(config.data, name)
        setattr(config.data, name, os.path.abspath(path) if path else "")
    config.init_from = os.path.abspath(config.init_from) if config.init_from else ""
    source = open_split(config, "train")
    config.data.class_names = tuple(source.names)
    number = len(config.data.class_names)
    if config.model.num_classes not in (0, number):
        raise InputError(f"config.model.num_classes is {config.model.num_classes}, but the data has {number} class names")
    config.model.num_classes = number
    return config, source


def _log_validation(step, outcome, source, config, log, progress):
    """Logs a validation and some of its pictures; returns its finite numbers."""
    numbers = {name: value for name, value in outcome.summary.items() if isinstance(value, float) or name == "unreadable"}
    if config.train.save_best_by == "f1":
        numbers["f1"] = largest_f1(outcome.detections, outcome.truths)
    log.write(step, "val", numbers)
    for place, index in enumerate(outcome.indices[:BOARD_PICTURES]):
        boxes, scores, classes = (member[outcome.detections[place][1] > 0.3] for member in outcome.detections[place])
        image = draw_detections(source.example(0, index).image, boxes, classes, config.data.class_names, scores)
        log.write_picture(step, f"val/{index}", image)
    best_by = config.train.save_best_by
    ranked_by = "" if best_by in ("loss", "ap50", "ap") else f", {best_by} {numbers[best_by]:.3f}"
    progress.say(
        f"step {step}: validation loss {numbers['loss']:.2f}, AP50 {numbers['ap50']:.3f}, AP {numbers['ap']:.3f}{ranked_by} "
        f"on {len(outcome.indices)} pictures, {numbers['images_per_second']:.0f} a second"
    )
    return {name: value for name, value in numbers.items() if math.isfinite(value)}
