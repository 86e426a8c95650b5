"""The error line for a process that cannot print one itself."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "end, status, said",
    [
        ("os.abort()", -6, True),
        ("os.kill(os.getpid(), signal.SIGKILL)", -9, True),
        ("os.killpg(0, signal.SIGKILL)", -9, True),
        ("exit_message.disarm()", 0, False),
        ("exit_message.disarm(); os._exit(3)", 3, False),
        ("exit_message._shell.kill(); exit_message._shell.wait(); exit_message.disarm()", 0, False),
    ],
)
def test_the_message_is_printed_unless_it_is_cancelled(repository, end, status, said):
    program = (
        f"import os, signal\nfrom yolojax.runtime import exit_message\nexit_message.arm('it has \"gone\"; $HOME %s')\n{end}"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=repository, capture_output=True, text=True, timeout=60, start_new_session=True
    )
    assert ended.returncode == status and not ended.stdout
    assert ended.stderr.splitlines()[-1:] == (['-c: error: it has "gone"; $HOME %s'] if said else [])


def test_without_a_shell_nothing_is_printed(repository):
    begin = "import os\nfrom yolojax.runtime import exit_message\n"
    program = begin + "os.environ['PATH'] = ''\nexit_message.arm('')\nexit_message.disarm()"
    ended = subprocess.run([sys.executable, "-c", program], cwd=repository, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0 and not ended.stderr and not ended.stdout
