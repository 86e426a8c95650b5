"""The house: what may import what. See docs/architecture.md."""

import ast
import functools
import itertools

import pytest

from tests.conftest import REPOSITORY

LAYERS = (
    ("errors", "moved", "lazy", "explicit"),
    ("references",),
    ("parts",),
    ("fields",),
    (
        "boxes",
        "grid",
        "targets",
        "assignment",
        "decode",
        "loss_terms",
        "positives",
        "iou_aware",
        "loss",
        "pytorch_yolov3",
        "simota",
        "greedy",
        "nms",
    ),
    ("runtime",),
    ("draw",),
    ("data",),
    ("config_values",),
    ("config",),
    ("configs",),
    ("models",),
    ("inference",),
    ("backend",),
    ("darknet",),
    ("runs",),
    ("predict",),
    ("evaluation",),
    ("detection", "export", "training"),
    ("programs",),
    ("__main__",),
)
"""From the floor up: the modules and packages of each may import those of the layers before, and of their own package."""

MATHEMATICS = next(names for names in LAYERS if "loss" in names)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
PACKAGE = REPOSITORY / "yolojax"
FILES = sorted(PACKAGE.rglob("*.py"))
# The package itself only names what lies in its modules, and loads it on demand.
FACADES = {PACKAGE / "__init__.py"}


def room_of(path):
    """The top-level module or package that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@functools.cache
def tree_of(path):
    return ast.parse(path.read_text())


@functools.cache
def imports(path):
    """(line, dotted name, whether only type checkers see it) of every import of the package, also inside functions."""
    tree, found = tree_of(path), []
    guarded = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports name the package"
            whole = node.module == "yolojax"
            names = [f"yolojax.{alias.name}" for alias in node.names] if whole else [node.module]
        else:
            continue
        for name in names:
            if name.split(".")[0] == "yolojax":
                found.append((node.lineno, name, id(node) in guarded))
    return found


def test_every_module_has_its_layer():
    assert {room_of(path) for path in FILES if path not in FACADES} == set(LEVEL)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_downwards_only(path):
    if path in FACADES:
        return
    room = room_of(path)
    for line, name, for_types in imports(path):
        target = name.split(".")[1] if "." in name else "__version__"
        if target in (room, "__version__") or for_types:
            continue
        assert target in LEVEL, f"{path}:{line}: {name}"
        # Modules of mathematics may use each other, without a circle (below); other neighbours may not.
        same_floor = LEVEL[target] == LEVEL[room] and room in MATHEMATICS
        assert LEVEL[target] < LEVEL[room] or same_floor, f"{path}:{line}: {room} imports {name}, which is not below it"


def test_no_circle_of_modules():
    graph = {}
    for path in FILES:
        if path in FACADES:
            continue
        module = ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__")
        named = [name for _, name, for_types in imports(path) if not for_types]
        graph[module] = {name for name in named if name != module}
    done, path = set(), []

    def visit(module):
        assert module not in path, " -> ".join([*path[path.index(module) :], module])
        if module in done or module not in graph:
            return
        path.append(module)
        for name in sorted(graph[module]):
            visit(name)
        path.pop()
        done.add(module)

    for module in graph:
        visit(module)


def test_no_two_packages_import_each_other():
    pairs = set()
    for path in FILES:
        if path not in FACADES:
            for _, name, for_types in imports(path):
                if not for_types and "." in name:
                    pairs.add((room_of(path), name.split(".")[1]))
    rooms = {room for pair in pairs for room in pair}
    for one, other in itertools.combinations(sorted(rooms), 2):
        assert not {(one, other), (other, one)} <= pairs, (one, other)


@pytest.mark.parametrize(
    "package", ["data", "runtime/files.py", "runtime/threads.py", "runtime/opencv.py", "targets.py", "grid.py"]
)
def test_the_host_side_does_not_import_jax(package):
    place = PACKAGE / package
    for path in [place] if place.suffix else place.rglob("*.py"):
        for node in ast.walk(tree_of(path)):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else [getattr(node, "module", None) or ""]
            assert not isinstance(node, ast.Import | ast.ImportFrom) or not {"jax", "flax", "optax"} & {
                name.split(".")[0] for name in names
            }, path


def test_only_one_file_knows_orbax():
    users = [path for path in FILES if "orbax" in {n.split(".")[0] for n in plain_imports(path)}]
    assert users == [PACKAGE / "runs" / "checkpoints.py"]


def test_only_one_file_imports_opencv():
    users = [path for path in FILES if "cv2" in plain_imports(path)]
    assert users == [PACKAGE / "runtime" / "opencv.py"]


def plain_imports(path):
    nodes = [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.Import | ast.ImportFrom)]
    return {alias.name for n in nodes if isinstance(n, ast.Import) for alias in n.names} | {
        node.module for node in nodes if isinstance(node, ast.ImportFrom)
    }
