"""Names of a package that are loaded when they are first used."""

import importlib
import sys

import pytest

INIT = """
from yolojax.lazy import attach
__getattr__, __dir__ = attach(__name__, {"area": "lazy_shapes.area", "PI": "lazy_shapes.constants"})
"""


@pytest.fixture
def shapes(tmp_path, monkeypatch):
    """A package with two lazy names, one of which is also the name of its module."""
    folder = tmp_path / "lazy_shapes"
    folder.mkdir()
    (folder / "__init__.py").write_text(INIT)
    (folder / "area.py").write_text("def area(side): return side**2\n")
    (folder / "constants.py").write_text("PI = 3\n")
    (folder / "_private.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("lazy_shapes")
    for name in [name for name in sys.modules if name.partition(".")[0] == "lazy_shapes"]:
        del sys.modules[name]


def test_nothing_is_loaded_before_it_is_used(shapes):
    assert "lazy_shapes.area" not in sys.modules
    assert shapes.area(3) == 9
    assert "lazy_shapes.area" in sys.modules and "lazy_shapes.constants" not in sys.modules
    assert shapes.PI == 3


def test_a_public_name_is_not_hidden_by_the_module_of_that_name(shapes):
    module = importlib.import_module("lazy_shapes.area")
    assert shapes.area is module.area is sys.modules["lazy_shapes.area"].area


def test_submodules_are_attributes_and_other_names_are_not(shapes):
    assert shapes.constants is sys.modules["lazy_shapes.constants"]
    with pytest.raises(AttributeError, match=r"module 'lazy_shapes' has no attribute 'volume'"):
        shapes.volume  # noqa: B018


def test_dir_lists_public_names_and_modules(shapes):
    names = dir(shapes)
    assert names == sorted(names)
    assert {"area", "PI", "constants", "__name__"} <= set(names) and not {"_private", "attach"} & set(names)
