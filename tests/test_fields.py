"""Declarations of fields: every field has one, what it names exists, and defaults pass their own checks."""

import ast
import dataclasses
import sys

import pytest

from yolojax import fields
from yolojax.config import Config
from yolojax.config_values import describe, verify
from yolojax.errors import InputError
from yolojax.fields import (
    Depending,
    Required,
    any_value,
    at_least,
    field,
    full_name,
    given,
    greater,
    leaves,
    one_of,
    positive,
)

LEAVES = list(leaves(Config()))


def others(name, declaration):
    """The names of all the fields that a declaration refers to."""
    conditions = {
        **declaration.used_with,
        **declaration.needs,
        **(declaration.required.conditions if declaration.required else {}),
    }
    depending = [declaration.check.other] if isinstance(declaration.check, Depending) else []
    return {full_name(name, other) for other in [*conditions, *depending]}


def test_a_field_without_a_declaration_is_a_mistake():
    @dataclasses.dataclass
    class Section:
        declared: int = field(1, "a number", at_least(0))
        forgotten: int = 2

    @dataclasses.dataclass
    class Whole:
        section: Section = dataclasses.field(default_factory=Section)

    with pytest.raises(TypeError, match=r"^section\.forgotten is not declared"):
        list(leaves(Whole()))


def test_only_paths_texts_and_switches_accept_any_value():
    free = {leaf.name for leaf in LEAVES if leaf.declaration.check is any_value and not isinstance(leaf.value, bool)}
    assert free == {"init_from", "init_cfg", "data.train", "data.val", "data.test", "data.names", "model.cfg"}


@pytest.mark.parametrize("leaf", LEAVES, ids=lambda leaf: leaf.name)
def test_a_declaration_is_complete_and_names_other_fields_that_exist(leaf):
    declaration = leaf.declaration
    assert declaration.doc.strip() == declaration.doc and not declaration.doc.endswith(".")
    assert others(leaf.name, declaration) <= {name for name, *_ in LEAVES} - {leaf.name}
    checks = [declaration.check]
    if isinstance(declaration.check, Depending):
        checks = [declaration.check.then, declaration.check.otherwise]
    assert all(check.problem(leaf.value) is None for check in checks)


@dataclasses.dataclass
class Ball:
    kind: str = field("round", "round or flat", one_of("round", "flat"))
    radius: float = field(1.0, "radius in metres", positive, used_with={"kind": one_of("round")})
    side: float = field(1.0, "side in metres", Depending("rules.game", one_of("tennis"), then=at_least(2), otherwise=positive))
    label: str = field("", "its name", any_value, required=Required("write one", {"kind": one_of("flat"), "rules.game": given}))


@dataclasses.dataclass
class Rules:
    game: str = field("", "name of the game", any_value)


@dataclasses.dataclass
class Play:
    rules: Rules = dataclasses.field(default_factory=Rules)
    ball: Ball = dataclasses.field(default_factory=Ball)
    players: int = field(0, "number of players", at_least(0), needs={"rules.game": given, "ball.kind": one_of("round")})


def play(**values):
    result = Play()
    for name, value in values.items():
        section = next(part for part in (result, result.rules, result.ball) if hasattr(part, name))
        setattr(section, name, value)
    return result


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"radius": -1.0}, "config.ball.radius must be greater than 0, not -1.0"),
        (
            {"radius": 2.0, "kind": "flat"},
            "config.ball.radius is 2.0, which nothing uses: config.ball.kind must be one of round",
        ),
        ({"side": 0.0}, "config.ball.side must be greater than 0, not 0.0"),
        ({"side": 1.0, "game": "tennis"}, "config.ball.side must be at least 2, not 1.0"),
        ({"players": 2}, "config.rules.game must be given with config.players, not ''"),
        (
            {"players": 2, "game": "go", "kind": "flat", "label": "x"},
            "config.ball.kind must be one of round with config.players",
        ),
    ],
)
def test_what_a_declaration_forbids_is_refused(values, message):
    with pytest.raises(InputError) as caught:
        verify(play(**values))
    assert str(caught.value).startswith(message)


def test_what_a_declaration_allows_is_accepted():
    verify(Play())
    verify(play(radius=2.0))
    verify(play(side=2.0, game="tennis", players=2))
    verify(play(kind="flat", game="go", label="x"))
    verify(play(kind="flat"))


def test_a_required_field_is_asked_for():
    with pytest.raises(InputError, match=r"^config\.ball\.label is not set: write one$"):
        verify(play(kind="flat", game="go"))


def test_the_help_shows_range_choices_and_conditions():
    assert describe(Play(), "") == [
        "  rules.game=''  name of the game",
        "  ball.kind='round'  round or flat",
        "  ball.radius=1.0  radius in metres [> 0; only with kind=round]",
        "  ball.side=1.0  side in metres [> 0; with rules.game=tennis: >= 2]",
        "  ball.label=''  its name",
        "  players=0  number of players [>= 0; only with rules.game, ball.kind=round]",
    ]


def test_only_the_standard_library_and_the_names_of_parts_are_imported():
    with open(fields.__file__, encoding="utf-8") as file:
        nodes = list(ast.walk(ast.parse(file.read())))
    modules = {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    modules |= {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    assert {str(name).partition(".")[0] for name in modules - {"yolojax.references"}} <= sys.stdlib_module_names


def test_a_bound_that_is_not_reached():
    assert greater(1).problem(1) == "must be greater than 1" and greater(1).problem(1.01) is None
