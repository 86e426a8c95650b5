"""Evaluates a trained detector: a table, and WORKDIR/eval/SPLIT with report.html, metrics.json and detections.json.

yolojax eval --workdir runs/digits
yolojax eval --workdir runs/digits --checkpoint last
yolojax eval --workdir runs/mine --split test --data more_cells
yolojax eval --workdir runs/mine --data more_cells --out more_cells_eval
yolojax eval --workdir runs/mine --data VOC2007:test --class_map "lorry=truck,van="
yolojax eval --workdir runs/mine --compare runs/other
"""

from absl import flags

from yolojax.programs.flags import define_distributed_flags, distributed_options, refuse_arguments
from yolojax.runtime.distributed import distributed_run


def define() -> None:
    """Defines the flags."""
    flags.DEFINE_string("workdir", None, "folder of a trained run")
    flags.DEFINE_string("checkpoint", "best", "best (by config.train.save_best_by), last, or a step")
    flags.DEFINE_string("split", "val", "val, test or train (as they are, without augmentation)")
    flags.DEFINE_string(
        "data", None, "evaluate on this instead, in any format that training reads; its classes are some of the run's"
    )
    flags.DEFINE_string(
        "class_map",
        "",
        "with --data: NAME=NAME,... of classes that have another name in the data (first) than in the run; NAME= "
        "leaves the boxes of a class out",
    )
    flags.DEFINE_string(
        "compare", None, "also compare with another run that was evaluated on this split, or with the folder of an evaluation"
    )
    flags.DEFINE_string(
        "out",
        None,
        "folder to write instead of WORKDIR/eval/SPLIT: a new one, or that of an earlier evaluation, which is replaced",
    )
    flags.DEFINE_bool("augment", False, "also look at each picture mirrored, as detect --augment does")
    flags.DEFINE_bool("soft_nms", False, "overlapping boxes lose score instead of being removed, as in detect --soft_nms")
    flags.mark_flag_as_required("workdir")
    define_distributed_flags()


def main(arguments: list[str]) -> None:
    """Evaluates the run that the flags name."""
    refuse_arguments(arguments)
    with distributed_run(distributed_options()):
        from yolojax.data.class_map import parse_class_map
        from yolojax.evaluation.workdir import evaluate_workdir

        chosen = flags.FLAGS
        class_map = parse_class_map(chosen.class_map)
        evaluate_workdir(
            chosen.workdir,
            chosen.checkpoint,
            chosen.split,
            chosen.data,
            chosen.compare,
            class_map,
            out=chosen.out,
            augment=chosen.augment,
            soft_nms=chosen.soft_nms,
        )
