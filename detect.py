"""Finds objects in pictures and videos with a trained detector; draws them and lists their boxes in detections.json.

  python detect.py --workdir runs/digits picture.jpg folder/ 'more/*.png'     pictures, folders and globs
  python detect.py --workdir runs/digits list.txt                             a file with one path a line
  python detect.py --workdir runs/digits film.mp4 --classes 3,7               a video; two classes only
  python detect.py --workdir runs/digits 0                                    camera 0, until Ctrl-C
  find . -name '*.jpg' | python detect.py --workdir runs/digits --nodraw -    paths on standard input, as they come
  python detect.py --workdir runs/digits --txt --crops --nojson folder/       OUT/labels and OUT/crops as well; no JSON

The last line says how long the run waited for reading, for the network, and for drawing and writing: the largest is the bound.
What cannot be read is named and the rest is done; the exit status is then 1.
"""

from absl import flags

from yolojax import cli


def define():
    flags.DEFINE_string("workdir", None, "folder of the run, as train.py left it")
    flags.DEFINE_string("checkpoint", "best", "best (by validation AP50), last, or a step")
    flags.DEFINE_string("out", "detections", "folder for everything that is written")
    flags.DEFINE_bool("draw", True, "write OUT/NAME with the boxes drawn, of a video OUT/NAME.mp4; --nodraw leaves it out")
    flags.DEFINE_bool("json", True, "write OUT/detections.json, one entry a picture or frame; --nojson leaves it out")
    flags.DEFINE_bool("txt", False, "write OUT/labels/NAME.txt: YOLO lines, class cx cy w h in parts of width and height")
    flags.DEFINE_bool("crops", False, "write OUT/crops/CLASS/NAME-NUMBER.png: what is in each box")
    flags.DEFINE_list("classes", None, "names of the classes to find, name,name; all of them by default")
    flags.DEFINE_float("score_threshold", 0.3, "detections score more than this", 0, 1)
    flags.DEFINE_float("iou_threshold", 0.45, "of two of a class that overlap by more than this IoU, one stays", 0, 1)
    flags.DEFINE_bool("class_agnostic", False, "of two of different classes, too")
    flags.DEFINE_bool("soft_nms", False, "overlapping boxes lose score instead of their place; iou_threshold is not used")
    flags.DEFINE_bool("augment", False, "look at each picture mirrored as well, at twice the time")
    flags.mark_flag_as_required("workdir")


def main(sources):
    own = flags.FLAGS
    if not sources:
        raise cli.InputError("name at least one picture, folder, glob, list, video, camera or - after the flags")
    if not (own.draw or own.json or own.txt or own.crops):
        raise cli.InputError("nothing would be written: leave out one of --nodraw, --nojson, or give --txt or --crops")
    from yolojax.detect import detect_files
    from yolojax.predict import Detector

    detector = Detector.from_workdir(own.workdir, own.checkpoint)
    outputs = {name: own[name].value for name in ("draw", "json", "txt", "crops")}
    thresholds = {name: own[name].value for name in ("score_threshold", "iou_threshold")}
    options = {name: own[name].value for name in ("classes", "class_agnostic", "augment")}
    options["method"] = "soft" if own.soft_nms else "hard"
    detect_files(detector, sources, own.out, **outputs, **thresholds, **options)


if __name__ == "__main__":
    cli.run(main, define, __doc__)
