"""What pip installs: every sub-package, the configurations, the files of data, and the console script."""

import configparser
import shutil
import subprocess
import sys
import zipfile
from importlib import resources

import pytest

import yolojax
from tests.conftest import REPOSITORY
from yolojax.configs import config_names


@pytest.fixture(scope="module")
def setup():
    parser = configparser.ConfigParser()
    parser.read(REPOSITORY / "setup.cfg")
    return parser


def package_files():
    """Every file of the package in the checkout, as paths from its root."""
    files = (path for path in (REPOSITORY / "yolojax").rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(REPOSITORY).as_posix() for path in files}


def test_every_folder_of_the_package_is_a_package():
    # setuptools finds the folders that have an __init__.py; others would be missing from the wheel.
    files = package_files()
    assert {f"{path.rpartition('/')[0]}/__init__.py" for path in files} <= files


def test_every_file_that_is_not_code_is_package_data(setup):
    section = setup["options.package_data"].items()
    listed = {f"{package.replace('.', '/')}/{name}" for package, names in section for name in names.split()}
    assert listed == {path for path in package_files() if not path.endswith(".py")}


def test_data_and_configs_are_found_as_resources():
    for package, name in (("yolojax", "py.typed"), ("yolojax.data", "digits.csv.gz"), ("yolojax.data", "digits.LICENSE.txt")):
        assert resources.files(package).joinpath(name).is_file()
    assert "digits" in config_names()
    for name in config_names():
        assert resources.files("yolojax.configs").joinpath(f"{name}.py").is_file()


def test_the_version_stands_once(setup):
    assert setup["metadata"]["version"] == "attr: yolojax.__version__"
    assert f'\n__version__ = "{yolojax.__version__}"\n' in (REPOSITORY / "yolojax" / "__init__.py").read_text()


def test_the_console_script_is_the_module(setup):
    from yolojax.__main__ import main

    name, _, target = setup["options.entry_points"]["console_scripts"].strip().partition(" = ")
    module, _, function = target.partition(":")
    assert name == "yolojax" and getattr(sys.modules[module], function) is main


@pytest.mark.slow  # .ci/run builds the wheel, installs it and runs it
def test_the_wheel_holds_the_package(tmp_path):
    # From a copy, so that the build leaves nothing in the checkout, and nothing that was left there gets into the wheel.
    source = tmp_path / "source"
    shutil.copytree(REPOSITORY / "yolojax", source / "yolojax", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("LICENSE", "README.md", "pyproject.toml", "setup.cfg"):
        shutil.copy(REPOSITORY / name, source)
    pip = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--quiet", "--wheel-dir", tmp_path, source]
    subprocess.run(pip, check=True, timeout=600)
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name == f"yolojax-{yolojax.__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        metadata = archive.read(f"yolojax-{yolojax.__version__}.dist-info/METADATA").decode()
    assert names == package_files()
    assert "Classifier: Typing :: Typed" in metadata and "Requires-Dist: scikit-learn" not in metadata
