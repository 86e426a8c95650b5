import json
import os

import numpy as np
import pytest

from yolojax.evaluation.report.history import read_history


def test_a_resumed_and_a_killed_run_are_read(tmp_path):
    path = tmp_path / "metrics.jsonl"
    lines = [
        {"step": 5, "split": "train", "loss": 3.0},
        {"step": 10, "split": "train", "loss": 2.0, "box": 1},
        {"step": 10, "split": "val", "loss": None, "ap50": 0.5},
        # Resumed from step 5, and the last line was cut.
        {"step": 10, "split": "train", "loss": 1.5, "box": 0.5},
        {"step": 7, "split": "train", "loss": 2.5},
        {"step": 12, "split": "other"},
        {"split": "train"},
        ["step"],
    ]
    text = "\n".join(json.dumps(line) for line in lines) + '\n\n{"step": 15, "split": "tr'
    path.write_bytes(text.encode() + b"\xff")
    history = read_history(path)
    assert set(history) == {"train", "val"}
    train, val = history["train"], history["val"]
    assert train["step"].tolist() == [5, 7, 10] and train["loss"].tolist() == [3.0, 2.5, 1.5]
    np.testing.assert_array_equal(train["box"], [np.nan, np.nan, 0.5])
    assert val["step"].tolist() == [10] and val["ap50"].tolist() == [0.5] and np.isnan(val["loss"]).all()


def test_no_file_is_no_history(tmp_path):
    history = read_history(tmp_path / "metrics.jsonl")
    assert [list(columns) for columns in history.values()] == [["step"], ["step"]]


@pytest.mark.parametrize(
    "line",
    [
        '{"step": 100000000000000000000000000000, "split": "train", "loss": 1}',
        '{"step": -5, "split": "val", "loss": 1}',
        '{"step": true, "split": "val", "loss": 1}',
        '{"step": 1e400, "split": "val"}',
        '{"step": 3, "split": ["train"], "loss": 1}',
        '{"step": 3, "split": {"a": 1}}',
    ],
)
def test_lines_without_a_step_or_split_are_skipped(tmp_path, line):
    (tmp_path / "metrics.jsonl").write_text(line + "\n")
    assert [list(columns["step"]) for columns in read_history(tmp_path / "metrics.jsonl").values()] == [[], []]


@pytest.mark.parametrize("value", ["1" + "0" * 400, "1e400", "1e308", '"x"', "[1]", "null"])
def test_numbers_that_cannot_be_drawn_are_left_out(tmp_path, value):
    (tmp_path / "metrics.jsonl").write_text(f'{{"step": 3, "split": "train", "loss": {value}}}\n')
    train = read_history(tmp_path / "metrics.jsonl")["train"]
    assert train["step"].tolist() == [3] and np.isnan(train["loss"]).all()


def test_what_is_not_a_file_is_no_history(tmp_path):
    os.mkfifo(tmp_path / "metrics.jsonl")
    assert list(read_history(tmp_path / "metrics.jsonl")["train"]) == ["step"]
