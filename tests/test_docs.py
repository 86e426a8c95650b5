"""The documentation names what exists: public names, pages, files, commands, flags and fields."""

import ast
import importlib
import importlib.util
import inspect
import re
import sys
import unicodedata

import pytest

from tests.conftest import REPOSITORY
from yolojax.config import Config, flatten
from yolojax.runtime.command import COMMANDS

PAGES = sorted(
    [REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    + [*REPOSITORY.glob("docs/**/*.md"), *REPOSITORY.glob("benchmarks/results/*.md")]
)
API_PAGES = sorted(REPOSITORY.glob("docs/api/*.md"))
SECTIONS = {"data.augment."}


def name_of(page):
    return str(page.relative_to(REPOSITORY))


def directives():
    """{module: whether its submodules are shown with it}, of all API pages."""
    found = {}
    for page in API_PAGES:
        for module, options in re.findall(r"^::: ([\w.]+)\n((?:    .*\n?)*)", page.read_text(), re.MULTILINE):
            assert module not in found, f"{module} is on two pages"
            found[module] = "show_submodules: true" in options
    return found


def is_documented(module, shown):
    parents = [module.rsplit(".", count)[0] for count in range(1, module.count(".") + 1)]
    return module in shown or any(shown.get(parent) for parent in parents)


def test_every_module_of_an_api_page_exists():
    shown = directives()
    assert len(shown) > 20
    for module in shown:
        assert importlib.util.find_spec(module), module


@pytest.mark.parametrize("package", ["yolojax", "yolojax.training", "yolojax.evaluation", "yolojax.decode", "yolojax.nms"])
def test_public_names_are_on_an_api_page(package):
    home = importlib.import_module(package)
    shown = directives()
    # Of modules without __all__ those that section 4 of the design lists.
    names = getattr(home, "__all__", (package.rpartition(".")[2],))
    assert names
    for name in names:
        value = getattr(home, name)
        module = value.__name__ if inspect.ismodule(value) else getattr(value, "__module__", None)
        if module is None:  # a constant
            module = f"{package}.{home._HOME[name]}"
            assert re.search(rf'^{name}\b.*?^"""\w', inspect.getsource(sys.modules[module]), re.DOTALL | re.MULTILINE), name
        assert is_documented(module, shown), f"{module} is on no page of docs/api"
        if callable(value):
            tree = ast.parse(inspect.getsource(sys.modules[module]))
            (definition,) = [node for node in tree.body if getattr(node, "name", None) == value.__name__]
            assert ast.get_docstring(definition), f"{module}.{value.__name__} has no docstring, without which it is not shown"


def anchors(page):
    """The anchors of a page's headings, as the site makes them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        heading = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        plain = unicodedata.normalize("NFKD", heading).encode("ascii", "ignore").decode().lower()
        yield re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", plain).strip())


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_to_files_and_headings(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.is_file(), target
        assert not anchor or anchor in anchors(linked), target


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_files_of_the_repository_that_are_named_exist(page):
    text = page.read_text()
    for path in re.findall(r"(?<![\w/.-])((?:yolojax|tests|benchmarks|configs|docs)/[\w/.-]+\w)", text):
        assert (REPOSITORY / path).exists(), path
    for line in re.findall(r"^.*\bpython .*$", text, re.MULTILINE):
        for path in re.findall(r"\bpython ((?:\w+/)*\w+\.py)", line):
            assert (REPOSITORY / path).is_file(), path


def test_every_page_is_in_the_navigation():
    navigation = (REPOSITORY / "mkdocs.yml").read_text().partition("\nnav:")[2]
    for page in REPOSITORY.glob("docs/**/*.md"):
        assert re.search(rf"\b{re.escape(str(page.relative_to(REPOSITORY / 'docs')))}$", navigation, re.MULTILINE), page
    for page in REPOSITORY.glob("benchmarks/results/*.md"):
        assert f"results/{page.name}" in navigation, page


@pytest.mark.parametrize("page", ["docs/networks.md"])
def test_code_of_a_page_runs(page):
    names = {"__name__": page}
    for block in re.findall(r"^```python\n(.*?)^```", (REPOSITORY / page).read_text(), re.DOTALL | re.MULTILINE):
        exec(compile(block, page, "exec"), names)
    assert len(names) > 2


def commands(text):
    """Each command of yolojax in a page's blocks of shell, from its name to its end; a backslash joins lines."""
    for block in re.findall(r"^```bash\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        for line in re.sub(r"\\\n", " ", block).splitlines():
            for command in re.split(r"&&|[;|&]", re.sub(r"(^|\s)#.*", "", line)):
                if found := re.search(r"\b(?:yolojax \w|(?:train|eval|detect)\.py\b).*", command):
                    yield found[0]


def defined_flags():
    """Names of all flags that the programs define, by a look at their source."""
    sources = [REPOSITORY / f"{name}.py" for name in ("train", "eval", "detect")]
    sources += [*(REPOSITORY / "yolojax" / "programs").rglob("*.py"), REPOSITORY / "yolojax" / "__main__.py"]
    text = "\n".join(source.read_text() for source in sources)
    absl = re.findall(r"DEFINE_(\w+)\(\s*\"(\w+)\"", text)
    negated = {f"no{name}" for kind, name in absl if kind in ("bool", "boolean")}
    return {name for _, name in absl} | negated | set(re.findall(r"\"--([\w-]+)\"", text)) | {"help"}


@pytest.mark.parametrize("page", [page for page in PAGES if page.parent.name != "results"], ids=name_of)
def test_commands_flags_and_fields_exist(page):
    text = page.read_text()
    fields = flatten(Config())
    flags = defined_flags()
    lines = list(commands(text))
    for name in re.findall(r"(?<![\w./])yolojax (\w+)", "\n".join([*lines, *re.findall(r"`([^`\n]+)`", text)])):
        assert name in (*COMMANDS, "COMMAND"), name
    for line in lines:
        for flag in re.findall(r"(?<=[\s'])--([\w-]+)(?![\w.-])", line):
            assert flag in flags, flag
    named = re.findall(r"--config\.([a-z_.]+\w)(?![\w.])", text) + re.findall(
        r"`((?:data|loss|optimizer|train)\.[a-z_.0-9]+)", text
    )
    for name in named:
        assert name in fields or name in SECTIONS or name.endswith((".py", ".yaml", ".txt", ".png")), name
