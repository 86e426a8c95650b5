"""Convolutions that have a program of their own on a CPU (`yolojax.models.convolution`) beside XLA's own, in one run.

python benchmarks/convolutions.py

Both are compiled with `compiler_options()`; "XLA as it is" is XLA's own without them.
"""

import functools
import statistics
import time

import jax
import numpy as np

from yolojax.models.convolution import CHANNELS_LAST, conv_general_dilated
from yolojax.runtime.compiler_options import compiler_options

ROUNDS = 5
# Images, filters, groups, stride.
SHAPES = [
    ((1, 80, 80, 48), 48, 48, 1),
    ((1, 160, 160, 8), 8, 8, 2),
    ((8, 80, 80, 48), 48, 48, 1),
    ((8, 160, 160, 16), 16, 16, 2),
    ((8, 10, 10, 448), 448, 448, 1),
    ((4, 52, 52, 128), 128, 2, 1),
    ((4, 52, 52, 128), 128, 32, 1),
    ((1, 416, 416, 3), 16, 1, 1),
    ((1, 416, 416, 3), 32, 1, 1),
    ((8, 320, 320, 3), 8, 1, 2),
    ((2, 416, 416, 32), 64, 1, 2),
    ((2, 208, 208, 64), 128, 1, 2),
    ((2, 208, 208, 32), 64, 1, 1),
    ((2, 13, 13, 512), 1024, 1, 1),
]


def seconds(call):
    began = time.perf_counter()
    jax.block_until_ready(call())
    return time.perf_counter() - began


def main():
    rng = np.random.default_rng(0)
    print(f"{jax.default_backend()}, jax {jax.__version__}; 3x3, float32, medians of {ROUNDS} in turns, ms\n")
    print("| images | filters, groups, stride | forward: XLA as it is | XLA | ours | gradient: XLA as it is | XLA | ours |")
    print("|---|---|---|---|---|---|---|---|")
    for shape, filters, groups, stride in SHAPES:
        x = rng.standard_normal(shape).astype(np.float32)
        kernel = rng.standard_normal((3, 3, shape[3] // groups, filters)).astype(np.float32)
        options = {"window_strides": (stride, stride), "padding": ((1, 1), (1, 1)), "dimension_numbers": CHANNELS_LAST}
        xla, ours = (
            functools.partial(convolve, **options, feature_group_count=groups)
            for convolve in (jax.lax.conv_general_dilated, conv_general_dilated)
        )
        ways = (xla, {}), (xla, compiler_options()), (ours, compiler_options())
        programs = [jax.jit(function, compiler_options=chosen) for function, chosen in ways]
        programs += [
            # Of the kernel alone where the image is the first one, as in a network.
            jax.jit(
                jax.grad(lambda x, k, f=function: (f(x, k) ** 2).sum(), 1 if shape[3] == 3 else (0, 1)), compiler_options=chosen
            )
            for function, chosen in ways
        ]
        calls = [functools.partial(program, x, kernel) for program in programs]
        for call in calls:
            seconds(call)
        times = [[seconds(call) for call in calls] for _ in range(ROUNDS)]
        figures = (f"{1e3 * statistics.median(column):.2f}" for column in zip(*times, strict=True))
        print(f"| {' x '.join(map(str, shape))} | {filters}, {groups}, {stride} | {' | '.join(figures)} |", flush=True)


if __name__ == "__main__":
    main()
