"""How much memory there is, and exceptions that say that it does not suffice."""

import numpy as np
import pytest

from yolojax.errors import InputError
from yolojax.runtime.memory import enough_memory, gib, host_memory, limit_of

resource = pytest.importorskip("resource")


def test_the_limit_of_the_address_space_is_a_limit_of_the_memory(monkeypatch):
    whole = host_memory()
    monkeypatch.setattr(resource, "getrlimit", lambda number: (12345, 99999) if number == resource.RLIMIT_AS else (-1, -1))
    assert host_memory() == 12345 < whole
    assert limit_of("AS") == [12345] and limit_of("NOFILE") == [] and limit_of("NONESUCH") == []


def test_what_numpy_says_becomes_one_line_that_names_what_needs_it():
    with pytest.raises(InputError, match="a large picture: there is not enough memory"), enough_memory("a large picture"):
        np.zeros((2**40, 2**20))
    with pytest.raises(ZeroDivisionError), enough_memory("nothing"):
        raise ZeroDivisionError


def test_bytes_for_people():
    assert [gib(size) for size in (2**20, 2**30, 3 * 2**40, 2**70)] == [
        "1.0 MiB", "1.0 GiB", "3,072.0 GiB", "more than a billion GiB"
    ]  # fmt: skip
