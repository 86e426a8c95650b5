"""The training run, in order: start or resume, announce, compile, step, evaluate, save."""

import contextlib
import math
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import jax

from yolojax.config import Config
from yolojax.data.pipeline import train_batches
from yolojax.draw import draw_detections
from yolojax.evaluation.evaluate import Evaluation, compile_eval_step, evaluate
from yolojax.evaluation.metrics.analysis import largest_f1
from yolojax.evaluation.workdir import write_evaluation
from yolojax.parts import NO_PARTS, Parts
from yolojax.runs.lock import lock_workdir
from yolojax.runs.selection import exhausted, score, without_improvement
from yolojax.runs.workdir import make_meta, open_workdir, restore_variables
from yolojax.runtime.console import NullOutput, Progress
from yolojax.runtime.devices import local_rows
from yolojax.runtime.hosts import is_first
from yolojax.runtime.prefetch import prefetch_to_devices
from yolojax.runtime.streams import say
from yolojax.runtime.wording import counted
from yolojax.training.events import Notifier
from yolojax.training.metrics_log import MetricsLog
from yolojax.training.plan import Plan, plan_run, resolve
from yolojax.training.preflight import compile_checked
from yolojax.training.profile import traced
from yolojax.training.recorder import Recorder
from yolojax.training.start import Start, announce, start_or_resume
from yolojax.training.step import compile_train_step, eval_variables
from yolojax.training.stop import StopSignals

if TYPE_CHECKING:
    from yolojax.runs.checkpoints import Checkpoints

__all__ = ["resolve", "train_and_evaluate"]

BOARD_PICTURES = 4
BOARD_SCORE = 0.3


def train_and_evaluate(
    config: Config, workdir: str | os.PathLike[str], profile_steps: int = 0, *, parts: Parts = NO_PARTS
) -> dict[str, Any] | None:
    """Trains a detector, evaluating and saving as it goes, and evaluates the best checkpoint at the end.

    A workdir that has a checkpoint is resumed: the run continues exactly as if it had never stopped, from the newest
    checkpoint that can be read. SIGTERM and Ctrl-C save a checkpoint before leaving.

    Args:
        config: `Config`, or an ml_collections ConfigDict of the same fields.
        workdir: folder of the run; made if it is missing. Nothing in it is ever deleted except superseded checkpoints.
        profile_steps: number of steps, after the first few, to trace into WORKDIR/profile; 0: none.
        parts: loss, network, data and other parts of the caller's own; the configuration names the others.

    Returns:
        The dict of WORKDIR/eval/val/metrics.json; None in all processes but the first, which writes everything.

    Raises:
        InputError: configuration, parts or data that cannot be used, a workdir of another configuration or other data, or in
            which another run trains, too many losses that are not finite, a checkpoint that cannot be written.
        KeyboardInterrupt, SystemExit: Ctrl-C or SIGTERM, after a checkpoint has been saved; with several processes it is
            always SystemExit.
    """
    plan = plan_run(config, workdir, parts)
    with lock_workdir(workdir) if is_first() else contextlib.nullcontext():
        with open_workdir(plan.config, workdir, plan.keep_every) as checkpoints:
            start = start_or_resume(plan, checkpoints, workdir)
            with _outputs(workdir, start.step, plan.total_steps) as (log, progress):
                announce(plan, start, workdir, progress)
                notify = Notifier(plan.callbacks if is_first() else (), workdir)
                training = Training(plan, start, checkpoints, log, progress, notify)
                training.compile()
                notify("start", start.step, plan.numbers)
                if start.trained:
                    training.evaluate_start()
                training.make_steps(workdir, profile_steps)
                best_step, outcome = training.evaluate_best()
        if not is_first():
            return None
        say(f"the best checkpoint by {plan.config.train.save_best_by} is from step {best_step}:")
        if best_step == 0:
            say("it is the network that the run started from, and none that training made of it is better")
        metrics = write_evaluation(workdir, "val", best_step, outcome, plan.sources["val"], plan.config)
        notify("end", best_step, _numbers(outcome))
        return metrics


@contextlib.contextmanager
def _outputs(
    workdir: str | os.PathLike[str], step: int, total_steps: int
) -> Iterator[tuple[MetricsLog | NullOutput, Progress | NullOutput]]:
    """The log and the progress display of a run that continues after a step; only the first process has any."""
    if not is_first():
        yield NullOutput(), NullOutput()
        return
    with contextlib.closing(Progress("train", step, total_steps)) as progress:
        with contextlib.closing(MetricsLog(workdir, step, progress.say)) as log:
            yield log, progress


class Training:
    """A run while it trains: its state, the compiled programs, and the scores of its evaluations."""

    def __init__(
        self,
        plan: Plan,
        start: Start,
        checkpoints: "Checkpoints",
        log: MetricsLog | NullOutput,
        progress: Progress | NullOutput,
        notify: Notifier,
    ):
        self.notify = notify
        self._saving: tuple[int, dict[str, float]] | None = None
        self.plan, self.start, self.checkpoints, self.log, self.progress = plan, start, checkpoints, log, progress
        self.state, meta = start.state, start.meta
        self.recorder = Recorder(
            plan.config, plan.schedule, plan.sources["train"], log, progress, meta["pending"], meta.get("skipped", 0), notify
        )
        # Checkpoints written before scores existed have none.
        self.scores: list[float | None] = list(meta.get("scores", []))
        self.evaluated: tuple[int, Evaluation] | None = None
        # A run that ended early makes no more steps; only its evaluation is made again.
        self.last_step = start.step if self.ended else plan.total_steps

    @property
    def ended(self) -> bool:
        """Whether `config.train.early_stopping` evaluations in a row brought no improvement."""
        return exhausted(self.scores, self.plan.config.train.early_stopping)

    def compile(self) -> None:
        """Prepares the programs: the training step that needs the most memory now, the others when they are first needed.

        Raises:
            InputError: the step needs more memory than a device has.
        """
        plan, config = self.plan, self.plan.config
        programs = {
            (grid.size, frozen): compile_train_step(
                plan.mesh,
                model=plan.model,
                optimizer=plan.optimizer,
                grid=grid,
                loss=plan.loss,
                ema_decay=config.optimizer.ema_decay,
                ema_warmup_steps=config.optimizer.ema_warmup_steps,
                frozen=frozen,
                accumulate=config.train.accumulate,
                remat=config.train.remat,
            )
            for grid in plan.train_grids
            for frozen in {config.train.freeze, ""}
        }
        self.train_steps: dict[tuple[tuple[int, ...], str], Callable] = {**programs}
        self.eval_step = compile_eval_step(
            plan.replicated, plan.batch_sharding, model=plan.model, recipe=plan.recipe, loss=plan.loss, config=config.eval
        )
        if self.start.step < self.last_step:
            largest = max(plan.train_grids, key=lambda grid: grid.num_slots)
            key = largest.size, plan.frozen(plan.total_steps)
            self.train_steps[key] = compile_checked(
                programs[key], config, largest, self.start.abstract, plan.batch_sharding, self.progress.say, plan.parts
            )

    def evaluate_start(self) -> None:
        """Evaluates and saves the network that training starts from, so that the best checkpoint cannot be a worse one."""
        variables = eval_variables(self.state)
        validation = self._evaluate(self.start.step)
        self._save(self.start.step, validation, [], variables)

    def make_steps(self, workdir: str | os.PathLike[str], profile_steps: int) -> None:
        """Makes the steps up to the end of the run, evaluating and saving when they are due.

        Raises:
            KeyboardInterrupt, SystemExit: Ctrl-C or SIGTERM, after a checkpoint has been saved.
        """
        plan, progress = self.plan, self.progress
        rows = local_rows(plan.batch_sharding, plan.config.train.batch_size)
        source, grids = plan.sources["train"], plan.train_grids
        batches = train_batches(source, plan.config, grids, self.start.step, self.last_step, rows, plan.parts)
        on_devices = self.recorder.waiting(prefetch_to_devices(batches, plan.batch_sharding))
        steps = traced(
            enumerate(on_devices, start=self.start.step + 1),
            profile_steps,
            os.path.join(workdir, "profile"),
            wait=lambda: jax.block_until_ready(self.state),
            say=progress.say,
        )
        with StopSignals(plan.mesh) as stop, contextlib.closing(batches), contextlib.closing(steps):
            for step, (batch, counts) in steps:
                train_step = self.train_steps[batch.images.shape[1:3], plan.frozen(step)]
                self.state, metrics = train_step(self.state, batch)
                self.recorder.add(step, metrics, stop.share(counts))
                progress.advance(step)
                self._tell_saved(wait=False)
                if not (plan.saves(step) or stop.signal()):
                    continue
                # All log lines up to this step are on disk before the checkpoint from which a resumed run starts.
                pending = self.recorder.flush(last=step == plan.total_steps)
                validation = self._evaluate(step) if plan.evaluates(step) else {}
                if self.ended:
                    pending = self.recorder.flush(last=True)
                self._save(step, validation, pending)
                if stop.signal(computed=True):
                    self.checkpoints.wait()
                    self._tell_saved(wait=True)
                    progress.say(f"stopped; step {step} is saved in {workdir}, and the same command resumes from there")
                    stop.leave()
                if self.ended:
                    break
        self.checkpoints.wait()
        self._tell_saved(wait=True)
        if self.ended:
            best_by = plan.config.train.save_best_by
            progress.say(f"the run has ended: {without_improvement(self.scores)} evaluations without a better {best_by}")

    def evaluate_best(self) -> tuple[int, Evaluation]:
        """The step of the best checkpoint, and its evaluation."""
        best_step = self.checkpoints.best_or_last_step()
        if self.evaluated and self.evaluated[0] == best_step:
            return self.evaluated
        plan = self.plan
        variables = restore_variables(self.checkpoints, best_step, plan.config, plan.model, plan.replicated)
        return best_step, self._evaluation(variables)

    def _evaluate(self, step: int) -> dict[str, float]:
        """Evaluates the network after a step, and logs it; returns its finite numbers."""
        outcome = self._evaluation(eval_variables(self.state))
        self.evaluated = step, outcome
        validation = _log_validation(step, outcome, self.plan, self.log, self.progress)
        self.notify("eval", step, _numbers(outcome))
        self.recorder.restart_clock()
        self.scores.append(score(validation, self.plan.config.train.save_best_by))
        return validation

    def _evaluation(self, variables: Any) -> Evaluation:
        plan = self.plan
        return evaluate(
            self.eval_step,
            variables,
            plan.sources["val"],
            plan.config,
            plan.recipe.grid,
            plan.batch_sharding,
            self.progress.evaluating,
            parts=plan.parts,
        )

    def _save(self, step: int, validation: dict[str, float], pending: list[dict[str, Any]], arrays: Any = None) -> None:
        """Begins to write the checkpoint of a step: the state, or other arrays."""
        meta = make_meta(
            self.plan.config,
            validation,
            pending,
            self.scores,
            self.start.data,
            self.recorder.skipped,
            grid=self.plan.recipe.grid,
        )
        self._tell_saved(wait=True)
        self.checkpoints.save(step, self.state if arrays is None else arrays, meta)
        self._saving = step, validation

    def _tell_saved(self, *, wait: bool) -> None:
        """Tells the callbacks of the checkpoint that was begun last, if it is complete or may be waited for."""
        if self._saving and self.plan.callbacks and (wait or not self.checkpoints.writing()):
            self.checkpoints.wait()
            self.notify("checkpoint", *self._saving)
            self._saving = None


def _numbers(outcome: Evaluation) -> dict[str, float]:
    """The numbers of an evaluation, without those of single classes."""
    return {name: value for name, value in outcome.summary.items() if isinstance(value, float) or name == "unreadable"}


def _log_validation(
    step: int, outcome: Evaluation, plan: Plan, log: MetricsLog | NullOutput, progress: Progress | NullOutput
) -> dict[str, float]:
    """Logs a validation and some of its images; returns its finite numbers."""
    best_by, names = plan.config.train.save_best_by, plan.config.data.class_names
    numbers = _numbers(outcome)
    if best_by == "f1":
        numbers["f1"] = largest_f1(outcome.detections, outcome.truths)
    log.write(step, "val", numbers)
    for (boxes, scores, classes), index in zip(outcome.detections, outcome.indices[:BOARD_PICTURES], strict=False):
        shown = scores > BOARD_SCORE
        image = plan.sources["val"].example(0, index).image
        log.write_picture(step, f"val/{index}", draw_detections(image, boxes[shown], classes[shown], names, scores[shown]))
    ranked_by = "" if best_by in ("loss", "ap50", "ap") else f", {best_by} {numbers[best_by]:.3f}"
    progress.say(
        f"step {step}: validation loss {numbers['loss']:.2f}, AP50 {numbers['ap50']:.3f}, AP {numbers['ap']:.3f}{ranked_by} "
        f"on {counted(len(outcome.indices), 'picture')}, {numbers['images_per_second']:.0f} per second"
    )
    return {name: value for name, value in numbers.items() if math.isfinite(value)}
