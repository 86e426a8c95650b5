"""What the tests of the commands share."""

import numpy as np
import pytest

from tests.helpers.random_lines import NAMES
from yolojax.data.images import write_image


@pytest.fixture
def made(tmp_path):
    """Writes a list of pictures, 90 x 60, and its names; returns the arguments that name them."""

    def make(*lines):
        for line in lines:
            path = tmp_path / line.split()[0] if line else None
            if path and path.suffix == ".png" and not path.name.startswith("absent"):
                write_image(path, np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8))
        (tmp_path / "list.txt").write_text("\n".join(lines))
        (tmp_path / "names").write_text("\n".join(NAMES))
        return [str(tmp_path / "list.txt"), "--names", str(tmp_path / "names")]

    return make
