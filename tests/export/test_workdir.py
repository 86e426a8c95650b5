"""Files that are there whole or not at all, and the pictures on which they are checked."""

import os
import shutil
import sys
import types

import numpy as np
import pytest

from tests.helpers.saved_run import save_run
from tests.helpers.tiny_config import get_config
from yolojax.__main__ import main
from yolojax.data.images import write_image
from yolojax.errors import InputError
from yolojax.export import workdir as module
from yolojax.export.agreement import agree
from yolojax.export.workdir import export_workdir, whole_or_not_at_all
from yolojax.models import YOLOv3Tiny, initialize
from yolojax.predict import Detector
from yolojax.runs.workdir import load_run


def test_everything_that_was_written_takes_its_place(tmp_path):
    out = tmp_path / "new" / "net.weights"
    with whole_or_not_at_all(out) as path:
        path.write_text("weights")
        path.with_suffix(".cfg").write_text("cfg")
        assert not out.exists()
    assert sorted(file.name for file in out.parent.iterdir()) == ["net.cfg", "net.weights"]
    assert out.read_text() == "weights"


def test_folders_made_in_vain_are_removed(tmp_path):
    (tmp_path / "kept").mkdir()
    with pytest.raises(KeyboardInterrupt), whole_or_not_at_all(tmp_path / "kept" / "new" / "newer" / "net") as path:
        path.write_text("half")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == [tmp_path / "kept"] and not list((tmp_path / "kept").iterdir())


def test_after_an_error_nothing_is_left_and_the_old_file_stays(tmp_path):
    out = tmp_path / "net"
    out.write_text("old")
    with pytest.raises(InputError, match="differ"), whole_or_not_at_all(out) as path:
        path.write_text("new")
        raise InputError("they differ")
    assert [file.name for file in tmp_path.iterdir()] == ["net"] and out.read_text() == "old"


def test_places_where_no_file_can_be(tmp_path):
    (tmp_path / "file").write_text("")
    for out, message in ((tmp_path, "is a folder"), (tmp_path / "file" / "net", "cannot be written: ")):
        with pytest.raises(InputError, match=message), whole_or_not_at_all(out) as path:
            path.write_text("new")


@pytest.fixture
def seen(monkeypatch):
    """The pictures that reach a format, which writes nothing."""
    images = []

    def write(run, path, pictures):
        images.extend(pictures)
        path.write_bytes(b"8" + module.MARKS["onnx"])
        return "a line"

    monkeypatch.setitem(sys.modules, "a_format", types.SimpleNamespace(write=write))
    monkeypatch.setitem(module.FORMATS, "onnx", "a_format:write")
    return images


def test_the_pictures_are_those_of_the_validation_or_those_given(workdir, run, seen, tmp_path, capsys):
    assert main(["export", str(workdir), "--to", "onnx", "--out", str(tmp_path / "net")]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'net'}: a line\n"
    assert len(seen) == 4  # of twelve
    seen.clear()
    for number in range(3):
        write_image(tmp_path / f"{number}.png", np.full((20, 30, 3), number, np.uint8))
    export_workdir(workdir, "onnx", tmp_path / "net", pictures=[tmp_path / "2.png", f"{tmp_path}/[01].png"])
    assert [int(image[0, 0, 0]) for image in seen] == [2, 0, 1]


def test_what_is_missing_is_named(workdir, seen, tmp_path, capsys):
    out = tmp_path / "net"
    for arguments, message in (
        ([tmp_path / "nothing"], "train first"),
        ([workdir, "--checkpoint", "7"], "no checkpoint '7'"),
        ([workdir, "--pictures", "-"], "--pictures -: give pictures"),
        ([workdir, "--pictures", tmp_path / "no.png"], "no.png: there is no such picture"),
    ):
        assert main(["export", *map(str, arguments), "--to", "onnx", "--out", str(out)]) == 1
        shown = capsys.readouterr()
        assert shown.err.startswith("error: ") and message in shown.err and shown.err.count("\n") == 1
    text = (workdir / "config.json").read_text()
    moved = tmp_path / "moved"
    moved.mkdir()
    (moved / "checkpoints").symlink_to(workdir / "checkpoints")
    assert '"source": "digits"' in text
    text = text.replace('"source": "digits"', '"source": "list"').replace('"val": ""', f'"val": "{tmp_path}/gone.txt"')
    (moved / "config.json").write_text(text)
    assert main(["export", str(moved), "--to", "onnx", "--out", str(out)]) == 1
    shown = capsys.readouterr()
    assert "gone.txt" in shown.err and "--pictures" in shown.err and not out.exists()


def test_a_file_that_came_while_it_was_written_stays(workdir, monkeypatch, tmp_path):
    def write(run, path, pictures):
        path.write_bytes(b"8" + module.MARKS["onnx"])
        (tmp_path / "net").write_text("mine")
        return "a line"

    monkeypatch.setitem(sys.modules, "a_format", types.SimpleNamespace(write=write))
    monkeypatch.setitem(module.FORMATS, "onnx", "a_format:write")
    with pytest.raises(InputError, match="net exists and is no file that an export to onnx has written"):
        export_workdir(workdir, "onnx", tmp_path / "net")
    assert (tmp_path / "net").read_text() == "mine" and [path.name for path in tmp_path.iterdir()] == ["net"]


def test_a_run_without_data_needs_pictures(workdir, seen, tmp_path):
    shutil.copytree(workdir, tmp_path / "imported")
    config = tmp_path / "imported" / "config.json"
    config.write_text(config.read_text().replace('"source": "digits"', '"source": "auto"'))
    with pytest.raises(InputError, match=r"^the run has no data, .*: give pictures .* with --pictures$"):
        export_workdir(tmp_path / "imported", "onnx", tmp_path / "net")
    assert not seen and not (tmp_path / "net").exists()


def test_only_an_earlier_export_of_the_same_format_is_replaced(workdir, seen, tmp_path):
    config = (workdir / "config.json").read_bytes()
    (tmp_path / "photo.jpg").write_bytes(b"mine")
    (tmp_path / "net.yolojax").write_bytes(b"PK.." + module.MARKS["stablehlo"] + b"yolojax")
    for name in ("photo.jpg", "net.yolojax", workdir / "config.json"):
        with pytest.raises(InputError, match=f"{tmp_path / name} exists and is no file that an export to onnx has written"):
            export_workdir(workdir, "onnx", tmp_path / name)
    os.mkfifo(tmp_path / "pipe")
    os.symlink("nowhere", tmp_path / "link")
    for name in ("pipe", "link"):
        with pytest.raises(InputError, match=f"{tmp_path / name} cannot be read"):
            export_workdir(workdir, "onnx", tmp_path / name)
    assert (tmp_path / "photo.jpg").read_bytes() == b"mine" and (workdir / "config.json").read_bytes() == config and not seen


@pytest.mark.slow  # test_onnx.py and test_describe.py have the decoding
def test_a_network_with_squared_sizes_is_exported_with_its_decoding(tmp_path, pictures):
    config = get_config()
    config.data.size = (64, 96)
    config.model.xy_scale, config.model.squared_sizes = 2.0, True
    config.loss.name, config.loss.assign_rule = "iou_aware", "ratio"
    save_run(tmp_path / "run", config, 3, initialize(YOLOv3Tiny(10, width=config.model.width), 0))
    detector = Detector.from_workdir(tmp_path / "run")
    (found,) = detector([pictures[0]], score_threshold=1e-4)
    export_workdir(tmp_path / "run", "stablehlo", tmp_path / "net.yolojax")  # compared with the network as it is written
    exported = Detector.from_exported(tmp_path / "net.yolojax")
    assert exported.recipe.grid == load_run(tmp_path / "run").grid and exported.recipe.grid.squared_sizes
    (same,) = exported([pictures[0]], score_threshold=1e-4)
    assert len(found.scores) and agree(found[:3], same[:3], 96, cut_short=True)
    assert export_workdir(tmp_path / "run", "darknet", tmp_path / "darknet")
    assert "new_coords=1" in (tmp_path / "darknet" / "model.cfg").read_text()
