"""`yolojax import`, as users call it."""

import pytest

from tests.helpers.face_files import write_face
from yolojax.__main__ import main


@pytest.fixture
def face(tmp_path):
    """The paths of a network that is none of ours: cfg, weights."""
    return write_face(tmp_path)


def test_mistakes_of_the_commands_are_one_line(face, tmp_path, capsys):
    cfg, weights = map(str, face)
    for arguments, message in (
        (["import", weights, "--cfg", str(tmp_path / "no.cfg"), "--workdir", "x"], "no.cfg: the cfg cannot be read"),
        (["import", cfg, "--cfg", cfg, "--workdir", str(tmp_path / "x")], "face.cfg: the 310 bytes after its header of 16"),
        (["export", str(tmp_path / "x"), "--to", "darknet", "--out", "y"], "config.json does not exist"),
    ):
        assert main(arguments) == 1
        shown = capsys.readouterr()
        assert message in shown.err and shown.err.count("\n") == 1 and shown.out == ""
    assert not (tmp_path / "x").exists()
