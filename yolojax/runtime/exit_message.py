"""What a process says if it is ended so that it can say nothing itself: by SIGKILL, or by a library that aborts."""

import contextlib
import os
import subprocess
import sys

PATIENCE_SECONDS = 10
_shell = None


def arm(words):
    """Has one line of error printed on stderr when this process ends, unless `disarm` is called before.

    A shell waits for the end of a pipe that this process alone holds open, and then prints. Where there is no shell, nothing
    is printed.
    """
    global _shell
    cursor = "\x1b[?25h" if sys.stderr.isatty() else ""  # the progress display hides it
    line = f"{cursor}{os.path.basename(sys.argv[0])}: error: {words}"
    with contextlib.suppress(OSError):
        _shell = subprocess.Popen(
            ["sh", "-c", 'read -r end || printf "%s\\n" "$0" >&2', line],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is not meant for it
        )


def disarm():
    """Has nothing printed; called when the process ends in order."""
    if _shell:
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):  # somebody has ended or stopped it
            _shell.communicate(b"end\n", timeout=PATIENCE_SECONDS)
