"""Whether a change made anything slower: this checkout beside another one, each measurement in turns, as a ratio.

git worktree add ../before HEAD~20
python benchmarks/two_checkouts.py ../before

Each figure is the median of several processes; "ratio" is this checkout's over the other's, so that more than 1 is slower.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent

COMMON = """
import statistics, time
import jax, numpy as np, optax
from yolojax import AnchorGrid, Detector, YOLOv3Tiny, assign, initialize, train_step, yolo_loss
from yolojax.grid import TINY_ANCHORS
from yolojax.training import create_state
grid = AnchorGrid((160, 160), (16, 32), TINY_ANCHORS)
model = YOLOv3Tiny(80)
variables = initialize(model, 0)
def milliseconds(call, count):
    seconds = []
    for _ in range(count):
        began = time.perf_counter()
        jax.block_until_ready(call())
        seconds.append(time.perf_counter() - began)
    print(1000 * statistics.median(seconds))
"""
DETECTION = (
    COMMON
    + """
detector = Detector(model, variables, grid, [str(i) for i in range(80)])
image = np.zeros((160, 160, 3), np.uint8)
detector(image)
milliseconds(lambda: detector(image).boxes, 60)
"""
)
STEP = (
    COMMON
    + """
optimizer = optax.adam(1e-3)
state = create_state(jax.device_put(variables), optimizer)
targets = assign(np.array([[10.0, 10, 90, 120]]), np.array([3]), grid, max_boxes=8)
batch = np.zeros((8, 160, 160, 3), np.uint8), jax.tree.map(lambda x: np.stack([x] * 8), targets)
step = jax.jit(lambda state: train_step(state, batch, model=model, optimizer=optimizer, grid=grid, loss=yolo_loss))
step(state)
def one():
    global state
    state, metrics = step(state)
    return metrics["loss"]
milliseconds(one, 20)
"""
)
RUN = [
    "train.py",
    "--config.data.digits_train=32",
    "--config.data.digits_val=16",
    "--config.train.epochs=1",
    "--config.train.log_steps=1",
]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, metavar="CHECKOUT", help="the other checkout of yolojax")
    parser.add_argument("--rounds", type=int, default=5, help="processes for each figure and checkout (default: %(default)s)")
    options = parser.parse_args()
    measurements = {
        "import yolojax, ms": lambda where: wall(where, "-c", "import yolojax"),
        "import yolojax.training.loop, ms": lambda where: wall(where, "-c", "import yolojax.training.loop"),
        "one detection, YOLOv3-tiny at 160, ms": lambda where: float(run(where, "-c", DETECTION)),
        "one training step, YOLOv3-tiny at 160, 8 images, ms": lambda where: float(run(where, "-c", STEP)),
        "the demo with 2 steps, from start to report, ms": demo,
    }
    print(f"{'':54}{'other':>10}{'this':>10}{'ratio':>8}")
    for name, measure in measurements.items():
        pairs = [(measure(options.other.resolve()), measure(REPOSITORY)) for _ in range(options.rounds)]
        other, this = (statistics.median(values) for values in zip(*pairs, strict=True))
        ratio = statistics.median(mine / theirs for theirs, mine in pairs)
        print(f"{name:54}{other:10.2f}{this:10.2f}{ratio:8.2f}", flush=True)


def demo(where):
    with tempfile.TemporaryDirectory() as folder:
        return wall(where, *RUN, "--workdir", f"{folder}/run")


def wall(where, *arguments):
    began = time.perf_counter()
    run(where, *arguments)
    return 1000 * (time.perf_counter() - began)


def run(where, *arguments):
    environment = os.environ | {"PYTHONPATH": str(where), "JAX_PLATFORMS": "cpu"}
    done = subprocess.run([sys.executable, *arguments], cwd=where, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return done.stdout


if __name__ == "__main__":
    main()
