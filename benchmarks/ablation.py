"""What the ingredients of configs/bccd_tiny.py are worth: the same budget with one of them changed, AP50 on the split test.

python benchmarks/ablation.py --out runs/ablation [--only "no average" ...] [--config.FIELD=VALUE ...]

40 epochs, one seed: differences under 0.01 are noise. What is finished already is not trained again.
"""

import argparse
import json
from pathlib import Path

from seeds import REPOSITORY, call

AUGMENT = "--config.data.augment"
ZOOM = [f"{AUGMENT}.mosaic_probability=0.0"]
NO_ZOOM = [f"{AUGMENT}.scale_probability=0.0", f"{AUGMENT}.scale_smallest=0.5", f"{AUGMENT}.scale_largest=1.5"]
CROP = [*NO_ZOOM, f"{AUGMENT}.crop_probability=0.5", f"{AUGMENT}.translate_probability=0.5"]
MOSAIC = [f"{AUGMENT}.mosaic_probability=0.5", f"{AUGMENT}.mix_off_epochs=8"]
REACH = ["--config.model.xy_scale=2", "--config.model.squared_sizes=True", "--config.loss.assign_rule=ratio"]
IOU_AWARE = ["--config.loss.name=iou_aware", "--config.optimizer.clip_norm=0"]
ADAMW = ["--config.optimizer.name=adamw", "--config.optimizer.weight_decay=0.05"]
# The programs' rate 0.01 and decay 5e-4 are for a loss that is 64 times as large.
SGD = [
    *("--config.optimizer.name=sgd", "--config.optimizer.momentum=0.937", "--config.optimizer.nesterov=True"),
    *("--config.optimizer.learning_rate=0.64", "--config.optimizer.weight_decay=7.8e-6"),
]
VARIANTS = {
    "zoom": ZOOM,
    "zoom and mosaic (as it is)": [],
    "crop and shift": [*ZOOM, *CROP],
    "crop, shift and mosaic": [*CROP, *MOSAIC],
    "zoom, CIoU": [*ZOOM, "--config.loss.box=ciou"],
    "zoom, no average of parameters": [*ZOOM, "--config.optimizer.ema_decay=0.0", "--config.optimizer.ema_warmup_steps=0.0"],
    "zoom, published anchors": [*ZOOM, "--config.model.anchors=()"],
    "slots by ratio": REACH,
    "slots by ratio, crop, shift and mosaic": [*REACH, *CROP, *MOSAIC],
    "IoU-aware loss": IOU_AWARE,
    "IoU-aware loss, crop, shift and mosaic": [*IOU_AWARE, *CROP, *MOSAIC],
    "slots by ratio of 2, IoU-aware loss": [*REACH, *IOU_AWARE, "--config.loss.assign_ratio=2"],
    "slots by ratio, IoU-aware loss": [*REACH, *IOU_AWARE],
    "slots by ratio, IoU-aware loss, AdamW": [*REACH, *IOU_AWARE, *ADAMW],
    "slots by ratio, IoU-aware loss, SGD": [*REACH, *IOU_AWARE, *SGD],
    "slots by ratio, IoU-aware loss, no mosaic": [*REACH, *IOU_AWARE, *ZOOM],
    "slots by ratio, IoU-aware loss, crop, shift and mosaic": [*REACH, *IOU_AWARE, *CROP, *MOSAIC],
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, type=Path, help="folder of the runs, one a variant")
    parser.add_argument("--only", action="append", choices=VARIANTS, help="run this variant; may be repeated (default: all)")
    own, overrides = parser.parse_known_args()
    config = ["--config", REPOSITORY / "configs" / "bccd_tiny.py", "--config.train.epochs=40"]
    rows = []
    for name in own.only or VARIANTS:
        workdir = own.out / name.replace(" ", "_")
        call("train.py", "--workdir", workdir, *config, *VARIANTS[name], *overrides)
        call("eval.py", "--workdir", workdir, "--split", "test")
        rows.append((name, json.loads((workdir / "eval" / "test" / "metrics.json").read_text())))
    print(f"\n{'':56}{'AP50':>8}{'AP':>8}{'to the first':>14}")
    for name, metrics in rows:
        difference = metrics["ap50"] - rows[0][1]["ap50"]
        print(f"{name:56}{metrics['ap50']:8.3f}{metrics['ap']:8.3f}{difference:+14.3f}")


if __name__ == "__main__":
    main()
