import json

import numpy as np

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
