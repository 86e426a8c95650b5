"""Runs of a program as several processes on this machine, on forced CPU devices, over loopback."""

import os
import socket
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def start(*arguments, processes=2, devices=2, slurm=False):
    """Starts a program as a list of Popen; the processes find each other by flags, or by the variables that SLURM sets."""
    port = free_port()
    environment = os.environ | {
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}",
        "PYTHONPATH": str(REPOSITORY),
    }

    def flags(process):
        if slurm:
            return ["--cluster"]
        return [f"--coordinator=localhost:{port}", f"--num_processes={processes}", f"--process_id={process}"]

    def variables(process):
        names = {"JOB_ID": 7, "STEP_NODELIST": "localhost", "NTASKS": processes, "PROCID": process, "LOCALID": process}
        slurm_variables = {f"SLURM_{name}": str(value) for name, value in names.items()}
        return slurm_variables | {"SLURM_STEP_NUM_NODES": "1", "JAX_COORDINATOR_PORT": str(port)} if slurm else {}

    return [
        subprocess.Popen(
            [sys.executable, *map(str, arguments), *(flags(process) if processes > 1 else [])],
            cwd=REPOSITORY,
            env=environment | variables(process),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for process in range(processes)
    ]


def finish(running, timeout=580):
    """Waits for all processes; returns (status, stdout, stderr) of each."""
    try:
        ended = [(*process.communicate(timeout=timeout), process.returncode) for process in running]
        return [(status, out, err) for out, err, status in ended]
    finally:
        for process in running:
            process.kill()


def free_port():
    """A port that is free at the moment."""
    with socket.socket() as trial:
        trial.bind(("", 0))
        return trial.getsockname()[1]
