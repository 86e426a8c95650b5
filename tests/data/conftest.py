"""What the tests of the data share."""

import pytest

from tests.helpers.text_list import write_list
from yolojax.config import Config


@pytest.fixture
def config(tmp_path):
    """The configuration of a small text list in a folder of its own."""
    return write_list(tmp_path)


@pytest.fixture
def digits_config():
    config = Config(seed=3)
    config.data.source = "digits"
    config.data.size = (64, 96)
    config.data.digits_train, config.data.digits_val = 20, 10
    return config
