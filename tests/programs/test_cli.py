"""What every program does before its own work."""

import os
import subprocess
import sys

import pytest

from tests.helpers.permissions import bound, permissions
from tests.helpers.several import REPOSITORY

CODE = """
from yolojax.programs import cli
def main(arguments):
    import jax
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    print(jax.jit(lambda x: 2 * x)(3.0), jax.config.jax_compilation_cache_dir)
cli.run(main, lambda: None, "")
"""


def run(before=(), **environment):
    inherited = {name: value for name, value in os.environ.items() if name != "JAX_COMPILATION_CACHE_DIR"}
    command = [*before, sys.executable, "-W", "error", "-c", CODE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=inherited | environment)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("variable", ["HOME", "XDG_CACHE_HOME"])
def test_compiled_programs_are_kept_in_the_users_cache(tmp_path, variable):
    unset = {} if variable == "XDG_CACHE_HOME" else {"XDG_CACHE_HOME": ""}
    folder = tmp_path / ("yolojax/compiled" if variable == "XDG_CACHE_HOME" else ".cache/yolojax/compiled")
    assert run(**{variable: str(tmp_path)}, **unset) == ["6.0", str(folder)]
    assert any("cache" in entry.name for entry in folder.iterdir())


def test_jax_own_setting_goes_first(tmp_path):
    chosen = tmp_path / "chosen"
    assert run(HOME=str(tmp_path), JAX_COMPILATION_CACHE_DIR=str(chosen)) == ["6.0", str(chosen)]
    assert list(chosen.iterdir())


def test_without_a_home_to_write_in_nothing_is_kept(tmp_path):
    (tmp_path / "home").write_text("a file")
    assert run(HOME=str(tmp_path / "home"), XDG_CACHE_HOME="") == ["6.0", "None"]


@pytest.mark.parametrize("mode", [0, 0o500])
def test_where_the_cache_may_not_be_written_nothing_is_kept(tmp_path, mode):
    folder = tmp_path / "yolojax/compiled"
    folder.mkdir(parents=True)
    with permissions(folder, mode):
        assert run(bound(), XDG_CACHE_HOME=str(tmp_path)) == ["6.0", "None"]


@pytest.mark.parametrize("variables", [{"HOME": "home", "XDG_CACHE_HOME": "cache"}, {"HOME": "home", "XDG_CACHE_HOME": ""}])
def test_a_cache_that_would_lie_in_the_current_folder_is_none(variables, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(PYTHONPATH=str(REPOSITORY), **variables) == ["6.0", "None"]
    assert not list(tmp_path.iterdir())
