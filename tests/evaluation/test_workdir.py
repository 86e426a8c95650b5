"""The evaluation of a run on the split test, and on data that the run does not know."""

import json

import jax
import jax.numpy as jnp
import pytest

from tests.helpers.saved_run import save_run
from tests.helpers.text_list import NAMES, PICTURES, write_list
from tests.helpers.tiny_config import get_config
from yolojax.config import differences
from yolojax.data.convert import convert
from yolojax.errors import InputError
from yolojax.evaluation.metrics.tide import KINDS
from yolojax.evaluation.workdir import evaluate_workdir
from yolojax.models import build_model, initialize
from yolojax.runs.workdir import read_config
from yolojax.training.loop import resolve


@pytest.fixture
def workdir(tmp_path):
    """An untrained run on a VOC folder with the splits train, val and test, of a time before config.data.test."""
    listed = write_list(tmp_path)
    convert([listed.data.train], "voc", tmp_path / "voc", names=NAMES)
    for split, members in (("train", "0 1 2"), ("val", "3 4"), ("test", "5 6 0")):
        (tmp_path / f"voc/ImageSets/Main/{split}.txt").write_text(members.replace(" ", "\n"))
    config = get_config()
    config.data.source = "auto"
    config.data.train = config.data.val = str(tmp_path / "voc")
    resolved, source = resolve(config)
    assert len(source) == 3 and resolved.data.class_names == ("cat", "cow", "dog")
    save_run(tmp_path / "run", config, 1, jax.tree.map(jnp.asarray, initialize(build_model(resolved.model), 0)))
    path = tmp_path / "run/config.json"
    values = json.loads(path.read_text())
    del values["data"]["test"]
    path.write_text(json.dumps(values))
    return tmp_path / "run"


@pytest.mark.slow  # programs/test_programs.py evaluates as well
def test_the_split_test_and_other_data(workdir, tmp_path, capsys):
    config = get_config()
    config.data.source, config.data.train, config.data.val = "auto", str(tmp_path / "voc"), str(tmp_path / "voc")
    assert differences(read_config(workdir), resolve(config)[0]) == []  # so that it is resumed
    assert evaluate_workdir(workdir, split="test")["images"] == 3
    assert json.loads((workdir / "eval/test/metrics.json").read_text())["split"] == "test"
    assert not (workdir / "eval/val").exists()

    # In a text list classes are numbers: those of the run, whose names are sorted.
    (tmp_path / "more.txt").write_text("0.png 10,10,50,40,1\n3.png\n")
    metrics = evaluate_workdir(workdir, split="test", data=tmp_path / "more.txt")
    assert metrics["images"] == 2 and metrics["per_class"]["cow"]["boxes"] == 1
    assert metrics["absent"]["without_truth"] == ["cat", "dog"] and "no truth of cat, dog" in capsys.readouterr().out
    assert metrics["stage_seconds"]["forward"] > 0 and set(metrics["errors"]) == set(KINDS)
    assert evaluate_workdir(workdir, data=f"{tmp_path}/voc:list")["images"] == len(PICTURES)
    with pytest.raises(InputError, match=r"nowhere: there is no such file or folder"):
        evaluate_workdir(workdir, data="nowhere")
    (tmp_path / "voc/ImageSets/Main/test.txt").unlink()
    with pytest.raises(InputError, match=r"test\.txt: there is no such split \(there are: list, train, val\)"):
        evaluate_workdir(workdir, split="test")


def test_an_evaluation_is_whole_or_not_there(workdir, monkeypatch, capsys):
    folder = workdir / "eval/val"
    folder.mkdir(parents=True)
    (folder / "notes.txt").write_text("mine")
    (folder / "sample_999.png").write_text("of an earlier evaluation")
    config = json.loads((workdir / "config.json").read_text())
    config["data"]["class_names"][0] = "\x1b[31mcat"
    (workdir / "config.json").write_text(json.dumps(config))

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("yolojax.evaluation.workdir.write_samples", full)
        with pytest.raises(InputError, match=rf"^{folder}: cannot be written: No space left on device$"):
            evaluate_workdir(workdir)
    assert sorted(path.name for path in folder.iterdir()) == ["notes.txt", "sample_999.png"]
    assert list(folder.parent.iterdir()) == [folder]
    capsys.readouterr()
    evaluate_workdir(workdir)
    assert "\x1b" not in (out := capsys.readouterr().out) and "\\x1b[31mcat" in out
    files = {path.name for path in folder.iterdir()}
    assert {"metrics.json", "detections.json", "report.html", "notes.txt"} < files and "sample_999.png" not in files


def test_another_folder_is_new_or_an_evaluation(workdir, tmp_path):
    photos = tmp_path / "photos"
    for name, text in (("notes.txt", "mine"), ("metrics.json", '{"mine": 1}')):
        photos.mkdir(exist_ok=True)
        (photos / name).write_text(text)
        with pytest.raises(InputError, match=r"photos holds files and no evaluation; name a new folder with --out"):
            evaluate_workdir(workdir, out=photos)
    with pytest.raises(InputError, match=r"notes\.txt is a file; name a new folder"):
        evaluate_workdir(workdir, out=photos / "notes.txt")
    out = tmp_path / "evaluations/first"
    for checkpoint, ways in (("best", {"augment": True}), (1, {})):
        metrics = evaluate_workdir(workdir, checkpoint, out=out, **ways)
        assert metrics.get("augment", False) == bool(ways)
    assert json.loads((out / "metrics.json").read_text())["split"] == "val" and (out / "report.html").exists()
    assert not (workdir / "eval").exists() and {path.name for path in photos.iterdir()} == {"notes.txt", "metrics.json"}
