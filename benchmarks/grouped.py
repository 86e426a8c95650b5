"""Depthwise convolutions of a CPU: sums of shifted images (`yolojax.models.grouped`) beside XLA's own, in one run.

python benchmarks/grouped.py
"""

import functools
import statistics
import time

import jax
import numpy as np

from yolojax.models.grouped import CHANNELS_LAST, conv_general_dilated

ROUNDS = 9
SHAPES = [((1, 80, 80, 48), 1), ((1, 160, 160, 8), 2), ((8, 80, 80, 48), 1), ((8, 40, 40, 120), 2), ((8, 10, 10, 448), 1)]


def seconds(call):
    began = time.perf_counter()
    jax.block_until_ready(call())
    return time.perf_counter() - began


def main():
    rng = np.random.default_rng(0)
    print(f"{jax.default_backend()}, jax {jax.__version__}; 3x3, float32, medians of {ROUNDS} in turns, ms\n")
    print("images, stride           forward: XLA   shifted            gradient: XLA   shifted")
    for shape, stride in SHAPES:
        x = rng.standard_normal(shape).astype(np.float32)
        kernel = rng.standard_normal((3, 3, 1, shape[3])).astype(np.float32)
        options = {"window_strides": (stride, stride), "padding": ((1, 1), (1, 1)), "dimension_numbers": CHANNELS_LAST}
        programs = []
        for convolve in (jax.lax.conv_general_dilated, conv_general_dilated):
            forward = jax.jit(functools.partial(convolve, **options, feature_group_count=shape[3]))
            gradient = jax.jit(jax.grad(lambda x, k, f=forward: (f(x, k) ** 2).sum(), (0, 1)))
            programs += [functools.partial(forward, x, kernel), functools.partial(gradient, x, kernel)]
        for program in programs:
            seconds(program)
        times = [[seconds(program) for program in programs] for _ in range(ROUNDS)]
        xla, xla_gradient, ours, our_gradient = (1e3 * statistics.median(column) for column in zip(*times, strict=True))
        print(
            f"{' x '.join(map(str, shape)):20} {stride}   {xla:12.2f} {ours:9.2f}  ({xla / ours:4.1f}x)"
            f"  {xla_gradient:14.2f} {our_gradient:9.2f}  ({xla_gradient / our_gradient:4.1f}x)"
        )


if __name__ == "__main__":
    main()
