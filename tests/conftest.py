"""The suite runs with eight forced CPU devices, rank promotion refused, and warnings as errors (setup.cfg).

Most of its time is that of JAX tracing programs, and of XLA's compiler, which therefore does not optimize here.
`XLA_FLAGS=--xla_backend_optimization_level=3 python -m pytest` compiles as users do, and takes twice as long.

`YOLOJAX_TEST_PLATFORM=gpu XLA_PYTHON_CLIENT_PREALLOCATE=false python -m pytest` runs it on a GPU; what starts programs of its
own stays on the CPU, and what needs eight devices is skipped.
"""

import gc
import os
import shutil
import signal
import tempfile
from importlib.metadata import version

# One test finds there what another one compiled, in whichever process; the user's own cache stays as it is. Small programs
# are compiled in less time than it takes to write them.
if "PYTEST_XDIST_WORKER" not in os.environ:
    os.environ["JAX_COMPILATION_CACHE_DIR"] = tempfile.mkdtemp(prefix="yolojax-compiled-")
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.1"
# Which Python line an operation comes from helps those who read its compiled program, and takes a tenth of the time.
os.environ.setdefault("JAX_TRACEBACK_IN_LOCATIONS_LIMIT", "0")
if os.environ.setdefault("YOLOJAX_TEST_PLATFORM", "cpu") == "cpu":
    os.environ["JAX_PLATFORMS"] = "cpu"
    flags = [os.environ.get("XLA_FLAGS", ""), "--xla_force_host_platform_device_count=8"]
    if "optimization_level" not in flags[0]:
        flags.append("--xla_backend_optimization_level=0")
        # XLA ends the process at a flag that it does not know: this one only where it was tried.
        if version("jaxlib").startswith("0.10."):
            flags += ["--xla_cpu_use_fusion_emitters=false", "--xla_cpu_parallel_codegen_split_count=1"]
            flags.append("--xla_llvm_disable_expensive_passes=true")
    os.environ["XLA_FLAGS"] = " ".join(flags)
else:
    # What is compared to the bit needs a GPU to repeat itself.
    os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_gpu_deterministic_ops=true"

from pathlib import Path

import jax
import pytest

# Under nohup the first of these is ignored, and in the background of a script the second: programs would inherit that.
for number, handler in ((getattr(signal, "SIGHUP", None), signal.SIG_DFL), (signal.SIGINT, signal.default_int_handler)):
    if number is not None and signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, handler)

jax.config.update("jax_numpy_rank_promotion", "raise")
if os.environ["YOLOJAX_TEST_PLATFORM"] != "cpu":
    # What is compared with float64 needs float32 in full: by default a GPU multiplies in TF32, a TPU in bfloat16.
    jax.config.update("jax_default_matmul_precision", "highest")

REPOSITORY = Path(__file__).resolve().parent.parent
SHARED = REPOSITORY.parent / "shared"


def pytest_collection_modifyitems(items):
    # The files that take longest come first, so that no process ends long before the other.
    slowest = (
        "tests/programs/test_programs", "tests/programs/test_runs", "tests/programs/test_one", "tests/programs/test_env",
        "tests/test_examples", "tests/test_nms", "tests/test_loss", "tests/training", "tests/runs", "tests/export",
    )  # fmt: skip
    items.sort(key=lambda item: not item.nodeid.startswith(slowest))


def pytest_collection_finish():
    # Tracing makes Python's collector look again and again through a heap that is mostly modules.
    gc.freeze()
    gc.set_threshold(50_000, 50, 50)


def pytest_unconfigure():
    if "PYTEST_XDIST_WORKER" not in os.environ:
        shutil.rmtree(os.environ["JAX_COMPILATION_CACHE_DIR"], ignore_errors=True)


@pytest.fixture
def repository():
    """The repository's root folder."""
    return REPOSITORY


@pytest.fixture
def golden():
    """The folder of expected numbers."""
    return REPOSITORY / "tests" / "golden"


@pytest.fixture
def real_data():
    """The folder of real pictures and labels; tests that need it are skipped where it is absent."""
    folder = SHARED / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}")
    return folder
