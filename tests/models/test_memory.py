"""Networks that no machine can hold are refused by their shapes."""

import pytest

from tests.helpers.tiny_config import get_config
from yolojax.errors import InputError
from yolojax.models import build_grid, build_model, memory
from yolojax.models.memory import check_batch_fits, check_fits


def test_a_small_network_fits_and_large_ones_are_refused(monkeypatch):
    config = get_config().model
    config.num_classes = 10
    model, grid = build_model(config), build_grid(config, (96, 96))
    check_fits("it", model, grid, 10)
    with pytest.raises(InputError, match=r"config.json: the network says 1,000,000,005 numbers of each of [\d,]+ places"):
        check_fits("config.json: the network", model, grid, 10**9)
    monkeypatch.setattr(memory, "host_memory", lambda: 10**6)
    with pytest.raises(InputError, match=r"it has [\d.]+ MiB of variables"):
        check_fits("it", model, grid, 10)
    monkeypatch.setattr(memory, "host_memory", lambda: None)
    check_fits("it", model, grid, 10)


def test_a_batch_that_no_memory_holds_is_refused(monkeypatch):
    monkeypatch.setattr(memory, "host_memory", lambda: 2 * 8 * 32 * 64 * 3 * 4)
    check_batch_fits("config.eval.batch_size", 8, (32, 64))
    with pytest.raises(
        InputError, match=r"^config\.eval\.batch_size=9 says 0\.2 MiB of pictures, and there are 0\.4 MiB; make it"
    ):
        check_batch_fits("config.eval.batch_size", 9, (32, 64))
    monkeypatch.setattr(memory, "host_memory", lambda: None)
    check_batch_fits("config.eval.batch_size", 65_536, (8192, 8192))
