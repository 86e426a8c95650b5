"""Flags that several programs share."""

from absl import flags

from yolojax.runtime.hosts import DistributedOptions


def define_distributed_flags():
    """Defines the flags of a program that may run as several processes."""
    flags.DEFINE_string("coordinator", None, "of several processes: HOST:PORT of process 0, where all others find it")
    flags.DEFINE_integer("num_processes", None, "of several processes: how many they are")
    flags.DEFINE_integer("process_id", None, "of several processes: which one this is, counted from 0")
    flags.DEFINE_boolean("cluster", False, "this is one of several processes, which SLURM, Open MPI, Kubernetes or a TPU knows")
    flags.DEFINE_integer("join_seconds", 300, "of several processes: how long they wait for each other at the start, seconds")


def distributed_options() -> DistributedOptions:
    """What the flags of `define_distributed_flags` say."""
    chosen = flags.FLAGS
    return DistributedOptions(chosen.coordinator, chosen.num_processes, chosen.process_id, chosen.cluster, chosen.join_seconds)
