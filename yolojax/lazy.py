"""Public names of a package that are loaded when they are first used, so that importing it costs nothing."""

import importlib
import sys
import types
from collections.abc import Callable, Mapping
from typing import Any


def attach(package: str, homes: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The `__getattr__` and `__dir__` of a package: its public names and its submodules, on demand.

    A public name may also be the name of a submodule, such as `decode` in `decode.py`: the attribute stays the public name.

    Args:
        package: its `__name__`; it must be in `sys.modules`, as it is while it is imported.
        homes: by public name, the module that holds it.
    """

    class Package(types.ModuleType):
        def __setattr__(self, name: str, value: Any) -> None:
            # The import system binds a submodule to its name in the package, where a public name must not be hidden.
            if isinstance(value, types.ModuleType) and name in homes and value.__name__ == f"{package}.{name}":
                value = getattr(value, name)
            super().__setattr__(name, value)

    module = sys.modules[package]
    module.__class__ = Package

    def submodules() -> set[str]:
        import pkgutil  # here, not above: seldom needed, and takes as long to import as all else

        return {info.name for info in pkgutil.iter_modules(module.__path__) if not info.name.startswith("_")}

    def get(name: str) -> Any:
        if name in homes:
            return getattr(importlib.import_module(homes[name]), name)
        if name in submodules():
            return importlib.import_module(f"{package}.{name}")
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    def names() -> list[str]:
        return sorted({*homes, *submodules(), *(name for name in vars(module) if name.startswith("__"))})

    return get, names
