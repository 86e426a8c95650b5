"""What the tests of the data share."""

import pytest

from tests.helpers.text_list import write_list


@pytest.fixture
def config(tmp_path):
    """The configuration of a small text list in a folder of its own."""
    return write_list(tmp_path)
