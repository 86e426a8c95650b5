"""A run of several processes, on one host or many: how they find each other, and how they end together."""

import contextlib
import dataclasses
import os
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Iterator
from typing import Any, NoReturn

import numpy as np

from yolojax.errors import InputError, first_line
from yolojax.runtime import exit_message
from yolojax.runtime.console import report_error
from yolojax.runtime.ending import Terminated, status_after

# A process that gives no sign of life for this long counts as dead, and the others end.
HEARTBEAT_SECONDS = 30
# A failing process keeps the coordinator alive for at most this long, so that the others can read the message.
FAREWELL_SECONDS = 10
# Time between two checks for a failure of another process.
WATCH_SECONDS = 0.5
# Processes that are done wait at most this long for the others, for example while the first process writes the report.
PATIENCE_SECONDS = 24 * 3600
# The coordinator's key for the message of the process that failed first.
_FAILED = "yolojax/failed"


@dataclasses.dataclass(frozen=True)
class DistributedOptions:
    """How the processes of a distributed run find each other; by default there is only one process.

    Attributes:
        coordinator: HOST:PORT at which the others reach process 0.
        num_processes: the number of processes.
        process_id: the number of this process, from 0.
        cluster: whether to get these three from SLURM, Open MPI, Kubernetes or a TPU.
        join_seconds: how long the processes wait for each other at the start, in seconds.
    """

    coordinator: str | None = None
    num_processes: int | None = None
    process_id: int | None = None
    cluster: bool = False
    join_seconds: int = 300


@contextlib.contextmanager
def distributed_run(options: DistributedOptions) -> Iterator[None]:
    """Runs its block as one of several processes if the options ask for it; otherwise does nothing.

    All processes leave the block together. When one fails, all end with its message and exit status 1.

    Raises:
        InputError: the options are wrong or incomplete, or JAX finds no cluster, or no device of the platform it is to use.
    """
    arguments = _arguments(options)
    if arguments is None:
        _check_devices()
        yield
        return
    client = _join(arguments, options.join_seconds)
    done = threading.Event()
    watch = threading.Thread(target=_watch, args=(client, done), name="yolojax-hosts", daemon=True)
    watch.start()
    stopped = None
    try:
        _check_devices()
        _connect()
        try:
            yield
        except SystemExit as error:  # all processes have agreed to stop
            stopped = error
        client.wait_at_barrier("yolojax/done", PATIENCE_SECONDS * 1000)
    except BaseException as error:
        done.set()
        watch.join()
        _fail_all(client, error)
    done.set()
    watch.join()
    import jax

    jax.distributed.shutdown()
    exit_message.disarm()
    if stopped:
        raise stopped


def _check_devices() -> None:
    from yolojax.runtime.devices import check_devices  # imports JAX

    check_devices()


def _arguments(options: DistributedOptions) -> dict[str, Any] | None:
    """The arguments of jax.distributed.initialize; None for a run of one process."""
    coordinator, number, process = options.coordinator, options.num_processes, options.process_id
    values = {"--coordinator": coordinator, "--num_processes": number, "--process_id": process}
    missing = [flag for flag, value in values.items() if value is None]
    if options.join_seconds < 1:
        raise InputError(f"--join_seconds={options.join_seconds} must be at least 1")
    if options.cluster:
        if len(missing) < 3:
            raise InputError("--cluster asks the cluster for them; leave out --coordinator, --num_processes and --process_id")
        return {}
    if len(missing) == 3:
        return None
    if coordinator is None or number is None or process is None:
        raise InputError(
            f"several processes need {' and '.join(missing)} too; start each one with the same --coordinator=HOST:PORT of "
            "process 0, the same --num_processes, and a --process_id of its own, counted from 0"
        )
    host, _, port = coordinator.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise InputError(f"--coordinator={coordinator} must be HOST:PORT, such as 10.0.0.1:9911")
    if number < 1 or not 0 <= process < number:
        raise InputError(f"--process_id={process} must be from 0 to {number - 1}, with --num_processes={number}")
    try:
        socket.getaddrinfo(host.strip("[]"), int(port))
        if process == 0:
            with socket.socket() as trial:
                # As the coordinator does: a port that an earlier run has just left can be used.
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                trial.bind(("", int(port)))
    except OSError as error:
        raise InputError(f"--coordinator={coordinator} cannot be used: {error.strerror or error}") from error
    return {
        "coordinator_address": coordinator,
        "num_processes": number,
        "process_id": process,
        # Otherwise JAX would use one device per process inside a SLURM allocation, for example.
        "cluster_detection_method": "deactivate",
    }


def _join(arguments: dict[str, Any], seconds: int) -> Any:
    """Finds the other processes.

    Returns:
        The client of their coordinator, which has a key-value store and barriers.
    """
    import jax
    from jax._src import distributed  # the coordinator's client has no public name

    address = arguments.get("coordinator_address", "that the cluster names")
    number = arguments.get("num_processes", "the cluster's")
    late = f"not all of {number} processes found the coordinator {address} in {seconds} s (--join_seconds)"
    # At its own timeout JAX would abort the process with a page of addresses.
    advice = "check that each was started exactly once and can reach process 0 there"
    timer = threading.Timer(seconds, _end, [f"{late}; {advice}", 1])
    timer.daemon = True
    timer.start()
    before = signal.getsignal(signal.SIGTERM)
    try:
        jax.distributed.initialize(
            **arguments,
            initialization_timeout=seconds + 60,
            heartbeat_timeout_seconds=HEARTBEAT_SECONDS,
            shutdown_timeout_seconds=FAREWELL_SECONDS,
        )
    except Exception as error:
        if arguments:
            raise InputError(f"--coordinator={address}: {first_line(error)}") from error
        raise InputError(
            f"--cluster: JAX finds no cluster here ({first_line(error)}); start this with srun, mpirun or on a TPU, or give "
            "--coordinator, --num_processes and --process_id"
        ) from error
    finally:
        timer.cancel()
    # JAX has installed its own handler, with which SIGTERM would no longer end the process.
    signal.signal(signal.SIGTERM, before or signal.SIG_DFL)
    exit_message.arm(
        f"process {distributed.global_state.process_id} was ended by a signal, or by JAX because another process is gone; "
        "the same commands resume from the last checkpoint"
    )
    return distributed.global_state.client


def _connect() -> None:
    """Connects the devices of all processes while the processes are at the same point.

    At the first computation of a group of devices, Gloo, which connects CPUs, waits 30 s for the others and then fails, while
    one process may take minutes to compile what another finds in its cache. Later computations wait as long as needed.
    """
    import jax
    from jax.experimental.multihost_utils import process_allgather
    from jax.sharding import AxisType, NamedSharding, PartitionSpec

    mesh = jax.make_mesh((jax.device_count(),), ("all",), axis_types=(AxisType.Auto,))
    sharded, replicated = NamedSharding(mesh, PartitionSpec("all")), NamedSharding(mesh, PartitionSpec())
    ones = jax.make_array_from_callback((mesh.size,), sharded, lambda rows: np.ones(mesh.size, np.int32)[rows])
    jax.block_until_ready(jax.jit(lambda x: x.sum(), out_shardings=replicated)(ones))
    process_allgather(np.zeros((), np.int32))


def _watch(client: Any, done: threading.Event) -> None:
    """Ends this process when another one has failed, even in the middle of a step that waits for the other."""
    while not done.wait(WATCH_SECONDS):
        message = _failure(client)
        if message and not done.is_set():
            _wait_for_readers(client)
            _end(message, 1)


def _failure(client: Any) -> str | None:
    """The message of a process that failed, or None."""
    try:
        return client.key_value_try_get(_FAILED)
    except RuntimeError:  # no such key
        return None


def _fail_all(client: Any, error: BaseException) -> NoReturn:
    """Tells the other processes why this one ends, and ends it."""
    import jax
    from jax._src import distributed  # jax.process_index needs a device

    process, status = distributed.global_state.process_id, 1
    if isinstance(error, jax.errors.JaxRuntimeError):
        # Most likely another process has ended in the middle of a joint computation.
        for _ in range(4):
            message = _failure(client)
            if message:
                _end(message, 1)
            threading.Event().wait(WATCH_SECONDS)
        message = (
            f"a computation of all processes failed, perhaps because one of them has ended ({first_line(error)}); see the "
            "messages of the others; the same commands resume from the last checkpoint"
        )
    elif isinstance(error, KeyboardInterrupt):
        message, status = f"stopped by {error}" if isinstance(error, Terminated) else "stopped by Ctrl-C", status_after(error)
    elif isinstance(error, InputError | OSError):
        message = str(error)
    else:
        traceback.print_exception(error)
        message = f"{type(error).__name__}: {first_line(error)}"
    with contextlib.suppress(RuntimeError):  # another process was first, or the coordinator is gone
        client.key_value_set(_FAILED, f"process {process}: {message}")
    _wait_for_readers(client)
    _end(message, status)


def _wait_for_readers(client: Any) -> None:
    """Waits until the other processes have read the message of the one that failed."""
    with contextlib.suppress(RuntimeError):
        client.wait_at_barrier("yolojax/farewell", FAREWELL_SECONDS * 1000)


_ending = threading.Lock()


def _end(message: str, status: int) -> NoReturn:
    """Ends the process at once, from any thread: the main thread may be waiting for a process that no longer exists."""
    _ending.acquire()
    exit_message.disarm()
    if status == 1:
        report_error(message)
    if sys.stderr.isatty():
        sys.stderr.write("\x1b[?25h")  # the progress display hides the cursor
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
