"""Progress on a terminal and elsewhere."""

import os
import pty
import subprocess
import sys

from yolojax.runtime.console import Progress

VALUES = {
    "loss": 3.0,
    "box": 1.0,
    "objectness": 0.5,
    "classification": 1.5,
    "learning_rate": 1e-4,
    "images_per_second": 12.0,
}


def test_progress_is_plain_lines_where_there_is_no_terminal(capsys):
    progress = Progress("train", 100, 400)
    progress.advance(120)
    progress.show(120, VALUES)
    progress.evaluating(1, 2)
    progress.say("[bold] is no markup")
    progress.close()
    out, err = capsys.readouterr()
    first, second = out.splitlines()
    assert first.startswith("step 120/400  loss 3.00 = box 1.00 + obj 0.50 + class 1.50  12 images/s  rate 1.0e-04")
    assert first.endswith("0:00 left")
    assert second == "[bold] is no markup"
    assert err == ""


def test_progress_is_a_bar_on_a_terminal():
    program = """
import time
from yolojax.runtime.console import Progress
progress = Progress("train", 0, 10)
progress.advance(5)
progress.show(5, {"loss": 3, "box": 1, "objectness": 1, "classification": 1, "learning_rate": 1, "images_per_second": 7})
progress.evaluating(3, 9)
progress.say("a line above")
time.sleep(0.3)
progress.close()
"""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "150"}
    done = subprocess.run([sys.executable, "-c", program], stdout=theirs, stderr=theirs, env=environment, timeout=60)
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 65536):
            shown += chunk
    except OSError:  # how Linux says that the other end is closed
        pass
    assert done.returncode == 0
    for part in ("evaluate 3/9", "5/10", "loss 3.00", "7 images/s", "a line above"):
        assert part in shown.decode(), part
