"""`yolojax eval`: what its flags make of the one call of the library. test_programs.py runs it as users do."""

import contextlib

import pytest

from tests.helpers.flag_values import parsed
from yolojax.errors import InputError
from yolojax.evaluation import workdir
from yolojax.programs import evaluate


@pytest.fixture
def calls(monkeypatch):
    """What the evaluation was called with; there are no other processes."""
    made = []

    def evaluated(*given, out, augment, soft_nms):
        made.append((*given, out, augment, soft_nms))

    monkeypatch.setattr(evaluate, "distributed_run", contextlib.nullcontext)
    monkeypatch.setattr(workdir, "evaluate_workdir", evaluated)
    return made


@pytest.mark.parametrize(
    ("flags", "call"),
    [
        ([], ("runs/a", "best", "val", None, None, {}, None, False, False)),
        (
            [
                *("--checkpoint=7", "--split=test", "--data=d.json", "--compare=runs/b", "--class_map=a=b, c d = e,f="),
                *("--out=o", "--augment", "--soft_nms"),
            ],
            ("runs/a", "7", "test", "d.json", "runs/b", {"a": "b", "c d": "e", "f": ""}, "o", True, True),
        ),
    ],
)
def test_every_flag_reaches_the_evaluation(calls, flags, call):
    with parsed(evaluate.define, "--workdir=runs/a", *flags) as arguments:
        evaluate.main(arguments)
    assert calls == [call]


def test_arguments_are_refused_before_anything_is_done(calls):
    with parsed(evaluate.define, "--workdir=runs/a", "runs/b") as arguments, pytest.raises(InputError, match="'runs/b'"):
        evaluate.main(arguments)
    assert calls == []
