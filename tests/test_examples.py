"""Every file of examples/ runs, small, and does what its docstring says."""

import json
import os
import re
import subprocess
import sys
import types
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.conftest import REPOSITORY
from tests.helpers.tiny_config import get_config
from yolojax import (
    AnchorGrid,
    Detector,
    Event,
    Targets,
    YOLOv3,
    YOLOv3Tiny,
    assign,
    decode,
    feed,
    initialize,
    load_run,
    open_split,
    yolo_loss,
)
from yolojax.config import ModelConfig
from yolojax.data.images import read_image, write_image
from yolojax.data.own_source import OwnSource
from yolojax.export.agreement import agree
from yolojax.loss import build_loss
from yolojax.models import abstract_variables, build_grid, build_model, model_strides

FOLDER = REPOSITORY / "examples"


@pytest.fixture(scope="module", autouse=True)
def importable():
    """The folder of examples is on the path, as for a program that is started there."""
    sys.path.insert(0, str(FOLDER))
    yield
    sys.path.remove(str(FOLDER))


def tiny_config():
    """A run of four steps, with the network of own_backbone.py."""
    config = get_config()
    config.model.name, config.model.options = "own_backbone:Net", {"width": 4}
    config.model.anchors, config.model.width = (), 1.0
    config.data.digits_train, config.data.digits_val = 32, 8
    config.train.epochs, config.train.log_steps = 1.0, 2
    config.data.augment.mix_off_epochs = 0.0
    config.eval.batch_size = 8
    return config


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The workdir of a run with the network, the loss and the callback of examples/, and what it told wandb."""
    import own_loss

    wandb, folder = Tracker("wandb"), tmp_path_factory.mktemp("runs") / "own"
    config = tiny_config()
    config.train.callbacks = ("log_to_wandb:log",)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "wandb", wandb)
        own_loss.main(folder, config, beta=0.25)
    return folder, wandb.calls


@pytest.fixture
def workdir(run):
    return run[0]


class Tracker(types.ModuleType):
    """Stands in for wandb or mlflow: its functions record how they are called."""

    def __init__(self, name):
        super().__init__(name)
        self.calls = []

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *args, **kwargs: self.calls.append((name, args, kwargs))


def lines(workdir, split):
    rows = map(json.loads, (workdir / "metrics.jsonl").read_text().splitlines())
    return [row for row in rows if row["split"] == split]


def test_every_example_is_tested_here():
    text = Path(__file__).read_text(encoding="utf-8")
    for path in FOLDER.iterdir():
        name = path.stem if path.suffix == ".py" else path.name
        assert path.suffix in ("", ".py", ".ipynb"), path
        assert path.name == "__pycache__" or re.search(rf"import {name}\b|\"{name}\"", text), path


def test_the_own_loop_fits_on_a_page():
    assert len((FOLDER / "own_loop.py").read_text().splitlines()) <= 60


def test_the_own_loop(capsys, monkeypatch):
    import own_backbone
    import own_loop

    config = own_loop.settings(size=(64, 64), batch_size=8)
    config.data.digits_val, config.data.max_boxes = 12, 8
    model, grid, variables = own_loop.network(config, list("0123456789"))
    heads = jax.eval_shape(lambda: model.apply(variables, np.zeros((1, 64, 64, 3)), train=False))
    assert [head.shape for head in heads] == [(1, *shape, 3, 15) for shape in grid.shapes]

    net = own_backbone.Net(10, width=4)
    small = net, AnchorGrid((64, 64), (8, 16), net.anchors), initialize(net, 0)
    monkeypatch.setattr(own_loop, "network", lambda config, names: small)  # which compiles sooner
    state, outcome = own_loop.main(steps=3, every=2, config=config)
    assert int(state.step) == 3 and outcome.indices == list(range(12))
    assert all(leaf.sharding.device_set == set(jax.devices()) for leaf in jax.tree.leaves(state.params))
    assert np.isfinite(outcome.summary["loss"]) and list(outcome.summary["per_class"]) == list("0123456789")
    printed = capsys.readouterr().out
    assert re.findall(r"^step (\d+): loss \d", printed, re.MULTILINE) == ["2", "3"] and "9 0." in printed


def test_the_own_backbone_under_the_neck_of_yolov3():
    config = ModelConfig(num_classes=10, width=0.125, backbone="own_backbone:Backbone", backbone_options={"width": 8})
    model = build_model(config)
    assert model_strides(model) == build_grid(config, 64).strides == (8, 16) and model.backbone.width == 8


@pytest.mark.slow  # test_the_own_loop runs the same file
def test_the_own_loop_goes_on_from_a_run(workdir):
    import own_loop

    before = load_run(workdir).variables["params"]
    state, outcome = own_loop.main(workdir, steps=3)
    moved = jax.tree.map(lambda a, b: np.abs(np.asarray(a) - np.asarray(b)).max(), state.params, before)
    # Adam's steps move every parameter by about the learning rate, 4e-3 and less; another start would be far away.
    assert 0 < max(jax.tree.leaves(moved)) < 0.02
    assert len(outcome.indices) == 8


@pytest.mark.slow
def test_the_own_loop_learns():
    program = "import own_loop; print(own_loop.main(steps=400, every=400)[1].summary['ap50'])"
    environment = os.environ | {"XLA_FLAGS": "", "PYTHONPATH": str(REPOSITORY)}  # one device, compiled as users do
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=FOLDER, env=environment, capture_output=True, text=True, check=True
    )
    assert float(done.stdout.splitlines()[-1]) > 0.1


def test_an_own_loss_is_logged_recorded_and_summed(workdir):
    (row, *_) = lines(workdir, "train")
    terms = [row[name] for name in ("box", "objectness", "classification", "penalty")]
    assert row["penalty"] < 0 and row["loss"] == pytest.approx(sum(terms), rel=1e-5)
    assert "penalty" in lines(workdir, "val")[0]
    config = load_run(workdir).config
    assert (config.loss.name, config.loss.options) == ("own_loss:loss", {"beta": 0.25})


def test_the_own_loss_against_literal_numpy():
    grid = AnchorGrid((32, 64), (16, 32), (((10, 14), (23, 27)), ((30, 28), (60, 30))))
    rng = np.random.default_rng(0)
    raw = tuple(rng.normal(size=(2, *shape, 2, 8)).astype(np.float32) for shape in grid.shapes)
    slots = np.array([[[3, grid.num_slots], [17, 18]], [[grid.num_slots] * 2] * 2], np.int32)
    targets = Targets(np.full((2, 2, 4), 20, np.float32), np.zeros((2, 2), np.int32), slots, np.ones((2, 2, 2), bool))
    expected = 0.0
    for slot in (3, 17, 18):
        for x in np.concatenate([head[0].reshape(-1, 8) for head in raw])[slot, 5:]:
            p = 1 / (1 + np.exp(-float(x)))
            expected += 0.5 * (p * np.log(p) + (1 - p) * np.log(1 - p))
    config = get_config().loss
    config.name, config.options = "own_loss:loss", {"beta": 0.5}
    both = jax.jit(lambda raw, targets: (build_loss(config)(raw, targets, grid), yolo_loss(raw, targets, grid)))
    terms, others = both(raw, targets)
    np.testing.assert_allclose(terms["penalty"], [expected, 0], rtol=1e-5)
    for name, values in others._asdict().items():
        np.testing.assert_array_equal(terms[name], values)


def test_an_own_network(workdir):
    import own_backbone

    run = load_run(workdir)
    assert isinstance(run.model, own_backbone.Net) and run.grid.strides == (8, 16)
    (found,) = Detector.from_workdir(workdir)([np.zeros((50, 70, 3), np.uint8)], 0.0)
    assert len(found.boxes) and np.isfinite(found.boxes).all()
    # Before training nearly all is background.
    image = np.zeros((1, 32, 32, 3), np.float32)
    raw, _ = jax.jit(lambda key: run.model.init_with_output(key, image, train=True))(jax.random.key(0))
    assert all((head[..., 4] < -4).all() for head in raw)


def test_a_run_in_wandb(run):
    workdir, calls = run
    kinds = [name for name, _, _ in calls]
    assert kinds[0] == "init" and kinds[-1] == "finish" and set(kinds[1:-1]) == {"log"}
    assert calls[0][2]["id"] == "own" and calls[0][2]["config"]["model"]["name"] == "own_backbone:Net"
    logged = {(key, kwargs["step"]): value for _, args, kwargs in calls[1:-1] for key, value in args[0].items()}
    assert logged["val/loss", 4] == lines(workdir, "val")[0]["loss"]
    assert logged["train/penalty", 2] == lines(workdir, "train")[0]["penalty"]


def test_a_run_in_mlflow(tmp_path, monkeypatch):
    import log_to_wandb

    (tmp_path / "config.json").write_text('{"seed": 3}')
    mlflow = Tracker("mlflow")
    monkeypatch.setitem(sys.modules, "wandb", None)
    monkeypatch.setitem(sys.modules, "mlflow", mlflow)
    for kind, numbers in (("start", {}), ("log", {"loss": 2.0, "ap": float("nan")}), ("checkpoint", {}), ("end", {})):
        log_to_wandb.log(Event(kind, 7, numbers, str(tmp_path)))
    assert [name for name, _, _ in mlflow.calls] == ["set_experiment", "start_run", "log_dict", "log_metrics", "end_run"]
    assert mlflow.calls[2][1] == ({"seed": 3}, "config.json")
    assert mlflow.calls[3][1:] == (({"train/loss": 2.0},), {"step": 7})
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(ImportError, match="pip install wandb"):
        log_to_wandb.log(Event("log", 7, {}, str(tmp_path)))


@pytest.mark.slow
def test_an_ensemble_of_twins_finds_what_one_finds(workdir, capsys):
    import ensemble

    one, two, both = ensemble.main(workdir, workdir)
    assert one.summary["loss"] == two.summary["loss"] == pytest.approx(both.summary["loss"], rel=1e-5)
    assert sum(len(scores) for _, scores, _ in one.detections) > 20
    assert all(
        agree(found, expected, 64, cut_short=True) for expected, found in zip(one.detections, both.detections, strict=True)
    )
    assert "all of them: AP" in capsys.readouterr().out


def test_an_ensemble_predicts_what_its_members_predict(workdir):
    import ensemble

    run = load_run(workdir)
    members = [run.variables, jax.tree.map(lambda x: 0.9 * x, run.variables)]
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)
    _, merged = jax.jit(ensemble.predict, static_argnums=(0, 3))(run.model, ensemble.stack(members), images, run.grid)
    apply = jax.jit(lambda variables: decode(run.model.apply(variables, images, train=False), run.grid))
    expected = [apply(variables) for variables in members]
    for name in ("boxes", "objectness_logits", "class_logits"):
        both = np.concatenate([getattr(predictions, name) for predictions in expected], axis=1)
        np.testing.assert_allclose(getattr(merged, name), both, rtol=1e-3, atol=1e-3)


LAYER = "Backbone_0/GroupNorm_5"


@pytest.mark.slow
def test_grad_cam_weighs_channels_by_what_they_do_to_the_score(workdir, tmp_path, capsys):
    import grad_cam

    scene = open_split(tiny_config(), "val").example(0, 0).image
    write_image(tmp_path / "scene.png", scene)
    heat = grad_cam.main(workdir, tmp_path / "scene.png", "3", LAYER)
    assert capsys.readouterr().out.strip() == str(tmp_path / "scene_3.png")
    picture = read_image(tmp_path / "scene_3.png")
    assert picture.shape[1] > 2 * 64 and picture.shape[0] > 64

    for network in (YOLOv3Tiny(1), YOLOv3(1, width=0.1)):
        assert "detect16" in abstract_variables(network)["params"]  # the default layer
    run = load_run(workdir)
    features, _ = grad_cam.feature_map(run.model, run.variables, scene[None], LAYER)
    channels = features.shape[-1]

    @jax.jit
    @jax.vmap
    def score(nudge):
        _, raw = grad_cam.feature_map(run.model, run.variables, scene[None], LAYER, nudge)
        flat = jnp.concatenate([head.reshape(-1, 15) for head in raw])
        return jnp.log((1 / (1 + jnp.exp(-flat[:, 4])) / (1 + jnp.exp(-flat[:, 5 + 3]))).sum())

    # A channel's mean gradient is what a small nudge of the whole channel does.
    nudges = np.broadcast_to(np.eye(channels, dtype=np.float32)[:, None, None, None], (channels, *features.shape)) * 1e-2
    weights = (score(nudges) - score(-nudges)) / 2e-2
    expected = np.maximum((np.asarray(features[0]) * np.asarray(weights)).sum(-1), 0)
    assert heat.max() == pytest.approx(1) and heat.min() >= 0
    np.testing.assert_allclose(heat, expected / expected.max(), atol=0.03)


class Scenes:
    """Rows by number, as grain and torch have them: three pictures of different sizes, the last without boxes."""

    def __init__(self, convert):
        self.convert = convert

    def __len__(self):
        return 3

    def __getitem__(self, index):
        image = np.random.default_rng(index).integers(0, 256, (40 + 8 * index, 64, 3), np.uint8)
        boxes = np.float32([[2, 3, 20, 30], [30, 5, 60, 35]][: 2 - index]).reshape(-1, 4)
        return self.convert(image, boxes, np.arange(len(boxes)))


def grain_scenes(split):
    return Scenes(lambda image, boxes, classes: {"image": image, "boxes": boxes, "classes": classes})


def torch_scenes(split):
    return Scenes(lambda image, boxes, classes: (np.moveaxis(image, 2, 0), {"boxes": boxes, "labels": classes}))


def assert_scenes(source, epoch=0):
    checked = OwnSource(source, "scenes", "train")
    expected = Scenes(lambda *example: example)
    assert len(checked) == 3 and list(checked.names) == ["cat", "dog"]
    for index in range(3):
        image, boxes, classes = checked.example(epoch, index)
        for found, wanted in zip((image, boxes, classes), expected[index], strict=True):
            np.testing.assert_array_equal(found, wanted)
        # In a loop of one's own nothing comes between.
        assert all(isinstance(array, np.ndarray) for array in source.example(epoch, index))


def source_of(kind, dataset):
    config = tiny_config()
    config.data.source = f"own_sources:from_{kind}"
    config.data.options = {"dataset": f"{__name__}:{dataset}", "names": ["cat", "dog"]}
    return open_split(config, "train")


def test_sources_by_name():
    assert_scenes(source_of("torch", "torch_scenes"))
    assert_scenes(source_of("grain", "grain_scenes"))


def test_a_loader_of_torch_in_an_own_loop():
    import own_sources

    grid = AnchorGrid((40, 64), (8,), (((18, 27), (30, 30)),))
    rows = [torch_scenes("train")[0], torch_scenes("train")[0]]
    ((images, targets),) = feed(own_sources.torch_batches([rows], grid), jax.sharding.SingleDeviceSharding(jax.devices()[0]))
    image, boxes, classes = Scenes(lambda *example: example)[0]
    np.testing.assert_array_equal(images, [image, image])
    for field, expected in zip(targets, assign(boxes, classes, grid), strict=True):
        np.testing.assert_array_equal(field, [expected, expected])


# The packages themselves, where they are installed; none of them is needed by this one.


def test_grain():
    grain = pytest.importorskip("grain")
    import own_sources

    dataset = grain.MapDataset.source(grain_scenes("train")).seed(5)
    assert_scenes(own_sources.Rows(["cat", "dog"], dataset, own_sources.grain_example, epochs=True))
    drawn = dataset.random_map(lambda row, rng: {**row, "image": row["image"] // 2 + rng.integers(0, 99, dtype=np.uint8)})
    source = own_sources.Rows(["cat", "dog"], drawn, own_sources.grain_example, epochs=True)
    again = [source.example(epoch, 1).image for epoch in (0, 1, 0)]
    assert (again[0] == again[2]).all() and (again[0] != again[1]).any()


def test_torch():
    torch = pytest.importorskip("torch")
    import own_sources

    class Pictures(torch.utils.data.Dataset):
        __len__ = Scenes.__len__

        def __getitem__(self, index):
            image, target = torch_scenes("train")[index]
            return torch.from_numpy(image), {name: torch.from_numpy(value) for name, value in target.items()}

    assert_scenes(own_sources.Rows(["cat", "dog"], Pictures(), own_sources.torch_example))
    first = torch.utils.data.Subset(Pictures(), [0] * 4)
    loader = torch.utils.data.DataLoader(first, batch_size=2, collate_fn=list)
    grid = AnchorGrid((40, 64), (8,), (((18, 27), (30, 30)),))
    batches = list(own_sources.torch_batches(loader, grid))
    assert len(batches) == 2
    np.testing.assert_array_equal(batches[1][0][1], Scenes(lambda *example: example)[0][0])


def test_hugging_face(tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")
    pillow = pytest.importorskip("PIL.Image")
    import own_sources

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    objects = {"bbox": datasets.Sequence(datasets.Sequence(datasets.Value("float32"), 4))}
    objects["category"] = datasets.Sequence(datasets.ClassLabel(names=["cat", "dog"]))
    features = datasets.Features({"image": datasets.Image(), "objects": objects})
    rows = {"image": [], "objects": []}
    for index in range(3):
        image, boxes, classes = Scenes(lambda *example: example)[index]
        rows["image"].append(pillow.fromarray(image))
        boxes = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], 1)
        rows["objects"].append({"bbox": boxes.tolist(), "category": classes.tolist()})
    (tmp_path / "data").mkdir()
    written = datasets.Dataset.from_dict(rows, features=features)
    written.to_parquet(tmp_path / "data" / "validation-00000-of-00001.parquet")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    assert_scenes(own_sources.from_huggingface(None, "val", path=str(tmp_path)))


class Picture:
    def __init__(self, image):
        self.image = image

    def convert(self, mode):
        return self.image


def test_rows_of_hugging_face_without_it():
    import own_sources

    def row(image, boxes, classes):
        boxes = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], 1)
        return {"image": Picture(image), "objects": {"bbox": boxes.tolist(), "category": classes.tolist()}}

    assert_scenes(own_sources.Rows(["cat", "dog"], Scenes(row), own_sources.huggingface_example))


@pytest.mark.slow
def test_the_notebook(tmp_path):
    path = FOLDER / "quickstart.ipynb"
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert notebook["nbformat"] == 4 and notebook["nbformat_minor"] >= 5
    assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert code and not any(cell["outputs"] or cell["execution_count"] for cell in code)
    program = """
import json, sys
space = {}
for number, source in enumerate(json.loads(sys.argv[1])):
    exec(compile(source, f"cell {number}", "exec"), space)
    if "get_config()" in source:  # small enough for a test
        space["config"].train.epochs = 0.03
        space["config"].data.size = (64, 64)
        space["config"].data.digits_val = 8
        space["config"].model.width = 0.125
print(sorted(space["ap"]), space["metrics"]["images"])
"""
    sources = json.dumps(["".join(cell["source"]) for cell in code])
    one_device = {"XLA_FLAGS": os.environ["XLA_FLAGS"].replace("device_count=8", "device_count=1")}
    environment = os.environ | one_device | {"MPLBACKEND": "Agg", "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, "-c", program, sources], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert re.search(r"\[0, 1.*\] 8$", done.stdout.strip()), done.stdout[-500:]
    assert (tmp_path / "runs" / "quickstart" / "eval" / "val" / "report.html").is_file()
