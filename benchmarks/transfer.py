"""Steps to a given AP50 on all ten digits: from scratch, and from a run that knows the digits 0 to 4.

python benchmarks/transfer.py --out runs/transfer [--epochs 10]

The same network, schedule and scenes both times; what the first run's heads knew of five classes is not used.
"""

import argparse
import importlib.util
import json
from pathlib import Path

import numpy as np

from yolojax.data import digits
from yolojax.data.annotations import Record
from yolojax.data.formats.text import write_text_list
from yolojax.data.images import write_image
from yolojax.training.loop import train_and_evaluate

REPOSITORY = Path(__file__).resolve().parent.parent
SCENES = {"train": 1600, "val": 200}
LEVELS = (0.5, 0.7, 0.8, 0.9)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, type=Path, help="folder for the scenes and the runs")
    parser.add_argument("--epochs", type=float, default=10.0, help="of 1,600 scenes, for each of the three runs (default: 10)")
    own = parser.parse_args()
    for classes in (5, 10):
        if not (own.out / f"scenes{classes}").exists():
            write_scenes(own.out / f"scenes{classes}", classes)
    train(own, "first", 5)
    curves = {"scratch": train(own, "scratch", 10), "transfer": train(own, "transfer", 10, init_from=str(own.out / "first"))}

    print(f"\n{'step':>8}" + "".join(f"{name:>10}" for name in curves))
    for step in curves["scratch"]:
        print(f"{step:>8}" + "".join(f"{curve[step]:10.3f}" for curve in curves.values()))
    print(f"\n{'AP50':>8}" + "".join(f"{name:>10}" for name in curves) + "   first step that reaches it")
    for level in LEVELS:
        steps = [next((str(step) for step, ap50 in curve.items() if ap50 >= level), "-") for curve in curves.values()]
        print(f"{level:8.2f}" + "".join(f"{step:>10}" for step in steps))


def write_scenes(folder, classes):
    """Writes scenes of the digits below `classes` as pictures and lists."""
    names = [str(digit) for digit in range(classes)]
    for number, (split, count) in enumerate(SCENES.items()):
        glyphs, labels = digits.split_digits()[number]
        chosen = labels < classes
        (folder / split).mkdir(parents=True)
        records = []
        for scene in range(count):
            example = digits.compose_scene(np.random.default_rng([number, scene]), glyphs[chosen], labels[chosen])
            path = folder / split / f"{scene}.png"
            write_image(path, example.image)
            records.append(Record(str(path), example.boxes, example.classes, ""))
        write_text_list(folder / f"{split}.txt", records, [f"{split}/{scene}.png" for scene in range(count)])
    (folder / "classes.names").write_text("\n".join(names))


def train(own, name, classes, init_from=""):
    """Trains one run; returns its {step: validation AP50}."""
    spec = importlib.util.spec_from_file_location("digits_config", REPOSITORY / "configs" / "digits.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    config = module.get_config()
    config.data.source = "list"
    for field, file in (("train", "train.txt"), ("val", "val.txt"), ("names", "classes.names")):
        setattr(config.data, field, str(own.out / f"scenes{classes}" / file))
    config.data.cache_gib = 1.0
    config.train.epochs, config.train.eval_epochs = own.epochs, 0.5
    config.init_from = init_from
    train_and_evaluate(config, own.out / name)
    lines = map(json.loads, (own.out / name / "metrics.jsonl").read_text().splitlines())
    return {line["step"]: line["ap50"] for line in lines if line["split"] == "val"}


if __name__ == "__main__":
    main()
