"""Where a program spends its time: the shares of the main thread by stage.

python benchmarks/where_time_goes.py eval.py --workdir runs/mine
python benchmarks/where_time_goes.py train.py --workdir runs/new --config.train.epochs=2

A thread looks at the stack of the main thread every 4 ms. Where that waits for the devices, they compute; what other threads do
meanwhile does not count.
"""

import collections
import sys
import threading
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
STAGES = {  # of the first that names a function on the stack, as file:function
    "start of Python, imports": ("<frozen importlib",),
    "compiling, reading compiled programs": ("compile_or_get_cached",),
    "tracing and lowering": ("pjit.py:_infer_params", "stages.py:lower", "pjit.py:_pjit_lower", "api.py:eval_shape"),
    "COCO metrics": ("metrics/coco.py:coco_evaluate",),
    "other metrics": ("evaluation/metrics/", "report/pictures.py"),
    "detections.json, metrics.json": ("files.py:write_json", "coco.py:coco_results"),
    "plots": ("report/plots.py", "report/curve_plots.py", "report/confusion.py"),
    "page and pictures of the report": ("html.py:write_report", "samples.py:write_samples", "write_comparison"),
    "TensorBoard and log": ("metrics_log.py", "tensorboardX"),
    "checkpoints": ("runs/checkpoints.py", "orbax"),
    "waiting for the devices, stages measured": ("stages.py:_timed",),
    "waiting for the devices": ("block_until_ready", "device_get", "array.py:_value"),
    "waiting for data": ("data/pipeline.py", "data/sources.py", "prefetch.py"),
}


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.argv.pop(0)
    sys.path.insert(0, str(REPOSITORY))
    seconds, ended = collections.Counter(), threading.Event()
    watch = threading.Thread(target=look, args=(threading.get_ident(), seconds, ended), daemon=True)
    watch.start()
    began = time.perf_counter()
    try:
        program = Path(sys.argv[0])
        exec(compile(program.read_text(), program, "exec"), {"__name__": "__main__"})
    finally:
        ended.set()
        watch.join()
        whole = time.perf_counter() - began
        for stage, spent in seconds.most_common():
            print(f"{stage:42}{spent:8.2f} s{100 * spent / whole:7.1f} %")
        print(f"{'all':42}{whole:8.2f} s; of the processors {time.process_time():.2f} s")


def look(thread, seconds, ended):
    last = time.perf_counter()
    while not ended.wait(0.004):
        now = time.perf_counter()
        frame, names = sys._current_frames().get(thread), []
        while frame is not None:
            names.append(f"{frame.f_code.co_filename}:{frame.f_code.co_name}")
            frame = frame.f_back
        seconds[stage_of(names)] += now - last
        last = now


def stage_of(names):
    for stage, parts in STAGES.items():
        if any(part in name for part in parts for name in names):
            return stage
    return "the rest"


if __name__ == "__main__":
    main()
