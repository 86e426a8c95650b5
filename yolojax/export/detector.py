"""A detector of an exported StableHLO file."""

from yolojax.data.images import ImageTransform, letterbox
from yolojax.errors import InputError
from yolojax.inference import to_original
from yolojax.nms import METHODS, Detections
from yolojax.predict import Detector, stack_padded
from yolojax.runs.exported import load_exported

AS_IT_IS = ImageTransform(1.0, 0, 0)


class ExportedDetector(Detector):
    """`Detector` by the program of a file, see `Detector.from_exported`.

    Attributes:
        names, size: as of `Detector`.
        about: the dict of the file's about.json.
    """

    def __init__(self, path):
        self._path, self._artefact = path, load_exported(path)
        self.names, self.size, self.about = self._artefact.names, self._artefact.size, self._artefact.about

    def _find(self, group, score_threshold, iou_threshold, wanted, *, augment, class_agnostic, method):
        if method not in METHODS:
            raise ValueError(f"unknown suppression method {method!r}: one of {', '.join(METHODS)}")
        for option, asked in (("augment", augment), ("class_agnostic", class_agnostic), ('method="soft"', method == "soft")):
            if asked:
                raise InputError(f"{self._path}: an exported file cannot do {option}; leave it out, or use the run's workdir")
        found = [None] * len(group)
        for places, pictures, transforms in self._batches(group):
            outcome = Detections(*self._artefact(stack_padded(pictures), score_threshold, iou_threshold))
            for row, (place, transform) in enumerate(zip(places, transforms, strict=True)):
                of_picture = to_original(outcome, row, transform, group[place].shape[:2])
                chosen = wanted[of_picture[2]]
                found[place] = tuple(member[chosen] for member in of_picture)
        return found

    def _batches(self, group):
        """(places in the group, pictures of one size, their ImageTransform each), together the whole group."""
        if self.about.get("fit", "letterbox") == "letterbox":
            # The program leaves a picture of its own size as it is: one program does for pictures of all sizes.
            fitted, transforms = zip(*(letterbox(image, self.size) for image in group), strict=True)
            return [(range(len(group)), fitted, transforms)]
        sizes = {}
        for place, image in enumerate(group):
            sizes.setdefault(image.shape, []).append(place)
        return [(places, [group[place] for place in places], [AS_IT_IS] * len(places)) for places in sizes.values()]
