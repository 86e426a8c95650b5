"""Evaluates a trained detector: a table, and WORKDIR/eval/SPLIT with metrics.json, detections.json and sample pictures.

  python eval.py --workdir runs/digits
  python eval.py --workdir runs/digits --checkpoint last
  python eval.py --workdir runs/mine --split test --data more_cells
"""

from absl import flags

from yolojax import cli


def define():
    flags.DEFINE_string("workdir", None, "folder of the run, as train.py left it")
    flags.DEFINE_string("checkpoint", "best", "best (by validation AP50), last, or a step")
    flags.DEFINE_string("split", "val", "val, test or train (as they are, without augmentation)")
    flags.DEFINE_string("data", None, "evaluate on this instead, in any format that training reads; the classes are the run's")
    flags.mark_flag_as_required("workdir")


def main(arguments):
    if arguments:
        raise cli.InputError(f"unexpected argument {arguments[0]!r}; --help shows how to call this program")
    from yolojax.evaluation.workdir import evaluate_workdir

    evaluate_workdir(flags.FLAGS.workdir, flags.FLAGS.checkpoint, flags.FLAGS.split, flags.FLAGS.data)


if __name__ == "__main__":
    cli.run(main, define, __doc__)
