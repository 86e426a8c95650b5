"""Modules and names that have moved: the old ones still work, with a DeprecationWarning, until version 0.4."""

import importlib
import importlib.machinery
import sys
import types
import warnings
from collections.abc import Callable, Mapping
from typing import Any, cast

REMOVED_IN = "0.4"

MODULES = {
    "ahead": ("runtime.prefetch", "runtime.timing", "runtime.threads"),
    "allocator": ("runtime.allocator",),
    "cli": ("programs.cli", "runtime.console", "errors"),
    "config_checks": ("config",),
    "contact_sheet": ("data.contact_sheet",),
    "darknet.convert": ("runs.imported", "export.darknet"),
    "data.files": ("runtime.files",),
    "data.geometry": ("data.augment.geometry",),
    "data.mixing": ("data.augment.mixing",),
    "data.photometric": ("data.augment.photometric",),
    "detect": ("detection.run",),
    "detect_outputs": ("detection.outputs",),
    "detect_sources": ("data.pictures",),
    "evaluation.analysis": ("evaluation.metrics.analysis",),
    "evaluation.average_precision": ("evaluation.metrics.average_precision",),
    "evaluation.coco": ("evaluation.metrics.coco",),
    "evaluation.compare": ("evaluation.report.compare",),
    "evaluation.confusion": ("evaluation.metrics.confusion",),
    "evaluation.curve_plots": ("evaluation.report.curve_plots",),
    "evaluation.curves": ("evaluation.metrics.curves",),
    "evaluation.errors": ("evaluation.metrics.tide",),
    "evaluation.history": ("evaluation.report.history",),
    "evaluation.html": ("evaluation.report.html",),
    "evaluation.inputs": ("evaluation.metrics.inputs",),
    "evaluation.matching": ("evaluation.metrics.matching",),
    "evaluation.page": ("evaluation.report.page",),
    "evaluation.pictures": ("evaluation.report.pictures", "evaluation.metrics.picture_scores"),
    "evaluation.plots": ("evaluation.report.plots",),
    "evaluation.recorded": ("evaluation.report.saved",),
    "hosts": ("runtime.hosts", "runtime.distributed", "programs.flags"),
    "last_words": ("runtime.exit_message",),
    "training.checkpoints": ("runs.checkpoints",),
    "training.feed": ("runtime.devices", "runtime.prefetch"),
    "training.imported": ("runs.imported",),
    "training.lock": ("runs.lock",),
    "training.logs": ("training.metrics_log", "runtime.console"),
    "training.resume": ("runs.resume",),
    "training.runs": ("runs.workdir",),
    "training.selection": ("runs.selection",),
    "video": ("data.video",),
}
"""By old module, the modules that hold its names now; all within yolojax."""

RENAMED = {
    "Detections": "FlatDetections",
    "Recorded": "SavedEvaluation",
    "Silent": "NullOutput",
    "Truths": "FlatTruths",
    "check_alike": "check_same_on_all_hosts",
    "define_flags": "define_distributed_flags",
    "detect_ahead": "detect_prefetched",
    "feed": "prefetch_to_devices",
    "leave": "arm",
    "report": "report_error",
    "take_back": "disarm",
    "together": "distributed_run",
    "workers": "worker_count",
}
"""By old name, the new one, in modules that have moved."""


def names(module: str, moved: Mapping[str, str]) -> Callable[[str], Any]:
    """The `__getattr__` of a module some of whose names have moved.

    Args:
        module: its `__name__`.
        moved: by old name, "MODULE:NAME" of the new one, within yolojax.
    """

    def get(name: str) -> Any:
        if name not in moved:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        home, _, new_name = moved[name].partition(":")
        _warn(f"{module}.{name} is now yolojax.{home}.{new_name}")
        return getattr(importlib.import_module(f"yolojax.{home}"), new_name)

    return get


def _warn(message: str) -> None:
    # Attributed to the import system or to yolojax: shown by test runners and `-W`, not to those who run a program.
    warnings.warn(f"{message}; the old name is removed in yolojax {REMOVED_IN}", DeprecationWarning, stacklevel=2)


class _MovedModules:
    """Finds and loads modules by their old names; without the base classes of importlib.abc, which take long to import."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        if fullname.startswith("yolojax.") and fullname.removeprefix("yolojax.") in MODULES:
            return importlib.machinery.ModuleSpec(fullname, cast(Any, self))
        return None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        homes = MODULES[spec.name.removeprefix("yolojax.")]
        _warn(f"{spec.name} is now {' and '.join(f'yolojax.{home}' for home in homes)}")
        module = types.ModuleType(spec.name, f"Moved to {', '.join(f'yolojax.{home}' for home in homes)}.")

        def get(name: str) -> Any:
            for home in homes:
                contents = importlib.import_module(f"yolojax.{home}")
                for candidate in (name, RENAMED.get(name, name)):
                    if hasattr(contents, candidate):
                        return getattr(contents, candidate)
            raise AttributeError(f"module {spec.name!r} has no attribute {name!r}")

        module.__dict__["__getattr__"] = get
        return module

    def exec_module(self, module: types.ModuleType) -> None:
        """Its names are looked up when they are asked for."""


def install() -> None:
    """Makes the old names of modules importable."""
    if not any(isinstance(finder, _MovedModules) for finder in sys.meta_path):
        sys.meta_path.append(_MovedModules())
