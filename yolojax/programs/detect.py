"""Finds objects in pictures and videos with a trained detector; draws them and lists their boxes in detections.json.

  yolojax detect --workdir runs/digits picture.jpg folder/ 'more/*.png'     pictures, folders and globs
  yolojax detect --workdir runs/digits list.txt                             a file with one path per line
  yolojax detect --workdir runs/digits film.mp4 --classes 3,7               a video; two classes only
  yolojax detect --workdir runs/digits 0                                    camera 0, until Ctrl-C
  find . -name '*.jpg' | yolojax detect --workdir runs/digits --nodraw -    paths on standard input, as they arrive
  yolojax detect --weights yolov3.weights picture.jpg                       Darknet's network, its cfg and names beside it
  yolojax detect --workdir runs/digits --txt --crops --nojson folder/       OUT/labels and OUT/crops as well; no JSON

The last line says what the run waited for. Files that cannot be read are named and skipped; the exit status is then 1.
"""

import math
from typing import TYPE_CHECKING, Any

from absl import flags

from yolojax.errors import InputError
from yolojax.runtime.streams import say

if TYPE_CHECKING:
    from yolojax.predict import Detector


def define() -> None:
    """Defines the flags."""
    flags.DEFINE_string("workdir", None, "folder of a trained run")
    flags.DEFINE_string("cfg", None, "the .cfg of --weights (default: found beside them)")
    flags.DEFINE_string("weights", None, "Darknet's .weights, in place of --workdir")
    flags.DEFINE_string(
        "names", None, "with --weights: file of class names, one per line (default: found beside them; with --cfg, numbers)"
    )
    flags.DEFINE_enum(
        "fit",
        "letterbox",
        ["letterbox", "stretch"],
        "with --weights: keep a picture's proportions, or not (without --cfg, the default is what the cfg says)",
    )
    flags.DEFINE_string("checkpoint", "best", "best (by config.train.save_best_by), last, or a step")
    flags.DEFINE_string("out", "detections", "folder for everything that is written")
    flags.DEFINE_bool("draw", True, "write OUT/NAME (OUT/NAME.mp4 for a video) with the boxes drawn; --nodraw does not")
    flags.DEFINE_bool("json", True, "write OUT/detections.json, one entry per picture or frame; --nojson does not")
    flags.DEFINE_bool("txt", False, "write OUT/labels/NAME.txt: YOLO lines, class cx cy w h as fractions of width and height")
    flags.DEFINE_bool("crops", False, "write OUT/crops/CLASS/NAME-NUMBER.png: the contents of each box")
    flags.DEFINE_list("classes", None, "names of the classes to find, name,name (default: all)")
    flags.DEFINE_float("score_threshold", 0.3, "detections score more than this", 0, 1)
    flags.DEFINE_float(
        "iou_threshold", 0.45, "of two detections of a class that overlap by more than this IoU, one is kept", 0, 1
    )
    flags.DEFINE_integer(
        "max_detections", 100, "the most detections of a picture, the most confident ones; 1 for only the best one", 1
    )
    flags.DEFINE_bool("class_agnostic", False, "detections of different classes suppress each other too")
    flags.DEFINE_bool(
        "soft_nms", False, "lower the scores of overlapping boxes instead of removing them; iou_threshold is not used"
    )
    flags.DEFINE_bool("augment", False, "also look at each picture mirrored, which takes twice as long")


def main(sources: list[str]) -> None:
    """Detects objects in the sources, with the detector and the outputs that the flags name."""
    own = flags.FLAGS
    if not sources:
        raise InputError("name at least one picture, folder, glob, list, video, camera or - after the flags")
    if not (own.draw or own.json or own.txt or own.crops):
        raise InputError("nothing would be written: leave out --nodraw or --nojson, or give --txt or --crops")
    if (own.workdir is None) == (own.weights is None) or (own.cfg and not own.weights):
        raise InputError(
            "give --workdir for a run, or --cfg and --weights for a Darknet network (--weights alone finds its cfg)"
        )
    source = "--cfg" if own.cfg else "--weights" if own.weights else "--workdir"
    for name in (name for name in (["checkpoint"] if own.weights else ["names", "fit"]) if own[name].present):
        raise InputError(f"--{name} is not used with {source}; leave it out")
    from yolojax.detection.run import detect_files
    from yolojax.predict import Detector
    from yolojax.runtime.devices import check_devices

    for name, value in (("score_threshold", own.score_threshold), ("iou_threshold", own.iou_threshold)):
        if math.isnan(value):  # which absl takes for a number between any two
            raise InputError(f"--{name} must be a number from 0 to 1, not nan")
    check_devices()
    detector = _of_darknet(own) if own.weights else Detector.from_workdir(own.workdir, own.checkpoint)
    outputs, thresholds = ("draw", "json", "txt", "crops"), ("score_threshold", "iou_threshold")
    options: dict[str, Any] = {
        name: own[name].value for name in (*outputs, *thresholds, "classes", "class_agnostic", "augment", "max_detections")
    }
    detect_files(detector, sources, own.out, **options, method="soft" if own.soft_nms else "hard")


def _of_darknet(own: Any) -> "Detector":
    """The detector of the flags for Darknet's files; what is found beside the weights is said."""
    from yolojax.darknet.beside import find_companions
    from yolojax.predict import Detector

    if own.cfg:
        return Detector.from_darknet(own.cfg, own.weights, own.names, own.fit)
    found = find_companions(own.weights, names=own.names)
    fit = own.fit if own["fit"].present else found.fit
    say(f"the network is that of {found.cfg}; pictures are {'stretched' if fit == 'stretch' else 'letterboxed'} (--fit)")
    say(found.about_names())
    return Detector.from_darknet(found.cfg, own.weights, found.names or None, fit)
