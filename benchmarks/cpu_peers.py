"""The peers of the CPU benchmark (`cpu.py`): PyTorch, onnxruntime and OpenCV, each with the network and weights of a case."""

import os
import types

import numpy as np

from yolojax.data.images import letterbox, unletterbox_boxes
from yolojax.runtime.opencv import cv2

IOU = 0.45
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


class Torch:
    def __init__(self, case):
        import peer_darknet
        import torch

        torch.set_num_threads(CORES)
        self.case = case
        self.network = peer_darknet.for_inference(peer_darknet.Network(case.cfg, case.weights))
        self.geometry = torch.from_numpy(np.load(case.folder / "grid.npz")["slot_geometry"])
        self.version = f"torch {torch.__version__}, eager, channels_last, batch normalization folded for inference"

    def _pixels(self, images):
        """uint8 (B, H, W, 3) -> (B, 3, H, W) in [0, 1], channels_last."""
        import torch

        return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255

    def forward(self, batch):
        import torch

        pixels = self._pixels(self.case.images(batch))

        def call():
            with torch.inference_mode():
                self.network(pixels)

        return call

    def _predict(self, images):
        import torch
        from peer_torch import decode_boxes

        with torch.inference_mode():
            flat = self.network(self._pixels(images))
            scores = torch.sigmoid(flat[..., 4:5]) * torch.sigmoid(flat[..., 5:])
            return decode_boxes(flat[..., :4], self.geometry).numpy(), scores.numpy()

    def predictions(self):
        return self._predict(self.case.images(1))

    def detection(self, batch):
        return lambda: detect(self.case, self._predict)

    def training(self, batch):
        import peer_darknet
        import peer_torch
        import torch

        network = peer_darknet.Network(self.case.cfg, self.case.weights).to(memory_format=torch.channels_last)
        # The loss needs of the grid no more than this, and so this process does not need JAX.
        grid = np.load(self.case.folder / "grid.npz")
        grid = types.SimpleNamespace(**{name: grid[name] for name in grid})
        grid.size = self.case.size
        step = peer_torch.make_step(network, grid, "f32", False)
        images, targets = peer_torch.host_batch(*self.case.training_batch(batch))
        return lambda: float(step(self._pixels(images.numpy()), targets).sum())


class OnnxRuntime:
    def __init__(self, case):
        import onnxruntime

        self.case = case
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = CORES
        self.session = onnxruntime.InferenceSession(case.onnx, options, providers=["CPUExecutionProvider"])
        self.heads = [output.name for output in self.session.get_outputs() if output.name.startswith("head")]
        self.version = f"onnxruntime {onnxruntime.__version__}, with our ONNX export"

    def forward(self, batch):
        pixels = self.case.pixels(batch)
        return lambda: self.session.run(self.heads, {"images": pixels})

    def predictions(self):
        return self._predict(self.case.images(1))

    def _predict(self, images):
        pixels = np.ascontiguousarray(images.transpose(0, 3, 1, 2), np.float32)
        pixels *= np.float32(1 / 255)
        return self.session.run(["boxes", "scores"], {"images": pixels})

    def detection(self, batch):
        return lambda: detect(self.case, self._predict)


class OpenCV:
    def __init__(self, case):
        cv2.setNumThreads(CORES)
        self.case = case
        self.darknet = hasattr(cv2.dnn, "readNetFromDarknet")  # not from OpenCV 5 on
        if self.darknet:
            self.network = cv2.dnn.readNetFromDarknet(case.cfg, case.weights)
            self.outputs = self.network.getUnconnectedOutLayersNames()
        else:
            self.network, self.outputs = cv2.dnn.readNetFromONNX(case.onnx), ["boxes", "scores"]
        what = "with the .cfg" if self.darknet else "with our ONNX export"
        self.version = f"OpenCV {cv2.__version__} dnn, {what}"

    def forward(self, batch):
        pixels = self.case.pixels(batch)

        def call():
            self.network.setInput(pixels)
            self.network.forward(self.outputs)

        return call

    def predictions(self):
        return self._predict(self.case.images(1))

    def _predict(self, images):
        self.network.setInput(cv2.dnn.blobFromImage(images[0], 1 / 255))
        outputs = self.network.forward(self.outputs)
        if not self.darknet:
            return outputs
        # Fine to coarse as ours: the more slots, the finer.
        rows = np.concatenate(sorted(outputs, key=len, reverse=True))
        centres, sizes = rows[:, :2] * self.case.size[::-1], rows[:, 2:4] * self.case.size[::-1]
        return np.concatenate([centres - sizes / 2, centres + sizes / 2], 1)[None], rows[None, :, 5:]

    def detection(self, batch):
        return lambda: detect(self.case, self._predict)


def detect(case, predict):
    """A picture as users of these runtimes go about it: letterbox, network, scores, OpenCV's suppression, and back."""
    image, transform = letterbox(case.picture, case.size)
    (boxes,), (scores,) = predict(image[None])
    if case.multi_label:
        slots, classes = np.nonzero(scores > case.threshold)
    else:
        slots = np.flatnonzero(scores.max(-1) > case.threshold)
        classes = scores[slots].argmax(-1)
    boxes, scores = boxes[slots], scores[slots, classes]
    corners_sizes = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], 1)
    kept = cv2.dnn.NMSBoxesBatched(corners_sizes.tolist(), scores.tolist(), classes.tolist(), case.threshold, IOU)
    kept = np.array(kept, int)
    kept = kept[np.argsort(-scores[kept], kind="stable")][:100]
    height, width = case.picture.shape[:2]
    boxes = np.clip(unletterbox_boxes(boxes[kept], transform), 0, np.array([width, height, width, height], np.float32))
    return boxes, scores[kept], classes[kept]
