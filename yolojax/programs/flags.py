"""Flags that several programs share."""

from absl import flags

from yolojax.errors import InputError
from yolojax.runtime.distributed import DistributedOptions


def define_distributed_flags() -> None:
    """Defines the flags of a program that may run as several processes."""
    flags.DEFINE_string("coordinator", None, "with several processes: HOST:PORT of process 0, where all others find it")
    flags.DEFINE_integer("num_processes", None, "with several processes: how many there are")
    flags.DEFINE_integer("process_id", None, "with several processes: which one this is, counted from 0")
    flags.DEFINE_boolean("cluster", False, "this is one of several processes, set up by SLURM, Open MPI, Kubernetes or a TPU")
    flags.DEFINE_integer("join_seconds", 300, "with several processes: seconds that they wait for each other at the start")


def distributed_options() -> DistributedOptions:
    """Returns the values of the flags of `define_distributed_flags`."""
    chosen = flags.FLAGS
    return DistributedOptions(chosen.coordinator, chosen.num_processes, chosen.process_id, chosen.cluster, chosen.join_seconds)


def refuse_arguments(arguments: list[str]) -> None:
    """Refuses arguments of a program that takes flags only.

    Raises:
        InputError: there are any.
    """
    if arguments:
        raise InputError(f"unexpected argument {arguments[0]!r}; --help shows how to call this program")
