"""`yolojax import`, as users call it."""

import pytest

from tests.helpers.face_files import write_face
from yolojax.__main__ import main
from yolojax.runs.workdir import read_config


@pytest.fixture
def face(tmp_path):
    """The paths of a network that is none of ours: cfg, weights."""
    return write_face(tmp_path)


def test_mistakes_of_the_commands_are_one_line(face, tmp_path, capsys):
    cfg, weights = map(str, face)
    (tmp_path / "another.cfg").touch()
    for arguments, message in (
        (["import", weights, "--cfg", str(tmp_path / "no.cfg"), "--workdir", "x"], "no.cfg: the cfg cannot be read"),
        (["import", cfg, "--cfg", cfg, "--workdir", str(tmp_path / "x")], "face.cfg: the 310 bytes after its header of 16"),
        (["import", str(tmp_path / "lone.weights"), "--workdir", "x"], "lone.weights: there is no cfg of its name"),
        (["export", str(tmp_path / "x"), "--to", "darknet", "--out", "y"], "config.json does not exist"),
    ):
        assert main(arguments) == 1
        shown = capsys.readouterr()
        assert message in shown.err and shown.err.count("\n") == 1 and shown.out == ""
    assert not (tmp_path / "x").exists()


def test_cfg_names_and_fit_are_those_beside_the_weights(face, tmp_path, capsys):
    cfg, weights = face
    assert main(["import", str(weights), "--workdir", str(tmp_path / "numbers")]) == 0
    shown = capsys.readouterr().out
    assert f"darknet, 10 classes, 32 x 32 pixels\nits network is that of {cfg}; pictures are letterboxed\n" in shown
    assert "class names: not known, so their numbers (--names)\n" in shown
    cfg.write_text(cfg.read_text().replace("height=32", "height=32\nletter_box=0"))
    (tmp_path / "face.names").write_text("".join(f"{name}\n" for name in "abcdefghij"))
    assert main(["import", str(weights), "--workdir", str(tmp_path / "named")]) == 0
    shown = capsys.readouterr().out
    assert "pictures are stretched\n" in shown and f"class names: {tmp_path / 'face.names'}\n" in shown
    data = [read_config(tmp_path / name).data for name in ("numbers", "named")]
    assert [each.fit for each in data] == ["darknet_letterbox", "darknet_stretch"]
    assert [each.class_names for each in data] == [tuple("0123456789"), tuple("abcdefghij")]
    assert main(["import", str(weights), "--workdir", str(tmp_path / "asked"), "--fit", "letterbox"]) == 0
    assert read_config(tmp_path / "asked").data.fit == "darknet_letterbox"
