"""Where a training run starts: at step 0, or at the newest checkpoint that can be read."""

import functools
import os
from typing import TYPE_CHECKING, Any, NamedTuple

import jax

from yolojax.data.training_data import check_training_data
from yolojax.models import abstract_variables, count_floats, initialize
from yolojax.runs.imported import imported_variables
from yolojax.runs.resume import check_data, restore_newest
from yolojax.runs.workdir import abstract_arrays, make_meta, update_places
from yolojax.runtime.console import NullOutput, Progress
from yolojax.runtime.wording import counted
from yolojax.training.own_parts import own_parts_notes
from yolojax.training.plan import Plan
from yolojax.training.step import TrainState, create_state
from yolojax.training.transfer import check_decay, check_freeze, check_rates, initial_values

if TYPE_CHECKING:
    from yolojax.runs.checkpoints import Checkpoints


class Start(NamedTuple):
    """The beginning of a run, or of what is left of it.

    Attributes:
        step: steps made so far.
        state: the state after them.
        abstract: shapes, types and shardings of the state.
        meta: the meta of the checkpoint, or of a run without any step.
        data: {split: fingerprint of its records, or None}.
        notes: lines for people: what was loaded, could not be read, or has moved.
        trained: whether a run at step 0 has a network that was trained before.
    """

    step: int
    state: TrainState
    abstract: Any
    meta: dict[str, Any]
    data: dict[str, Any]
    notes: list[str]
    trained: bool = False


def start_or_resume(plan: Plan, checkpoints: "Checkpoints", workdir: str | os.PathLike[str]) -> Start:
    """Makes the initial state of a run, or reads that of its newest checkpoint.

    The cases, in order: a workdir with a checkpoint of a training run is resumed from the newest checkpoint that can be read,
    with the same data, which may have been moved. A workdir into which a network was imported starts at step 0 with its
    variables. Any other starts at step 0 with random variables, even if a run began there without saving, and takes what fits
    from `config.init_from`.

    Args:
        plan: the plan of the run.
        checkpoints: the checkpoints of its workdir.
        workdir: for messages.

    Raises:
        InputError: no checkpoint can be read, the data has changed or cannot be trained on (`check_training_data`), or nothing
            of `config.init_from` fits.
    """
    config = plan.config
    make_state = functools.partial(create_state, optimizer=plan.optimizer, average=config.optimizer.ema_decay > 0)

    def abstract_state(variables):
        return abstract_arrays(jax.eval_shape(make_state, variables), plan.replicated)

    data = {name: source.fingerprint() for name, source in plan.sources.items()}
    if (checkpoints.steps() or [0])[-1]:
        abstract = abstract_state(abstract_variables(plan.model, config.data.size))
        step, state, meta, notes = restore_newest(checkpoints, abstract)
        paths = {name: getattr(config.data, name) for name in plan.sources}
        notes += check_data(meta, data, plan.sources, paths, workdir, step)
        update_places(config, workdir)
        return Start(step, state, abstract, meta, data, notes)
    check_training_data(config.data, plan.sources)
    notes = []
    imported = imported_variables(checkpoints, config, plan.model)
    variables = imported or initialize(plan.model, config.seed, config.data.size)
    if config.init_from:
        names = config.data.class_names if config.init_heads == "adapt" else ()
        variables, notes = initial_values(config.init_from, variables, plan.model, names)
    # In one program: array by array would take a second or two longer. From the host: imported variables lie on one device.
    state = jax.jit(make_state, out_shardings=plan.replicated)(jax.device_get(variables))
    # The variables have their shapes: the network need not be traced for them again.
    meta, trained = make_meta(config, {}, [], grid=plan.recipe.grid), bool(imported or config.init_from)
    return Start(0, state, abstract_state(variables), meta, data, notes, trained)


def announce(plan: Plan, start: Start, workdir: str | os.PathLike[str], progress: Progress | NullOutput) -> None:
    """Says what will be trained, on what, and from where.

    Raises:
        InputError: `config.train.freeze`, `config.optimizer.decay_layers` or `layer_rates` matches no layer, or too many.
    """
    config, grid = plan.config, plan.recipe.grid
    variables = {"params": start.abstract.params, "batch_stats": start.abstract.batch_stats}
    processes = f" in {jax.process_count()} processes" if jax.process_count() > 1 else ""
    progress.say(
        f"{config.model.name}, {counted(len(config.data.class_names), 'class')}, {count_floats(variables):,} floats, "
        f"{grid.size[0]} x {grid.size[1]} pixels; {len(plan.sources['train'])} training and "
        f"{len(plan.sources['val'])} validation pictures; {counted(plan.total_steps, 'step')} of {config.train.batch_size} on "
        f"{counted(plan.mesh.size, f'{jax.devices()[0].platform.upper()} device')}{processes}"
    )
    notes = [
        *own_parts_notes(config),
        *plan.sources["train"].notes("training"),
        *plan.sources["val"].notes("validation"),
        *start.notes,
    ]
    if config.train.freeze:
        notes.append(f"{check_freeze(config.train.freeze, variables)} for the first {plan.frozen_steps} steps")
    if config.optimizer.decay_layers:
        notes.append(check_decay(config.optimizer.decay_layers, variables))
    check_rates(config.optimizer.layer_rates, variables)
    for note in notes:
        progress.say(note)
    progress.say(f"resuming {workdir} at step {start.step}" if start.step else f"starting in {workdir}")
