"""Permissions that bind the programs under test, also where root runs the tests."""

import contextlib
import os
import shutil
import subprocess

import pytest


def bound():
    """The beginning of a command that permissions bind: nothing, or for root the one that gives up passing over them."""
    if os.geteuid():
        return ()
    command = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
    if not shutil.which("setpriv") or subprocess.run([*command, "true"], capture_output=True).returncode:
        pytest.skip("nothing here takes from root the right to pass over permissions")
    return command


@contextlib.contextmanager
def permissions(path, mode):
    """Other permissions for a while."""
    before = path.stat().st_mode
    path.chmod(mode)
    try:
        yield
    finally:
        path.chmod(before)
