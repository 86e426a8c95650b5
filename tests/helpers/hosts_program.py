"""Run by runtime/test_distributed.py as two processes, which share batches, an evaluation and a signal, or fail together."""

import os
import signal

import jax.numpy as jnp
import numpy as np

from tests.helpers.tiny_config import get_config
from yolojax.errors import InputError
from yolojax.programs import cli
from yolojax.programs.flags import define_distributed_flags, distributed_options
from yolojax.runtime import hosts
from yolojax.runtime.distributed import distributed_run


def main(arguments):
    with distributed_run(distributed_options()):
        globals()[arguments[0]]()


def share():
    import jax

    from yolojax.data.pipeline import train_batches
    from yolojax.data.sources import open_split
    from yolojax.evaluation.evaluate import evaluate
    from yolojax.loss import LossTerms
    from yolojax.models import build_grid
    from yolojax.nms import Detections
    from yolojax.runtime.devices import fetch_rows, local_rows, make_mesh, shardings
    from yolojax.runtime.prefetch import prefetch_to_devices
    from yolojax.training.loop import resolve
    from yolojax.training.stop import StopSignals

    config, source = resolve(get_config())
    config.data.digits_val = 13
    config.data.max_boxes = 1
    grid = build_grid(config.model, config.data.size)
    mesh = make_mesh()
    batch_sharding = shardings(mesh)[1]
    rows = local_rows(batch_sharding, 8)
    assert hosts.gather(rows.tolist()) == [[0, 1, 2, 3], [4, 5, 6, 7]]

    whole = list(train_batches(source, config, [grid], 0, 5))
    heard = []
    with StopSignals(mesh) as stop:
        own = prefetch_to_devices(train_batches(source, config, [grid], 0, 5, rows.tolist()), batch_sharding)
        for step, ((batch, counts), (expected, all_counts)) in enumerate(zip(own, whole, strict=True)):
            assert batch.images.shape == expected.images.shape
            total = jax.jit(lambda images: images.astype(jnp.int32).sum())(batch.images)
            assert int(total) == expected.images.astype(np.int64).sum()
            for ours, part in zip(jax.tree.leaves(fetch_rows(batch)), jax.tree.leaves(expected), strict=True):
                np.testing.assert_array_equal(ours, part[rows])
            if step == 1 and not hosts.is_first():
                os.kill(os.getpid(), signal.SIGTERM)
            sums = jax.device_get(stop.share(counts))
            assert sums == all_counts and sums["dropped_excess"] > 0
            heard.append(int(stop.signal()))
    assert heard == [0, 0, 0, signal.SIGTERM, signal.SIGTERM]

    # The "loss" of an image is its mean, and one box is detected in it.
    @jax.jit
    def eval_step(scale, batch):
        means = scale * batch.images.astype(jnp.float32).mean((1, 2, 3))
        boxes = jnp.tile(jnp.array([[[8.0, 8.0, 40.0, 40.0]]]), (8, 1, 1))
        detections = Detections(boxes, means[:, None] / 256, jnp.zeros((8, 1), jnp.int32), jnp.ones((8, 1), bool))
        return detections, LossTerms(means, 2 * means, 3 * means)

    val_source = open_split(config, "val")
    outcome = evaluate(eval_step, np.float32(1), val_source, config, grid, batch_sharding)
    means = [val_source.example(0, index).image.mean() for index in range(13)]
    assert outcome.indices == list(range(13)) and outcome.summary["images"] == 13
    np.testing.assert_allclose([scores[0] for _, scores, _ in outcome.detections], np.array(means) / 256, rtol=1e-5)
    assert abs(outcome.summary["loss"] / (6 * np.mean(means)) - 1) < 1e-5
    truths = [len(val_source.example(0, index).boxes) for index in range(13)]
    assert [len(boxes) for boxes, _, _ in outcome.truths] == truths
    print("shared", flush=True)


def fail():
    if not hosts.is_first():
        raise InputError("pictures.txt:5: it is broken")
    hosts.gather("nobody answers")


def late():
    import time

    import jax

    from yolojax.runtime.devices import make_mesh, put, shardings

    # Like a process that compiles what the other has in its cache; longer than Gloo waits for a connection.
    if not hosts.is_first():
        time.sleep(40)
    assert hosts.gather(7) == [7, 7]
    replicated, batch_sharding = shardings(make_mesh())
    if not hosts.is_first():
        time.sleep(40)
    assert int(jax.jit(lambda x: x.sum(), out_shardings=replicated)(put(np.ones(2, np.int32), batch_sharding))) == 4
    print("met", flush=True)


def differ():
    hosts.check_same_on_all_hosts({"seed": 7, "data.train": f"folder {int(hosts.is_first())}"})


if __name__ == "__main__":
    cli.run(main, define_distributed_flags, __doc__)
