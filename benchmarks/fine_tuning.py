"""A folder of labelled pictures and trained weights to a detector: AP50 on a test split, beside the same network from scratch.

python benchmarks/fine_tuning.py --data BCCD_FOLDER --weights yolo-fastest-1.1.weights --out runs/fine_tuning [--only "..."]

The folder has some of the pictures of the data's splits train and val, without any split of its own, as a user's has; the split
test is that of the data. Each row is a training of the same length; the minutes are those of the whole training, start and
evaluations included. What is finished already is not trained again.
"""

import argparse
import json
import os
import time
from pathlib import Path

from yolojax.configs import fine_tune
from yolojax.darknet.edit import with_classes
from yolojax.data.formats.read import read_annotations
from yolojax.evaluation.workdir import evaluate_workdir
from yolojax.runtime.compilation_cache import cache_compiled_programs
from yolojax.training.loop import train_and_evaluate
from yolojax.training.own_data import use_data
from yolojax.training.pretrained import adopt_network

ALL_BUT_HEADS = "^(?!conv120$|conv129$)"  # of yolo-fastest-1.1
VARIANTS = {
    "fine-tuned": {},
    "from scratch": {"init_from": ""},
    "fine-tuned at a tenth of the rate": {"optimizer.learning_rate": 1e-4, "optimizer.end_learning_rate": 1e-6},
    "heads anew": {"init_heads": "anew"},
    "only heads for 3 epochs": {"train.freeze": ALL_BUT_HEADS, "train.freeze_epochs": 3.0},
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, type=Path, help="a VOC folder with the splits train, val and test")
    parser.add_argument("--weights", required=True, type=Path, help="Darknet's weights, with their cfg beside them")
    parser.add_argument("--out", required=True, type=Path, help="folder of the pictures and of the runs, one a row")
    parser.add_argument("--pictures", type=int, default=160, help="of train and val (default: %(default)s)")
    parser.add_argument("--epochs", type=float, default=30.0, help="of each run (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of each run (default: %(default)s)")
    parser.add_argument("--only", action="append", choices=VARIANTS, help="this row; may be repeated (default: all)")
    own = parser.parse_args()
    cache_compiled_programs()
    folder = own.out / "pictures"
    if not folder.exists():
        write_folder(own.data, folder, own.pictures)
    rows = [(name, *run(own, folder, name)) for name in own.only or VARIANTS]
    print(f"\n{'':42}{'AP50 test':>10}{'AP test':>9}{'AP50 val':>10}{'minutes':>9}")
    for name, minutes, validated, tested in rows:
        print(f"{name:42}{tested['ap50']:10.3f}{tested['ap']:9.3f}{validated['ap50']:10.3f}{minutes:9.1f}")


def write_folder(data, folder, pictures):
    """Makes a VOC folder without splits, of links to every other picture and its annotation."""
    records = [record for split in ("train", "val") for record in read_annotations(f"{data}:{split}").records]
    for name in ("Annotations", "JPEGImages"):
        (folder / name).mkdir(parents=True)
    for place in range(pictures):
        record = records[place * len(records) // pictures]
        image = Path(record.path)
        os.symlink(image.resolve(), folder / "JPEGImages" / image.name)
        annotation = image.parent.parent / "Annotations" / f"{image.stem}.xml"
        os.symlink(annotation.resolve(), folder / "Annotations" / annotation.name)


def run(own, folder, name):
    """Trains and evaluates a row; returns its minutes and the metrics of validation and test."""
    workdir = own.out / name.replace(" ", "_").replace("/", "of")
    config = fine_tune.get_config()
    config.init_from, config.init_heads = str(own.weights.resolve()), "adapt"
    adopt_network(config)
    use_data(config, folder, adopted=True)
    config.seed, config.train.epochs = own.seed, own.epochs
    for field, value in VARIANTS[name].items():
        section, _, leaf = field.rpartition(".")
        setattr(getattr(config, section) if section else config, leaf, value)
    if not config.init_from:
        config.init_heads = "anew"
    config.model.cfg = with_classes(config.model.cfg, len(read_annotations(folder).names))
    started, finished = time.monotonic(), workdir / "minutes.json"
    if not finished.exists():
        train_and_evaluate(config, workdir)
        finished.write_text(json.dumps((time.monotonic() - started) / 60))
    validated = json.loads((workdir / "eval/val/metrics.json").read_text())
    tested = evaluate_workdir(workdir, split="test", data=own.data)
    return json.loads(finished.read_text()), validated, tested


if __name__ == "__main__":
    main()
