"""What the GPU benchmarks share: the network and batches of a run, sides in processes of their own, timed blocks, the table.

Each side (ours, torch eager, torch compiled) runs in a process of its own, so that none keeps memory from another, and prints a
JSON line as soon as a number is there: a run that is cut off leaves what it had measured.
"""

import argparse
import json
import os
import queue
import statistics
import subprocess
import sys
import threading
import time

import numpy as np

SIDES = ("ours", "eager", "compile")
BOXES, CLASSES, GFLOP = 20, 80, 65.86  # a picture of 416 x 416 forward, all channels
PEAK_SIDE, SILENCE = 8192, 300.0  # of the matrices whose product is the peak; seconds after which a silent side is ended


def parser(doc, rows):
    """The options of every GPU benchmark; a row is a type and a batch size, as in bf16:64."""
    options = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", nargs="+", default=rows, help="types and batch sizes, as in bf16:64 f32:32")
    options.add_argument("--sides", nargs="+", default=SIDES, choices=SIDES)
    options.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    options.add_argument("--size", type=int, default=416, help="pixels of a side")
    options.add_argument("--width", type=float, default=1.0, help="of the network")
    options.add_argument("--seconds", type=float, default=6.0, help="of timing a row, compilation excluded")
    options.add_argument("--out", help="file that gets the JSON lines too")
    options.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)  # in a side's own process
    return options


def run_sides(options, argv):
    """Runs each side of a script in its own process, one after the other; returns the numbers that they printed."""
    measured, environment = [], dict(os.environ, PYTHONUNBUFFERED="1")
    environment.setdefault("XLA_PYTHON_CLIENT_MEM_FRACTION", "0.92")
    for side in options.sides:
        # Only ours computes with JAX; the others draw the initial variables with it.
        platform = {"JAX_PLATFORMS": "cpu"} if options.device == "cpu" or side != "ours" else {}
        command = [sys.executable, *argv, "--side", side]
        process = subprocess.Popen(command, env=environment | platform, stdout=subprocess.PIPE, text=True)
        for line in _lines(process):
            print(line, flush=True)
            if line.startswith("{"):
                measured.append(json.loads(line))
                if options.out:
                    with open(options.out, "a") as file:
                        file.write(line + "\n")
    return measured


def _lines(process):
    """The lines of a process as they come; one that is silent for too long is killed."""
    lines = queue.SimpleQueue()

    def read():
        for line in process.stdout:
            lines.put(line.rstrip("\n"))
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    try:
        while (line := lines.get(timeout=SILENCE)) is not None:
            yield line
    except queue.Empty:
        yield f"no number for {SILENCE:.0f} s: ended"
    finally:
        process.kill()
        process.wait()


def measure_rows(options, measure):
    """In a side's process: prints a JSON line for each row, of the dict that measure(dtype, batch size) returns."""
    for row in options.rows:
        dtype, _, batch = row.partition(":")
        head = {"side": options.side, "dtype": dtype, "batch": int(batch)}
        try:
            numbers = measure(dtype, int(batch))
        except Exception as error:
            text = str(error)
            memory = "RESOURCE_EXHAUSTED" in text or "out of memory" in text.lower()
            numbers = {"failed": "out of memory" if memory else f"{type(error).__name__}: {text[:400]}"}
        print(json.dumps(head | numbers), flush=True)


def print_table(options, measured, columns):
    """One line a row and one a side in it; columns are (title, width and format, key); a dash is what was not measured."""
    print(f"\n{'':10}{'side':>9}" + "".join(f"{title:>{len(title) + 2}}" for title, _, _ in columns))
    for row in options.rows:
        for side in options.sides:
            found = next((m for m in measured if f"{m.get('dtype')}:{m.get('batch')}" == row and m["side"] == side), {})
            cells = (f"{found[key]:{form}}" if key in found else "-" for _, form, key in columns)
            cells = (f"{cell:>{len(title) + 2}}" for cell, (title, _, _) in zip(cells, columns, strict=True))
            print(f"{row:10}{side:>9}" + "".join(cells) + ("  " + found["failed"][:60] if "failed" in found else ""))


def compare(options, measured):
    """Adds to every row of numbers the ratio of its pictures a second to the faster PyTorch side of the same row."""
    for row in options.rows:
        there = [m for m in measured if f"{m['dtype']}:{m['batch']}" == row and "failed" not in m]
        best = max((m["pictures_per_second"] for m in there if m["side"] != "ours"), default=0)
        for m in there if best else ():
            m["to_best"] = m["pictures_per_second"] / best


def print_notes(measured):
    peaks = {m["side"]: m["peak_tflops"] for m in measured if "failed" not in m}
    peaks = ", ".join(f"{peak:.0f} TFLOP/s ({side})" for side, peak in peaks.items())
    print(f"to best: to the faster PyTorch side; peak: of a bf16 product, {peaks}")


def median_seconds(block, seconds):
    """Median, fastest and slowest time of a step: block(n) makes n of them and waits; blocks of a fifth of the budget."""
    block(2)
    began = time.perf_counter()
    block(2)
    count = max(1, round(seconds / 5 / ((time.perf_counter() - began) / 2)))
    times, start = [], time.perf_counter()
    while len(times) < 3 or (time.perf_counter() - start < seconds and len(times) < 9):
        began = time.perf_counter()
        block(count)
        times.append((time.perf_counter() - began) / count)
    return statistics.median(times), min(times), max(times)


def make_grid(options):
    from yolojax.grid import AnchorGrid

    return AnchorGrid((options.size, options.size))


def make_model(options, dtype="f32"):
    import jax.numpy as jnp

    from yolojax.models import YOLOv3

    return YOLOv3(CLASSES, width=options.width, dtype={"bf16": jnp.bfloat16, "f32": jnp.float32}[dtype])


def initial_variables(options):
    """The variables that every side starts from."""
    from yolojax.models import initialize

    return initialize(make_model(options), 0)


def lively_variables(options):
    """The same, but with statistics that do not grow from block to block and heads whose scores differ from slot to slot."""
    return lively(initial_variables(options))


def lively(variables):
    """Initial variables, so changed."""
    for name, layer in variables["params"].get("backbone", {}).items():
        if name.endswith("expand"):
            layer["bn"]["scale"] = 0.3 * layer["bn"]["scale"]
    for name, layer in variables["params"].items():
        if name.startswith("head"):
            layer["head"]["kernel"] = 4 * layer["head"]["kernel"]
    return variables


def make_batch(options, batch, seed=0, grid=None, classes=CLASSES):
    """A host batch: pictures of coarse and fine noise, (B, H, W, 3) uint8, each with 20 boxes, and their Targets."""
    from yolojax.targets import Targets, assign

    rng, size, grid = np.random.default_rng(seed), options.size, grid or make_grid(options)
    images = rng.integers(0, 64, (batch, size, size, 3), np.uint8)
    for block in (8, 32):
        coarse = rng.integers(0, 96, (batch, -(-size // block), -(-size // block), 3), np.uint8)
        images += coarse.repeat(block, 1).repeat(block, 2)[:, :size, :size]
    corners = rng.uniform(0, 0.8, (batch, BOXES, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(0.02, 0.2, corners.shape)], -1) * size
    classes = rng.integers(0, classes, (batch, BOXES))
    targets = [assign(*pair, grid) for pair in zip(boxes, classes, strict=True)]
    return images, Targets(*map(np.stack, zip(*targets, strict=True)))


def our_step(options, dtype):
    """(the training step, its initial state on the device, how batches lie there), with the loss and rate of the peer."""
    import jax
    import optax

    from yolojax.loss import yolo_loss
    from yolojax.runtime.devices import make_mesh, shardings
    from yolojax.training.step import compile_train_step, create_state

    mesh = make_mesh(jax.devices()[:1])
    replicated, split = shardings(mesh)
    optimizer, model, grid = optax.adam(1e-4), make_model(options, dtype), make_grid(options)
    state = create_state(jax.tree.map(jax.numpy.asarray, initial_variables(options)), optimizer)
    step = compile_train_step(mesh, model=model, optimizer=optimizer, grid=grid, loss=yolo_loss)
    return step, jax.device_put(state, replicated), split


def peak_tflops(side, device):
    """Of a product of two large random bf16 matrices, by the library of the side."""
    n = PEAK_SIDE if device == "cuda" else 512
    if side == "ours":
        import jax
        import jax.numpy as jnp

        a, b = (jax.random.normal(jax.random.key(i), (n, n), jnp.bfloat16) for i in range(2))
        product = jax.jit(jnp.matmul)

        def block(count):
            for _ in range(count):
                result = product(a, b)
            result.block_until_ready()
    else:
        import torch

        a, b = (torch.randn(n, n, device=device, dtype=torch.bfloat16) for _ in range(2))

        def block(count):
            for _ in range(count):
                torch.matmul(a, b)
            synchronize(device)

    return 2e-12 * n**3 / median_seconds(block, 0.5)[0]


def synchronize(device):
    if device == "cuda":
        import torch

        torch.cuda.synchronize()
