"""Parts of a user's own: their names, how they are found, and what is refused."""

import functools
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers import own_parts
from yolojax.config import Config, checked, from_dict, to_dict
from yolojax.errors import InputError
from yolojax.parts import (
    FIELDS,
    OPTIONS,
    Parts,
    _find_part,
    find_part,
    is_reference,
    json_options,
    name_of,
    options_of,
    recorded,
)

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


def test_what_a_part_is_called_with_is_checked_before_it_is_called():
    parts = Parts()
    built = parts.build("loss", LOSS, {"gamma": 3.0}, "raw", "targets", "grid")
    assert built.func is own_parts.loss and built.keywords == {"gamma": 3.0}
    with pytest.raises(
        InputError, match=r"config\.loss\.name: .*:loss\(raw, targets, grid, \*, gamma=1\.0\) .* 'gama'.*config\.loss\.options"
    ):
        parts.build("loss", LOSS, {"gama": 3.0}, "raw", "targets", "grid")
    with pytest.raises(InputError, match=r"is called with \(boxes_xyxy, classes, grid, max_boxes=\.\.\.\), which does not fit"):
        parts.build("assign", LOSS, {}, "boxes_xyxy", "classes", "grid", "max_boxes=")


def test_objects_are_recorded_by_their_importable_names():
    assert name_of(own_parts.loss) == (LOSS, {})
    assert name_of(own_parts.Net) == ("tests.helpers.own_parts:Net", {})
    assert name_of(functools.partial(own_parts.loss, gamma=2)) == (LOSS, {"gamma": 2})
    for part, name in [
        (lambda raw: raw, "<test_objects_are_recorded_by_their_importable_names.<locals>.<lambda> of tests.test_parts>"),
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


def test_a_configuration_holds_names_and_options_and_survives_json():
    config = Config()
    config.loss.options = {"delta": 1}

    def local(event):
        """Has no importable name."""

    parts = Parts(
        loss=functools.partial(own_parts.loss, gamma=2),
        model=own_parts.Net,
        augment=[functools.partial(own_parts.dim, least=0.9), own_parts.dim],
        callbacks=local,
    )
    recorded(config, parts)
    assert (config.loss.name, config.loss.options) == (LOSS, {"delta": 1, "gamma": 2})
    assert config.data.augment.more == ("tests.helpers.own_parts:dim",) * 2
    assert config.data.augment.options == {"tests.helpers.own_parts:dim": {"least": 0.9}}
    (name,) = config.train.callbacks
    assert name.startswith("<test_a_configuration") and name.endswith("local of tests.test_parts>")
    again = checked(from_dict(to_dict(config)))
    assert again == checked(config) and parts.find("callbacks", name) is local
    assert parts.find("loss", LOSS) is own_parts.loss
    with pytest.raises(
        InputError, match=r"config\.train\.callbacks: the run was made with <.*local.*>.*parts=Parts\(callbacks=\.\.\.\)"
    ):
        Parts().find("callbacks", name)


@pytest.mark.parametrize(
    "given",
    [{"loss": 3}, {"loss": "mine:loss"}, {"model": own_parts.Net(2)}, {"augment": [None]}, {"callbacks": ("mine:tell",)}],
)
def test_objects_that_are_no_functions_are_refused(given):
    with pytest.raises(InputError, match=r"^Parts\("):
        Parts(**given)


def test_every_part_has_a_field_and_all_but_callbacks_options():
    values = to_dict(Config())
    for name in [*FIELDS.values(), *OPTIONS.values()]:
        section = values
        for part in name.split("."):
            section = section[part]
    assert set(FIELDS) - set(OPTIONS) == {"callbacks"}


def test_options_of_one_of_several_parts():
    options = {"least": 0.5, "mine:a": {"least": 0.1, "most": 2}, "mine:b": {}}
    assert options_of(options, "mine:a") == {"least": 0.1, "most": 2}
    assert options_of(options, "mine:b") == options_of(options, "mine:c") == {"least": 0.5}


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
