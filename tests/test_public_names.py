"""What the package promises to importers."""

import ast
import importlib
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import yolojax
import yolojax.evaluation
import yolojax.training


@pytest.mark.parametrize("package", [yolojax, yolojax.training, yolojax.evaluation])
def test_every_public_name_is_there_and_documented(package):
    for name in package.__all__:
        assert getattr(package, name).__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        package.nonsense  # noqa: B018


def test_importing_the_package_loads_neither_jax_nor_opencv():
    program = "import sys, yolojax, yolojax.boxes, yolojax.targets; print({'jax', 'cv2', 'orbax'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_tensorflow_and_pytorch_are_needed_by_nothing():
    # Where they are installed, tensorboardX looks at them.
    program = """
import sys
sys.modules |= {"tensorflow": None, "torch": None}
import yolojax.training.loop, yolojax.predict, yolojax.detection.run
print({"PIL", "matplotlib", "orbax.checkpoint"} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_modules_that_share_the_name_of_a_function_leave_it_alone():
    program = """
import sys, types
from yolojax import decode, nms, postprocess
import yolojax.decode, yolojax.nms, yolojax.loss
from yolojax.decode import decode_boxes
from yolojax import decode as again, loss
assert decode is again is yolojax.decode is sys.modules["yolojax.decode"].decode, decode
assert nms is yolojax.nms is sys.modules["yolojax.nms"].nms
assert isinstance(loss, types.ModuleType) and yolojax.boxes.iou is yolojax.iou
"""
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)


def test_submodules_are_attributes():
    program = "import yolojax; print(yolojax.data.__name__, yolojax.training.__name__, yolojax.boxes.__name__)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["yolojax.data", "yolojax.training", "yolojax.boxes"]
    assert {"data", "models", "decode", "Detector"} <= set(dir(yolojax))


@pytest.mark.parametrize("package", [yolojax, yolojax.evaluation, yolojax.training])
def test_type_checkers_see_the_names_that_are_loaded_on_demand(package):
    tree = ast.parse(Path(package.__file__).read_text())
    guarded = next(node for node in tree.body if isinstance(node, ast.If))
    assert ast.unparse(guarded.test) == "TYPE_CHECKING"
    seen = {alias.name: node.module for node in guarded.body for alias in node.names}
    homes = {name: home.removeprefix(f"{package.__name__}.") for name, home in package._HOME.items()}
    assert {name: module.removeprefix(f"{package.__name__}.") for name, module in seen.items()} == homes
    assert sorted(package._HOME) == sorted(package.__all__)


def test_the_version_is_that_of_the_distribution():
    assert yolojax.__version__ == version("yolojax")


def test_the_names_of_the_package_are_those_of_its_modules():
    for name, home in yolojax._HOME.items():
        assert getattr(importlib.import_module(f"yolojax.{home}"), name) is getattr(yolojax, name)


def test_metrics_need_neither_opencv_nor_jax():
    program = """
import sys
from yolojax.evaluation import average_precision, coco_metrics
print({"cv2", "rich", "jax", "matplotlib"} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
