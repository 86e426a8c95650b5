"""TensorBoard's file, on a disk that is full and in a folder that cannot be made."""

import json

import pytest

from yolojax.errors import InputError
from yolojax.training.board import Board
from yolojax.training.metrics_log import MetricsLog


def test_on_a_full_disk_that_is_said_once_and_the_run_goes_on(tmp_path):
    said = []
    log = MetricsLog(tmp_path, 0, said.append)
    log._board._file.close()
    log._board._file = open("/dev/full", "ab")  # what is written there finds no space left
    for step in range(1, 100):
        log.write(step, "train", {"loss": 1.0})
    log.close()
    assert len(said) == 1 and "No space left on device; the run goes on without TensorBoard" in said[0]
    assert str(tmp_path / "tensorboard") in said[0]
    assert [json.loads(line)["step"] for line in (tmp_path / "metrics.jsonl").read_text().splitlines()] == list(range(1, 100))


def test_a_folder_that_cannot_be_made_is_named_at_the_start(tmp_path):
    (tmp_path / "tensorboard").write_text("mine")
    with pytest.raises(InputError, match="tensorboard: TensorBoard files cannot be written: File exists; make room"):
        Board(tmp_path / "tensorboard", 0, print)


def test_a_resumed_run_hides_later_steps_and_overwrites_no_file(tmp_path):
    for step in (0, 20):
        board = Board(tmp_path, step, print)
        board.scalar("train/loss", 1.0, step + 1)
        board.close()
    contents = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert contents.count(b"train/loss") == 2
