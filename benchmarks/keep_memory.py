"""What `config.train.keep_memory` gives and takes: pictures a second and resident memory of train.py, with and without it.

python benchmarks/keep_memory.py

The demo and a network and batch as of configs/bccd_tiny.py, on the demo's scenes, a process each, in turn, the better of two; a
speed is the median of the lines of metrics.jsonl after the first.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
RUNS = {
    "the demo": ("--config.train.epochs=1.2", "--config.train.log_steps=15"),
    "half YOLOv3-tiny, 416 x 320": (
        "--config.model.width=0.5",
        "--config.data.size=(320,416)",
        "--config.train.batch_size=8",
        "--config.train.epochs=0.1",
        "--config.optimizer.warmup_epochs=0.01",
        "--config.train.log_steps=5",
    ),
}
ROUNDS = 2


def main():
    print(f"{'':28}{'kept':>10}{'given back':>12}{'ratio':>8}")
    with tempfile.TemporaryDirectory() as folder:
        for name, flags in RUNS.items():
            measured = {True: [], False: []}
            for turn in range(ROUNDS):
                for kept in measured:
                    measured[kept].append(train(Path(folder) / f"{name} {turn} {kept}", kept, flags))
            for row, (label, unit, best) in enumerate((("pictures/s", 1, max), ("peak MiB", 1024, min))):
                kept, back = (best(outcome[row] for outcome in outcomes) / unit for outcomes in measured.values())
                print(f"{name if row == 0 else '':28}{kept:10.1f}{back:12.1f}{kept / back:8.2f}  {label}", flush=True)


def train(workdir, kept, flags):
    """(pictures a second, largest resident memory in KiB)."""
    command = [sys.executable, "train.py", "--workdir", workdir, f"--config.train.keep_memory={str(kept).lower()}", *flags]
    common = "--config.data.digits_val=4", "--config.train.eval_epochs=1000.0"
    process = subprocess.Popen([*command, *common], cwd=REPOSITORY, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"train.py failed: {' '.join(map(str, command))}")
    lines = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    speeds = [line["images_per_second"] for line in lines if line["split"] == "train"]
    return statistics.median(speeds[1:]), usage.ru_maxrss


if __name__ == "__main__":
    main()
