"""YOLOv3, its tiny, Yolo-Fastest and yoloface on a CPU beside PyTorch, onnxruntime and OpenCV: milliseconds, in turns.

python benchmarks/cpu.py --only tiny
python benchmarks/cpu.py --darknet FOLDER --picture FILE            # with yolo-fastest-1.1 and yoloface-50k, .cfg and .weights
python benchmarks/cpu.py --only v3 --tasks training --rounds 3 --python opencv=VENV/bin/python

Forward: pictures on the device to raw heads there. Detection: a picture of 640 x 480 in memory to boxes in its pixels.
Training: a step of Adam with our `yolo_loss` on the same batch, gradients and update, batches ready. All sides compute the
same network with the same weights on all cores, each in a process of its own, and take turns; the outputs are compared
first. A figure is the median over rounds of the median of a turn, with the fastest and slowest turn; "ratio" is the median
over rounds of our time over that of the best peer, so that less than 1 is faster.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import types
from pathlib import Path
from typing import NamedTuple

import gpu_common as common
import numpy as np
from cpu_peers import CORES
from cpu_sides import SIDES

os.environ.setdefault("JAX_PLATFORMS", "cpu")
REPOSITORY = Path(__file__).resolve().parent.parent
TASKS = ("forward", "detection", "training")


class Network(NamedTuple):
    title: str
    model: str  # value of config.model.name
    size: int
    batches: dict  # of each task
    file: str = ""  # in the folder of --darknet


NETWORKS = {
    "v3": Network("YOLOv3, 416", "yolov3", 416, {"forward": (1, 8), "detection": (1,), "training": (2,)}),
    "tiny": Network("YOLOv3-tiny, 416", "yolov3_tiny", 416, {"forward": (1, 8), "detection": (1,), "training": (4,)}),
    "fastest": Network(
        "Yolo-Fastest 1.1, 320", "darknet", 320, {"forward": (1, 8), "detection": (1,), "training": (8,)}, "yolo-fastest-1.1"
    ),
    "face": Network("yoloface-50k, 56", "darknet", 56, {"forward": (1,), "detection": (1,)}, "yoloface-50k"),
}


class Side:
    """A process of `cpu_sides.py`."""

    def __init__(self, name, python):
        path = os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])
        command = [python, str(REPOSITORY / "benchmarks" / "cpu_sides.py"), name]
        environment = os.environ | {"PYTHONPATH": path}
        self.name = name
        self.process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, **request):
        try:
            print(json.dumps(request), file=self.process.stdin, flush=True)
            return json.loads(self.process.stdout.readline() or '{"failed": "its process ended"}')
        except BrokenPipeError:
            return {"failed": "its process ended"}

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def write_case(folder, network, options):
    """Writes all that the sides need to know of a network."""
    import jax

    from yolojax.config import Config
    from yolojax.darknet.describe import cfg_text
    from yolojax.darknet.weights import read_weights, write_weights
    from yolojax.export.onnx import build
    from yolojax.models import build_grid, build_model, initialize
    from yolojax.runs.workdir import Run

    config, size = Config(), (network.size, network.size)
    config.model.name, config.model.num_classes, config.data.size = network.model, common.CLASSES, size
    if network.file:
        files = {ending: (options.darknet / f"{network.file}.{ending}") for ending in ("cfg", "weights")}
        config.model.cfg = files["cfg"].read_text()
        config.model.num_classes = int(config.model.cfg.rpartition("classes=")[2].split()[0])
        for ending, file in files.items():
            (folder / f"model.{ending}").write_bytes(file.read_bytes())
        model = build_model(config.model)
        variables = read_weights(files["weights"], model).variables
    else:
        model = build_model(config.model)
        variables = likely(common.lively(initialize(model, 0)))
        (folder / "model.cfg").write_text(cfg_text(config.model, size))
        write_weights(folder / "model.weights", model, variables)
    grid = build_grid(config.model, size, model=model)
    config.data.class_names = tuple(map(str, range(config.model.num_classes)))
    run = Run(config, model, grid, jax.device_get(variables), 0)
    try:
        (folder / "model.onnx").write_bytes(build(run, model))
    except Exception as error:
        print(f"{network.title}: no ONNX file: {error}")
    case = {"model": network.model, "size": size, "classes": config.model.num_classes}
    (folder / "case.json").write_text(json.dumps(case))
    batch = max(max(sizes) for sizes in network.batches.values())
    images, targets = common.make_batch(types.SimpleNamespace(size=network.size), batch, grid=grid, classes=case["classes"])
    np.save(folder / "images.npy", images)
    np.savez(folder / "targets.npz", **targets._asdict())
    np.savez(folder / "grid.npz", slot_geometry=grid.slot_geometry, offsets=grid.offsets, slots_per_scale=grid.slots_per_scale)
    np.save(folder / "picture.npy", read_picture(options.picture))


def likely(variables):
    """Variables whose objectness is not small everywhere: of scores under 0.2, OpenCV's Darknet layers make 0."""
    for name, layer in variables["params"].items():
        if name.startswith("head"):
            layer["head"]["bias"] = layer["head"]["bias"] * 0 + 1
    return variables


def read_picture(path):
    """(480, 640, 3) uint8 RGB: the file, or noise of many sizes."""
    from yolojax.data.images import cv2, read_image

    if path:
        return cv2.resize(read_image(path), (640, 480), interpolation=cv2.INTER_AREA)
    rng = np.random.default_rng(0)
    picture = sum(
        rng.integers(0, 64, (480 // block, 640 // block, 3), np.uint8).repeat(block, 0).repeat(block, 1)
        for block in (1, 8, 32, 80)
    )
    return np.asarray(picture, np.uint8)


def threshold_of(network, folder):
    """The score over which a picture has detections: 0.3, or, where the weights are random, that of 50 slots."""
    if network.file:
        return 0.3
    scores = np.sort(np.load(folder / "yolojax.npz")["scores"].max(-1).ravel())
    return float(scores[-51:-49].mean())


def disagreement(folder, name):
    """How the boxes and scores of a side differ from ours, which may be by rounding; "" if they do not.

    OpenCV's Darknet layers set small scores to 0, and its Winograd convolutions round the most.
    """
    ours, theirs = (np.load(folder / f"{side}.npz") for side in ("yolojax", name))
    if ours["boxes"].shape != theirs["boxes"].shape:
        return f"{theirs['boxes'].shape[1]} boxes, ours {ours['boxes'].shape[1]}"
    sizes = np.maximum(1, np.abs(ours["boxes"]).max(-1, keepdims=True))
    boxes = (np.abs(ours["boxes"] - theirs["boxes"]) / sizes).max()
    scores = np.abs(ours["scores"] - theirs["scores"])[(theirs["scores"] > 0) | (ours["scores"] > 0.25)].max(initial=0)
    return f"boxes by {boxes:.1%}, scores by {scores:.2g}" if boxes > 0.01 or scores > 0.01 else ""


def differ(ours, theirs):
    """How the detections of a side differ from ours, whose resizing may be another one; "" if they do not."""
    boxes, _, classes = map(np.array, ours)
    other_boxes, _, other_classes = map(np.array, theirs)
    if sorted(classes) != sorted(other_classes):
        return f"{len(other_classes)} detections, ours {len(classes)}"
    from yolojax.boxes import pairwise_iou

    if len(boxes) and (pairwise_iou(boxes, other_boxes) * (classes[:, None] == other_classes)).max(1).min() < 0.8:
        return "the boxes differ"
    return ""


def measure(task, batch, sides, network, folder, options):
    """Prints the row of a task: every side prepares it, then they take turns."""
    threshold, firsts = threshold_of(network, folder), {}
    for side in sides:
        if not hasattr(SIDES[side.name], task):
            continue
        answer = side.ask(task=task, batch=batch, threshold=threshold)
        if "failed" not in answer:
            firsts[side] = answer
        else:
            print(f"{network.title}, {task}: {side.name} fails: {answer['failed']}")
    ours = next(iter(firsts.values()))
    for side, answer in firsts.items():
        if task == "detection" and (difference := differ(ours["found"], answer["found"])):
            print(f"{network.title}: {side.name} (whose pictures are resized by OpenCV): {difference}")
        if task == "training" and not 0.95 < answer["loss"] / ours["loss"] < 1.05:
            print(f"{network.title}: {side.name}: the first loss is {answer['loss']:.2f}, ours {ours['loss']:.2f}")
    turns = {side: [] for side in firsts}
    for _ in range(options.rounds):
        for side in firsts:
            turns[side].append(1e3 * statistics.median(side.ask(seconds=options.seconds)["times"]))
    medians = {side: statistics.median(times) for side, times in turns.items()}
    cells = {side.name: f"{medians[side]:.4g} ({min(times):.4g}-{max(times):.4g})" for side, times in turns.items()}
    peers = [side for side in firsts if side.name != "yolojax"]
    ratio = ""
    if peers and sides[0] in firsts:
        best = min(peers, key=medians.get)
        ratio = f"{statistics.median(a / b for a, b in zip(turns[sides[0]], turns[best], strict=True)):.2f}"
    line = f"| {network.title} | {task}, {batch} |" + "".join(f" {cells.get(name, '-')} |" for name in options.sides)
    print(f"{line} {ratio} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--only", nargs="+", default=list(NETWORKS), choices=NETWORKS, metavar="NETWORK", help=", ".join(NETWORKS)
    )
    parser.add_argument("--tasks", nargs="+", default=TASKS, choices=TASKS)
    parser.add_argument("--batches", nargs="+", type=int, help="of those of the table; by default all")
    parser.add_argument("--sides", nargs="+", default=list(SIDES), choices=SIDES)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5, help="of a turn; a call that takes longer is made once")
    parser.add_argument("--darknet", type=Path, metavar="FOLDER", help="with the files of Yolo-Fastest 1.1 and yoloface-50k")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="to detect in; by default noise")
    parser.add_argument("--python", nargs="+", default=[], metavar="SIDE=FILE", help="the Python of a side, if not this one")
    options = parser.parse_args()
    pythons = dict(pair.split("=", 1) for pair in options.python)
    versions = {}
    print(f"{platform.machine()}, {CORES} cores; medians of {options.rounds} turns (fastest-slowest), ms\n")
    print("| network | task, batch |" + "".join(f" {name} |" for name in options.sides) + " ratio |")
    print("|---|---|" + "---|" * len(options.sides) + "---|", flush=True)
    for network in (NETWORKS[name] for name in options.only):
        if network.file and not options.darknet:
            print(f"{network.title} is left out: its files come with --darknet")
            continue
        with tempfile.TemporaryDirectory() as folder:
            write_case(Path(folder), network, options)
            for task in options.tasks:
                batches = [b for b in network.batches.get(task, ()) if not options.batches or b in options.batches]
                sides = [Side(name, pythons.get(name, sys.executable)) for name in options.sides if batches]
                used = []
                for side in sides:
                    answer = side.ask(folder=folder)
                    if "failed" in answer:
                        print(f"{network.title}: {side.name} is left out: {answer['failed']}")
                    elif different := disagreement(Path(folder), side.name):
                        print(f"{network.title}: {side.name} is left out: it computes something else, {different}")
                    else:
                        used.append(side)
                        versions[side.name] = answer["version"]
                for batch in batches:
                    measure(task, batch, used, network, Path(folder), options)
                for side in sides:
                    side.close()
    print("\n" + "\n".join(f"{name}: {version}" for name, version in versions.items()))


if __name__ == "__main__":
    main()
