"""Hints name commands in the form in which the program was called."""

import shlex
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from yolojax.programs import main
from yolojax.runtime.command import COMMANDS, as_typed, command, command_again, program


@pytest.mark.parametrize(
    ("called", "train", "export"),
    [
        ("/venv/bin/yolojax", "yolojax train", "yolojax export"),
        ("yolojax detect", "yolojax train", "yolojax export"),
        (r"yolojax.exe", "yolojax train", "yolojax export"),
        ("/site-packages/yolojax/__main__.py", "python -m yolojax train", "python -m yolojax export"),
        ("python -m yolojax eval", "python -m yolojax train", "python -m yolojax export"),
        ("/somewhere/else/train.py", "python -m yolojax train", "python -m yolojax export"),
        ("-c", "python -m yolojax train", "python -m yolojax export"),
        ("", "python -m yolojax train", "python -m yolojax export"),
    ],
)
def test_command(monkeypatch, called, train, export):
    monkeypatch.setattr(sys, "argv", [called, "--workdir", "x"])
    assert command("train") == train and command("export") == export and f"{program()} export" == export


def test_the_scripts_of_a_checkout_name_each_other(monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    for called in ("train.py", "eval.py", "detect.py"):
        monkeypatch.setattr(sys, "argv", [called])
        assert [command(name) for name in ("train", "eval", "detect")] == [
            "python train.py",
            "python eval.py",
            "python detect.py",
        ]
        assert command("check") == "python -m yolojax check"
    monkeypatch.chdir("/")
    monkeypatch.setattr(sys, "argv", [str(REPOSITORY / "train.py")])
    words = shlex.split(command("eval"))
    assert words[0] == "python" and Path(words[1]) == REPOSITORY / "eval.py"


def test_only_commands_are_replaced(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["yolojax/__main__.py"])
    text = "find | yolojax detect -; `yolojax eval --help`; yolojax cannot; runs/yolojax train; yolojax trains"
    assert as_typed(text) == (
        "find | python -m yolojax detect -; `python -m yolojax eval --help`; yolojax cannot; runs/yolojax train; yolojax trains"
    )


def test_the_commands_are_those_of_the_program():
    assert set(COMMANDS) == {*main._ABSL, *main._ARGPARSE}


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (["--workdir", "a b", "--config.train.epochs=2"], "--config.train.epochs=2 "),
        (["--workdir=a b", "--config.init_from", "x", "--config.data.size=(64,64)"], "'--config.data.size=(64,64)' "),
        ([f"--config={REPOSITORY}/yolojax/configs/voc.py", "-workdir=a", "--noconfig.seed"], "--config=voc --noconfig.seed "),
        ([f"--config={REPOSITORY}/mine.py:tiny", "--workdir=a"], f"--config={REPOSITORY}/mine.py:tiny "),
        (["of", "another program"], ""),
    ],
)  # fmt: skip
def test_the_same_command_with_other_values(monkeypatch, given, kept):
    monkeypatch.setattr(sys, "argv", ["yolojax train", *given])
    assert command_again("train", workdir="a b_2", config_init_from="a b") == (
        f"yolojax train {kept}'--workdir=a b_2' '--config.init_from=a b'"
    )
