"""What the package promises to importers."""

import importlib
import subprocess
import sys

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


def test_the_names_of_the_package_are_those_of_its_modules():
    for name, home in yolojax._HOME.items():
        assert getattr(importlib.import_module(f"yolojax.{home}"), name) is getattr(yolojax, name)
