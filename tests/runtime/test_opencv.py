"""OpenCV as the package loads it: the limit on pixels, the message where it cannot be loaded, no lines of its own."""

import os
import subprocess
import sys

import pytest

PRINT = "from yolojax.runtime.opencv import MOST_PIXELS, cv2; print(MOST_PIXELS)"


def python(code, **environment):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OPENCV_IO_MAX")} | environment
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=120)


@pytest.mark.parametrize(("setting", "pixels"), [(None, 2**28), ("1000", 1000), ("3MB", 3 * 2**20), ("7kb", 7 * 2**10)])
def test_the_most_pixels_are_our_limit_or_the_users(setting, pixels):
    environment = {"OPENCV_IO_MAX_IMAGE_PIXELS": setting} if setting else {}
    assert python(PRINT, **environment).stdout == f"{pixels}\n"


@pytest.mark.parametrize("what", ["PIXELS", "WIDTH", "HEIGHT"])
@pytest.mark.parametrize("text", ["abc", "", "-5", "1 MB", str(2**64)])
def test_a_limit_at_which_opencv_would_abort_is_refused(what, text):
    name = f"OPENCV_IO_MAX_IMAGE_{what}"
    code = f"from yolojax.errors import InputError\ntry:\n {PRINT}\nexcept InputError as e: print(e)"
    done = python(code, **{name: text})
    expected = f"the environment variable {name} is {text!r}, which is no limit that OpenCV can read; unset it\n"
    assert (done.returncode, done.stdout) == (0, expected)


def test_where_opencv_cannot_be_loaded_the_message_says_what_to_install():
    code = f"""
import sys
sys.modules["cv2"] = None
from yolojax.errors import InputError
try:
    {PRINT}
except InputError as error:
    print(error)
"""
    message = python(code).stdout
    assert message.startswith("OpenCV cannot be loaded (") and message.count("\n") == 1
    assert "pip install opencv-python-headless" in message


def test_broken_files_make_opencv_say_nothing(tmp_path):
    path = tmp_path / "broken.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))
    done = python(f"from yolojax.runtime.opencv import cv2; print(cv2.imread({str(path)!r}))")
    assert (done.stdout, done.stderr) == ("None\n", "")
