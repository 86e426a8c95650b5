"""The sides of the CPU benchmark (`cpu.py`), each in a process of its own that it starts: ours, PyTorch, onnxruntime, OpenCV.

A side reads requests from its standard input, a JSON object a line, and answers each with one. Between requests it does
nothing, so that the side whose turn it is has the machine for itself.
"""

import json
import os
import sys
import time
from pathlib import Path

import numpy as np
from cpu_peers import IOU, OnnxRuntime, OpenCV, Torch


class Case:
    """What a side needs to know of a network: the files and numbers that `cpu.py` has written into a folder."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.cfg, self.weights, self.onnx = (str(self.folder / f"model.{ending}") for ending in ("cfg", "weights", "onnx"))
        values = json.loads((self.folder / "case.json").read_text())
        self.model, self.size, self.classes = values["model"], tuple(values["size"]), values["classes"]
        self.multi_label = self.model == "darknet"  # as such networks are used
        self.threshold = 0.0  # the request to prepare a task has it
        self.picture = np.load(self.folder / "picture.npy")

    def images(self, batch):
        """(B, H, W, 3) uint8 RGB"""
        return np.load(self.folder / "images.npy")[:batch]

    def pixels(self, batch):
        """The same as most runtimes want them: (B, 3, H, W) float32 in [0, 1]."""
        return np.ascontiguousarray(self.images(batch).transpose(0, 3, 1, 2), np.float32) / np.float32(255)

    def training_batch(self, batch):
        from yolojax.targets import Targets

        targets = np.load(self.folder / "targets.npz")
        return self.images(batch), Targets(*(targets[name][:batch] for name in Targets._fields))


class Ours:
    def __init__(self, case):
        import jax

        from yolojax.config import Config
        from yolojax.darknet.network import network_from_cfg
        from yolojax.darknet.weights import read_weights
        from yolojax.models import build_grid, build_model

        self.case = case
        if case.model == "darknet":
            self.model, self.grid = network_from_cfg(case.cfg)
        else:
            config = Config().model
            config.name, config.num_classes = case.model, case.classes
            self.model, self.grid = build_model(config), build_grid(config, case.size)
        self.variables = jax.device_put(read_weights(case.weights, self.model).variables)
        self.version = f"yolojax, jax {jax.__version__}"

    def forward(self, batch):
        import jax

        from yolojax.inference import raw_heads
        from yolojax.runtime.compiler_options import compiler_options

        images = jax.device_put(self.case.images(batch))
        program = jax.jit(
            lambda variables, images: raw_heads(self.model, variables, images), compiler_options=compiler_options()
        )
        return lambda: jax.block_until_ready(program(self.variables, images))

    def predictions(self):
        import jax

        from yolojax.boxes import cxcywh_to_xyxy
        from yolojax.decode import decode
        from yolojax.inference import raw_heads

        @jax.jit
        def program(variables, images):
            boxes, objectness, classes = decode(raw_heads(self.model, variables, images), self.grid)
            return cxcywh_to_xyxy(boxes), jax.nn.sigmoid(objectness)[..., None] * jax.nn.sigmoid(classes)

        return program(self.variables, self.case.images(1))

    def detection(self, batch):
        from yolojax.predict import Detector

        case = self.case
        if case.model == "darknet":
            detector = Detector.from_darknet(case.cfg, case.weights)
        else:
            names = [str(number) for number in range(case.classes)]
            detector = Detector(self.model, self.variables, self.grid, names)
        return lambda: detector(case.picture, case.threshold, IOU)[:3]

    def training(self, batch):
        import jax
        import optax

        from yolojax.loss import yolo_loss
        from yolojax.runtime.allocator import keep_freed_memory
        from yolojax.runtime.devices import make_mesh, shardings
        from yolojax.training.step import compile_train_step, create_state

        keep_freed_memory()  # as training does by default
        mesh, optimizer = make_mesh(), optax.adam(1e-4)
        replicated, split = shardings(mesh)
        state = jax.device_put(create_state(self.variables, optimizer), replicated)
        program = compile_train_step(mesh, model=self.model, optimizer=optimizer, grid=self.grid, loss=yolo_loss)
        data = jax.device_put(self.case.training_batch(batch), split)

        def step():
            nonlocal state
            state, metrics = program(state, data)
            return float(metrics["loss"])

        return step


SIDES = {"yolojax": Ours, "torch": Torch, "onnxruntime": OnnxRuntime, "opencv": OpenCV}


def times_of(call, seconds):
    """Seconds of each call for about so long; without the first one, unless it alone takes longer."""
    times, end = [], time.perf_counter() + seconds
    while len(times) < 2 or time.perf_counter() < end:
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
        if times[0] > seconds:
            return times
    return times[1:]


def serve(name):
    """Answers the requests of `cpu.py`: a folder to load; a task and batch to prepare; a turn of so many seconds."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    side = call = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if "folder" in request:
                side = SIDES[name](Case(request["folder"]))
                boxes, scores = side.predictions()
                np.savez(Path(request["folder"]) / f"{name}.npz", boxes=boxes, scores=scores)
                answer = {"version": side.version}
            elif "task" in request:
                side.case.threshold = request["threshold"]
                call = getattr(side, request["task"])(request["batch"])
                began, result = time.perf_counter(), call()
                answer = {"first": time.perf_counter() - began}
                if request["task"] == "detection":
                    boxes, scores, classes = result
                    answer["found"] = [boxes.tolist(), scores.tolist(), classes.tolist()]
                elif request["task"] == "training":
                    answer["loss"] = result
            else:
                answer = {"times": times_of(call, request["seconds"])}
        except Exception as error:
            answer = {"failed": f"{type(error).__name__}: {error}"[:300]}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    serve(sys.argv[1])
