"""Training throughput of YOLOv3 on a GPU, beside PyTorch: pictures a second and the share of the card's peak.

python benchmarks/gpu_training.py                                      # 416 px, 80 classes, batches on the device
python benchmarks/gpu_training.py --source host                        # from the host, by `prefetch_to_devices`
python benchmarks/gpu_training.py --source FOLDER --rows bf16:64       # JPEGs, by the whole pipeline: VOC, COCO, YOLO, a list
python benchmarks/gpu_training.py --device cpu --size 96 --width 0.25 --rows f32:2 --seconds 1

The same network, initial variables, loss, Adam and batch on every side (`peer_torch.py`); that the losses are the same is
checked first on the CPU, and then row by row by the loss of the first step. Steps are timed in blocks, each waited
for; the median counts. A step takes 3 x 65.86 GFLOP a picture; the peak is that of a bf16 product of matrices of 8192 x 8192 in
the same process, for f32 rows too, where both sides use TF32. The first call includes the compilation.
"""

import itertools
import sys
import time

import gpu_common as common

COLUMNS = [
    ("pictures/s", ".0f", "pictures_per_second"), ("to best", ".2f", "to_best"), ("ms a step", ".2f", "ms"),
    ("slowest", ".2f", "slowest_ms"), ("of peak", ".3f", "share"), ("first loss", ".2f", "first_loss"),
    ("first call s", ".1f", "first_call"), ("GiB", ".1f", "gib"),
]  # fmt: skip


def host_batches(options, batch):
    """Host batches without end: four made ones in turn, or those of the training pipeline."""
    if options.source in ("device", "host"):
        yield from itertools.cycle([common.make_batch(options, batch, seed) for seed in range(4)])
    from yolojax.config import Config
    from yolojax.data.pipeline import train_batches
    from yolojax.data.sources import open_split

    config = Config()
    config.data.train, config.train.batch_size, config.data.cache_gib = options.source, batch, 0.0
    for (images, targets), _ in train_batches(open_split(config, "train"), config, [common.make_grid(options)], 0, 10**9):
        yield images, targets


def ours(options, dtype, batch):
    """(step(batch) -> loss, batches on the device, wait, peak memory in bytes)"""
    import jax

    from yolojax.runtime.prefetch import prefetch_to_devices

    compiled, state, split = common.our_step(options, dtype)

    def step(device_batch):
        nonlocal state
        state, metrics = compiled(state, device_batch)
        return metrics["loss"]

    host = host_batches(options, batch)
    if options.source == "device":
        batches = itertools.repeat(jax.device_put(next(host), split))
    else:
        batches = (device_batch for device_batch, _ in prefetch_to_devices(((b, None) for b in host), split))
    stats = jax.devices()[0].memory_stats
    return step, batches, lambda: jax.block_until_ready(state), lambda: (stats() or {}).get("peak_bytes_in_use", 0)


def torch_side(options, dtype, batch):
    """The same of the peer; batches from the host are pinned, and copied one ahead on a stream of their own."""
    import peer_torch
    import torch

    torch._dynamo.reset()
    if options.device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    network = peer_torch.build_network(common.CLASSES, options.width, common.initial_variables(options), options.device)
    made = peer_torch.make_step(network, common.make_grid(options), dtype, options.side == "compile")
    host = (peer_torch.host_batch(*b) for b in host_batches(options, batch))
    upload = peer_torch.uploader(options.device)
    if options.source == "device":
        batches = itertools.repeat(upload(next(host))())
    else:
        batches = (ready() for ready, _ in itertools.pairwise(map(upload, host)))
    peak = torch.cuda.max_memory_allocated if options.device == "cuda" else lambda: 0
    return lambda b: made(*b).sum(), batches, lambda: common.synchronize(options.device), peak


def main():
    options = common.parser(__doc__, ["bf16:64", "bf16:128", "f32:32"])
    options.add_argument("--source", default="device", help="device, host, or a folder or list of pictures with boxes")
    options = options.parse_args()
    if not options.side:
        import peer_torch

        peer_torch.check()
        measured = common.run_sides(options, sys.argv)
        return report(options, measured)
    peak = common.peak_tflops(options.side, options.device)
    make = ours if options.side == "ours" else torch_side

    def measure(dtype, batch):
        step, batches, wait, peak_bytes = make(options, dtype, batch)
        began = time.perf_counter()
        first_loss = float(step(next(batches)))
        first_call = time.perf_counter() - began

        def block(count):
            for _ in range(count):
                step(next(batches))
            wait()

        seconds, fastest, slowest = common.median_seconds(block, options.seconds)
        return {
            "source": options.source, "pictures_per_second": batch / seconds, "ms": 1e3 * seconds,
            "fastest_ms": 1e3 * fastest, "slowest_ms": 1e3 * slowest,
            "share": 3e-3 * common.GFLOP * (options.size / 416) ** 2 * batch / seconds / peak,
            "first_loss": first_loss, "first_call": first_call, "gib": peak_bytes() / 2**30, "peak_tflops": peak,
        }  # fmt: skip

    common.measure_rows(options, measure)


def report(options, measured):
    for row in options.rows:
        losses = [m["first_loss"] for m in measured if f"{m['dtype']}:{m['batch']}" == row and "failed" not in m]
        if options.source == "device" and losses and max(losses) > 1.05 * min(losses):
            print(f"{row}: the sides do not compute the same: the losses of the first step are {losses}")
    common.compare(options, measured)
    common.print_table(options, measured, COLUMNS)
    common.print_notes(measured)


if __name__ == "__main__":
    main()
