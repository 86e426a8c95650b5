"""The best checkpoint by any metric, and runs that end early, even if they are stopped and resumed."""

import json
import os
import signal

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.tiny_config import get_config
from yolojax.config import BEST_BY, LOWER_IS_BETTER
from yolojax.evaluation.metrics.analysis import analyse, largest_f1
from yolojax.evaluation.metrics.summary import summarize
from yolojax.runs.checkpoints import Checkpoints
from yolojax.runs.selection import exhausted, score, without_improvement
from yolojax.runs.workdir import load_run
from yolojax.training import loop
from yolojax.training.loop import train_and_evaluate


@given(st.lists(st.none() | st.integers(0, 4).map(float)), st.integers(0, 5))
def test_a_run_is_exhausted_after_so_many_evaluations_without_a_strictly_better_score(scores, patience):
    waited, best = 0, -1.0
    for value in scores:
        waited += 1
        if value is not None and value > best:
            waited, best = 0, value
    assert without_improvement(scores) == waited
    assert exhausted(scores, patience) == (patience > 0 and waited >= patience)


def test_of_losses_less_is_more():
    metrics = {"ap50": 0.5, "loss": 2.0, "f1": float("inf")}
    assert (score(metrics, "ap50"), score(metrics, "loss"), score(metrics, "ap75")) == (0.5, -2.0, None)


@pytest.mark.parametrize(("best_by", "best"), [("ap50", 2), ("loss", 3), ("f1", 1)])
def test_the_best_checkpoint_by_any_metric_is_kept_and_found(tmp_path, best_by, best):
    values = {1: (0.5, 5.0, 0.9), 2: (0.9, 4.0, 0.2), 3: (0.7, 2.0, 0.8), 4: (0.6, 6.0, 0.3), 5: (0.6, 6.0, 0.3)}
    with Checkpoints(tmp_path, best_by=best_by) as checkpoints:
        for step, numbers in values.items():
            metrics = dict(zip(("ap50", "loss", "f1"), numbers, strict=True))
            checkpoints.save(step, {"x": jax.numpy.zeros(2)}, {"metrics": metrics, "pending": []})
        checkpoints.wait()
        assert checkpoints.steps() == sorted({best, 4, 5})
        assert checkpoints.best_step() == best
    assert Checkpoints(tmp_path, best_by=best_by, read_only=True).best_step() == best


def test_the_f1_of_a_validation_is_that_of_the_report():
    rng = np.random.default_rng(0)
    truths, detections = [], []
    for _ in range(4):
        low = rng.uniform(0, 50, (3, 2))
        boxes = np.concatenate([low, low + rng.uniform(10, 40, (3, 2))], 1)
        truths.append((boxes, rng.integers(0, 2, 3)))
        detections.append((boxes + rng.uniform(0, 6, boxes.shape), rng.uniform(0, 1, 3), rng.integers(0, 2, 3)))
    names = ("cat", "dog", "absent")
    expected = analyse(summarize(detections, truths, names), detections, truths, names)["best_f1"]["f1"]
    assert 0 < expected < 1 and largest_f1(detections, truths) == expected
    nothing = [(np.zeros((0, 4)), np.zeros(0), np.zeros(0, int))] * 4
    assert largest_f1(nothing, truths) == 0
    assert np.isnan(largest_f1(nothing, [(boxes[:0], classes[:0]) for boxes, classes in truths]))


def config_that_ends_early():
    config = get_config()
    config.data.digits_train, config.data.digits_val = 24, 4
    config.train.epochs, config.train.log_steps, config.train.checkpoint_steps = 12.0, 2, 4
    config.data.augment.mosaic_probability = config.data.augment.mixup_probability = 0.0
    config.data.augment.mix_off_epochs = 15.0
    # Large enough that after some evaluations two in a row are worse.
    config.optimizer.learning_rate, config.optimizer.ema_decay = 0.01, 0.0
    config.train.save_best_by, config.train.early_stopping = "objectness", 2
    return config


def lines_of(workdir):
    lines = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if "second" not in name} for line in lines]


@pytest.mark.slow
def test_a_run_ends_early_and_to_the_bit_where_it_is_stopped_and_resumed(tmp_path, monkeypatch, capsys):
    config = config_that_ends_early()
    one, other = tmp_path / "one", tmp_path / "other"
    metrics = train_and_evaluate(config, one)
    lines = lines_of(one)
    validations = [line for line in lines if line["split"] == "val"]
    terms = [line["objectness"] for line in validations]
    assert 3 < len(terms) < 12 and min(terms) == terms[-3]
    last = validations[-1]["step"]
    assert last == 3 * len(terms) == max(line["step"] for line in lines if line["split"] == "train")
    assert metrics["step"] == load_run(one).step == last - 6
    printed = capsys.readouterr().out
    assert ", objectness " in printed and "the run has ended: 2 evaluations without a better objectness" in printed

    class Stopping(loop.Progress):
        def advance(self, done, note=""):
            super().advance(done, note)
            if done == last - 2:  # after one worse evaluation
                os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(loop, "Progress", Stopping)
    with pytest.raises(KeyboardInterrupt):
        train_and_evaluate(config, other)
    monkeypatch.undo()
    assert Checkpoints(other, read_only=True).steps()[-1] == last - 2
    train_and_evaluate(config, other)
    assert lines_of(other) == lines
    assert jax.tree.all(jax.tree.map(np.array_equal, load_run(other, "last").variables, load_run(one, "last").variables))

    capsys.readouterr()
    again = train_and_evaluate(config, other)
    assert "the run has ended: 2 evaluations without" in capsys.readouterr().out
    assert again["step"] == metrics["step"] and lines_of(other) == lines


def test_every_metric_to_rank_by_is_one_of_a_validation():
    boxes = (np.array([[0.0, 0, 9, 9], [0, 0, 50, 50], [0, 0, 99, 99]]), np.array([0, 0, 0]))
    numbers = summarize([(boxes[0], np.ones(3), boxes[1])], [boxes], ("cat",))
    assert set(BEST_BY) - set(LOWER_IS_BETTER) - {"f1"} == {name for name, value in numbers.items() if isinstance(value, float)}


def test_what_is_not_finite_is_no_score():
    assert score({"ap50": float("nan")}, "ap50") is None and score({"loss": float("inf")}, "loss") is None
