"""The plan of a run, from its configuration and data."""

import pytest

from tests.helpers.text_list import NAMES, PICTURES, write_list
from tests.helpers.tiny_config import get_config
from yolojax.data import splits
from yolojax.data.convert import convert
from yolojax.data.formats.read import read_annotations
from yolojax.errors import InputError
from yolojax.training.plan import plan_run, resolve


def test_the_training_annotations_are_read_once(tmp_path, monkeypatch):
    config = write_list(tmp_path)
    convert([config.data.train], "coco", tmp_path / "coco", names=NAMES)
    config.data.train, config.data.class_names = str(tmp_path / "coco/list.json"), ()
    read = []
    monkeypatch.setattr(splits, "read_annotations", lambda *given: read.append(given) or read_annotations(*given))
    resolved, source = resolve(config)
    assert len(read) == 1 and len(source) == len(PICTURES) and resolved.data.class_names == source.names == NAMES


def test_checkpoints_to_be_kept_are_saved_when_they_are_due(tmp_path):
    config = get_config()
    config.data.digits_train, config.train.epochs, config.train.checkpoint_steps = 85, 4.0, 1000
    # Steps of an epoch: 85 / 8 = 10.625.
    for keep_every, eval_epochs, kept in (
        (0.0, 1.0, []),
        (1.0, 1.0, [11, 22, 33]),
        (2.0, 1.0, [22]),  # an evaluated step, although two epochs are 21.25
        (0.5, 2.0, [5, 10, 15, 20, 25, 30, 35, 40]),
        (0.75, 2.0, [8, 16, 24, 32, 40]),
        (0.01, 2.0, list(range(1, 43))),
    ):
        config.train.keep_every, config.train.eval_epochs = keep_every, eval_epochs
        plan = plan_run(config, tmp_path)
        assert plan.total_steps == 42
        assert [step for step in range(1, 43) if plan.keep_every and step % plan.keep_every == 0] == kept
        evaluated = [step for step in range(1, 43) if plan.evaluates(step)]
        assert [step for step in range(1, 43) if plan.saves(step)] == sorted({*kept, *evaluated})
        if keep_every >= eval_epochs:
            assert set(kept) <= set(evaluated)


def test_numbers_of_epochs_that_are_too_many_to_count(tmp_path):
    config = get_config()
    config.train.eval_epochs = config.train.keep_every = config.optimizer.warmup_epochs = 3e38
    config.train.checkpoint_steps = 10**30
    plan = plan_run(config, tmp_path)
    steps = range(1, plan.total_steps + 1)
    assert [step for step in steps if plan.evaluates(step)] == [step for step in steps if plan.saves(step)] == [steps[-1]]
    config.train.epochs = 1e17
    with pytest.raises(InputError, match=r"^config\.train\.epochs=1e\+17 are \S+ steps, more than 2,147,483,647; give fewer$"):
        plan_run(config, tmp_path)
    config.train.epochs, config.eval.batch_size, config.data.size = 1.0, 2**16, (8192, 8192)
    with pytest.raises(InputError, match=r"^config\.eval\.batch_size=65536 says [\d,.]+ GiB of pictures"):
        plan_run(config, tmp_path)


def test_one_weight_for_each_class_of_the_data(tmp_path):
    config = write_list(tmp_path)
    weights = tuple(1.0 + n for n in range(len(NAMES)))
    config.loss.class_weights = weights
    assert resolve(config)[0].loss.class_weights == weights
    config.loss.class_weights = (*weights, 1.0)
    message = rf"^config\.loss\.class_weights has {len(NAMES) + 1} weights, but the data has {len(NAMES)} class names$"
    with pytest.raises(InputError, match=message):
        resolve(config)
