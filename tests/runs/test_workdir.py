"""Workdirs: which run they hold, and the errors if they hold none or another."""

import json
import shutil
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.helpers.state import STATE
from tests.helpers.tiny_config import get_config
from yolojax.config import to_dict
from yolojax.errors import InputError
from yolojax.models import build_model, initialize
from yolojax.runs import workdir
from yolojax.runs.workdir import continue_command, load_run, make_meta, open_workdir, read_config
from yolojax.training.loop import resolve


def test_a_run_is_loaded_by_best_last_or_step(tmp_path):
    config, _ = resolve(get_config())
    model = build_model(config.model)
    checkpoints = open_workdir(config, tmp_path)
    states = {}
    for step, ap50 in ((1, 0.9), (2, 0.3), (3, None)):
        variables = jax.tree.map(jnp.asarray, initialize(model, step))
        states[step] = variables
        metrics = {} if ap50 is None else {"ap50": ap50}
        checkpoints.save(step, {"ema": variables, "params": jnp.zeros(())}, make_meta(config, metrics, []))
    checkpoints.close()
    for wanted, step in (("best", 1), ("last", 3), ("2", 2), (2, 2)):
        run = load_run(tmp_path, wanted)
        assert run.step == step and run.config == config and run.grid.size == (64, 64)
        assert all(map(np.array_equal, jax.tree.leaves(run.variables), jax.tree.leaves(states[step])))
    with pytest.raises(InputError, match="no checkpoint '7': best, last, 1, 2, 3"):
        load_run(tmp_path, "7")


def test_workdirs_without_a_run_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"config.json does not exist; train first"):
        load_run(tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()
    (tmp_path / "config.json").write_text(json.dumps(to_dict(resolve(get_config())[0])))
    with pytest.raises(InputError, match="has no checkpoint yet; train first"):
        load_run(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(InputError, match=r"config.json cannot be read"):
        read_config(tmp_path)
    (tmp_path / "config.json").write_text('{"sed": 1}')
    with pytest.raises(InputError, match=r"config.sed does not exist"):
        read_config(tmp_path)


def test_another_configuration_in_the_workdir_is_refused_by_its_fields(tmp_path):
    config, _ = resolve(get_config())
    checkpoints = open_workdir(config, tmp_path)
    checkpoints.save(1, STATE, make_meta(config, {}, []))
    checkpoints.close()
    before = (tmp_path / "config.json").read_bytes()
    other = get_config()
    other.optimizer.learning_rate = 0.5
    other.data.size = (96, 64)
    with pytest.raises(InputError) as error:
        open_workdir(resolve(other)[0], tmp_path)
    assert "data.size: [64, 64] -> [96, 64]; optimizer.learning_rate: 0.001 -> 0.5" in str(error.value)
    assert (tmp_path / "config.json").read_bytes() == before
    open_workdir(resolve(get_config())[0], tmp_path).close()


@pytest.mark.parametrize(
    "name, message",
    [
        (
            "config.json",
            r"config\.json: config\.architectures does not exist.*; if no run has written it, name another",
        ),
        ("metrics.jsonl", r"metrics\.jsonl would be lost.*: name another folder with --workdir$"),
        ("eval/val/report.html", r"report\.html would be lost.*: name another folder with --workdir$"),
    ],
)
def test_files_of_something_else_in_the_workdir_are_not_replaced(name, message, tmp_path):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('{"architectures": ["BertModel"]}')
    with pytest.raises(InputError, match=message):
        open_workdir(resolve(get_config())[0], tmp_path)
    assert path.read_text() == '{"architectures": ["BertModel"]}'
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == [path]


@pytest.mark.parametrize("files", [["metrics.jsonl"], ["eval/val/metrics.json"], ["metrics.jsonl", "eval/val/metrics.json"]])
def test_a_run_whose_checkpoints_are_gone_is_not_replaced(files, tmp_path):
    """As where the disk with the checkpoints is not mounted."""
    config, _ = resolve(get_config())
    open_workdir(config, tmp_path).close()
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}\n")
    (tmp_path / "checkpoints").rmdir()
    with pytest.raises(
        InputError, match=rf"checkpoints: .* are gone, and .*{files[-1]} would be lost: put them back to resume"
    ):
        open_workdir(config, tmp_path)
    (tmp_path / "checkpoints").symlink_to(tmp_path / "unmounted")
    with pytest.raises(InputError, match="checkpoints of this run are gone"):
        open_workdir(config, tmp_path)
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.json*")} == {"config.json", *files}


def test_a_run_whose_configuration_is_gone_is_not_replaced(tmp_path):
    config, _ = resolve(get_config())
    with open_workdir(config, tmp_path) as checkpoints:
        checkpoints.save(1, STATE, make_meta(config, {}, []))
    (tmp_path / "config.json").unlink()
    with pytest.raises(InputError, match=r"config\.json: the configuration of the run .* is gone: put it back to resume"):
        open_workdir(config, tmp_path)
    assert not (tmp_path / "config.json").exists()


def test_a_run_that_was_killed_before_its_first_checkpoint_starts_over(tmp_path):
    config, _ = resolve(get_config())
    open_workdir(config, tmp_path).close()
    (tmp_path / "metrics.jsonl").write_text('{"step": 20}\n')
    open_workdir(config, tmp_path).close()


def test_a_link_that_leads_nowhere_in_the_place_of_the_checkpoints_is_named(tmp_path):
    (tmp_path / "checkpoints").symlink_to(tmp_path / "unmounted")
    with pytest.raises(InputError, match=rf"checkpoints: leads to {tmp_path}/unmounted, which does not exist; put that back"):
        open_workdir(resolve(get_config())[0], tmp_path)


def test_a_workdir_without_a_checkpoint_takes_another_configuration(tmp_path):
    open_workdir(resolve(get_config())[0], tmp_path).close()
    other = get_config()
    other.seed = 5
    open_workdir(resolve(other)[0], tmp_path).close()
    assert read_config(tmp_path).seed == 5


def test_a_checkpoint_that_is_deleted_while_it_is_read_is_read_again_from_the_newer_ones(tmp_path, monkeypatch):
    """As beside a training run, which saves the next step and deletes the oldest."""
    config, _ = resolve(get_config())
    variables = jax.tree.map(jnp.asarray, initialize(build_model(config.model), 0))

    def save(step):
        with open_workdir(config, tmp_path) as checkpoints:
            checkpoints.save(step, {"ema": variables}, make_meta(config, {}, []))

    save(1)
    meant = []

    def read(checkpoints, step, *rest):
        meant.append(step)
        if len(meant) == 1:
            save(2)
            shutil.rmtree(tmp_path / "checkpoints/1")
        return restore(checkpoints, step, *rest)

    restore = workdir.restore_variables
    monkeypatch.setattr(workdir, "restore_variables", read)
    assert load_run(tmp_path, "last").step == 2 and meant == [1, 2]
    # Nobody changes it any more: damage is reported at once.
    shutil.rmtree(tmp_path / "checkpoints/2/state")
    with pytest.raises(InputError, match="checkpoints/2: the checkpoint cannot be read"):
        load_run(tmp_path, "last")


@pytest.mark.parametrize("names", [[], ["a", "b"], [str(number) for number in range(50)]])
def test_a_configuration_with_other_names_than_classes_is_refused(tmp_path, names):
    values = to_dict(resolve(get_config())[0])
    values["data"]["class_names"] = names
    (tmp_path / "config.json").write_text(json.dumps(values))
    with pytest.raises(
        InputError, match=rf"config.json: config.data.class_names has {len(names)} names, but .* is 10; put back"
    ):
        load_run(tmp_path)


@pytest.mark.parametrize("size", [[64000, 64000], [32 * 10**6] * 2, [32 * 10**18, 32]])
def test_an_input_of_more_pixels_than_any_network_has_is_refused_with_its_file(tmp_path, size):
    values = to_dict(resolve(get_config())[0])
    values["data"]["size"] = size
    (tmp_path / "config.json").write_text(json.dumps(values))
    with pytest.raises(InputError, match=r"config.json: config.data.size must be .*, at most 67,108,864 pixels, not "):
        load_run(tmp_path)


@pytest.mark.parametrize("given", ["--weights=a.weights", "--cfg=a.cfg", "--seed=1"])
def test_the_command_to_train_on_gives_the_network_as_the_run_got_it(given, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["train.py", "--workdir=runs/a", "--data=d", given])
    words = continue_command("runs/a").split()
    kept = ["--seed=1"] * (given == "--seed=1")
    source = "--config.init_from=runs/a" if kept else "--weights=runs/a"
    assert words[-len(kept) - 3 :] == ["--data=d", *kept, "--workdir=runs/a_2", source]
