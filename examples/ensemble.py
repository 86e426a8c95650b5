"""Several networks as one: their parameters are stacked, one vmap computes them all, and suppression merges what they find.

python examples/ensemble.py runs/a runs/b runs/c # runs of one configuration, with different seeds
"""

import sys

import jax
import jax.numpy as jnp

from yolojax import compile_eval_step, decode, evaluate, load_run, open_split, yolo_loss
from yolojax.evaluation.evaluate import suppression
from yolojax.inference import raw_heads


def stack(trees):
    """Trees of equal structure as one tree, whose arrays have the members as their first axis."""
    return jax.tree.map(lambda *members: jnp.stack(members), *trees)


def predict(model, stacked, images, grid):
    """The raw heads of all members, (E, B, ...), and Predictions with their slots side by side, (B, E * N, ...)."""
    raw = jax.vmap(raw_heads, in_axes=(None, 0, None))(model, stacked, images)
    members = jax.vmap(decode, in_axes=(0, None))(raw, grid)
    return raw, jax.tree.map(lambda x: jnp.concatenate(list(x), axis=1), members)


def compile_ensemble_step(run, loss=yolo_loss):
    """A function (stacked variables, batch) as `evaluate` takes it: merged detections, and the members' mean loss."""

    @jax.jit
    def step(stacked, batch):
        raw, predictions = predict(run.model, stacked, batch.images, run.grid)
        detections = suppression(run.config.eval, run.recipe)(predictions, aspects=batch.aspects)
        terms = jax.vmap(loss, in_axes=(0, None, None))(raw, batch.targets, run.grid)
        return detections, jax.tree.map(lambda term: term.mean(0), terms)

    return step


def main(*workdirs):
    runs = [load_run(workdir) for workdir in workdirs]
    first, val = runs[0], open_split(runs[0].config, "val")
    one = compile_eval_step(model=first.model, recipe=first.recipe, config=first.config.eval)
    members = [jax.device_get(run.variables) for run in runs]
    outcomes = [evaluate(one, variables, val, first.config, first.grid) for variables in members]
    outcomes.append(evaluate(compile_ensemble_step(first), stack(members), val, first.config, first.grid))
    for name, outcome in zip([*workdirs, "all of them"], outcomes, strict=True):
        print(f"{name}: AP {outcome.summary['ap']:.3f}, AP50 {outcome.summary['ap50']:.3f}")
    return outcomes


if __name__ == "__main__":
    main(*sys.argv[1:])
