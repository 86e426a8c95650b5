"""The end of a process whose threads do not end."""

import subprocess
import sys

import pytest

STUCK = """
import sys, threading
from yolojax.runtime.ending import end_anyway
threading.Thread(target=threading.Event().wait).start()  # as a library's thread that waits for a file that never comes
end_anyway(3, seconds=0.2)
sys.exit(int(sys.argv[1]))
"""
CLEAN = "import sys; from yolojax.runtime.ending import end_anyway; end_anyway(3, seconds=60); sys.exit(int(sys.argv[1]))"


@pytest.mark.parametrize(("program", "status"), [(STUCK, 3), (CLEAN, 5)])
def test_a_process_ends_although_a_thread_does_not(program, status):
    assert subprocess.run([sys.executable, "-c", program, "5"], timeout=60).returncode == status


INTERRUPTED = """
import sys, threading
from yolojax.programs import {module}
from yolojax.runtime import ending
from yolojax.programs import cli, main
def interrupted(*_):
    threading.Thread(target=threading.Event().wait).start()
    raise KeyboardInterrupt
ending.end_anyway.__defaults__ = (0.2,)
{module}.main = interrupted
sys.argv = ["yolojax", *sys.argv[1:]]
sys.exit(main.main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("module", "arguments"), [("digits", ["digits", "--out", "x"]), ("evaluate", ["eval", "--workdir", "x"])]
)
def test_a_command_that_is_interrupted_ends_although_a_thread_does_not(module, arguments, tmp_path):
    program = INTERRUPTED.format(module=module)
    done = subprocess.run([sys.executable, "-c", program, *arguments], timeout=120, cwd=tmp_path, capture_output=True)
    assert done.returncode == 130 and b"Traceback" not in done.stderr
