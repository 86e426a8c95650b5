"""`yolojax export`: what its arguments make of the one call of the library."""

import pytest

from yolojax.__main__ import main
from yolojax.export.workdir import FORMATS
from yolojax.programs import export


@pytest.mark.parametrize("form", FORMATS)
def test_every_argument_reaches_the_export_and_its_line_is_printed(form, monkeypatch, capsys):
    calls = []
    monkeypatch.setattr(export, "export_workdir", lambda *given, **named: calls.append((given, named)) or "a line")
    assert main(["export", "runs/a", "--to", form, "--out", "b"]) == 0
    assert capsys.readouterr().out == "b: a line\n"
    assert main(["export", "runs/a", "--to", form, "--out", "b", "--checkpoint", "7", "--pictures", "c.png", "d"]) == 0
    assert calls == [
        (("runs/a", form, "b"), {"checkpoint": "best", "pictures": ()}),
        (("runs/a", form, "b"), {"checkpoint": "7", "pictures": ["c.png", "d"]}),
    ]
