"""The page on parts of one's own, followed word by word: trained, killed, resumed, evaluated, used and exported."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time

import pytest

from tests.conftest import REPOSITORY
from yolojax.runtime.opencv import cv2

PAGE = REPOSITORY / "docs" / "own_parts.md"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(REPOSITORY), "XLA_FLAGS": ""}


def yolojax(folder, line):
    words = shlex.split(line, comments=True)
    assert words[0] == "yolojax"
    command = [sys.executable, "-m", "yolojax", *words[1:]]
    return subprocess.Popen(command, cwd=folder, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def succeed(folder, line):
    process = yolojax(folder, line)
    out, _ = process.communicate(timeout=600)
    assert process.returncode == 0, out
    return out


@pytest.fixture
def folder(tmp_path):
    """A folder with the files of the page, and the page's commands."""
    files = re.findall(r"^`(\w+\.py)`:\n\n```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert [name for name, _ in files] == ["mine.py", "mine_config.py"]
    for name, text in files:
        (tmp_path / name).write_text(text)
    return tmp_path


def last_numbers(workdir):
    lines = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if not k.endswith("_seconds") and k != "images_per_second"} for line in lines]


@pytest.mark.slow
def test_the_page_holds(folder):
    (commands,) = re.findall(r"```bash\n(.*?)```", PAGE.read_text(), re.DOTALL)
    train, resume, evaluate, detect, export, other = commands.splitlines()
    process = yolojax(folder, train)
    log = folder / "runs/own/metrics.jsonl"
    began = time.monotonic()
    while not (log.exists() and len(log.read_text().splitlines()) >= 12) and time.monotonic() - began < 300:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    stopped = len(last_numbers(folder / "runs/own"))
    assert "resuming" in succeed(folder, resume)
    succeed(folder, train.replace("runs/own", "runs/whole"))
    resumed, whole = last_numbers(folder / "runs/own"), last_numbers(folder / "runs/whole")
    assert stopped < len(whole) and resumed == whole
    losses = [line["loss"] for line in whole if line["split"] == "val"]
    assert len(losses) == 3 and losses[-1] < losses[0] and whole[-1]["class_size"] > 0
    assert "AP50" in succeed(folder, evaluate)

    (folder / "pictures").mkdir()
    sys.path.insert(0, str(folder))
    try:
        import mine

        cv2.imwrite(str(folder / "pictures/scene.png"), mine.Scenes("val", 4, 96).example(0, 0).image)
    finally:
        sys.path.remove(str(folder))
        sys.modules.pop("mine", None)
    succeed(folder, detect)
    assert len(json.loads((folder / "detections/detections.json").read_text())) == 1
    assert "the same detections as the network" in succeed(folder, export)
    out = succeed(folder, f"{other} --config.train.epochs=0.05 --config.data.digits_val=8")
    assert "your own: loss mine:loss" in out
    assert json.loads((folder / "runs/loss/config.json").read_text())["loss"]["options"] == {"weight": 1.0}

    (folder / "mine.py").rename(folder / "elsewhere.py")
    process = yolojax(folder, evaluate)
    out, _ = process.communicate()
    assert process.returncode == 1 and len(out.splitlines()) == 1 and "there is no module 'mine'" in out
