"""A run of the user's own parts: checked before it starts, resumed, evaluated, used and exported."""

import json
import shutil

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.helpers import own_parts
from yolojax.config import from_dict, to_dict
from yolojax.errors import InputError
from yolojax.evaluation.workdir import evaluate_workdir
from yolojax.export.workdir import export_workdir
from yolojax.loss import yolo_loss
from yolojax.models import abstract_variables
from yolojax.parts import Parts
from yolojax.predict import Detector
from yolojax.runs.workdir import load_run
from yolojax.training.loop import train_and_evaluate
from yolojax.training.own_parts import own_parts_notes
from yolojax.training.plan import plan_run

OWN = "tests.helpers.own_parts"


def config():
    made = own_parts.get_config()
    made.data.source = f"{OWN}:source"
    return made


def changed(**values):
    """The configuration with other values, by names with __ for dots."""
    made = config()
    for name, value in values.items():
        section, _, field = name.partition("__")
        setattr(getattr(made, section), field, value)
    return made


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The workdir of a whole run; not to be changed."""
    workdir = tmp_path_factory.mktemp("own") / "run"
    train_and_evaluate(config(), workdir)
    return workdir


def test_every_part_is_recorded_and_said(run, capsys):
    saved = json.loads((run / "config.json").read_text())
    assert (saved["loss"]["name"], saved["loss"]["options"]) == (f"{OWN}:loss", {"gamma": 0.5})
    assert saved["train"]["callbacks"] == [f"{OWN}:tell"] and saved["data"]["source"] == f"{OWN}:source"
    (line,) = own_parts_notes(config())
    for part in ("loss", "rule", "Net", "lion", "rising", "source", "dim", "tell"):
        assert f"{OWN}:{part}" in line


def test_every_term_of_the_loss_is_summed_logged_and_reported(run):
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert {line["split"] for line in lines} == {"train", "val"}
    for line in lines:
        assert list(line)[2:6] == ["loss", "box", "rest", "sizes"] and "objectness" not in line
        np.testing.assert_allclose(line["loss"], line["box"] + line["rest"] + line["sizes"], rtol=1e-5)
    metrics = json.loads((run / "eval/val/metrics.json").read_text())
    assert metrics["loss"] > metrics["box"] > 0 and metrics["sizes"] > 0
    report = (run / "eval/val/report.html").read_text()
    assert "sizes, training" in report and "rest, training" in report


def test_the_rate_the_augmentation_and_the_options_are_the_users(run):
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    rates = {line["step"]: line["learning_rate"] for line in lines if line["split"] == "train"}
    assert rates.keys() == {2, 4, 6, 8, 10, 12}
    for step, rate in rates.items():
        np.testing.assert_allclose(rate, 2e-3 * (step / 12) ** 0.5, rtol=1e-6)


def test_callbacks_are_told_of_everything(run):
    events = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    kinds = [(kind, step) for kind, step, _ in events]
    assert kinds[0] == ("start", 0) and kinds[-1][0] == "end"
    assert [step for kind, step in kinds if kind == "log"] == [2, 4, 6, 8, 10, 12]
    assert [step for kind, step in kinds if kind == "eval"] == [6, 12]
    assert [step for kind, step in kinds if kind == "checkpoint"] == [4, 6, 8, 12]
    for kind, step, numbers in events:
        if kind == "checkpoint":
            assert ("ap50" in numbers) == (step in (6, 12))
        elif kind != "start":
            assert {"loss", "sizes"} <= numbers.keys()
    assert events[0][2] == {"total_steps": 12, "steps_per_epoch": 3.0, "training_pictures": 24, "validation_pictures": 4}


def test_a_run_that_was_stopped_resumes_to_the_bit_with_its_own_configuration(run, tmp_path):
    workdir = tmp_path / "run"
    workdir.mkdir()
    for name in ("config.json", "metrics.jsonl"):
        shutil.copy(run / name, workdir / name)
    shutil.copytree(run / "checkpoints/8", workdir / "checkpoints/8")
    train_and_evaluate(from_dict(json.loads((workdir / "config.json").read_text())), workdir)
    whole, resumed = (load_run(folder, "last") for folder in (run, workdir))
    assert whole.step == resumed.step == 12
    assert jax.tree.all(jax.tree.map(lambda a, b: (np.asarray(a) == np.asarray(b)).all(), whole.variables, resumed.variables))
    (start,) = (json.loads(line) for line in (workdir / "events.jsonl").read_text().splitlines()[:1])
    assert start[:2] == ["start", 8]


def test_data_that_has_changed_is_refused(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    values = json.loads((tmp_path / "run/config.json").read_text())
    saved = from_dict(values)
    original = own_parts.Source.fingerprint
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(own_parts.Source, "fingerprint", lambda self: {**original(self), "version": 2})
        with pytest.raises(InputError, match=r"config\.data\.train has changed .*'version': 2"):
            train_and_evaluate(saved, tmp_path / "run")


@pytest.mark.slow
def test_it_is_evaluated_used_and_exported_with_the_workdir_alone(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    metrics = evaluate_workdir(tmp_path / "run", "last")
    assert metrics and metrics["images"] == 4
    image = own_parts.source(config(), "val").example(0, 0).image
    network = Detector.from_workdir(tmp_path / "run")(image, score_threshold=0.01)
    assert len(network.scores)
    export_workdir(tmp_path / "run", "stablehlo", tmp_path / "net.yolojax")
    exported = Detector.from_exported(tmp_path / "net.yolojax")(image, score_threshold=0.01)
    np.testing.assert_allclose(exported.scores, network.scores, atol=1e-5)
    with pytest.raises(InputError, match="computes 'square' in a way that the ONNX export does not support"):  # of GroupNorm
        export_workdir(tmp_path / "run", "onnx", tmp_path / "net.onnx")
    with pytest.raises(InputError, match=r"cannot be written as a \.cfg; export it --to stablehlo or onnx"):
        export_workdir(tmp_path / "run", "darknet", tmp_path / "darknet")


@pytest.mark.slow
def test_objects_without_a_name_are_recorded_as_such_and_needed_again(tmp_path):
    made = config()
    made.train.epochs, made.train.eval_epochs = 0.5, 1.0

    def doubled(raw, targets, grid, **options):
        return [2 * sum(yolo_loss(raw, targets, grid))][0]

    parts = Parts(loss=doubled, model=own_parts.Net)
    made.loss.options = {}
    metrics = train_and_evaluate(made, tmp_path / "run", parts=parts)
    assert metrics and metrics["loss"] > 0 and "box" not in metrics
    saved = json.loads((tmp_path / "run/config.json").read_text())
    assert saved["loss"]["name"].startswith("<") and saved["model"]["name"] == f"{OWN}:Net"
    for call in (evaluate_workdir, lambda folder: train_and_evaluate(from_dict(saved), folder)):
        with pytest.raises(InputError, match=r"config\.loss\.name: the run was made with <.*doubled of .*; give it again"):
            call(tmp_path / "run")
    Detector.from_workdir(tmp_path / "run")  # needs no loss
    again = evaluate_workdir(tmp_path / "run", parts=parts)
    assert again and again["loss"] == pytest.approx(metrics["loss"], rel=1e-5)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"loss__name": "tests.helpers.absent:loss"}, "config.loss.name is .* there is no module"),
        (
            {"model__options": {"wide": 3}},
            r"config\.model\.name: .*Net\(num_classes.*'wide'.*config\.model\.options",
        ),
        (
            {"model__anchors": own_parts.ANCHORS[:1]},
            r"has 2 scales, of strides 8, 16, with 2 anchors each, but \[2\]",
        ),
        ({"model__anchors": ()}, "2 anchors each, for which none are published"),
        (
            {"data__size": (64, 72)},
            r"config\.data\.size: height and width of \(64, 72\) must be mult",
        ),
        ({"model__num_classes": 3}, "num_classes is 3, but the data has 10 class names"),
        ({"train__save_best_by": "objectness"}, "but the terms of .*loss are box, rest, sizes"),
        ({"train__callbacks": (f"{OWN}:ANCHORS",)}, "but a function is needed"),
        ({"train__callbacks": (f"{OWN}:get_config",)}, r"config\.train\.callbacks: .*get_config\(\) is called with \(event\)"),
        ({"optimizer__name": f"{OWN}:tell"}, r"config\.optimizer\.name: .*unexpected keyword argument 'b1'"),
        ({"optimizer__schedule": f"{OWN}:source"}, r"config\.optimizer\.schedule: .*unexpected keyword argument 'peak'"),
        ({"loss__assign_rule": f"{OWN}:wrong_rule", "loss__assign_options": {}}, r"must return Targets .*not dict"),
        ({"loss__name": f"{OWN}:wrong_loss", "loss__options": {}}, r"config\.loss\.name: .*'box'.*must be .*not \(\)"),
        ({"model__name": f"{OWN}:wrong_net", "model__options": {}}, "must return a Flax Linen module, not int"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_written(tmp_path, monkeypatch, values, message):
    monkeypatch.setattr(own_parts, "wrong_rule", lambda b, c, g, *, max_boxes: {"boxes": b}, raising=False)
    monkeypatch.setattr(own_parts, "wrong_loss", lambda raw, targets, grid: {"box": raw[0].mean()}, raising=False)
    monkeypatch.setattr(own_parts, "wrong_net", lambda num_classes: num_classes, raising=False)
    from yolojax.references import _find_part

    _find_part.cache_clear()
    with pytest.raises(InputError, match=message):
        train_and_evaluate(changed(**values), tmp_path / "run")
    _find_part.cache_clear()
    assert not (tmp_path / "run").exists()


def test_heads_for_another_number_of_classes_are_refused(tmp_path):
    def one_more(num_classes, **options):
        return own_parts.Net(num_classes + 1)

    with pytest.raises(InputError, match=r"gives heads of shapes .*16\)\] .* a network for 10 classes needs .*15\)"):
        plan_run(config(), tmp_path / "run", Parts(model=one_more))


def test_heads_of_another_type_are_refused(tmp_path):
    class Half(own_parts.Net):
        @nn.compact
        def __call__(self, images, *, train):
            return [head.astype(jnp.bfloat16) for head in own_parts.Net(self.num_classes)(images, train=train)]

    with pytest.raises(InputError, match=r"gives heads of bfloat16; they must be float32, whatever .*\.astype\(jnp\.float32\)"):
        plan_run(config(), tmp_path / "run", Parts(model=lambda num_classes, **options: Half(num_classes)))


class Placed(own_parts.Net):
    """The usual network, with a parameter for each pixel."""

    size: tuple | None = None

    @nn.compact
    def __call__(self, images, *, train):
        place = self.param("place", nn.initializers.zeros, (1, *images.shape[1:3], 3))
        return own_parts.Net(self.num_classes)(images.astype(jnp.float32) + place, train=train)


def test_parameters_may_depend_on_the_size_of_the_images(tmp_path):
    plan = plan_run(config(), tmp_path / "run", Parts(model=lambda num_classes, **options: Placed(num_classes)))
    assert plan.recipe.grid.strides == (8, 16)
    assert abstract_variables(plan.model, (64, 64))["params"]["place"].shape == (1, 64, 64, 3)
    made = config()
    made.model.options = {"size": [64, 64]}
    plan = plan_run(made, tmp_path / "run", Parts(model=Placed))
    assert abstract_variables(plan.model)["params"]["place"].shape == (1, 64, 64, 3)


def test_fields_that_own_parts_do_not_use_are_said():
    made = config()
    made.optimizer.learning_rate, made.model.width = 0.5, 0.25
    assert own_parts_notes(made)[1:] == ["set, but not used by these: config.model.width, config.optimizer.learning_rate"]


def test_a_run_without_own_parts_says_nothing():
    assert own_parts_notes(from_dict({k: v for k, v in to_dict(config()).items() if k == "seed"})) == []
