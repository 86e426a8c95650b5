"""What the tests of the formats share."""

import numpy as np
import pytest

from tests.helpers.yolo_files import YAML
from yolojax.data.images import write_image


@pytest.fixture
def yolo(tmp_path):
    """Writes a data.yaml, pictures 80 wide and 40 high, and their labels; a label None is no file."""

    def make(labels, text=YAML):
        for picture, label in labels.items():
            path = tmp_path / picture
            path.parent.mkdir(parents=True, exist_ok=True)
            write_image(path, np.zeros((40, 80, 3), np.uint8))
            if label is not None:
                path = (tmp_path / picture.replace("images", "labels")).with_suffix(".txt")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(label)
        (tmp_path / "data.yaml").write_text(text)
        return tmp_path / "data.yaml"

    return make
