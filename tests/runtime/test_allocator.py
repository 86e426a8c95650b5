"""The allocator keeps freed memory: large buffers are not zeroed by the kernel again and again."""

import platform
import subprocess
import sys

import pytest

from yolojax.runtime.allocator import keep_freed_memory

CODE = """
import resource, sys
import numpy as np
from yolojax.runtime.allocator import keep_freed_memory
if sys.argv[1] == "kept":
    assert keep_freed_memory() is True
np.ones(16 << 20, np.uint8)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    np.ones(16 << 20, np.uint8)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the setting is one of glibc")
def test_freed_buffers_are_used_again_without_page_faults():
    faults = {
        how: int(subprocess.run([sys.executable, "-c", CODE, how], capture_output=True, check=True, timeout=60).stdout)
        for how in ("kept", "handed back")
    }
    # 16 MiB are 4,096 pages of 4 KiB, or 8 of 2 MiB where the kernel gives those.
    assert faults["kept"] < 20 < faults["handed back"]


def test_other_c_libraries_are_left_alone(monkeypatch):
    monkeypatch.setattr("ctypes.CDLL", lambda name: object())
    assert keep_freed_memory() is False
