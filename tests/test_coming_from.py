"""docs/coming_from.md names fields, values, functions and commands that exist, and the values of `tf_family`.

The first cell of a row of its tables is what other versions call it; it is not read.
"""

import ast
import dataclasses
import importlib
import re
import shlex

from tests.conftest import REPOSITORY
from tests.test_docs import commands, defined_flags
from yolojax.config import BEST_BY, Config, checked, flatten
from yolojax.configs.tf_family import get_config
from yolojax.configs.voc import get_config as voc
from yolojax.fields import Check, leaves
from yolojax.grid import YOLOV3_ANCHORS
from yolojax.loss import LossTerms
from yolojax.runtime.command import COMMANDS

TEXT = (REPOSITORY / "docs" / "coming_from.md").read_text()
FIELDS = {leaf.name: leaf for leaf in leaves(Config())}
SECTIONS = {member.name for member in dataclasses.fields(Config) if dataclasses.is_dataclass(getattr(Config(), member.name))}
LOGGED = {"loss", *LossTerms._fields, *BEST_BY, "learning_rate", "best_f1"}
OTHERS = {"metrics.jsonl", "config.json", "checkpoints/", "eval/val/metrics.json", '"split": "val"', "background"}
"""What the second cells of rows name besides fields, functions, commands, flags and logged numbers."""
FAMILY = "here, in `tf_family`"


def tables():
    """The tables of the page: lists of rows, each a list of cells; the first row is the heading."""
    for block in re.findall(r"(?:^\|.*\n)+", TEXT, re.MULTILINE):
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines()]
        assert all(len(row) == len(rows[0]) for row in rows), rows[0]
        yield rows[:1] + rows[2:]


def quotes(text):
    return re.findall(r"`([^`]+)`", text)


def ours():
    """The code quotes that are about this version: outside tables, and in tables from the second cell on."""
    yield from quotes(re.sub(r"^(```.*?^```|\|[^\n]*)$", "", TEXT, flags=re.DOTALL | re.MULTILINE).replace("\n", " "))
    for rows in tables():
        for row in rows:
            yield from quotes(" ".join(row[1:]))


def value_of(name, text):
    """The value of a field that is written as text on a command line."""
    default = FIELDS[name].value
    if isinstance(default, str):
        return text
    value = ast.literal_eval(text)
    return float(value) if isinstance(default, float) else value


def imported(dotted):
    """What a dotted name names: a module, a member of one, or a member of that."""
    parts, rest = dotted.split("."), []
    while True:
        try:
            found = importlib.import_module(".".join(parts))
            break
        except ModuleNotFoundError:
            rest.insert(0, parts.pop())
    for name in rest:
        found = getattr(found, name)
    return found


def test_fields_exist_and_take_the_values_that_are_given():
    seen = set()
    for quote in ours():
        name, given, text = quote.partition("=")
        if name.split(".")[0] in SECTIONS and re.fullmatch(r"\w+(\.\w+)+", name) and name != "data.yaml":
            assert name in FIELDS, quote
        if name in FIELDS:
            seen.add(name)
            check = FIELDS[name].declaration.check
            if given and isinstance(check, Check):
                assert check.problem(value_of(name, text)) is None, quote
    assert len(seen) > 60


def test_functions_can_be_imported():
    names = {quote for quote in ours() if quote.startswith("yolojax.")}
    assert len(names) > 15
    for name in names:
        imported(name)


def test_second_cells_name_what_exists():
    flags = defined_flags()
    for row in (row for rows in tables() for row in rows[1:]):
        for quote in quotes(row[1]):
            known = {*FIELDS, *LOGGED, *OTHERS}
            if quote.startswith("yolojax "):
                assert quote.split()[1] in COMMANDS, quote
            elif quote.startswith("--"):
                assert quote[2:].split()[0] in flags, quote
            elif quote.startswith(("train/", "val/")):
                assert quote.partition("/")[2] in LOGGED, quote
            elif not quote.startswith("yolojax.") and row[0] != "logs":
                assert quote.partition("=")[0] in known, quote


def test_the_commands_that_train_are_accepted():
    lines = [line for line in commands(TEXT) if line.startswith("yolojax train")]
    assert len(lines) == 6
    for line in lines:
        config = (
            get_config() if "--config tf_family" in line else voc("pytorch") if "--config voc:pytorch" in line else Config()
        )
        for name, text in re.findall(r"--config\.([\w.]+)=(\S+)", " ".join(shlex.split(line))):
            section, _, member = name.rpartition(".")
            assert name in FIELDS, name
            setattr(getattr(config, section) if section else config, member, value_of(name, text))
        checked(config)


def test_tf_family_has_the_values_of_the_page_and_writes_each_out():
    (table,) = (rows for rows in tables() if rows[0][1] == FAMILY)
    settings = [quotes(row[1]) for row in table[1:]]
    assert len(settings) == 18 and all(len(setting) == 1 for setting in settings)
    values = {leaf.name: leaf.value for leaf in leaves(get_config())}
    source = (REPOSITORY / "yolojax" / "configs" / "tf_family.py").read_text()
    for name, text in (setting.split("=") for (setting,) in settings):
        assert values[name] == value_of(name, text), name
        assert f"    config.{name} = " in source, name


def test_tf_family_differs_from_the_defaults_in_the_two_fields_that_the_page_names():
    values, defaults = flatten(get_config()), flatten(Config())
    (sentence,) = re.findall(r"`tf_family` has these\. All but (.*?) are the\s+defaults", TEXT, re.DOTALL)
    assert {name for name in values if values[name] != defaults[name]} == set(quotes(sentence))


def test_the_anchor_in_cells_is_the_published_one():
    (numbers,) = re.findall(r"\(([\d.]+) x ([\d.]+) cells of (\d+) pixels are (\d+) x (\d+)\)", TEXT)
    width, height, stride, *published = map(float, numbers)
    assert [width * stride, height * stride] == published == list(YOLOV3_ANCHORS[0][0])
