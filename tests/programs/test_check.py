"""`yolojax check`, as users call it."""

import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest

from tests.helpers.random_lines import random_boxes
from yolojax.__main__ import main
from yolojax.data.images import read_image


def test_check_names_every_problem(made, tmp_path, capsys):
    arguments = made(
        "a.png 1,2,30,40,0 1,2,30,40,0",
        "b.png 1,2,3,4 5,6,50,60,1",
        "",
        "absent.png 1,2,30,40,0",
        "c.png 5,6,5,60,1 5,6,50,60,7",
        "broken.jpg 1,2,30,40,0",
        "d.png 80,6,160,60,1 200,10,220,30,1",
        "./a.png",
        "e.png 30,6,10,60,0 1,2,x,4,0 1,1,9999999,4,0",
        "f.png 1,2,y,4,0 1,2,y,4,0",
    )
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert main(["check", *arguments]) == 1
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    shown = capsys.readouterr()
    assert shown.err == ""
    path = arguments[0]
    for line, words in [
        (1, "box 1,2,30,40 repeats 1,2,30,40"),
        (2, "'1,2,3,4' is not a box"),
        (4, f"{tmp_path / 'absent.png'}: the picture cannot be read: No such file"),
        (5, "box 5,6,5,60 has no area"),
        (5, "class 7 has no name"),
        (6, f"{tmp_path / 'broken.jpg'}: not a picture"),
        (7, "box 80,6,160,60 lies mostly outside"),
        (7, "box 200,10,220,30 lies outside"),
        (8, "picture"),
        (9, "box 30,6,10,60 has no area"),
        (9, "'1,2,x,4,0' is not a box"),
        (9, "box 1,1,1e+07,4 is larger than any picture"),
    ]:
        assert shown.out.count(f"{path}:{line}: {words}") == 1
    assert "class 'cow' has no box" in shown.out
    assert "\n1 remark:\n  class without boxes (1)\n" in shown.out
    assert "\n14 problems:\n" in shown.out
    assert "pictures          9, of which 2 cannot be read" in shown.out
    assert "boxes             15, of which 8 cannot be used" in shown.out


def test_check_of_a_clean_set_writes_the_sheet(made, tmp_path, capsys):
    arguments = made(*(f"{n}.png {random_boxes(4, n)}" for n in range(9)), "empty.png")
    sheet = tmp_path / "sheet.png"
    assert main(["check", *arguments, "--out", str(sheet), "--size", "64", "--network", "yolov3_tiny"]) == 0
    shown = capsys.readouterr().out
    assert "without boxes     1\n" in shown and "\n0 problems\n" in shown and "At 64 x 64 " in shown
    assert f"{sheet}: 6 pictures" in shown
    image = read_image(sheet)
    assert image.shape[0] > 6 * 64 and image.shape[1] >= 3 * 64
    other = tmp_path / "other.png"
    for _ in range(2):  # the second replaces the first
        assert main(["check", *arguments, "--out", str(other), "--size", "64"]) == 0
        assert read_image(other).shape[1] >= 4 * 64
    other.write_bytes(b"mine")
    capsys.readouterr()
    assert main(["check", *arguments, "--out", str(other), "--size", "64"]) == 1
    assert f"{other} exists, and is not marked as an unchanged output" in capsys.readouterr().err
    assert other.read_bytes() == b"mine"


def test_check_without_pictures_for_a_sheet(made, tmp_path, capsys):
    arguments = made("a.png")
    assert main(["check", *arguments, "--out", str(tmp_path / "sheet.png")]) == 1
    shown = capsys.readouterr()
    assert "no readable picture has boxes" in shown.err and not (tmp_path / "sheet.png").exists()
    assert "pictures          1" in shown.out


@pytest.mark.parametrize("buffered", ["", "1"])
def test_a_reader_that_has_seen_enough_is_no_error(made, buffered):
    arguments = made("a.png" + " 1,2,3,4" * 5000)
    shell = 'set -o pipefail; "$@" | head -n 1; exit ${PIPESTATUS[0]}'
    command = ["bash", "-c", shell, "", sys.executable, "-m", "yolojax", "check", *arguments]
    environment = {**os.environ, "PYTHONUNBUFFERED": buffered}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
    assert done.stdout.startswith("pictures ") and done.stderr == "" and done.returncode == 1


def test_blood_cells(real_data, tmp_path, capsys):
    names, lines = ["RBC", "WBC", "Platelets"], []
    for path in sorted((real_data / "bccd" / "Annotations").glob("*.xml")):
        boxes = []
        for item in ElementTree.parse(path).iter("object"):
            corners = [item.find(f"bndbox/{side}").text for side in ("xmin", "ymin", "xmax", "ymax")]
            boxes.append(",".join([*corners, str(names.index(item.find("name").text))]))
        lines.append(" ".join([str(real_data / "bccd" / "JPEGImages" / f"{path.stem}.jpg"), *boxes]))
    (tmp_path / "list.txt").write_text("\n".join(lines))
    (tmp_path / "names").write_text("\n".join(names))
    assert main(["check", str(tmp_path / "list.txt"), "--names", str(tmp_path / "names")]) == 1
    shown = capsys.readouterr().out
    assert "pictures          364, of which 0 cannot be read" in shown
    assert "boxes             4,888, of which 2 cannot be used" in shown
    assert "\n2 problems:\n  box without area (2)\n" in shown


def test_a_picture_of_the_data_is_not_overwritten(made, tmp_path, capsys):
    arguments = made("a.png 1,2,30,40,0")
    before = (tmp_path / "a.png").read_bytes()
    (tmp_path / "link.png").symlink_to("a.png")
    for name in ("a.png", "link.png"):
        assert main(["check", *arguments, "--out", str(tmp_path / name)]) == 1
        assert f"{name}: is a picture of the data and would be overwritten" in capsys.readouterr().err
    assert (tmp_path / "a.png").read_bytes() == before
