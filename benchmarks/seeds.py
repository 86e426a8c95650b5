"""Trains one configuration with several seeds and evaluates a checkpoint of each: mean, deviation and learning curves.

python benchmarks/seeds.py --config configs/bccd_tiny.py --out runs/bccd_tiny --seeds 0,1,2 [--config.FIELD=VALUE ...]
python benchmarks/seeds.py --config configs/bccd.py --out runs/bccd --seeds 0,1,2,3,4      on a GPU

What is finished already is not trained again, so the same command goes on after a stop.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True, help="config file")
    parser.add_argument("--out", required=True, type=Path, help="folder of the runs, one a seed")
    parser.add_argument("--seeds", default="0,1,2", help="seeds, comma-separated")
    parser.add_argument("--split", default="test", help="split to evaluate on")
    parser.add_argument("--checkpoint", default="best", help="best, or last where the validation split is trained on too")
    own, overrides = parser.parse_known_args()

    results = {}
    for seed in own.seeds.split(","):
        workdir = own.out / f"seed{seed}"
        began = time.monotonic()
        call("train.py", "--workdir", workdir, "--config", own.config, f"--config.seed={seed}", *overrides)
        minutes = (time.monotonic() - began) / 60
        call("eval.py", "--workdir", workdir, "--split", own.split, "--checkpoint", own.checkpoint)
        results[seed] = minutes, json.loads((workdir / "eval" / own.split / "metrics.json").read_text()), curve(workdir)

    names = list(next(iter(results.values()))[1]["per_class"])
    print(f"\n{'seed':>6}{'minutes':>9}{'AP50':>8}{'VOC':>8}{'AP':>8}" + "".join(f"{name[:11]:>12}" for name in names))
    for seed, (minutes, metrics, _) in results.items():
        numbers = [metrics["ap50"], metrics["voc_ap50"], metrics["ap"]]
        classes = [metrics["per_class"][name]["ap50"] for name in names]
        print(f"{seed:>6}{minutes:9.1f}" + "".join(f"{n:8.3f}" for n in numbers) + "".join(f"{n:12.3f}" for n in classes))
    for label, key in (("AP50", "ap50"), ("VOC area", "voc_ap50"), ("AP", "ap")):
        values = [metrics[key] for _, metrics, _ in results.values()]
        deviation = statistics.stdev(values) if len(values) > 1 else 0.0
        print(f"{own.split} {label}: {statistics.mean(values):.3f} +- {deviation:.3f} over {len(values)} seeds")
    print("\nvalidation AP50 after step")
    for step in sorted({step for _, _, points in results.values() for step in points}):
        print(f"{step:>8}" + "".join(f"{points.get(step, float('nan')):8.3f}" for _, _, points in results.values()))


def call(program, *arguments):
    """Runs one of the programs; its output goes through, and its failure ends this one."""
    done = subprocess.run([sys.executable, REPOSITORY / program, *map(str, arguments)])
    if done.returncode:
        sys.exit(done.returncode)


def curve(workdir):
    """{step: validation AP50} of a run."""
    lines = map(json.loads, (workdir / "metrics.jsonl").read_text().splitlines())
    return {line["step"]: line["ap50"] for line in lines if line["split"] == "val"}


if __name__ == "__main__":
    main()
