"""A trained detector as one file for JAX: a StableHLO program from pictures to boxes, and its description.

The file is a zip archive of `about.json` and `detect.jax`, a serialized `jax.export.Exported` with the parameters in it. It
runs on a CPU, a CUDA GPU and a TPU, for any number and size of pictures, without yolojax.
"""

import json
import os
import zipfile
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jax import export

from yolojax import moved
from yolojax.data.images import letterbox as letterbox_on_host
from yolojax.decode import decode
from yolojax.errors import InputError
from yolojax.export.about import describe
from yolojax.export.agreement import THRESHOLDS, agree
from yolojax.export.letterbox import FITS, aspect, unfit
from yolojax.inference import raw_heads
from yolojax.predict import Detector
from yolojax.runs.exported import ABOUT, CHECKSUM, PROGRAM, Artefact, checksum, load_exported
from yolojax.runs.workdir import Run
from yolojax.runtime.wording import counted

PLATFORMS = ("cpu", "cuda", "tpu")
MAX_DETECTIONS = 100

INPUTS = {
    "pictures": "uint8 (B, h, w, 3), RGB, any B, h and w; the program fits them into `size` (height, width) as `fit` says",
    "score_threshold": "float32 scalar; detections score more than this; a score is P(object) * P(class)",
    "iou_threshold": "float32 scalar; of two detections of a class whose IoU exceeds this, the better one is kept",
}
OUTPUTS = {
    "boxes": "float32 (B, K, 4): left, top, right, bottom in pixels of the pictures given, clipped to them; K = max_detections",
    "scores": "float32 (B, K), falling",
    "classes": "int32 (B, K), indices into `names`",
    "valid": "bool (B, K); where it is False there is no detection: box 0, score 0, class -1",
}


def export_stablehlo(run: Run, path: str | os.PathLike[str], images: Sequence[np.ndarray]) -> str:
    """Writes the detector of a run and compares what the file and the network find in images.

    Args:
        run: the trained network.
        path: the file to write.
        images: RGB uint8 (h, w, 3), at least one.

    Returns:
        A line that says what was written.

    Raises:
        InputError: the file and the network differ.
    """
    detect = jax.jit(build_detect(run))
    pictures = jax.ShapeDtypeStruct((*export.symbolic_shape("batch, height, width"), 3), jnp.uint8)
    threshold = jax.ShapeDtypeStruct((), jnp.float32)
    exported = export.export(detect, platforms=PLATFORMS)(pictures, threshold, threshold)
    program = bytes(exported.serialize())
    about = describe(run) | {
        "max_detections": MAX_DETECTIONS,
        "inputs": INPUTS,
        "outputs": OUTPUTS,
        "platforms": PLATFORMS,
        "jax": jax.__version__,
    }
    about[CHECKSUM] = checksum(about, program)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(ABOUT, json.dumps(about, indent=2, ensure_ascii=False))
        archive.writestr(PROGRAM, program)
    check(load_exported(path), run, images)
    return (
        f"{os.path.getsize(path) / 1e6:.1f} MB for JAX on {', '.join(PLATFORMS)}; on {jax.default_backend()} it gives the same "
        f"detections as the network on {counted(len(images), 'picture')}"
    )


def build_detect(run: Run) -> Callable[..., tuple[jax.Array, ...]]:
    """The program of a run: (pictures, score_threshold, iou_threshold) -> (boxes, scores, classes, valid), see `INPUTS`."""
    recipe = run.recipe

    def detect(pictures, score_threshold, iou_threshold):
        images, placement = FITS[recipe.fit](pictures, recipe.size)
        detections = recipe.suppress(
            decode(raw_heads(run.model, run.variables, images), recipe.grid),
            score_threshold=score_threshold,
            iou_threshold=iou_threshold,
            aspects=jnp.broadcast_to(aspect(placement), pictures.shape[:1]),
            max_detections=MAX_DETECTIONS,
        )
        boxes = unfit(detections.boxes, placement)
        # A box in the grey margin alone has no area left.
        valid = detections.valid & (boxes[..., 2:] > boxes[..., :2]).all(-1)
        return (
            jnp.where(valid[..., None], boxes, 0),
            jnp.where(valid, detections.scores, 0),
            jnp.where(valid, detections.classes, -1),
            valid,
        )

    return detect


def check(artefact: Artefact, run: Run, images: Sequence[np.ndarray]) -> None:
    """Compares an artefact with the detector of its run on letterboxed images, and with its own program on one as it is.

    Args:
        artefact: what was written, read again.
        run: the trained network.
        images: RGB uint8 (h, w, 3), at least one.

    Raises:
        InputError: they differ.
    """
    fitted = [letterbox_on_host(image, run.grid.size)[0] for image in images]
    detector = Detector.from_run(run)
    program = jax.jit(build_detect(run))

    def letterboxed(*thresholds):
        return _valid(artefact(np.stack(fitted), *thresholds)), [detection[:3] for detection in detector(fitted, *thresholds)]

    def as_it_is(*thresholds):
        picture = images[0][None]
        return _valid(artefact(picture, *thresholds)), _valid(jax.device_get(program(picture, *thresholds)))

    for lists in (letterboxed, as_it_is):
        for thresholds in THRESHOLDS:
            for number, pair in enumerate(zip(*lists(*thresholds), strict=True), start=1):
                if not agree(*pair, max(*run.grid.size, *images[0].shape), cut_short=thresholds[0] == 0):
                    raise InputError(
                        f"the exported file and the network differ on picture {number} ({lists.__name__.replace('_', ' ')}), "
                        f"with {len(pair[0][1])} and {len(pair[1][1])} detections at thresholds {thresholds[0]} and "
                        f"{thresholds[1]}; nothing was written"
                    )


def _valid(detections):
    """The valid ones of each picture: [(boxes (k, 4), scores (k,), classes (k,)), ...]."""
    boxes, scores, classes, valid = detections
    return [(boxes[i][valid[i]], scores[i][valid[i]], classes[i][valid[i]]) for i in range(len(valid))]


if not TYPE_CHECKING:
    __getattr__ = moved.names(
        __name__,
        {
            "Artefact": "runs.exported:Artefact",
            "load": "runs.exported:load_exported",
        },
    )
