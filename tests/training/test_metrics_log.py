"""metrics.jsonl and TensorBoard: what is written, and what a resumed run keeps."""

import errno
import io
import json
import os

import numpy as np
import pytest
from tensorboardX.proto.event_pb2 import Event

from tests.runtime.test_console import VALUES
from yolojax.errors import InputError
from yolojax.runtime.opencv import cv2
from yolojax.training.metrics_log import MetricsLog


class FullDisk(io.RawIOBase):
    def writable(self):
        return True

    def write(self, _):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_lines_are_json_objects_and_what_is_not_finite_is_null(tmp_path):
    log = MetricsLog(tmp_path, 0)
    log.write(20, "train", VALUES)
    log.write(40, "val", {"ap50": float("nan"), "loss": float("inf")})
    log.close()
    first, second = lines(tmp_path / "metrics.jsonl")
    assert first == {"step": 20, "split": "train", **VALUES}
    assert second == {"step": 40, "split": "val", "ap50": None, "loss": None}
    assert list((tmp_path / "tensorboard").glob("events*"))


def test_tensorboard_has_the_scalars_and_pictures(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
    log = MetricsLog(tmp_path, 0)
    log.write(20, "train", VALUES)
    log.write_picture(20, "val/3", image)
    log.close()
    (path,) = (tmp_path / "tensorboard").glob("events*")
    events = [Event.FromString(record) for record in records(path.read_bytes())]
    values = {value.tag: value for event in events for value in event.summary.value}
    assert values["train/loss"].simple_value == 3.0
    png = np.frombuffer(values["val/3"].image.encoded_image_string, np.uint8)
    np.testing.assert_array_equal(cv2.imdecode(png, cv2.IMREAD_COLOR)[..., ::-1], image)


def records(data):
    """The payloads of a TFRecord file: length (8 bytes), its checksum (4), payload, its checksum (4)."""
    while data:
        length = int.from_bytes(data[:8], "little")
        yield data[12 : 12 + length]
        data = data[16 + length :]


@pytest.mark.parametrize("torn", [b"", b'{"step": 60, "spl', b"\x00\xff\n", b"[]\n", b'{"no": "step"}\n'])
def test_a_resumed_run_keeps_the_lines_up_to_its_step_only(tmp_path, torn):
    path = tmp_path / "metrics.jsonl"
    kept = [json.dumps({"step": step, "split": "train"}).encode() + b"\n" for step in (20, 40)]
    later = json.dumps({"step": 60, "split": "train"}).encode() + b"\n"
    path.write_bytes(b"".join([*kept, later, torn]))
    MetricsLog(tmp_path, 40).close()
    assert path.read_bytes() == b"".join(kept)


def test_a_log_that_cannot_be_written_is_named(tmp_path):
    log = MetricsLog(tmp_path, 0)
    log._file.close()
    log._file = io.TextIOWrapper(FullDisk(), write_through=True)
    with pytest.raises(InputError, match=r"metrics.jsonl cannot be written: No space left"):
        log.write(20, "train", VALUES)
    log.close()


def test_a_log_that_is_removed_goes_on_in_a_new_file_and_that_is_said(tmp_path):
    said = []
    log = MetricsLog(tmp_path, 0, said.append)
    log.write(20, "train", VALUES)
    (tmp_path / "metrics.jsonl").unlink()
    log.write(40, "train", VALUES)
    log.close()
    assert [line["step"] for line in lines(tmp_path / "metrics.jsonl")] == [40]
    assert said == [f"{tmp_path / 'metrics.jsonl'} is no longer there; its lines from step 40 on are in a new file"]


def test_what_is_no_file_is_refused_before_the_first_step(tmp_path):
    os.mkfifo(tmp_path / "metrics.jsonl")
    with pytest.raises(InputError, match=r"metrics.jsonl cannot be written: Not a regular file; earlier checkpoints"):
        MetricsLog(tmp_path, 0)


def test_a_backup_that_shares_the_file_does_not_grow(tmp_path):
    run, backup = tmp_path / "run", tmp_path / "backup.jsonl"
    run.mkdir()
    for step in (0, 20):
        log = MetricsLog(run, step)
        log.write(step + 20, "train", VALUES)
        log.close()
        if not step:
            os.link(run / "metrics.jsonl", backup)  # as cp -al and rsnapshot do
    assert [line["step"] for line in lines(run / "metrics.jsonl")] == [20, 40]
    assert [line["step"] for line in lines(backup)] == [20]
