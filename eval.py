"""Evaluates a trained detector: a table, and WORKDIR/eval/SPLIT with report.html, metrics.json and detections.json.

python eval.py --workdir runs/digits
python eval.py --workdir runs/digits --checkpoint last
python eval.py --workdir runs/mine --split test --data more_cells
python eval.py --workdir runs/mine --compare runs/other
"""

from absl import flags

from yolojax.errors import InputError
from yolojax.programs import cli
from yolojax.programs.flags import define_distributed_flags, distributed_options
from yolojax.runtime import hosts


def define():
    flags.DEFINE_string("workdir", None, "folder of the run, as train.py left it")
    flags.DEFINE_string("checkpoint", "best", "best (by config.train.save_best_by), last, or a step")
    flags.DEFINE_string("split", "val", "val, test or train (as they are, without augmentation)")
    flags.DEFINE_string("data", None, "evaluate on this instead, in any format that training reads; the classes are the run's")
    flags.DEFINE_string(
        "compare", None, "another run, evaluated on the same split before (or the folder of an evaluation): side by side"
    )
    flags.mark_flag_as_required("workdir")
    define_distributed_flags()


def main(arguments):
    if arguments:
        raise InputError(f"unexpected argument {arguments[0]!r}; --help shows how to call this program")
    with hosts.distributed_run(distributed_options()):
        from yolojax.evaluation.workdir import evaluate_workdir

        chosen = flags.FLAGS
        evaluate_workdir(chosen.workdir, chosen.checkpoint, chosen.split, chosen.data, chosen.compare)


if __name__ == "__main__":
    cli.run(main, define, __doc__)
