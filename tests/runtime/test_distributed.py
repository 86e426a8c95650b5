"""Several processes on one machine: what they share, how they fail together, and flags that cannot be used."""

import re
import socket
from types import SimpleNamespace

import pytest

from tests.helpers.several import finish, free_port, start
from yolojax.errors import InputError
from yolojax.runtime import distributed


def test_two_processes_share_batches_an_evaluation_and_a_signal():
    for status, out, err in finish(start("-m", "tests.helpers.hosts_program", "share"), timeout=200):
        assert status == 0 and out.endswith("shared\n") and not err, err


def test_what_one_process_of_a_cluster_cannot_read_ends_both():
    for status, _, err in finish(start("-m", "tests.helpers.hosts_program", "fail", slurm=True), timeout=200):
        assert status == 1
        assert re.fullmatch(r"hosts_program.py: error: (process 1: )?pictures\.txt:5: it is broken\n", err), err


@pytest.mark.slow
def test_one_process_may_be_late_by_more_than_gloo_waits():
    for status, out, err in finish(start("-m", "tests.helpers.hosts_program", "late"), timeout=400):
        assert status == 0 and out.endswith("met\n") and not err, err


@pytest.mark.slow
def test_processes_that_were_started_with_different_things():
    for status, _, err in finish(start("-m", "tests.helpers.hosts_program", "differ"), timeout=200):
        assert status == 1 and err.count("\n") == 1
        assert "the processes differ in data.train: folder 1 in process 0, folder 0 in process 1; start all" in err


def test_a_coordinator_that_does_not_answer():
    port = free_port()
    flags = f"--coordinator=localhost:{port} --num_processes=2 --process_id=1 --join_seconds=1".split()
    ((status, out, err),) = finish(start("-m", "tests.helpers.hosts_program", "share", *flags, processes=1))
    assert status == 1 and not out
    assert err.startswith(f"hosts_program.py: error: not all of 2 processes found the coordinator localhost:{port} in 1 s")
    assert err.count("\n") == 1


def test_a_cluster_that_is_not_there():
    ((status, out, err),) = finish(start("-m", "tests.helpers.hosts_program", "share", "--cluster", processes=1))
    assert status == 1 and not out and err.count("\n") == 1
    assert err.startswith("hosts_program.py: error: --cluster: JAX finds no cluster here")


def chosen(coordinator=None, num_processes=None, process_id=None, cluster=False, join_seconds=300):
    return SimpleNamespace(**locals())


@pytest.mark.parametrize(
    "flags, message",
    [
        (chosen("localhost:9911"), "several processes need --num_processes and --process_id too; start each one with the same"),
        (chosen(process_id=0), "several processes need --coordinator and --num_processes too"),
        (chosen("localhost", 2, 0), "--coordinator=localhost must be HOST:PORT"),
        (chosen("localhost:99999", 2, 0), "--coordinator=localhost:99999 must be HOST:PORT"),
        (chosen("no.such.host.invalid:9911", 2, 1), r"--coordinator=no\.such\.host\.invalid:9911 cannot be used: "),
        (chosen("localhost:9911", 2, 2), "--process_id=2 must be from 0 to 1, with --num_processes=2"),
        (chosen("localhost:9911", 2, -1), "--process_id=-1 must be from 0 to 1"),
        (chosen("localhost:9911", 0, 0), "--num_processes=0"),
        (chosen("localhost:9911", 2, 0, cluster=True), "--cluster asks the cluster for them; leave out --coordinator"),
        (chosen(join_seconds=0), "--join_seconds=0 must be at least 1"),
    ],
)
def test_flags_that_cannot_be_used(flags, message):
    with pytest.raises(InputError, match=message):
        distributed._arguments(flags)


def test_a_port_that_is_taken():
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=rf"--coordinator=localhost:{port} cannot be used: Address already in use"):
            distributed._arguments(chosen(f"localhost:{port}", 2, 0))
        assert distributed._arguments(chosen(f"localhost:{port}", 2, 1))["process_id"] == 1


def test_a_plain_run_asks_no_cluster(monkeypatch):
    names = "SLURM_JOB_ID SLURM_STEP_NODELIST SLURM_NTASKS SLURM_PROCID SLURM_LOCALID SLURM_STEP_NUM_NODES".split()
    for name in names:
        monkeypatch.setenv(name, "2")
    assert distributed._arguments(chosen()) is None
    assert distributed._arguments(chosen("localhost:9911", 2, 1))["cluster_detection_method"] == "deactivate"
    assert distributed._arguments(chosen(cluster=True)) == {}
