"""`yolojax detect`: what its flags make of the detector and the outputs. test_programs.py runs it as users do."""

import pytest
from absl import flags

from tests.helpers.cfgs import FACE
from tests.helpers.flag_values import parsed
from yolojax.backend import MAX_DETECTIONS
from yolojax.detection import run
from yolojax.errors import InputError
from yolojax.predict import Detector
from yolojax.programs import detect


@pytest.fixture
def calls(monkeypatch):
    """How the detector was made, and what it was used for."""
    made = []
    monkeypatch.setattr(Detector, "from_workdir", lambda *given: made.append(("workdir", *given)))
    monkeypatch.setattr(Detector, "from_darknet", lambda *given: made.append(("darknet", *given)))
    monkeypatch.setattr(run, "detect_files", lambda _, *given, **named: made.append((given, named)))
    return made


def called(calls, *flags):
    with parsed(detect.define, *flags) as arguments:
        detect.main(arguments)
    return calls


def test_without_flags_everything_has_its_default(calls):
    made, (given, options) = called(calls, "--workdir=a", "b.png", "c")
    assert made == ("workdir", "a", "best") and given == (["b.png", "c"], "detections")
    assert options == {
        "draw": True, "json": True, "txt": False, "crops": False, "score_threshold": 0.3, "iou_threshold": 0.45,
        "classes": None, "class_agnostic": False, "augment": False, "method": "hard", "max_detections": 100,
    }  # fmt: skip


def test_every_flag_reaches_its_option(calls):
    named = "--nodraw --nojson --txt --crops --classes=3,cat --score_threshold=0.5 --iou_threshold=0.6 --class_agnostic".split()
    darknet = ["--cfg=a.cfg", "--weights=a.weights", "--names=a.names", "--fit=stretch"]
    made, (given, options) = called(calls, *darknet, *named, "--soft_nms", "--augment", "--max_detections=7", "--out=o", "-")
    assert made == ("darknet", "a.cfg", "a.weights", "a.names", "stretch") and given == (["-"], "o")
    assert options == {
        "draw": False, "json": False, "txt": True, "crops": True, "score_threshold": 0.5, "iou_threshold": 0.6,
        "classes": ["3", "cat"], "class_agnostic": True, "augment": True, "method": "soft", "max_detections": 7,
    }  # fmt: skip


def test_weights_alone_bring_their_cfg_and_names(calls, tmp_path, capsys):
    weights, cfg = tmp_path / "face.weights", tmp_path / "face.cfg"
    cfg.write_text(FACE.replace("[net]\n", "[net]\nletter_box=0\n"))
    (tmp_path / "face.names").write_text("".join(f"digit {number}\n" for number in range(10)))
    made = called(calls, f"--weights={weights}", "b.png")[0]
    assert made == ("darknet", cfg, str(weights), tuple(f"digit {number}" for number in range(10)), "stretch")
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"the network is that of {cfg}; pictures are stretched (--fit)", f"class names: {tmp_path / 'face.names'}"]
    assert called(calls, f"--weights={weights}", "--fit=letterbox", "b.png")[2][-1] == "letterbox"


@pytest.mark.parametrize("value", ["0", "-3", "1.5", "all"])
def test_no_positive_number_of_detections_is_refused_with_the_flag(calls, value):
    with pytest.raises(flags.Error, match="max_detections"):
        called(calls, "--workdir=a", f"--max_detections={value}", "b.png")


def test_the_help_says_how_many_detections_are_kept():
    with parsed(detect.define):
        flag = flags.FLAGS["max_detections"]
    assert flag.default == MAX_DETECTIONS == 100 and "the most detections of a picture" in flag.help


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--workdir=a"], "name at least one picture"),
        (["--workdir=a", "--nodraw", "--nojson", "b.png"], "nothing would be written"),
        (["--workdir=a", "--score_threshold=nan", "b.png"], "--score_threshold must be a number from 0 to 1, not nan"),
        (["b.png"], "give --workdir for a run"),
        (["--workdir=a", "--cfg=a.cfg", "--weights=a.weights", "b.png"], "give --workdir for a run"),
        (["--cfg=a.cfg", "b.png"], "give --workdir for a run"),
        (["--workdir=a", "--cfg=a.cfg", "b.png"], "give --workdir for a run"),
        (["--weights=a.weights", "--checkpoint=last", "b.png"], "--checkpoint is not used with --weights"),
        (["--weights=nowhere/a.weights", "b.png"], "there is no cfg of its name beside it"),
        (["--workdir=a", "--names=a.names", "b.png"], "--names is not used with --workdir"),
        (["--cfg=a.cfg", "--weights=a.weights", "--checkpoint=last", "b.png"], "--checkpoint is not used with --cfg"),
    ],
)
def test_flags_that_do_not_fit_each_other_are_refused_before_anything_is_read(calls, given, message):
    with pytest.raises(InputError, match=message):
        called(calls, *given)
    assert calls == []
