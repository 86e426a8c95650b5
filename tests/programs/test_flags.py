"""Flags that several programs share."""

import pytest

from tests.helpers.flag_values import parsed
from yolojax.errors import InputError
from yolojax.programs.flags import define_distributed_flags, distributed_options, refuse_arguments
from yolojax.runtime.distributed import DistributedOptions


def test_without_flags_there_is_one_process():
    with parsed(define_distributed_flags):
        assert distributed_options() == DistributedOptions()


def test_every_flag_reaches_its_option():
    flags = ["--coordinator=a:1", "--num_processes=4", "--process_id=3", "--cluster", "--join_seconds=9"]
    with parsed(define_distributed_flags, *flags):
        assert distributed_options() == DistributedOptions("a:1", 4, 3, True, 9)


def test_arguments_that_are_no_flags_are_refused_by_the_first():
    refuse_arguments([])
    with pytest.raises(InputError, match=r"^unexpected argument 'x'; --help shows how to call this program$"):
        refuse_arguments(["x", "y"])
