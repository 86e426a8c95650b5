"""Inference of YOLOv3 on a GPU, beside PyTorch: from pictures in host memory to boxes there, latency and pictures a second.

python benchmarks/gpu_inference.py                                     # 416 px, 80 classes, batches of 1, 8 and 64
python benchmarks/gpu_inference.py --device cpu --size 96 --width 0.25 --rows f32:2 --seconds 1

Letterboxed pictures go to the device, through the network, decoding and suppression, and the boxes come back; ours in one
program, the peer (`peer_torch.py`) with BatchNorm folded, CUDA graphs where compiled, and one call of torchvision a batch.
Latency: a batch alone, median. Pictures a second: the next batch is on its way while one is computed. An untrained network's
scores mean nothing: the threshold is set where 100 slots of a picture pass it, and the table says how many boxes were found.
"""

import itertools
import statistics
import sys
import time

import gpu_common as common
import numpy as np

COLUMNS = [
    ("latency ms", ".2f", "latency_ms"), ("pictures/s", ".0f", "pictures_per_second"), ("to best", ".2f", "to_best"),
    ("of peak", ".3f", "share"), ("found", ".1f", "found"), ("first call s", ".1f", "first_call"),
]  # fmt: skip


def ours(options, dtype):
    """(start(images) -> handle, finish(handle) -> number of boxes, which are on the host then)"""
    import jax

    from yolojax.decode import decode
    from yolojax.nms import postprocess

    model, grid = common.make_model(options, dtype), common.make_grid(options)
    variables = jax.device_put(common.lively_variables(options))

    @jax.jit
    def detect(variables, images):
        return postprocess(decode(model.apply(variables, images, train=False), grid), score_threshold=options.threshold)

    return lambda images: detect(variables, images), lambda found: int(jax.device_get(found).valid.sum())


def torch_side(options, dtype):
    """The same of the peer."""
    import peer_torch
    import torch

    torch._dynamo.reset()
    variables = common.lively_variables(options)
    network = peer_torch.build_network(common.CLASSES, options.width, variables, options.device)
    detect = peer_torch.make_detector(network, common.make_grid(options), dtype, options.side == "compile")
    upload = peer_torch.uploader(options.device)

    def finish(ready):
        with torch.no_grad():
            images, _ = ready()
            return sum(len(boxes) for boxes, _, _ in peer_torch.suppress(*detect(images), options.threshold))

    return lambda images: upload((torch.from_numpy(images), ())), finish


def main():
    options = common.parser(__doc__, ["bf16:1", "bf16:8", "bf16:64"])
    options.add_argument("--threshold", type=float, help="score of a detection; by default where 100 slots of a picture pass")
    options = options.parse_args()
    if not options.side:
        import peer_torch

        peer_torch.check()
        network = peer_torch.build_network(common.CLASSES, options.width, common.lively_variables(options), "cpu")
        detect = peer_torch.make_detector(network, common.make_grid(options), "f32", False)
        images, _ = common.make_batch(options, 2)
        threshold = options.threshold or peer_torch.score_threshold(detect, images)
        return report(options, common.run_sides(options, [*sys.argv, "--threshold", str(threshold)]))
    peak = common.peak_tflops(options.side, options.device)

    def measure(dtype, batch):
        start, finish = (ours if options.side == "ours" else torch_side)(options, dtype)
        pictures = itertools.cycle([common.make_batch(options, batch, seed)[0] for seed in range(4)])
        began = time.perf_counter()
        finish(start(next(pictures)))
        first_call = time.perf_counter() - began
        found = np.mean([finish(start(next(pictures))) for _ in range(4)]) / batch

        latencies, limit = [], time.perf_counter() + options.seconds / 2
        while len(latencies) < 10 or time.perf_counter() < limit:
            began = time.perf_counter()
            finish(start(next(pictures)))
            latencies.append(time.perf_counter() - began)

        def block(count):
            begun = start(next(pictures))
            for _ in range(count - 1):
                following = start(next(pictures))
                finish(begun)
                begun = following
            finish(begun)

        rate = batch / common.median_seconds(block, options.seconds / 2)[0]
        return {
            "latency_ms": 1e3 * statistics.median(latencies), "pictures_per_second": rate,
            "share": 1e-3 * common.GFLOP * (options.size / 416) ** 2 * rate / peak,
            "found": found, "first_call": first_call, "peak_tflops": peak,
        }  # fmt: skip

    common.measure_rows(options, measure)


def report(options, measured):
    common.compare(options, measured)
    common.print_table(options, measured, COLUMNS)
    common.print_notes(measured)


if __name__ == "__main__":
    main()
