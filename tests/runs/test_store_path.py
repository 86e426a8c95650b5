"""Workdirs with any character in their path hold checkpoints that can be opened again."""

import os
import pathlib
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from yolojax.errors import InputError
from yolojax.runs import store_path
from yolojax.runs.checkpoints import Checkpoints
from yolojax.runs.workdir import abstract_arrays

NAMES = (
    "a?b",
    "a#b",
    "a%b",
    "a%20b",
    "a[x]",
    "a[",
    "a b",
    "a\nb",
    "a\\b",
    "a*",
    'a"b',
    "a:b",
    "ä🚀",
    "r\udcffn",
    "$HOME",
    "\x01",
)


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="elsewhere such names are refused")
@pytest.mark.parametrize("name", NAMES)
def test_what_was_saved_is_read_again_and_nothing_is_written_elsewhere(tmp_path, name):
    state, before = {"a": jnp.arange(6.0)}, len(os.listdir("/proc/self/fd"))
    on_one = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    with Checkpoints(tmp_path / name) as checkpoints:
        checkpoints.save(4, state, {"metrics": {}, "pending": []})
    with Checkpoints(tmp_path / name, read_only=True) as checkpoints:
        assert checkpoints.steps() == [4]
        again = checkpoints.restore(4, abstract_arrays(state, on_one))
    np.testing.assert_array_equal(again["a"], state["a"])
    assert os.listdir(tmp_path) == [name]
    deadline = time.monotonic() + 10  # threads of other tests may have files open for a moment
    while len(os.listdir("/proc/self/fd")) > before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(os.listdir("/proc/self/fd")) <= before


@pytest.mark.parametrize("path", ["link/../run", "//run"])
def test_a_path_over_a_link_or_with_two_slashes_is_that_of_the_system(tmp_path, path):
    (tmp_path / "other" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "other" / "deep")
    workdir = f"/{tmp_path}/run" if path == "//run" else tmp_path / path
    state = {"a": jnp.arange(6.0)}
    with Checkpoints(workdir) as checkpoints:
        checkpoints.save(4, state, {"metrics": {}, "pending": []})
    place = tmp_path / "run" if path == "//run" else tmp_path / "other" / "run"
    assert any((place / "checkpoints" / "4" / "state").rglob("*")) and (path == "//run") == (tmp_path / "run").exists()
    with Checkpoints(workdir, read_only=True) as checkpoints:
        again = checkpoints.restore(4, abstract_arrays(state, jax.sharding.SingleDeviceSharding(jax.devices()[0])))
    np.testing.assert_array_equal(again["a"], state["a"])


def test_where_the_system_has_no_other_name_for_a_folder_it_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(store_path, "_HANDLES", pathlib.Path(tmp_path / "none"))
    with pytest.raises(InputError, match=r"a\?b: checkpoints cannot be kept under this path: .* name another --workdir"):
        Checkpoints(tmp_path / "a?b")
    assert not (tmp_path / "a?b").exists()
