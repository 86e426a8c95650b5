"""A short run with non-default choices, each of which reaches training, evaluation and the detector."""

import json
import logging
import math
import os
import signal

import jax
import numpy as np
import pytest

from tests.helpers.tiny_config import get_config
from yolojax.data.images import letterbox
from yolojax.data.sources import open_split
from yolojax.decode import decode
from yolojax.errors import InputError
from yolojax.evaluation.workdir import evaluate_workdir
from yolojax.models import abstract_variables
from yolojax.predict import Detector
from yolojax.runs.checkpoints import Checkpoints
from yolojax.runs.workdir import abstract_arrays, load_run
from yolojax.training import loop


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    config = get_config()
    config.data.digits_train, config.data.digits_val = 48, 4
    config.data.sizes = (32, 32), (64, 32)
    config.train.batch_size, config.train.accumulate, config.train.remat = 16, 2, True
    config.train.epochs = config.train.eval_epochs = 3.0
    config.train.keep_every = 2 / 3
    config.loss.name, config.loss.objectness, config.loss.class_scores = "paper", "iou", "softmax"
    config.optimizer.name, config.optimizer.nesterov, config.optimizer.clip_norm = "sgd", True, 10.0
    config.optimizer.ema_decay, config.optimizer.ema_warmup_steps = 0.999, 1e9
    workdir = tmp_path_factory.mktemp("choices") / "run"
    messages = []
    handler = logging.Handler()
    handler.emit = lambda record: messages.append(record.getMessage())
    logging.getLogger("jax").addHandler(handler)
    options = []
    compile_step = loop.compile_train_step
    loop.compile_train_step = lambda *given, **named: options.append(named) or compile_step(*given, **named)
    with jax.log_compiles():
        loop.train_and_evaluate(config, workdir)
    loop.compile_train_step = compile_step
    (workdir.parent / "options.txt").write_text("\n".join(f"{each['accumulate']} {each['remat']}" for each in options))
    logging.getLogger("jax").removeHandler(handler)
    (workdir.parent / "compiled.txt").write_text("\n".join(messages))
    return workdir


def test_each_input_size_is_compiled_once(workdir):
    compiled = (workdir.parent / "compiled.txt").read_text()
    # Nine steps with both sizes.
    assert compiled.count("Compiling jit(train_step)") == 2


def test_parts_and_what_is_computed_anew_reach_the_step(workdir):
    assert set((workdir.parent / "options.txt").read_text().splitlines()) == {"2 True"}


def test_checkpoints_of_certain_epochs_are_saved_and_kept(workdir):
    # Every two of nine steps; tiny_config's checkpoint_steps and the evaluation ask for 4, 8 and 9.
    assert Checkpoints(workdir, read_only=True).steps() == [2, 4, 6, 8, 9]


@pytest.mark.slow
def test_a_stopped_and_resumed_run_keeps_the_same_checkpoints(tmp_path, monkeypatch):
    config = get_config()
    config.data.digits_train, config.data.digits_val, config.train.epochs = 44, 4, 4.0  # 5.5 steps an epoch
    config.train.keep_every, config.train.checkpoint_steps = 1.0, 3
    one, other = tmp_path / "one", tmp_path / "other"
    loop.train_and_evaluate(config, one)

    class Stopping(loop.Progress):
        def advance(self, done, note=""):
            super().advance(done, note)
            if done in (7, 13):
                os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(loop, "Progress", Stopping)
    for stopped in (7, 13):
        with pytest.raises(KeyboardInterrupt):
            loop.train_and_evaluate(config, other)
        assert Checkpoints(other, read_only=True).steps()[-1] == stopped
    loop.train_and_evaluate(config, other)
    steps = [Checkpoints(workdir, read_only=True).steps() for workdir in (one, other)]
    assert steps[0] == steps[1] and {6, 12, 18, 21, 22} <= set(steps[0])
    for step in steps[0]:
        ours, theirs = (load_run(workdir, step).variables for workdir in (one, other))
        jax.tree.map(np.testing.assert_array_equal, ours, theirs)


def test_the_run_ends_with_finite_numbers_and_is_evaluated_the_same_again(workdir):
    lines = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if line["split"] == "train"] == [5, 9]
    assert all(math.isfinite(line["loss"]) and line["box"] > 0 for line in lines)
    before = json.loads((workdir / "eval" / "val" / "metrics.json").read_text())
    detections = json.loads((workdir / "eval" / "val" / "detections.json").read_text())
    again = evaluate_workdir(workdir)
    for name in ("loss", "box", "objectness", "classification", "ap50"):
        assert again[name] == pytest.approx(before[name], rel=1e-5)
    repeated = json.loads((workdir / "eval" / "val" / "detections.json").read_text())
    np.testing.assert_allclose([d["score"] for d in repeated], [d["score"] for d in detections], rtol=1e-3)


def test_the_warm_up_of_the_averages_reaches_the_step(workdir):
    # After nine steps its decay is still nearly 0, whereas 0.999 would have kept the initial values.
    checkpoints = Checkpoints(workdir, read_only=True)
    run = load_run(workdir)
    one_device = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    last = checkpoints.restore(run.step, abstract_arrays(abstract_variables(run.model), one_device))
    for averaged, parameter in zip(jax.tree.leaves(run.variables), jax.tree.leaves(last), strict=True):
        np.testing.assert_allclose(averaged, parameter, rtol=1e-4, atol=1e-6)


def test_evaluation_and_detector_score_classes_by_softmax(workdir):
    run = load_run(workdir)
    example = open_split(run.config, "val").example(0, 0)
    image, _ = letterbox(example.image, run.grid.size)
    raw = jax.jit(run.model.apply, static_argnames="train")(run.variables, image[None], train=False)
    predictions = jax.device_get(decode(raw, run.grid))
    odds = np.exp(predictions.class_logits[0].astype(np.float64))
    shares = odds / odds.sum(-1, keepdims=True)
    best = (shares.max(-1) / (1 + np.exp(-predictions.objectness_logits[0].astype(np.float64)))).max()

    (detection,) = Detector.from_workdir(workdir)([example.image], score_threshold=0.0)
    assert detection.scores[0] == pytest.approx(best, rel=1e-4)
    detections = json.loads((workdir / "eval" / "val" / "detections.json").read_text())
    assert max(d["score"] for d in detections if d["image_id"] == 0) == pytest.approx(best, rel=1e-3)


@pytest.mark.slow
def test_the_anchor_based_recipe_trains_goes_on_and_decodes_its_own_way(tmp_path):
    config = get_config()
    config.model.xy_scale, config.model.squared_sizes = 2.0, True
    config.loss.name, config.loss.assign_rule = "iou_aware", "ratio"
    config.optimizer.name, config.train.epochs = "adamw", 2.0
    workdir = tmp_path / "run"
    loop.train_and_evaluate(config, workdir)
    lines = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    losses = [line["loss"] for line in lines if line["split"] == "train"]
    assert all(map(math.isfinite, losses)) and losses[-1] < losses[0]

    run = load_run(workdir)
    assert run.grid.xy_scales == (2, 2) and run.grid.squared_sizes
    meta = Checkpoints(workdir, read_only=True).meta(run.step)
    assert meta["xy_scales"] == [2, 2] and meta["squared_sizes"]
    example = open_split(run.config, "val").example(0, 0)
    image, _ = letterbox(example.image, run.grid.size)
    raw = jax.jit(run.model.apply, static_argnames="train")(run.variables, image[None], train=False)
    predictions = jax.device_get(decode(raw, run.grid))
    scores = predictions.objectness_logits[0][:, None], predictions.class_logits[0]
    best = np.prod([1 / (1 + np.exp(-logits.astype(np.float64))) for logits in np.broadcast_arrays(*scores)], 0)
    (detection,) = Detector.from_workdir(workdir)([example.image], score_threshold=0.0)
    assert detection.scores[0] == pytest.approx(best.max(), rel=1e-4)
    slot = np.unravel_index(best.argmax(), best.shape)[0]
    x, y, w, h = predictions.boxes[0, slot]
    corners = np.clip([x - w / 2, y - h / 2, x + w / 2, y + h / 2], 0, 64) * max(example.image.shape[:2]) / 64
    np.testing.assert_allclose(detection.boxes[0], corners, atol=0.5)

    config.train.epochs = 2.0
    loop.train_and_evaluate(config, workdir)  # nothing is left to do
    config.model.squared_sizes = False
    with pytest.raises(InputError, match=r"another configuration .*squared_sizes"):
        loop.train_and_evaluate(config, workdir)
