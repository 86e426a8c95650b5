"""The end of a process by a signal, and of one whose threads do not end."""

import signal
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
import signal, sys, threading
from yolojax.programs import {module}
from yolojax.runtime import ending
from yolojax.programs import cli, main
def interrupted(*_):
    threading.Thread(target=threading.Event().wait).start()
    signal.raise_signal({number})
ending.end_anyway.__defaults__ = (0.2,)
{module}.main = interrupted
signal.signal(signal.SIGINT, signal.default_int_handler)  # it is ignored in what a shell runs in the background
sys.argv = ["yolojax", *sys.argv[1:]]
sys.exit(main.main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("module", "arguments"), [("digits", ["digits", "--out", "x"]), ("evaluate", ["eval", "--workdir", "x"])]
)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_command_that_is_interrupted_ends_although_a_thread_does_not(module, arguments, number, tmp_path):
    program = INTERRUPTED.format(module=module, number=int(number))
    done = subprocess.run([sys.executable, "-c", program, *arguments], timeout=120, cwd=tmp_path, capture_output=True)
    assert done.returncode == 128 + number and not done.stderr


LOADING = """
import signal, sys
from yolojax.programs import main
def look(_, frame):  # runs wherever the handler of another signal would
    def found():
        return frame.f_code.co_name == "create_module" and getattr(frame.f_locals.get("self"), "name", "") == "jaxlib._jax"
    while frame and not found():
        frame = frame.f_back
    if frame:
        signal.setitimer(signal.ITIMER_REAL, 0)
        print("loading jaxlib", flush=True)
        signal.raise_signal({number})
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGALRM, look)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
sys.exit(main.main(["detect", "--workdir", "x", "picture.png"]))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_waits_until_a_library_is_loaded(number, tmp_path):
    """jaxlib's initialization ends the process by SIGSEGV or SIGABRT if Ctrl-C raises an exception in it."""
    program = LOADING.format(number=int(number))
    done = subprocess.run([sys.executable, "-c", program], timeout=120, cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.startswith("loading jaxlib")
    assert (done.returncode, done.stderr) == (128 + number, "")


IGNORING = """
import signal, sys
signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
from yolojax.programs import digits, main
def hung_up(_):
    signal.raise_signal(signal.SIGHUP)
    return 0
digits.main = hung_up
sys.exit(main.main(["digits", "--out", "x"]))
"""


def test_a_signal_that_is_ignored_stays_so(tmp_path):
    assert subprocess.run([sys.executable, "-c", IGNORING], timeout=120, cwd=tmp_path).returncode == 0


WRITING = """
import signal, sys
from yolojax.programs import digits, main
from yolojax.runtime.files import whole_or_not_at_all, whole_set, write_text
def stopped(_):
    with whole_set("set") as draft, whole_or_not_at_all("file") as other:
        write_text(draft / "one.txt", "one")
        write_text(other, "other")
        signal.raise_signal({number})
digits.main = stopped
sys.exit(main.main(["digits", "--out", "x"]))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_command_that_is_ended_leaves_nothing_behind(number, tmp_path):
    program = WRITING.format(number=int(number))
    assert subprocess.run([sys.executable, "-c", program], timeout=120, cwd=tmp_path).returncode == 128 + number
    assert not list(tmp_path.iterdir())
