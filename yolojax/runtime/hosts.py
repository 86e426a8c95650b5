"""A run of several processes, on one host or on many: how they find each other, what they tell each other, how they end."""

import contextlib
import dataclasses
import os
import signal
import socket
import sys
import threading
import traceback

import numpy as np

from yolojax.errors import InputError, first_line
from yolojax.runtime import exit_message
from yolojax.runtime.console import report_error

# Seconds without a sign of life after which a process counts as dead, and the others end.
HEARTBEAT_SECONDS = 30
# Seconds for which a process that ends keeps the coordinator alive, so that the others read why.
FAREWELL_SECONDS = 10
# Seconds between two looks at whether another process has failed.
WATCH_SECONDS = 0.5
# Seconds; whoever is done waits so long for those that are not, as for the first process while it writes the report_error.
PATIENCE_SECONDS = 24 * 3600
_FAILED = "yolojax/failed"


@dataclasses.dataclass(frozen=True)
class DistributedOptions:
    """How the processes of a distributed run find each other; by default there is one process.

    Attributes:
        coordinator: HOST:PORT of process 0, where all others find it.
        num_processes: how many there are.
        process_id: which one this is, from 0.
        cluster: SLURM, Open MPI, Kubernetes or a TPU knows these three.
        join_seconds: how long the processes wait for each other at the start.
    """

    coordinator: str | None = None
    num_processes: int | None = None
    process_id: int | None = None
    cluster: bool = False
    join_seconds: int = 300


@contextlib.contextmanager
def distributed_run(options: DistributedOptions):
    """Runs its block as one of several processes, if the options ask for that; else it changes nothing.

    All processes leave the block together: when one fails, all end with its message and exit status 1.

    Raises:
        InputError: options that are wrong or incomplete, or no cluster that JAX knows.
    """
    arguments = _arguments(options)
    if arguments is None:
        yield
        return
    client = _join(arguments, options.join_seconds)
    done = threading.Event()
    watch = threading.Thread(target=_watch, args=(client, done), name="yolojax-hosts", daemon=True)
    watch.start()
    stopped = None
    try:
        _connect()
        try:
            yield
        except SystemExit as error:  # all processes agreed to stop
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


def is_first():
    """Whether this process is the one that writes files and to the terminal."""
    import jax

    return jax.process_index() == 0


def gather(value):
    """[the value of process 0, that of process 1, ...]; every process must call it.

    A value is made of lists, dicts by string, arrays, numbers and strings.
    """
    import jax
    from flax import serialization
    from jax.experimental.multihost_utils import process_allgather

    if jax.process_count() == 1:
        return [value]
    data = np.frombuffer(serialization.msgpack_serialize({"value": value}), np.uint8)
    sizes = process_allgather(np.array(len(data)))
    # A power of two: the program that gathers is compiled for each size.
    padded = np.zeros(1 << (int(sizes.max()) - 1).bit_length(), np.uint8)
    padded[: len(data)] = data
    rows = zip(process_allgather(padded), sizes, strict=True)
    return [serialization.msgpack_restore(row[:size].tobytes())["value"] for row, size in rows]


def check_same_on_all_hosts(values):
    """Refuses to go on where the processes were started with different things.

    Args:
        values: {name: value}; every process must call it.

    Raises:
        InputError: with the name, and both values.
    """
    first, *others = gather(values)
    for process, theirs in enumerate(others, start=1):
        for name in first:
            if first[name] != theirs[name]:
                raise InputError(
                    f"the processes differ in {name}: {first[name]} in process 0, {theirs[name]} in process {process}; "
                    "start all of them with the same flags, on the same data"
                )


def _arguments(chosen):
    """Arguments of jax.distributed.initialize by the flags; None for a run of one process, as most are."""
    names = ("coordinator", "num_processes", "process_id")
    missing = [f"--{name}" for name in names if getattr(chosen, name) is None]
    if chosen.join_seconds < 1:
        raise InputError(f"--join_seconds={chosen.join_seconds} must be at least 1")
    if chosen.cluster:
        if len(missing) < 3:
            raise InputError("--cluster asks the cluster; leave out --coordinator, --num_processes and --process_id")
        return {}
    if len(missing) == 3:
        return None
    if missing:
        raise InputError(f"several processes need {' and '.join(missing)} too; see docs/devices.md")
    coordinator, number, process = chosen.coordinator, chosen.num_processes, chosen.process_id
    host, _, port = coordinator.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise InputError(f"--coordinator={coordinator} must be HOST:PORT, as in 10.0.0.1:9911")
    if number < 1 or not 0 <= process < number:
        raise InputError(f"--process_id={process} must be from 0 to {number - 1}, under --num_processes={number}")
    try:
        socket.getaddrinfo(host.strip("[]"), int(port))
        if process == 0:
            with socket.socket() as trial:
                # As the coordinator will: a port that a run before has just left may be taken.
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                trial.bind(("", int(port)))
    except OSError as error:
        raise InputError(f"--coordinator={coordinator} cannot be used: {error.strerror or error}") from error
    return {
        "coordinator_address": coordinator,
        "num_processes": number,
        "process_id": process,
        # Inside an allocation of SLURM, say, JAX would take one device a process.
        "cluster_detection_method": "deactivate",
    }


def _join(arguments, seconds):
    """Finds the other processes; returns the client of their coordinator."""
    import jax
    from jax._src import distributed  # the coordinator's notes and barriers have no public name

    where = arguments.get("coordinator_address", "that the cluster names")
    number = arguments.get("num_processes", "the cluster's")
    late = f"not all of {number} processes found the coordinator {where} in {seconds} s (--join_seconds)"
    # JAX itself would abort the process, with a page of addresses.
    timer = threading.Timer(seconds, _end, [f"{late}; see that each is started, once, and can reach process 0 there", 1])
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
            raise InputError(f"--coordinator={where}: {first_line(error)}") from error
        raise InputError(
            f"--cluster: JAX finds no cluster here ({first_line(error)}); start this by srun, mpirun or on a TPU, or give "
            "--coordinator, --num_processes and --process_id"
        ) from error
    finally:
        timer.cancel()
    # JAX has put a handler of its own there, and nothing would end by SIGTERM.
    signal.signal(signal.SIGTERM, before or signal.SIG_DFL)
    exit_message.arm(
        f"process {distributed.global_state.process_id} was ended by a signal, or by JAX because another process is gone; "
        "the same commands go on from the last checkpoint"
    )
    return distributed.global_state.client


def _connect():
    """Connects the devices of all processes, while these are together.

    At the first computation of a group of devices Gloo, which connects CPUs, waits 30 s for the others and then fails; and
    one process may compile for minutes what another finds in its cache. Later computations wait.
    """
    import jax
    from jax.experimental.multihost_utils import process_allgather
    from jax.sharding import AxisType, NamedSharding, PartitionSpec

    mesh = jax.make_mesh((jax.device_count(),), ("all",), axis_types=(AxisType.Auto,))
    split, whole = NamedSharding(mesh, PartitionSpec("all")), NamedSharding(mesh, PartitionSpec())
    ones = jax.make_array_from_callback((mesh.size,), split, lambda rows: np.ones(mesh.size, np.int32)[rows])
    jax.block_until_ready(jax.jit(lambda x: x.sum(), out_shardings=whole)(ones))
    process_allgather(np.zeros((), np.int32))


def _watch(client, done):
    """Ends this process when another one has failed, wherever it is: in a step, say, that waits for the other."""
    while not done.wait(WATCH_SECONDS):
        message = _failure(client)
        if message and not done.is_set():
            _say_farewell(client)
            _end(message, 1)


def _failure(client):
    """What a process left behind that failed, or None."""
    try:
        return client.key_value_try_get(_FAILED)
    except RuntimeError:  # not there
        return None


def _fail_all(client, error):
    """Tells the other processes why this one ends, and ends it."""
    import jax

    process, status = jax.process_index(), 1
    if isinstance(error, jax.errors.JaxRuntimeError):
        # Most likely another process has gone, in the middle of what all compute together.
        for _ in range(4):
            message = _failure(client)
            if message:
                _end(message, 1)
            threading.Event().wait(WATCH_SECONDS)
        message = (
            f"a computation of all processes failed, perhaps because one of them has ended ({first_line(error)}); see what "
            "the others say; the same commands go on from the last checkpoint"
        )
    elif isinstance(error, KeyboardInterrupt):
        message, status = "stopped by Ctrl-C", 130
    elif isinstance(error, InputError | OSError):
        message = str(error)
    else:
        traceback.print_exception(error)
        message = f"{type(error).__name__}: {first_line(error)}"
    with contextlib.suppress(RuntimeError):  # another one was first, or the coordinator has gone
        client.key_value_set(_FAILED, f"process {process}: {message}")
    _say_farewell(client)
    _end(message, status)


def _say_farewell(client):
    with contextlib.suppress(RuntimeError):
        client.wait_at_barrier("yolojax/farewell", FAREWELL_SECONDS * 1000)


_ending = threading.Lock()


def _end(message, status):
    """Ends the process at once, from whichever thread: the main thread may be waiting for a process that is no more."""
    _ending.acquire()
    exit_message.disarm()
    if status == 1:
        report_error(message)
    if sys.stderr.isatty():
        sys.stderr.write("\x1b[?25h")  # the progress display hides the cursor
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
