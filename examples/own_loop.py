"""A loop of one's own: training, evaluation and average precision from the parts of the package.

python examples/own_loop.py             # digits in small scenes, minutes on a CPU
python examples/own_loop.py runs/digits # goes on from a run of `yolojax train`, with its network and its data
"""

import sys

import jax
import optax

import yolojax


def settings(size=(96, 96), batch_size=16):
    """What the data is read with; the configuration of a run, `load_run(...).config`, is one of these, too."""
    config = yolojax.Config()
    config.data.source, config.data.size = "digits", size
    config.data.augment.flip_probability = 0.0  # a mirrored 2 is not a 2
    config.train.batch_size = config.eval.batch_size = batch_size
    return config


def network(config, names):
    """A small network: the module, the grid of its slots, and its initial variables."""
    model = yolojax.YOLOv3Tiny(len(names), width=0.25, momentum=0.95)
    grid = yolojax.AnchorGrid(config.data.size, strides=(16, 32), anchors=yolojax.TINY_ANCHORS)
    return model, grid, yolojax.initialize(model, seed=0)


def main(workdir=None, steps=1000, every=200, config=None):
    run = yolojax.load_run(workdir) if workdir else None
    config = config or (run.config if run else settings())
    train, val = yolojax.open_split(config, "train"), yolojax.open_split(config, "val")
    model, grid, variables = (run.model, run.grid, run.variables) if run else network(config, train.names)

    replicated, by_rows = yolojax.shardings(yolojax.make_mesh())  # the state whole on every device, a batch split over them
    optimizer = optax.chain(optax.clip_by_global_norm(20.0), optax.adam(optax.cosine_decay_schedule(4e-3, steps), b2=0.99))
    state = jax.device_put(yolojax.create_state(variables, optimizer), replicated)
    train_step = yolojax.compile_train_step(model=model, optimizer=optimizer, grid=grid, loss=yolojax.yolo_loss)
    recipe = yolojax.Recipe(grid, tuple(train.names))  # what turns pictures into detections
    eval_step = yolojax.compile_eval_step(model=model, recipe=recipe, loss=yolojax.yolo_loss)

    batches = (batch for batch, _ in yolojax.train_batches(train, config, [grid], 0, steps))
    before = None
    for step, batch in enumerate(yolojax.feed(batches, by_rows), start=1):
        state, metrics = train_step(state, batch)  # or any function (state, batch) -> (state, metrics) of yours
        jax.block_until_ready(before)  # the last step, not this one: the devices have work, and batches do not queue up
        before = metrics["loss"]
        if step % every == 0 or step == steps:
            outcome = yolojax.evaluate(eval_step, yolojax.eval_variables(state), val, config, grid)
            ap = yolojax.average_precision(outcome.detections, outcome.truths, iou_threshold=0.5)
            print(f"step {step}: loss {metrics['loss']:.2f}, validation {outcome.summary['loss']:.2f}; AP50 by class:")
            print("  " + "  ".join(f"{train.names[c]} {value:.2f}" for c, value in ap.items()), flush=True)
    return state, outcome


if __name__ == "__main__":
    main(sys.argv[1] if sys.argv[1:] else None)
