"""Finds objects in pictures with a trained detector: drawn pictures, and detections.json with the boxes.

  python detect.py --workdir runs/digits picture.jpg folder/ 'more/*.png'
  python detect.py --cfg yolov3.cfg --weights yolov3.weights --names coco.names picture.jpg
"""

from absl import flags

from yolojax import cli


def define():
    flags.DEFINE_string("workdir", None, "folder of the run, as train.py left it")
    flags.DEFINE_string("cfg", None, "Darknet's .cfg, with --weights in place of --workdir")
    flags.DEFINE_string("weights", None, "Darknet's .weights of that cfg")
    flags.DEFINE_string("names", None, "with --cfg: file of class names, one a line; without it classes are numbers")
    flags.DEFINE_enum("fit", "letterbox", ["letterbox", "stretch"], "with --cfg: keep a picture's proportions, or not")
    flags.DEFINE_string("checkpoint", "best", "best (by validation AP50), last, or a step")
    flags.DEFINE_string("out", "detections", "folder for the drawn pictures and detections.json")
    flags.DEFINE_float("score_threshold", 0.3, "detections score more than this", 0, 1)
    flags.DEFINE_float("iou_threshold", 0.45, "of two of a class that overlap by more than this IoU, one stays", 0, 1)


def main(sources):
    if not sources:
        raise cli.InputError("name at least one picture, folder or glob after the flags")
    own = flags.FLAGS
    if (own.workdir is None) == (own.cfg is None) or (own.cfg is None) != (own.weights is None):
        raise cli.InputError("give --workdir of a run, or --cfg and --weights of Darknet")
    unused = ["checkpoint"] if own.cfg else ["names", "fit"]
    for name in unused:
        if own[name].present:
            raise cli.InputError(f"--{name} is not used with {'--cfg' if own.cfg else '--workdir'}; leave it out")
    from yolojax.detect import detect_files
    from yolojax.predict import Detector

    if own.cfg:
        detector = Detector.from_darknet(own.cfg, own.weights, own.names, own.fit)
    else:
        detector = Detector.from_workdir(own.workdir, own.checkpoint)
    detect_files(detector, sources, own.out, score_threshold=own.score_threshold, iou_threshold=own.iou_threshold)


if __name__ == "__main__":
    cli.run(main, define, __doc__)
