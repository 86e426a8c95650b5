"""Modules and names of earlier versions still import, with a warning that says where they are now."""

import importlib
import subprocess
import sys

import pytest

from yolojax import moved

NAMES = {
    "yolojax.ahead": ("detect_ahead", "timed", "workers"),
    "yolojax.cli": ("run", "report", "config_flag", "InputError"),
    "yolojax.darknet.convert": ("import_weights", "export_darknet"),
    "yolojax.data.geometry": ("crop", "scale"),
    "yolojax.detect": ("detect_files",),
    "yolojax.evaluation.average_precision": ("average_precision", "match"),
    "yolojax.evaluation.errors": ("error_costs",),
    "yolojax.evaluation.inputs": ("flatten", "Detections", "Truths"),
    "yolojax.evaluation.recorded": ("read_evaluation", "Recorded"),
    "yolojax.hosts": ("gather", "is_first", "together", "check_alike", "define_flags"),
    "yolojax.training.checkpoints": ("Checkpoints",),
    "yolojax.training.feed": ("feed", "put", "fetch_rows", "local_rows"),
    "yolojax.training.logs": ("MetricsLog", "Progress", "Silent"),
    "yolojax.training.runs": ("load_run", "read_config", "make_meta", "IMPORTED"),
    "yolojax.training.selection": ("score", "exhausted"),
    "yolojax.training.step": ("make_mesh", "shardings", "check_batch_size"),
    "yolojax.data.images": ("Letterbox", "letterbox", "cv2"),
    "yolojax.export.stablehlo": ("load", "Artefact"),
}


def test_every_new_home_exists():
    for homes in moved.MODULES.values():
        for home in homes:
            importlib.import_module(f"yolojax.{home}")


@pytest.mark.parametrize("module", NAMES)
@pytest.mark.filterwarnings("ignore:yolojax:DeprecationWarning")
def test_old_names_are_the_new_ones(module):
    loaded = importlib.import_module(module)
    for name in NAMES[module]:
        assert getattr(loaded, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        loaded.nonsense  # noqa: B018


def test_the_warning_says_where_a_module_is_now():
    sys.modules.pop("yolojax.training.lock", None)
    with pytest.warns(DeprecationWarning, match=r"yolojax\.training\.lock is now yolojax\.runs\.lock; .* removed in"):
        importlib.import_module("yolojax.training.lock")


def test_a_program_of_before_runs_without_a_word():
    program = (
        "from yolojax.training.runs import load_run\nfrom yolojax.data.images import Letterbox\nprint(load_run.__module__)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "yolojax.runs.workdir" and not done.stderr
