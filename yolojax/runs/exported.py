"""Reading an exported file: a detector as one StableHLO program, and what is to be known about it."""

import json
import os
import zipfile

import jax
import numpy as np
from jax import export

from yolojax.errors import InputError

KIND = "yolojax detector"


VERSION = 1
"""Of the exported files' layout: inputs, outputs and the keys of `describe`."""

ABOUT, PROGRAM = "about.json", "detect.jax"


class Artefact:
    """A detector read from a file: `boxes, scores, classes, valid = artefact(pictures)`.

    Attributes:
        about: the dict of about.json.
        names: class names.
        size: (height, width) of the network's input in pixels.
    """

    def __init__(self, about, exported):
        self.about = about
        self.names, self.size = tuple(about["names"]), tuple(about["size"])
        self._detect = jax.jit(exported.call)

    def __call__(self, pictures, score_threshold=0.3, iou_threshold=0.45):
        """Finds objects in pictures; compiled once for each (B, h, w).

        Args:
            pictures: (B, h, w, 3) RGB uint8.
            score_threshold: detections score more than this.
            iou_threshold: of two detections of a class that overlap by more than this IoU the better one stays.

        Returns:
            boxes (B, K, 4) float32 xyxy in pixels of the pictures, scores (B, K) float32, classes (B, K) int32 and
            valid (B, K) bool, NumPy arrays.

        Raises:
            InputError: pictures of another shape or type.
        """
        pictures = np.asarray(pictures)
        if pictures.ndim != 4 or pictures.shape[3] != 3 or pictures.dtype != np.uint8 or 0 in pictures.shape:
            raise InputError(f"pictures must be RGB (B, h, w, 3) of uint8, not {pictures.shape} of {pictures.dtype}")
        return jax.device_get(self._detect(pictures, np.float32(score_threshold), np.float32(iou_threshold)))


def load_exported(path):
    """Reads a detector that `export_stablehlo` has written.

    Returns:
        Artefact.

    Raises:
        InputError: a file that is missing, is none of these or is damaged, or one of another version.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            # Written without compression, so that what is read is no larger than the file.
            if sum(archive.getinfo(name).file_size for name in (ABOUT, PROGRAM)) > os.path.getsize(path):
                raise ValueError("it was compressed")
            about, program = json.loads(archive.read(ABOUT)), archive.read(PROGRAM)
        kind, version = about["format"], about["version"]
        names, size = about["names"], about["size"]
        if not (isinstance(names, list) and names and all(isinstance(name, str) for name in names)):
            raise ValueError("its names are no list of names")
        if not (isinstance(size, list) and len(size) == 2 and all(type(side) is int and side > 0 for side in size)):
            raise ValueError("its size is not (height, width)")
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file") from None
    except Exception as error:  # many kinds, from zipfile, zlib and json
        raise InputError(f"{path}: not a detector that yolojax has exported, or damaged ({error}); export it again") from error
    if (kind, version) != (KIND, VERSION):
        raise InputError(f"{path}: {kind} of version {version}, where this yolojax reads version {VERSION}; export it again")
    try:
        return Artefact(about, export.deserialize(bytearray(program)))
    except Exception as error:  # many kinds, from a program of a JAX too old or too new, or damaged
        written = about.get("jax")
        raise InputError(f"{path}: this JAX, {jax.__version__}, cannot read what {written} wrote: {error!r}") from error
