"""The digits of MNIST, from an .npz file or from the four IDX files in which it is published."""

import os
import re
from pathlib import Path

import numpy as np

from yolojax.data.idx import looks_like_idx, read_idx
from yolojax.errors import InputError
from yolojax.runtime.files import open_regular
from yolojax.runtime.memory import enough_memory, gib, host_memory

TILE = 28
"""Height and width of a digit, pixels."""

NPZ_AT = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
IDX_AT = "https://ossci-datasets.s3.amazonaws.com/mnist/"

Digits = tuple[np.ndarray, np.ndarray]

_IDX_FILE = re.compile(r"(train|t10k)-(images[-.]idx3|labels[-.]idx1)-ubyte(\.gz)?", re.ASCII)
_PARTS = ("train-images", "train-labels", "t10k-images", "t10k-labels")
_FILES = "train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte"


def read_mnist(path: str | os.PathLike[str]) -> list[Digits]:
    """Read MNIST, or another set of its form.

    Args:
        path: an .npz file with x_train (n, 28, 28) uint8 white on black, y_train (n,), x_test and y_test; or a folder with the
            four IDX files, plain or compressed by gzip; or one of these files, beside which the others are.

    Returns:
        [(images, labels) to train on, (images, labels) to test on]: (n, 28, 28) uint8, and (n,) from 0 to 9.

    Raises:
        InputError: a file is missing, cannot be read or holds something else; the message names it.
    """
    if os.path.isdir(path):
        return _read_idx_files(_idx_files(Path(path), []), f"{path}: ", "; a folder cannot be read as an .npz file")
    file = Path(path)
    if _IDX_FILE.fullmatch(file.name):
        if not file.is_file():
            raise InputError(f"{path}: there is no such file; MNIST's four are under {IDX_AT}")
        return _read_idx_files(_idx_files(file.parent, [file]), f"{path}: beside it ")
    if looks_like_idx(path):
        raise InputError(f"{path}: an IDX or gzip file whose name does not say which of MNIST's it is; the names are {_FILES}")
    return _read_npz(path)


def _idx_files(folder: Path, first: list[Path]) -> dict[str, Path]:
    """{"train-images" and so on: file} in a folder; `first` are taken before others, and plain files before compressed ones."""
    found: dict[str, Path] = {}
    try:
        files = [*first, *sorted(folder.iterdir())]
    except OSError as error:
        raise InputError(f"{folder}: cannot be read as a folder: {error.strerror}") from error
    for file in files:
        match = _IDX_FILE.fullmatch(file.name)
        if match and file.is_file():
            found.setdefault(f"{match[1]}-{match[2][:6]}", file)
    return found


def _read_idx_files(files: dict[str, Path], where: str, hint: str = "") -> list[Digits]:
    """The digits of IDX files; `where` and `hint` are the beginning and the end of the message about one that is missing."""
    for name, whole_name in zip(_PARTS, _FILES.split(", "), strict=True):
        if name not in files:
            raise InputError(f"{where}there is no {whole_name} or {whole_name}.gz{hint}; MNIST's four files are under {IDX_AT}")
    digits = []
    for part in ("train", "t10k"):
        images_file, labels_file = files[f"{part}-images"], files[f"{part}-labels"]
        images, labels = read_idx(images_file), read_idx(labels_file)
        if images.ndim == 3 and labels.ndim == 1 and len(images) != len(labels):
            raise InputError(
                f"{labels_file}: {len(labels):,} labels, but {images_file} has {len(images):,} pictures; give two files that "
                "belong together"
            )
        _check(images, labels, f"{images_file}: the array", f"{labels_file}: the array")
        digits.append((images, labels))
    return digits


def _read_npz(path: str | os.PathLike[str]) -> list[Digits]:
    """The digits of an .npz file."""
    try:
        with open_regular(path) as file, np.load(file, allow_pickle=False) as archive:
            memory, size = host_memory(), sum(member.file_size for member in archive.zip.infolist())
            if memory and size > memory / 2:
                raise InputError(f"{path}: its arrays have {gib(size)}, more than half of the memory of {gib(memory)}")
            with enough_memory(f"{path}: its arrays cannot be read"):
                arrays = {key: archive[key] for key in ("x_train", "y_train", "x_test", "y_test")}
    except KeyError as error:
        raise InputError(f"{path}: no array {error.args[0]}; MNIST as an .npz file is at {NPZ_AT}") from error
    except (InputError, MemoryError):
        raise
    except Exception as error:  # NumPy and zipfile raise very many kinds, as of a header that is not Python
        raise InputError(f"{path}: cannot be read as an .npz file of arrays: {error}; MNIST as one is at {NPZ_AT}") from error
    for part in ("train", "test"):
        _check(arrays[f"x_{part}"], arrays[f"y_{part}"], f"{path}: x_{part}", f"{path}: y_{part}")
    return [(arrays["x_train"], arrays["y_train"]), (arrays["x_test"], arrays["y_test"])]


def _check(images: np.ndarray, labels: np.ndarray, images_name: str | Path, labels_name: str | Path) -> None:
    """Refuse arrays that are not pictures of 28 x 28 pixels with a digit for each."""
    for values, name in ((images, images_name), (labels, labels_name)):
        if not isinstance(values, np.ndarray):
            raise InputError(f"{name} is not an array; give an MNIST file")
    if images.dtype != np.uint8 or images.shape[1:] != (TILE, TILE) or not len(images):
        raise InputError(f"{images_name} is {images.dtype} {images.shape}, not uint8 (n, {TILE}, {TILE}); give an MNIST file")
    if labels.shape != images.shape[:1] or labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() > 9:
        raise InputError(f"{labels_name} must hold one digit, 0 to 9, for each picture of {images_name}")
