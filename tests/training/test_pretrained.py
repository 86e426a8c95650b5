"""The network of trained weights, taken into a configuration."""

import json
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.helpers.cfgs import FACE
from tests.helpers.face_files import write_face
from tests.helpers.saved_run import save_run
from tests.helpers.tiny_config import get_config as tiny_config
from tests.helpers.tiny_set import write_set
from yolojax.config import ModelConfig
from yolojax.configs import strong
from yolojax.configs.fine_tune import get_config
from yolojax.darknet.cfg import parse_cfg
from yolojax.darknet.describe import cfg_text
from yolojax.darknet.network import build_network
from yolojax.darknet.weights import read_weights, write_weights
from yolojax.errors import InputError
from yolojax.models import YOLOv3Tiny, abstract_variables, initialize
from yolojax.runs.workdir import load_run, read_config
from yolojax.training.loop import train_and_evaluate
from yolojax.training.plan import plan_run, resolve
from yolojax.training.pretrained import adopt_network, has_network_of, lower_rates, source_classes, untrained_network
from yolojax.training.trained import read_trained
from yolojax.training.transfer import initial_values


def starting_from(source, **fields):
    config = get_config()
    config.init_from, config.init_network, config.init_heads = str(source), True, "adapt"
    for name, value in fields.items():
        setattr(config, name, value)
    return config


def test_a_darknet_network_is_found_beside_its_weights(tmp_path):
    _, weights = write_face(tmp_path)
    config = starting_from(weights)
    assert adopt_network(config) == [f"{weights}: its network is that of {tmp_path / 'face.cfg'}, for 10 classes"]
    assert (config.model.name, config.data.size, config.data.fit) == ("darknet", (32, 32), "darknet_letterbox")
    assert config.model.batch_norm_momentum == 0.97 and not config.init_network
    # What the user has set stays: given by name, or else whatever is not at its default.
    for overridden in ({"data.size", "data.fit"}, None):
        config = starting_from(weights)
        config.data.size = (64, 32)
        adopt_network(config, overridden)
        assert config.data.size == (64, 32) and (config.data.fit == "letterbox") == (overridden is not None)
    (tmp_path / "face.cfg").write_text(FACE.replace("height=32", "height=32\nletter_box=0"))
    config = starting_from(weights)
    adopt_network(config)
    assert config.data.fit == "darknet_stretch"


def test_weights_without_a_cfg_are_known_by_their_length_or_refused(tmp_path):
    weights = tmp_path / "mine.weights"
    model = YOLOv3Tiny(7)
    shapes = abstract_variables(model)
    write_weights(weights, model, jax.tree.map(lambda leaf: np.zeros(leaf.shape, np.float32), shapes))
    config = starting_from(weights)
    assert adopt_network(config) == [f"{weights}: by its length it is yolov3_tiny, for 7 classes"]
    assert config.model.name == "yolov3_tiny" and config.model.anchors[0] == ((23, 27), (37, 58), (81, 82))
    assert config.data.size == (416, 416) and config.model.num_classes == 0
    write_face(tmp_path)
    (tmp_path / "face.cfg").unlink()
    with pytest.raises(InputError, match=r"face\.weights: there is no cfg of its name beside it, .* give its cfg with --cfg"):
        adopt_network(starting_from(tmp_path / "face.weights"))
    for name in ("one", "two"):
        (tmp_path / f"{name}.cfg").touch()
    with pytest.raises(InputError, match=r"no cfg of its name beside it \(there are one\.cfg, two\.cfg\)"):
        adopt_network(starting_from(tmp_path / "face.weights"))
    with pytest.raises(InputError, match=r"nowhere\.weights does not exist"):
        adopt_network(starting_from(tmp_path / "nowhere.weights"))


def test_first_layers_leave_the_network_to_the_configuration(tmp_path):
    part = tmp_path / "darknet53.conv.74"
    part.touch()
    config = starting_from(part)
    (line,) = adopt_network(config)
    assert line.endswith("first layers of a network alone; the network is that of the configuration")
    assert config.model == get_config().model


def test_a_run_gives_its_network_and_a_contradiction_is_refused(tmp_path):
    config = tiny_config()
    save_run(tmp_path / "run", config, 2, jax.tree.map(jnp.asarray, initialize(YOLOv3Tiny(10, width=0.125), 3)))
    for source in (tmp_path / "run", tmp_path / "run/checkpoints/2"):
        mine = starting_from(source)
        assert adopt_network(mine) == [f"{source}: the network of that run"]
        assert (mine.model.name, mine.model.width, mine.data.size) == ("yolov3_tiny", 0.125, (64, 64))
        assert mine.model.anchors == config.model.anchors
    mine = starting_from(tmp_path / "run")
    mine.model.width = 0.5
    with pytest.raises(InputError, match=r"config\.model\.width is 0\.5, but the network of .*run has 0\.125; leave it out"):
        adopt_network(mine, {"model.width"})
    with pytest.raises(InputError, match=r"a cfg goes with a \.weights file"):
        adopt_network(starting_from(tmp_path / "run", init_cfg="a.cfg"))


def test_what_does_not_go_with_the_network_is_said(tmp_path):
    cfg, weights = write_face(tmp_path)
    config = strong.get_config("yolov3_tiny")
    config.init_from, config.data.sizes = str(weights), ((320, 320), (608, 608))
    _, network, sizes, ratio = adopt_network(config, {"model.anchors"})
    fields = "name=yolov3_tiny, xy_scale=2.0, squared_sizes=True in config.model"
    assert network == f"that network takes the place of the configuration's ({fields})"
    assert sizes == "config.data.sizes is left out: 320 to 608 pixels are not for a network of 32 x 32"
    assert not config.data.sizes
    assert ratio.startswith("config.loss.assign_rule=ratio is for centres that reach into the neighbouring cells")
    config = starting_from(weights)
    config.data.sizes = ((32, 32), (64, 64))
    assert len(adopt_network(config, set())) == 1 and config.data.sizes
    cfg.write_text(FACE.replace("num=2", "num=2\nscale_x_y=2"))
    config = starting_from(weights)
    config.loss.assign_rule = "ratio"
    assert len(adopt_network(config, set())) == 1
    trained = tiny_config()
    trained.loss.name, trained.loss.assign_rule = "iou_aware", "best"
    save_run(tmp_path / "run", trained, 2, jax.tree.map(jnp.asarray, initialize(YOLOv3Tiny(10, width=0.125), 3)))
    (line,) = adopt_network(starting_from(tmp_path / "run"))[1:]
    here = "name=yolo, assign_rule=threshold (config.loss)"
    assert line == f"that run was trained with name=iou_aware, assign_rule=best, and now it is {here}"


def test_heads_may_start_anew_in_a_darknet_network(tmp_path):
    _, weights = write_face(tmp_path)
    config = fine_tuned(tmp_path / "set", weights, ("dog", "bird"))
    config.init_heads = "anew"
    plan = plan_run(config, tmp_path / "run")
    assert plan.model.num_classes == 2
    fresh = initialize(plan.model, 0, plan.config.data.size)
    values, lines = initial_values(weights, fresh, plan.model)
    assert lines[2].startswith("  start anew    1 layers: conv003")
    same = jax.tree.map(np.array_equal, values["params"], jax.device_get(fresh["params"]))
    assert all(jax.tree.leaves(same.pop("conv003"))) and not any(all(jax.tree.leaves(layer)) for layer in same.values())


def test_classes_without_names_are_taken_by_their_numbers_and_said(tmp_path):
    _, weights = write_face(tmp_path)
    config = fine_tuned(tmp_path / "set", weights, tuple("abcdefghij"))
    plan = plan_run(config, tmp_path / "run")
    fresh = initialize(plan.model, 0, plan.config.data.size)
    said = "  its 10 classes are taken for those of the data, in their order: their names are not known"
    assert said in initial_values(weights, fresh, plan.model, plan.config.data.class_names)[1]
    for name in ("one", "two"):
        (tmp_path / f"{name}.names").write_text("".join(f"{name}{number}\n" for number in range(10)))
    lines = initial_values(weights, fresh, plan.model, plan.config.data.class_names)[1]
    assert f"{said} ({tmp_path / 'one.names'} and {tmp_path / 'two.names'} differ)" in lines
    (tmp_path / "two.names").unlink()
    assert not any("not known" in line for line in initial_values(weights, fresh, plan.model, tuple("abcdefghij"))[1])


def fine_tuned(folder, weights, names):
    """A configuration that fine-tunes Darknet's files on a small set."""
    config = starting_from(weights)
    config.data.train = str(write_set(folder, names, pictures=16))
    config.train.batch_size = config.eval.batch_size = 8
    config.train.epochs = config.train.eval_epochs = 1.0
    config.data.cache_gib, config.optimizer.warmup_epochs = 0.0, 0.0
    return config


def test_a_darknet_network_is_trained_for_other_classes_and_other_anchors(tmp_path):
    _, weights = write_face(tmp_path)
    (tmp_path / "face.names").write_text("".join(f"{name}\n" for name in ("cat", *"bcdefghi", "dog")))
    config = fine_tuned(tmp_path / "set", weights, ("dog", "bird"))
    config.model.anchors = (((9, 8), (7, 6)),)
    plan = plan_run(config, tmp_path / "run")
    assert plan.model.num_classes == 2 and plan.recipe.grid.anchors == (((9, 8), (7, 6)),)
    assert not plan.config.model.anchors and resolve(plan.config)[0] == plan.config == resolve(config)[0]
    fresh = initialize(plan.model, 0, plan.config.data.size)
    values, lines = initial_values(weights, fresh, plan.model, plan.config.data.class_names)
    assert lines[1].startswith("  loaded        2 layers") and lines[2] == (
        f"  adapted       1 layers: conv003, from 10 classes ({tmp_path / 'face.names'}) to 2; kept are boxes, objectness and "
        "1 class: dog"
    )
    whole = load_face(weights)
    bias, before = (tree["params"]["conv003"]["head"]["bias"].reshape(2, -1) for tree in (values, whole))
    np.testing.assert_array_equal(bias, np.concatenate([before[:, :5], before[:, 14:], 0 * before[:, :1]], axis=1))


def test_a_darknet_network_is_trained_from_random_weights(tmp_path):
    cfg, _ = write_face(tmp_path)
    anchors = (((9, 8), (7, 6)),)
    for chosen in ((), anchors):
        config = get_config()
        config.data.train = str(write_set(tmp_path / f"set{len(chosen)}", ("dog", "bird"), pictures=16))
        config.train.batch_size, config.model.anchors = 8, chosen
        (line,) = untrained_network(config, str(cfg), {"model.anchors"} if chosen else set())
        assert line == f"{cfg}: a network for 10 classes; all its layers start anew"
        assert (config.model.name, config.data.size, config.data.fit) == ("darknet", (32, 32), "darknet_letterbox")
        plan = plan_run(config, tmp_path / "run")
        assert plan.model.num_classes == 2 and plan.config.init_from == ""
        assert (plan.recipe.grid.anchors == anchors) == bool(chosen) and resolve(plan.config)[0] == plan.config
        assert has_network_of(plan.config, str(cfg))
        for other in (
            FACE.replace("filters=4", "filters=8"),
            FACE.replace("filters=30", "filters=15").replace(",20,24\nnum=2", "\nnum=1"),
        ):
            (tmp_path / "other.cfg").write_text(other)
            assert not has_network_of(plan.config, str(tmp_path / "other.cfg"))


def test_a_cfg_of_a_network_that_has_a_name_is_that_network(tmp_path):
    (tmp_path / "tiny.cfg").write_text(cfg_text(ModelConfig(name="yolov3_tiny", num_classes=3, width=0.125), (64, 96)))
    config = tiny_config()
    untrained_network(config, str(tmp_path / "tiny.cfg"), set())
    assert (config.model.name, config.model.width, config.data.size) == ("yolov3_tiny", 0.125, (64, 96))
    assert has_network_of(config, str(tmp_path / "tiny.cfg"))
    config.model.width = 0.25
    assert not has_network_of(config, str(tmp_path / "tiny.cfg"))


def test_a_tenth_of_the_rate_where_all_classes_are_known(tmp_path):
    _, weights = write_face(tmp_path)
    (tmp_path / "face.names").write_text("".join(f"{name}\n" for name in ("cat", *"bcdefghi", "dog")))
    save_run(tmp_path / "run", tiny_config(), 2, jax.tree.map(jnp.asarray, initialize(YOLOv3Tiny(10, width=0.125), 3)))
    for source, known, other in ((weights, ("dog", "Cat"), ("dog", "cow")), (tmp_path / "run", ("7", "0"), ("7", "x"))):
        for names, overridden, rate, end in (
            (known, set(), 1e-4, 1e-6),
            (known, {"optimizer.learning_rate"}, 1e-3, 1e-6),
            (other, set(), 1e-3, 1e-5),
        ):
            config = starting_from(source)
            adopt_network(config)
            lines = lower_rates(config, names, overridden)
            assert len(lines) == (names == known) and (names == other or f"learning rate {rate:g} " in lines[0])
            assert config.optimizer.learning_rate == pytest.approx(rate)
            assert config.optimizer.end_learning_rate == pytest.approx(end)
    part = tmp_path / "darknet53.conv.74"
    part.touch()
    assert source_classes(starting_from(part)) == ()


def load_face(weights):
    return read_weights(weights, build_network(parse_cfg(FACE))[0]).variables


def test_step_0_is_the_best_where_training_made_it_worse(tmp_path, capsys):
    _, weights = write_face(tmp_path)
    config = fine_tuned(tmp_path / "set", weights, ("a", "b"))
    config.optimizer.learning_rate, config.train.save_best_by = 5.0, "loss"
    train_and_evaluate(config, tmp_path / "run")
    assert "from step 0:\nit is the network that the run started from" in capsys.readouterr().out
    assert load_run(tmp_path / "run").step == 0 and load_run(tmp_path / "run", "last").step == 2
    for name, step in (("best", 0), ("last", 2), ("2", 2)):
        again = starting_from(tmp_path / "run/checkpoints" / name)
        adopt_network(again)
        assert read_trained(again.init_from, {}, YOLOv3Tiny(1), with_heads=True).origin.endswith(f", step {step}")


def test_step_0_is_evaluated_saved_and_may_be_the_best(tmp_path, capsys):
    _, weights = write_face(tmp_path)
    config = fine_tuned(tmp_path / "set", weights, ("a", "b"))
    config.optimizer.learning_rate, config.optimizer.end_learning_rate = 1e-30, 0.0
    config.train.save_best_by = "loss"
    workdir = tmp_path / "run"
    train_and_evaluate(config, workdir)
    printed = capsys.readouterr().out
    lines = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    validated = [line for line in lines if line["split"] == "val"]
    assert [line["step"] for line in validated] == [0, 2] and "step 0: validation loss" in printed
    run = load_run(workdir, 0)
    expected = initial_values(weights, initialize(run.model, 0, (32, 32)), run.model, ("a", "b"))[0]
    jax.tree.map(np.testing.assert_array_equal, jax.device_get(run.variables), expected)
    # The statistics have moved, the parameters have not: what was better is the best.
    best = min(validated, key=lambda line: (line["loss"], -line["step"]))["step"]
    assert load_run(workdir).step == best and ("it is the network that the run started from" in printed) == (best == 0)
    # The run is no imported network: it resumes by itself, from step 0 too.
    config = read_config(workdir)
    train_and_evaluate(config, workdir)
    assert f"resuming {workdir} at step 2" in capsys.readouterr().out
    shutil.rmtree(workdir / "checkpoints/2")
    train_and_evaluate(config, workdir)
    assert f"starting in {workdir}" in capsys.readouterr().out
    again = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    kept = "step", "split", "loss", "ap50"
    assert [[line.get(name) for name in kept] for line in again] == [[line.get(name) for name in kept] for line in lines]
    shutil.rmtree(workdir / "checkpoints/2")
    config.seed = 5
    with pytest.raises(InputError, match=r"holds a run of another configuration \(seed: 0 -> 5\)"):
        train_and_evaluate(config, workdir)
