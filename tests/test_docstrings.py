"""Every public function and class is typed, and documented in one dialect: Google's sections, with its real arguments."""

import ast
import re

import pytest

from tests.conftest import REPOSITORY

PACKAGE = REPOSITORY / "yolojax"
FILES = sorted(PACKAGE.rglob("*.py"))
SECTIONS = ("Args", "Returns", "Yields", "Raises", "Attributes")
SPECIAL = ("__init__", "__call__", "__enter__", "__exit__", "__iter__", "__len__")
# The base class of cfg sections documents the first two, and the module of a configuration the third.
DOCUMENTED_ABOVE = ("build", "compute", "get_config")


def public(node, inside=()):
    """(qualified name, definition) of every public function, method and class of a module or class."""
    for child in node.body:
        if not isinstance(child, ast.FunctionDef | ast.ClassDef):
            continue
        if child.name.startswith("_") and child.name not in SPECIAL:
            continue
        yield ".".join([*inside, child.name]), child
        if isinstance(child, ast.ClassDef):
            yield from public(child, (*inside, child.name))


def arguments(function, method):
    parts = function.args
    named = [*parts.posonlyargs, *parts.args, *parts.kwonlyargs]
    starred = [argument for argument in (parts.vararg, parts.kwarg) if argument]
    return [argument for argument in [*named, *starred] if not method or argument.arg not in ("self", "cls")]


def sections(text):
    """{section: its lines} of a docstring."""
    found, current = {}, None
    for line in text.splitlines()[1:]:
        heading = re.fullmatch(r"([A-Z]\w+):", line)
        if heading:
            current = found.setdefault(heading[1], [])
        elif current is not None:
            current.append(line)
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_public_names_are_typed_and_documented(path):
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree) or not path.read_text().strip(), path
    for name, node in public(tree):
        where = f"{path.relative_to(REPOSITORY)}:{node.lineno}: {name}"
        if isinstance(node, ast.FunctionDef):
            taken = [argument.arg for argument in arguments(node, "." in name)]
            untyped = [argument.arg for argument in arguments(node, "." in name) if argument.annotation is None]
            assert not untyped, f"{where}: no type of {untyped}"
            assert node.returns is not None or node.name == "__init__", f"{where}: no type of what it returns"
        overloaded = any("overload" in ast.unparse(decorator) for decorator in getattr(node, "decorator_list", ()))
        text = ast.get_docstring(node)
        if text is None:
            assert node.name in SPECIAL + DOCUMENTED_ABOVE or overloaded, f"{where}: no docstring"
            continue
        assert re.search(r"[.:]$", text.splitlines()[0]), f"{where}: the first line is no sentence"
        known = sections(text)
        assert set(known) <= set(SECTIONS), f"{where}: {set(known) - set(SECTIONS)}"
        assert not re.search(rf"^({'|'.join(SECTIONS)}): \S", text, re.M), f"{where}: a section on one line"
        if "Args" in known:
            described = [match[1] for line in known["Args"] if (match := re.match(r"    \*{0,2}(\w+): ", line))]
            if isinstance(node, ast.ClassDef):  # describes what its constructor takes
                taken = [
                    argument.arg for name, inner in public(node) if name == "__init__" for argument in arguments(inner, True)
                ]
            assert described == taken, f"{where}: describes {described}, not {taken}"
