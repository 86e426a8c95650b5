"""Finds objects in pictures with a trained detector: drawn pictures, and detections.json with the boxes.

  python detect.py --workdir runs/digits picture.jpg folder/ 'more/*.png'
"""

from absl import flags

from yolojax import cli


def define():
    flags.DEFINE_string("workdir", None, "folder of the run, as train.py left it")
    flags.DEFINE_string("checkpoint", "best", "best (by validation AP50), last, or a step")
    flags.DEFINE_string("out", "detections", "folder for the drawn pictures and detections.json")
    flags.DEFINE_float("score_threshold", 0.3, "detections score more than this", 0, 1)
    flags.DEFINE_float("iou_threshold", 0.45, "of two of a class that overlap by more than this IoU, one stays", 0, 1)
    flags.mark_flag_as_required("workdir")


def main(sources):
    if not sources:
        raise cli.InputError("name at least one picture, folder or glob after the flags")
    from yolojax.detect import detect_files
    from yolojax.predict import Detector

    own = flags.FLAGS
    detector = Detector.from_workdir(own.workdir, own.checkpoint)
    detect_files(detector, sources, own.out, score_threshold=own.score_threshold, iou_threshold=own.iou_threshold)


if __name__ == "__main__":
    cli.run(main, define, __doc__)
