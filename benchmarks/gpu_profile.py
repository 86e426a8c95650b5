"""Where the time of a training step goes on a GPU: kernels by kind, the longest ones, and idle time, from a trace.

python benchmarks/gpu_profile.py                                       # bf16, batch 64, 416 px
python benchmarks/gpu_profile.py --trace FOLDER                        # reads the trace that is there
python benchmarks/gpu_profile.py --device cpu --size 64 --width 0.125 --rows f32:2

A kernel is named after the instruction of the compiled program that it computes, or by cuDNN or cuBLAS; what instruction stems
from what part of the network is read from the program's text, which lies beside the trace. Idle is the time within the traced
steps in which no stream of the device computes. On a CPU the operations of several threads overlap, and the shares with them.
"""

import collections
import glob
import os
import re
import tempfile
import time
from typing import NamedTuple

import gpu_common as common

STEPS, TOP = 10, 15
# The first pattern that is found in "KERNEL | INSTRUCTION | SOURCE" says the kind; the network's names are those of its layers.
KINDS = (
    ("copies by the driver", r"(?i)^mem(cpy|set)"),
    ("convolution: change of layout", r"(?i)nchwtonhwc|nhwctonchw|tensor_?transform|convert_?tensor"),
    ("convolution: its kernel cast and transposed", r"/conv/convert_element_type$"),
    ("convolution: gradient of the kernel", r"(?i)wgrad|bw-filter"),
    ("convolution: gradient of the input", r"(?i)dgrad|bw-input|(cudnn|xmma|cutlass|gemm).*transpose\(jvp"),
    ("convolution: forward, and what the names do not tell", r"(?i)fprop|cudnn|xmma|cutlass|gemm|^conv(olution|_general)"),
    ("BatchNorm and activation, backward: sums", r"^\S*reduce.*transpose\(jvp\(YOLOv3"),
    ("BatchNorm and activation, backward: elementwise", r"transpose\(jvp\(YOLOv3"),
    ("BatchNorm, forward: sums", r"^\S*reduce.*jvp\(YOLOv3"),
    ("BatchNorm and activation, forward: elementwise", r"jvp\(YOLOv3"),
    ("loss, forward and backward", r"jvp\("),
    ("copies within the program", r"^\S*copy"),
    ("update of the state", r""),
)


class Kernel(NamedTuple):
    """One execution: its name, the program's instruction where the trace says it, and when, in nanoseconds."""

    name: str
    instruction: str
    start: float
    end: float


def kernels_of(profile):
    """The kernels in a trace, of the first GPU; of a CPU the operations of all threads."""
    planes = {plane.name: plane for plane in profile.planes}
    gpus = sorted(name for name in planes if name.startswith("/device:GPU"))
    plane = planes[gpus[0]] if gpus else planes["/host:CPU"]
    lines = list(plane.lines)
    if gpus:
        # Other lines, such as XLA Ops and Steps, sum up what the streams do.
        lines = [line for line in lines if "stream" in (line.name or "").lower()] or lines
    found = []
    for line in lines:
        for event in line.events:
            stats = {str(key): value for key, value in event.stats if key is not None}
            if gpus or "hlo_op" in stats:
                found.append(Kernel(event.name, str(stats.get("hlo_op", "")), event.start_ns, event.end_ns))
    return found


def sources_of(program):
    """What each instruction of a compiled program's text stems from: {plain name: op_name}."""
    pattern = r'^ *(?:ROOT )?%?([\w.\-]+) = .*?metadata=\{[^\n]*?op_name="([^"]*)"'
    return {plain(name): source for name, source in re.findall(pattern, program, re.M)}


def plain(name):
    """A name as kernels have it, where dots and dashes are underscores."""
    return re.sub(r"[.\-]", "_", name)


def describe(kernel, sources):
    """ "KERNEL | INSTRUCTION | SOURCE" """
    keys = (plain(kernel.instruction), plain(kernel.name))
    return f"{kernel.name} | {kernel.instruction or '-'} | {next((sources[key] for key in keys if key in sources), '')}"


def kind_of(description):
    return next(kind for kind, pattern in KINDS if re.search(pattern, description))


def idle_time(kernels):
    """Nanoseconds between the first kernel's start and the last one's end in which none runs, and all between."""
    busy, until = 0.0, kernels[0].start
    for kernel in sorted(kernels, key=lambda kernel: kernel.start):
        busy += max(0.0, kernel.end - max(kernel.start, until))
        until = max(until, kernel.end)
    whole = max(kernel.end for kernel in kernels) - min(kernel.start for kernel in kernels)
    return whole - busy, whole


def report(folder):
    """Prints the tables of a trace with the program's text beside it."""
    from jax.profiler import ProfileData

    with open(os.path.join(folder, "program.txt")) as file:
        sources = sources_of(file.read())
    (path,) = sorted(glob.glob(os.path.join(folder, "**", "*.xplane.pb"), recursive=True))[-1:]
    kernels = sorted(kernels_of(ProfileData.from_file(path)), key=lambda kernel: kernel.start)
    if not kernels:
        raise SystemExit(f"{path} has no kernels; its planes are {[p.name for p in ProfileData.from_file(path).planes]}")
    idle, whole = idle_time(kernels)
    by_kind, by_kernel = collections.defaultdict(list), collections.defaultdict(list)
    for kernel in kernels:
        description = describe(kernel, sources)
        by_kind[kind_of(description)].append(kernel.end - kernel.start)
        by_kernel[description].append(kernel.end - kernel.start)

    print(f"\n{'kind':58}{'kernels':>9}{'ms a step':>11}{'share':>8}")
    for kind, times in sorted(by_kind.items(), key=lambda item: -sum(item[1])):
        print(f"{kind:58}{len(times) / STEPS:9.0f}{1e-6 * sum(times) / STEPS:11.3f}{sum(times) / whole:8.1%}")
    print(f"{'idle':58}{'':9}{1e-6 * idle / STEPS:11.3f}{idle / whole:8.1%}")
    print(f"{'all':58}{len(kernels) / STEPS:9.0f}{1e-6 * whole / STEPS:11.3f}")
    print(f"\n{'longest kernels':90}{'a step':>8}{'ms a step':>11}{'share':>8}")
    for description, times in sorted(by_kernel.items(), key=lambda item: -sum(item[1]))[:TOP]:
        name, _, source = description.split(" | ", 2)
        text = f"{name[:44]}  {source.removeprefix('jit(train_step)/')[-44:]}"
        print(f"{text:90}{len(times) / STEPS:8.1f}{1e-6 * sum(times) / STEPS:11.3f}{sum(times) / whole:8.1%}")


def trace(options, folder):
    """Traces some steps of the program that `gpu_training.py` times, and writes its text beside the trace."""
    import jax

    ((dtype, _, batch),) = (row.partition(":") for row in options.rows)
    step, state, split = common.our_step(options, dtype)
    batch = jax.device_put(common.make_batch(options, int(batch)), split)
    step = step.lower(state, batch).compile()
    with open(os.path.join(folder, "program.txt"), "w") as file:
        file.write(step.as_text())

    def block(count):
        nonlocal state
        for _ in range(count):
            state, _ = step(state, batch)
        jax.block_until_ready(state)

    block(3)
    began = time.perf_counter()
    block(STEPS)
    print(f"{options.rows[0]}: {1e3 * (time.perf_counter() - began) / STEPS:.2f} ms a step without a trace", flush=True)
    with jax.profiler.trace(folder):
        block(STEPS)


def main():
    options = common.parser(__doc__, ["bf16:64"])
    options.add_argument("--trace", help="folder of a trace made before, with its program.txt")
    options = options.parse_args()
    if options.trace:
        return report(options.trace)
    if options.device == "cpu":
        os.environ["JAX_PLATFORMS"] = "cpu"
    folder = options.out or tempfile.mkdtemp()
    os.makedirs(folder, exist_ok=True)
    trace(options, folder)
    report(folder)


if __name__ == "__main__":
    main()
