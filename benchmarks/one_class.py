"""One class of a data set as a small set of its own, and recipes on it at equal length: AP50 on the split test.

python benchmarks/one_class.py --data BCCD_FOLDER --name WBC --weights yolo-fastest-1.1.weights --out runs/one_class

Some of the pictures of the splits train and val are trained on, a fifth as many are for validation. Pictures without the class
stay as background. What is finished already is not trained again.
"""

import argparse
import json
import re
from pathlib import Path

import numpy as np
from seeds import call

from yolojax.data.annotations import Record
from yolojax.data.formats.coco import write_coco
from yolojax.data.formats.read import read_annotations
from yolojax.data.image_size import picture_sizes

TINY = ["--config.model.width=0.5"]
VARIANTS = {
    "data_set:yolov3_tiny": ["--config", "data_set:yolov3_tiny", *TINY],
    "strong:yolov3_tiny": ["--config", "strong:yolov3_tiny", *TINY],
    "strong:yolov3_tiny, slots by ratio of 2": ["--config", "strong:yolov3_tiny", *TINY, "--config.loss.assign_ratio=2"],
    "fine-tuned": ["--weights"],
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, type=Path, help="a data set with the splits train, val and test")
    parser.add_argument("--name", required=True, help="the class")
    parser.add_argument("--weights", required=True, type=Path, help="Darknet's weights, with their cfg beside them")
    parser.add_argument("--out", required=True, type=Path, help="folder of the set and of the runs, one a row")
    parser.add_argument("--pictures", type=int, default=120, help="of the training (default: %(default)s)")
    parser.add_argument("--epochs", type=float, default=40.0, help="of each run (default: %(default)s)")
    parser.add_argument("--only", action="append", choices=VARIANTS, help="this row; may be repeated (default: all)")
    own, overrides = parser.parse_known_args()
    folder = own.out / "set"
    if not folder.exists():
        write_set(own, folder)
    rows = []
    for name in own.only or VARIANTS:
        workdir = own.out / re.sub(r"\W+", "_", name)
        flags = [*VARIANTS[name], *([own.weights] if VARIANTS[name] == ["--weights"] else [])]
        call(
            *("train.py", "--workdir", workdir, "--data", folder, *flags),
            *(f"--config.train.epochs={own.epochs}", "--config.train.batch_size=8", *overrides),
        )
        call("eval.py", "--workdir", workdir, "--split", "test")
        rows.append((name, json.loads((workdir / "eval" / "test" / "metrics.json").read_text())))
    print(f"\n{'':44}{'AP50':>8}{'AP':>8}")
    for name, metrics in rows:
        print(f"{name:44}{metrics['ap50']:8.3f}{metrics['ap']:8.3f}")


def write_set(own, folder):
    """Makes a COCO folder of one class, whose files name the pictures where they are."""
    known = [record for split in ("train", "val") for record in read_annotations(f"{own.data}:{split}").records]
    taken = own.pictures * 6 // 5
    spread = [known[place * len(known) // taken] for place in range(taken)]
    parts = {
        "train": [record for place, record in enumerate(spread) if place % 6],
        "val": spread[::6],
        "test": read_annotations(f"{own.data}:test").records,
    }
    number = read_annotations(own.data).names.index(own.name)
    folder.mkdir(parents=True)
    for split, records in parts.items():
        kept = [only(record, record.classes == number) for record in records]
        sizes = picture_sizes(records)
        paths = [str(Path(record.path).resolve()) for record in records]
        write_coco(folder / f"{split}.json", [own.name], kept, sizes, paths)


def only(record, chosen):
    """A record with some of its boxes, all of the class 0."""
    count = np.count_nonzero(chosen)
    return Record(record.path, record.boxes[chosen], np.zeros(count, np.int32), record.source)


if __name__ == "__main__":
    main()
