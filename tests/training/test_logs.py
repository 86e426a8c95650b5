"""metrics.jsonl: what a resumed run keeps of it; the progress display off and on a terminal."""

import errno
import io
import json
import os
import pty
import subprocess
import sys

import numpy as np
import pytest
from tensorboardX.proto.event_pb2 import Event

from yolojax.data.images import cv2
from yolojax.errors import InputError
from yolojax.training.logs import MetricsLog, Progress

VALUES = {
    "loss": 3.0,
    "box": 1.0,
    "objectness": 0.5,
    "classification": 1.5,
    "learning_rate": 1e-4,
    "images_per_second": 12.0,
}


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


def test_progress_is_plain_lines_where_there_is_no_terminal(capsys):
    progress = Progress("train", 100, 400)
    progress.advance(120)
    progress.show(120, VALUES)
    progress.evaluating(1, 2)
    progress.say("[bold] is no markup")
    progress.close()
    out, err = capsys.readouterr()
    first, second = out.splitlines()
    assert first.startswith("step 120/400  loss 3.00 = box 1.00 + obj 0.50 + class 1.50  12 pictures/s  rate 1.0e-04")
    assert first.endswith("0:00 left")
    assert second == "[bold] is no markup"
    assert err == ""


def test_progress_is_a_bar_on_a_terminal():
    program = """
import time
from yolojax.training.logs import Progress
progress = Progress("train", 0, 10)
progress.advance(5)
progress.show(5, {"loss": 3, "box": 1, "objectness": 1, "classification": 1, "learning_rate": 1, "images_per_second": 7})
progress.evaluating(3, 9)
progress.say("a line above")
time.sleep(0.3)
progress.close()
"""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "150"}
    done = subprocess.run([sys.executable, "-c", program], stdout=theirs, stderr=theirs, env=environment, timeout=60)
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 65536):
            shown += chunk
    except OSError:  # how Linux says that the other end is closed
        pass
    assert done.returncode == 0
    for part in ("evaluate 3/9", "5/10", "loss 3.00", "7 pictures/s", "a line above"):
        assert part in shown.decode(), part
