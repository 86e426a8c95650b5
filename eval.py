"""Evaluates a trained detector: a table, and WORKDIR/eval/SPLIT with metrics.json, detections.json and sample pictures.

  python eval.py --workdir runs/digits
  python eval.py --workdir runs/digits --checkpoint last
"""

from absl import flags

from yolojax import cli


def define():
    flags.DEFINE_string("workdir", None, "folder of the run, as train.py left it")
    flags.DEFINE_string("checkpoint", "best", "best (by validation AP50), last, or a step")
    flags.DEFINE_string("split", "val", "val or train (as they are, without augmentation)")
    flags.mark_flag_as_required("workdir")


def main(arguments):
    if arguments:
        raise cli.InputError(f"unexpected argument {arguments[0]!r}; --help shows how to call this program")
    from yolojax.evaluation.workdir import evaluate_workdir

    evaluate_workdir(flags.FLAGS.workdir, flags.FLAGS.checkpoint, flags.FLAGS.split)


if __name__ == "__main__":
    cli.run(main, define, __doc__)
