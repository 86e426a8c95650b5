"""Matplotlib loads whatever MPLBACKEND says; test_environment.py trains with such values."""

import os
import re
import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY

CODE = """
import os
from yolojax.runtime.plotting import Figure, matplotlib
figure = Figure()
figure.subplots().plot([0, 1])
figure.savefig(os.devnull, format="png")
figure.savefig(os.devnull, format="svg")
print(dict.__getitem__(matplotlib.rcParams, "backend") if os.environ.get("MPLBACKEND") else None, os.environ.get("MPLBACKEND"))
"""


@pytest.mark.parametrize(
    ("chosen", "backend"),
    [
        ("nonsense", "agg"),
        ("TkAgg", "TkAgg"),  # what else in this process uses matplotlib gets what it would have had
        ("", None),
        (None, None),
    ],
)
def test_figures_are_drawn_and_the_environment_is_as_it_was(chosen, backend):
    environment = {name: value for name, value in os.environ.items() if name not in ("MPLBACKEND", "DISPLAY")}
    environment |= {} if chosen is None else {"MPLBACKEND": chosen}
    done = subprocess.run([sys.executable, "-W", "error", "-c", CODE], capture_output=True, text=True, env=environment)
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert done.stdout == f"{backend} {chosen}\n"


LOAD = "from yolojax.errors import InputError\ntry:\n import yolojax.runtime.plotting\nexcept InputError as e: print(e)"


def test_a_matplotlib_that_cannot_be_loaded_is_one_line(tmp_path):
    (tmp_path / "matplotlib.py").write_text("raise ImportError('libstdc++ is too old')")
    path = os.pathsep.join([str(tmp_path), os.getcwd()])
    done = subprocess.run([sys.executable, "-c", LOAD], capture_output=True, text=True, env=os.environ | {"PYTHONPATH": path})
    assert "cannot be loaded (libstdc++ is too old)" in done.stdout and not done.stderr


def test_settings_of_matplotlib_that_cannot_be_read_are_one_line(tmp_path):
    (tmp_path / "matplotlibrc").write_bytes(b"axes.facecolor: \xff\xfe\n")
    environment = os.environ | {"MATPLOTLIBRC": str(tmp_path / "matplotlibrc")}
    done = subprocess.run([sys.executable, "-c", LOAD], capture_output=True, text=True, env=environment)
    assert done.stdout.count("\n") == 1 and "mend or remove its settings, matplotlibrc" in done.stdout


def test_only_one_file_imports_matplotlib():
    users = [
        path
        for path in (REPOSITORY / "yolojax").rglob("*.py")
        if re.search(r"^\s*(import|from) matplotlib", path.read_text(), re.M)
    ]
    assert users == [REPOSITORY / "yolojax/runtime/plotting.py"]
