"""tests/ mirrors yolojax/: every module has a test file of its name in the same place."""

import pytest

from tests.conftest import REPOSITORY

PACKAGE, TESTS = REPOSITORY / "yolojax", REPOSITORY / "tests"

ELSEWHERE = {
    "configs": "programs/test_configs.py",
    "darknet/sections": "darknet/test_sections.py",
}
"""Packages whose modules are alike, and the one file that tests them all."""

UNTESTED = {
    "__main__.py": "calls programs/main.py",
    "data/source.py": "a protocol and an exception",
    "evaluation/report/style.py": "a style sheet",
}
"""Modules with nothing to test, and what they are."""

MODULES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")


def namesake(module):
    """The test file of a module's name, from tests/; both are paths."""
    folder, slash, name = module.rpartition("/")
    return f"{folder}{slash}test_{name}"


@pytest.mark.parametrize("module", [module for module in MODULES if module not in UNTESTED])
def test_every_module_has_its_tests(module):
    path = TESTS / ELSEWHERE.get(module.rpartition("/")[0], namesake(module))
    assert path.is_file(), f"{module} has no {path.relative_to(REPOSITORY)}"
    assert "\ndef test_" in path.read_text(), f"{path.relative_to(REPOSITORY)} has no tests"


def test_no_exception_outlives_its_reason():
    assert UNTESTED.keys() <= set(MODULES)
    for module in UNTESTED:
        assert not (TESTS / namesake(module)).exists(), module
    for folder in ELSEWHERE:
        own = [module for module in MODULES if module.rpartition("/")[0] == folder]
        assert own and not any((TESTS / namesake(module)).exists() for module in own), folder
