"""Programs are kept on disk, and later processes load them. Each test starts processes of its own: JAX opens one folder."""

import os
import subprocess
import sys

import jax
import pytest

from tests.helpers.permissions import bound, permissions
from yolojax.errors import InputError
from yolojax.runtime.compilation_cache import cache_compiled_programs

USE = """
import numpy as np
from yolojax.runtime.compilation_cache import cache_compiled_programs
{before}
place = cache_compiled_programs({folder!r})
import jax
from jax import monitoring
events = []
monitoring.register_event_listener(lambda event, **_: events.append(event.rpartition("/")[2]))
assert float(jax.jit(lambda x: 2 * x)(np.float32(3))) == 6
config = jax.config
print(place, config.jax_compilation_cache_dir, events.count("cache_hits"), events.count("cache_misses"))
print(config.jax_persistent_cache_min_compile_time_secs)
"""
LATE = "import jax; jax.jit(lambda x: 3 * x)(np.float32(2))"
CHOSEN = "import jax; jax.config.update('jax_compilation_cache_dir', {!r}); jax.jit(lambda x: 3 * x)(np.float32(2))"


def use(before="", folder=None, limits=(), **environment):
    """The folder that was returned, the one that JAX uses, hits, misses, and JAX's limit in seconds."""
    unset = ("JAX_COMPILATION_CACHE_DIR", "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS")
    inherited = {name: value for name, value in os.environ.items() if name not in unset}
    command = [*limits, sys.executable, "-W", "error", "-c", USE.format(before=before, folder=folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=inherited | environment)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return done.stdout.split()


def programs(folder):
    return [path for path in folder.iterdir() if path.name.endswith("-cache")]


def test_a_second_process_loads_what_the_first_has_kept(tmp_path):
    kept = tmp_path / "yolojax/compiled"
    assert use(XDG_CACHE_HOME=str(tmp_path)) == [str(kept), str(kept), "0", "1", "0.0"]
    assert len(programs(kept)) == 1
    # Here JAX was imported, and has compiled, before it was asked to keep anything.
    assert use(LATE, XDG_CACHE_HOME=str(tmp_path)) == [str(kept), str(kept), "1", "0", "0.0"]


def test_a_folder_that_is_named_goes_before_what_was_set(tmp_path):
    other = str(tmp_path / "other")
    # In the first case JAX has opened the other folder already.
    for number, (before, variables) in enumerate([(CHOSEN.format(other), {}), ("", {"JAX_COMPILATION_CACHE_DIR": other})]):
        folder = tmp_path / "made" / str(number)
        assert use(before, str(folder), **variables) == [str(folder), str(folder), "0", "1", "0.0"]
        assert len(programs(folder)) == 1


def test_the_user_s_own_settings_are_kept(tmp_path):
    own = str(tmp_path / "own")
    limit = "; jax.config.update('jax_persistent_cache_min_compile_time_secs', 7)"
    variables = {"JAX_COMPILATION_CACHE_DIR": own, "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "7"}
    for found in (use(HOME=str(tmp_path), **variables), use(CHOSEN.format(own) + limit, HOME=str(tmp_path))):
        assert found[:2] == [own, own] and float(found[-1]) == 7
    assert not (tmp_path / ".cache").exists()


def test_where_nothing_can_be_kept_that_is_no_error(tmp_path):
    """tests/programs/test_cli.py has this before JAX is imported."""
    with permissions(tmp_path, 0o500):
        assert use(LATE, limits=bound(), XDG_CACHE_HOME=str(tmp_path))[:3] == ["None", "None", "0"]


@pytest.mark.parametrize("name", ["file", "file/deeper", "null\0byte"])
def test_a_folder_that_is_named_but_cannot_be_used_is_an_error(name, tmp_path):
    (tmp_path / "file").write_text("in the way")
    before = jax.config.jax_compilation_cache_dir
    with pytest.raises(InputError, match="compiled programs cannot be kept in this folder; name one that can be written"):
        cache_compiled_programs(tmp_path / name)
    assert jax.config.jax_compilation_cache_dir == before


@pytest.mark.parametrize("damage", ["cut", *(pytest.param(name, marks=pytest.mark.slow) for name in ("empty", "other"))])
def test_a_damaged_entry_is_removed_and_the_program_is_kept_again(damage, tmp_path):
    program = (
        "from yolojax.runtime.compilation_cache import cache_compiled_programs, remove_damaged_entries\n"
        "remove_damaged_entries(cache_compiled_programs())\n"
        "import jax; print(jax.jit(lambda x: 2 * x)(3.0))"
    )
    environment = {name: value for name, value in os.environ.items() if name != "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"}
    environment |= {"JAX_COMPILATION_CACHE_DIR": str(tmp_path)}

    def run():
        return subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, env=environment)

    run()
    (entry,) = tmp_path.glob("*lambda*-cache")
    whole = entry.read_bytes()
    entry.write_bytes({"cut": whole[: len(whole) // 2], "empty": b"", "other": b"x" * 5000}[damage])
    again = run()
    assert again.stdout == "6.0\n" and again.stderr == ""
    assert len(entry.read_bytes()) > 0.9 * len(whole)
