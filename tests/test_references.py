"""Names of parts: what is one, what it stands for, which name a part has."""

import functools
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers import own_parts
from yolojax.errors import InputError
from yolojax.references import _find_part, find_part, is_reference, json_options, name_of

LOSS = "tests.helpers.own_parts:loss"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty current folder; what is imported from it is forgotten."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield tmp_path
    _find_part.cache_clear()
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_a_part_is_found_in_the_current_folder(folder):
    (folder / "my_parts.py").write_text("class Rules:\n    @staticmethod\n    def nearest(): return 7\n")
    assert find_part("config.x", "my_parts:Rules.nearest")() == 7


def test_the_current_folder_comes_before_installed_packages_and_does_not_hide_others_later(folder):
    (folder / "yaml.py").write_text("def part(): return 'mine'\n")
    (folder / "colorsys.py").write_text("raise RuntimeError('the standard library has this')\n")
    for name in [name for name in sys.modules if name.partition(".")[0] == "yaml"]:
        del sys.modules[name]
    assert find_part("config.x", "yaml:part")() == "mine"
    sys.modules.pop("colorsys", None)
    import colorsys

    assert colorsys.rgb_to_hsv


def test_another_folder_has_another_module_of_the_same_name(folder, monkeypatch):
    for name in ("one", "two"):
        (folder / name / "my_rules").mkdir(parents=True)
        (folder / name / "my_rules/__init__.py").write_text("")
        (folder / name / "my_rules/parts.py").write_text(f"def part(): return {name!r}\n")
    for name in ("one", "two", "one"):
        monkeypatch.chdir(folder / name)
        assert find_part("config.x", "my_rules.parts:part")() == name


@pytest.mark.parametrize(
    ("files", "reference", "message"),
    [
        (
            {},
            "absent:part",
            r"is 'absent:part', but there is no module 'absent': neither in the current folder, /.*, nor among",
        ),
        ({}, "os.absent:part", "there is no module 'os.absent'"),
        ({"mine.py": ""}, "mine.py:part", "a module is named without .py: mine:part"),
        ({"mine.py": "def loss(): pass"}, "mine:los", r"mine \(/.*mine.py\) has no 'los'; did you mean loss\?"),
        (
            {"mine.py": "import flax.linen as nn\npart = nn.Dense(3)"},
            "mine:part",
            r"mine:part is Dense\( # attributes .* \), but a function is needed",
        ),
        ({"mine.py": "part = 3"}, "mine:part", "mine:part is 3, but a function is needed"),
        ({"mine.py": "\n\n1 / 0"}, "mine:part", r"mine cannot be imported: ZeroDivisionError: .* \(/.*mine.py:3\)"),
        (
            {"mine.py": "\nimport absent"},
            "mine:part",
            r"mine cannot be imported: ModuleNotFoundError: .*'absent' \(/.*mine.py:2\)",
        ),
        ({"mine.py": "def f(:"}, "mine:part", r"mine cannot be imported: SyntaxError: .*mine.py"),
    ],
)
def test_what_cannot_be_found_is_one_line(folder, files, reference, message):
    for name, text in files.items():
        (folder / name).write_text(text)
    with pytest.raises(InputError, match=f"^config.loss.name.*{message}") as caught:
        find_part("config.loss.name", reference)
    assert "\n" not in str(caught.value)


def test_objects_are_recorded_by_their_importable_names():
    assert name_of(own_parts.loss) == (LOSS, {})
    assert name_of(own_parts.Net) == ("tests.helpers.own_parts:Net", {})
    assert name_of(functools.partial(own_parts.loss, gamma=2)) == (LOSS, {"gamma": 2})
    for part, name in [
        (lambda raw: raw, "<test_objects_are_recorded_by_their_importable_names.<locals>.<lambda> of tests.test_references>"),
        (functools.partial(own_parts.loss, 1), "<partial of tests.helpers.own_parts>"),
        (functools.partial(own_parts.loss, gamma={2}), "<partial of tests.helpers.own_parts>"),
    ]:
        assert name_of(part) == (name, {})


def test_what_a_variable_of_a_module_holds_has_its_name(folder):
    (folder / "held.py").write_text(
        "import functools\n"
        "class Focal:\n"
        "    def __call__(self, raw): return raw\n"
        "    @classmethod\n"
        "    def make(cls, raw): return raw\n"
        "def bare(function):\n"
        "    return lambda *values: function(*values)\n"
        "focal = Focal()\n"
        "short = lambda raw: raw\n"
        "decorated = bare(short)\n"
        "bound = functools.partial(short, 1)\n"
    )
    for name in ("focal", "short", "decorated", "bound", "Focal.make"):
        part = find_part("config.x", f"held:{name}")
        assert name_of(part) == (f"held:{name}", {})
    held = sys.modules["held"]
    assert name_of(held.Focal()) == ("<Focal of held>", {})
    assert name_of(held.bare(held.short))[0].startswith("<bare.<locals>")


@given(st.text(alphabet="ab.:_1 /<>\n", max_size=12))
def test_references_are_two_dotted_names_with_a_colon_between(text):
    left, colon, right = text.partition(":")
    dotted = [all(word.isidentifier() for word in side.split(".")) for side in (left, right)]
    assert is_reference(text) == (bool(colon) and all(dotted))


@pytest.mark.parametrize("value", [{}, {"a": 1, "b": [1, (2, 3)], "c": {"d": None}}, {"a": "x", "b": 1.5, "c": True}])
def test_options_are_values_that_json_has(value):
    assert json_options(value) is None


@pytest.mark.parametrize("value", [{1: 2}, {"a": float("nan")}, {"a": {1, 2}}, {"a": b"x"}, [], "gamma"])
def test_options_that_json_does_not_have(value):
    assert json_options(value)
