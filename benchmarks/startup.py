"""How long it takes until something happens: imports, initial values, and the first step of train.py.

python benchmarks/startup.py
git worktree add ../before HEAD~20
python benchmarks/startup.py --other ../before          # only the first step, of both checkouts in turns

YOLOv3 at 416 x 416, two pictures a step. Every figure is that of a process of its own; that of the first step counts from the
start of the process to its loss on the host. "plain" is train.py with the network initialized by `model.init` and without JAX's
compilation cache; "cold" and "warm" are train.py as it is, with an empty cache and with the one that "cold" left. Beside the
seconds of the clock stand those of the processors, over all threads, which depend less on what else the machine does.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
IMPORTS = ("yolojax", "jax", "yolojax.training.loop")
WAYS = {
    "model.init, eager": "model.init(jax.random.key(0), jnp.zeros((1, 416, 416, 3)), train=False)",
    "model.init, compiled": "jax.jit(lambda: model.init(jax.random.key(0), jnp.zeros((1, 416, 416, 3)), train=False))()",
    "initialize": "initialize(model, 0)",
}
VARIABLES = """
import time
import jax, jax.numpy as jnp
from yolojax.models import YOLOv3, initialize
model = YOLOv3(80)
jax.block_until_ready(jnp.zeros(1) + 1)
began = time.perf_counter()
jax.block_until_ready({})
print(time.perf_counter() - began)
"""
FIRST_STEP = """
import os, sys, time
sys.argv = ["train.py", *sys.argv[1:]]
import train
from yolojax.programs import cli
from yolojax.training import start
from yolojax.training.recorder import Recorder

if os.environ["PLAIN"] == "1":
    import jax, jax.numpy as jnp
    start.initialize = lambda model, seed: model.init(jax.random.key(seed), jnp.zeros((1, 416, 416, 3)), train=False)

def add(recorder, step, metrics, counts):
    float(metrics["loss"])
    print("finished", time.time(), flush=True)
    os._exit(0)

Recorder.add = add
cli.run(train.main, train.define, train.__doc__)
"""
FLAGS = (
    "--config.model.name=yolov3",
    "--config.model.width=1.0",
    "--config.data.size=(416,416)",
    "--config.train.batch_size=2",
)


WAYS_OF_TRAIN = {"plain": ("1", "false"), "cold": ("0", "true"), "warm": ("0", "true")}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--other", type=Path, metavar="CHECKOUT", help="another checkout of yolojax to compare with")
    parser.add_argument("--rounds", type=int, default=1, help="with --other: processes for each figure (default: %(default)s)")
    options = parser.parse_args()
    if options.other:
        compare(options.other.resolve(), options.rounds)
        return
    print(f"{'import':28}{'seconds':>8}")
    for name in IMPORTS:
        print(f"{name:28}{min(seconds_of('-c', f'import {name}') for _ in range(3)):8.2f}")

    print(f"\n{'variables of YOLOv3':28}{'seconds':>8}{'ratio':>8}")
    seconds = {name: float(run("-c", VARIABLES.format(way))) for name, way in WAYS.items()}
    for name, value in seconds.items():
        print(f"{name:28}{value:8.2f}{value / seconds['initialize']:8.1f}")

    print(f"\n{'first step of train.py':28}{'seconds':>8}{'ratio':>8}")
    with tempfile.TemporaryDirectory() as folder:
        seconds = {name: first_step(REPOSITORY, folder, name)[0] for name in WAYS_OF_TRAIN}
    for name, value in seconds.items():
        print(f"{name:28}{value:8.2f}{value / seconds['warm']:8.1f}")


def compare(other, rounds):
    """Prints the seconds until the first step in this checkout and in another, which take turns."""
    print(
        f"{'first step of train.py':28}{'other':>10}{'this':>10}{'ratio':>8}{'processors: other':>20}{'this':>10}{'ratio':>8}"
    )
    turns = {name: [] for name in ("cold", "warm")}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as theirs, tempfile.TemporaryDirectory() as ours:
            for name, pairs in turns.items():
                pairs.append((first_step(other, theirs, name), first_step(REPOSITORY, ours, name)))
    for name, pairs in turns.items():
        row = f"{name:28}"
        for place, width in ((0, 10), (1, 20)):
            before, after = (statistics.median(side[place] for side in sides) for sides in zip(*pairs, strict=True))
            ratio = statistics.median(mine[place] / its[place] for its, mine in pairs)
            row += f"{before:{width}.2f}{after:10.2f}{ratio:8.2f}"
        print(row)


def first_step(where, folder, name):
    """Seconds from the start of the process to the end of the first step: of the clock, and of the processors."""
    plain, cached = WAYS_OF_TRAIN[name]
    names = {"PLAIN": plain, "JAX_ENABLE_COMPILATION_CACHE": cached, "JAX_COMPILATION_CACHE_DIR": f"{folder}/cache"}
    began, used = time.time(), resource.getrusage(resource.RUSAGE_CHILDREN)
    out = run("-c", FIRST_STEP, "--workdir", f"{folder}/{name}", *FLAGS, where=where, **names)
    uses = resource.getrusage(resource.RUSAGE_CHILDREN)
    return float(out.split("finished")[1]) - began, uses.ru_utime + uses.ru_stime - used.ru_utime - used.ru_stime


def seconds_of(*arguments):
    began = time.perf_counter()
    run(*arguments)
    return time.perf_counter() - began


def run(*arguments, where=REPOSITORY, **names):
    environment = os.environ | {"PYTHONPATH": str(where)} | names
    done = subprocess.run([sys.executable, *arguments], cwd=where, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return done.stdout


if __name__ == "__main__":
    main()
