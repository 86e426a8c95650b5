"""Picture sizes: in the records' order, and of what cannot be read an error."""

import subprocess
import sys

import numpy as np

from yolojax.data.annotations import Record
from yolojax.data.images import write_image
from yolojax.data.sizes import picture_sizes
from yolojax.errors import InputError


def test_sizes_in_order_and_errors_with_their_source(tmp_path):
    records, expected = [], []
    for number in range(25):
        path = tmp_path / f"{number}.png"
        write_image(path, np.zeros((10 + number, 7, 3), np.uint8))
        records.append(Record(str(path), np.zeros((0, 4)), np.zeros(0), f"list.txt:{number + 1}"))
        expected.append((10 + number, 7))
    (tmp_path / "3.png").write_bytes(b"no picture")
    (tmp_path / "9.png").unlink()
    sizes = picture_sizes(records)
    errors = {number: str(size) for number, size in enumerate(sizes) if isinstance(size, InputError)}
    assert [errors[3].startswith(f"list.txt:4: {tmp_path / '3.png'}: not a picture"), sorted(errors)] == [True, [3, 9]]
    assert errors[9] == f"list.txt:10: {tmp_path / '9.png'}: the picture cannot be read: No such file or directory"
    assert [size for n, size in enumerate(sizes) if n not in errors] == [e for n, e in enumerate(expected) if n not in errors]
    assert picture_sizes([]) == []


def test_no_jax():
    code = "import sys, yolojax.data.check, yolojax.data.anchors, yolojax.contact_sheet; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
