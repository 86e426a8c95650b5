"""An error message for a process that cannot print one itself: it was ended by SIGKILL, or by a library that aborts."""

import contextlib
import os
import subprocess
import sys

PATIENCE_SECONDS = 10
_shell: subprocess.Popen[bytes] | None = None


def arm(message: str) -> None:
    """Has an error line printed on stderr when this process ends, unless `disarm` is called first.

    A shell waits for the end of a pipe that only this process holds open, and then prints. Without a shell nothing is printed.
    """
    global _shell
    cursor = "\x1b[?25h" if sys.stderr.isatty() else ""  # the progress display hides it
    line = f"{cursor}{os.path.basename(sys.argv[0])}: error: {message}"
    with contextlib.suppress(OSError):
        _shell = subprocess.Popen(
            ["sh", "-c", 'read -r end || printf "%s\\n" "$0" >&2', line],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is not meant for it
        )


def disarm() -> None:
    """Cancels the message; to be called before an orderly end."""
    if _shell:
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):  # the shell was ended or stopped
            _shell.communicate(b"end\n", timeout=PATIENCE_SECONDS)
