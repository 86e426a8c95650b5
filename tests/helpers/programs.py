"""Several programs from one process that has loaded JAX once; each is a process of its own, forked from it."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.conftest import REPOSITORY

FORKER = """
import json, os, runpy, sys
import yolojax.detection.run, yolojax.evaluation.workdir, yolojax.programs.cli, yolojax.training.loop
statuses = []
for command, out, err in json.load(sys.stdin):
    child = os.fork()
    if not child:
        for number, path in ((0, os.devnull), (1, out), (2, err)):
            os.dup2(os.open(path, os.O_RDWR | os.O_CREAT), number)
        as_module = command[0] == "-m"
        sys.argv = command[as_module:]
        if as_module:
            runpy.run_module(command[1], run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(command[0], run_name="__main__")
        sys.exit(0)
    statuses.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
print(json.dumps(statuses))
"""


def one_device(**variables):
    """The environment of a program with one CPU device, as users have it, and further variables."""
    flags = " ".join(flag for flag in os.environ["XLA_FLAGS"].split() if "device_count" not in flag)
    return os.environ | {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags, "PYTHONPATH": str(REPOSITORY)} | variables


def run_programs(environment, commands, cwd=REPOSITORY):
    """Runs programs one after the other, for each of which Python and JAX would take longer to start than it takes.

    Args:
        environment: the variables of all of them.
        commands: the words that would follow `python`: a file or -m and a module, and arguments.
        cwd: the current folder of all of them.

    Returns:
        Of each the exit status and what it printed on stdout and stderr.
    """
    with tempfile.TemporaryDirectory() as folder:
        files = [(Path(folder, f"{number}.out"), Path(folder, f"{number}.err")) for number in range(len(commands))]
        work = [
            ([str(word) for word in command], str(out), str(err)) for command, (out, err) in zip(commands, files, strict=True)
        ]
        done = subprocess.run(
            [sys.executable, "-c", FORKER], cwd=cwd, env=environment | {"PYTHONPATH": str(REPOSITORY)},
            input=json.dumps(work), capture_output=True, text=True, timeout=1200, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        statuses = json.loads(done.stdout)
        return [(status, out.read_text(), err.read_text()) for status, (out, err) in zip(statuses, files, strict=True)]
