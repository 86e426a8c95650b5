"""Folders of every kind of broken file and label: check names each, convert and training refuse in one line."""

import os
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

from tests.helpers.broken_folder import BROKEN, FINE, MAKERS, NAMES, write_pictures
from yolojax.config import Config
from yolojax.data.annotations import Record
from yolojax.data.check import Problem, describe, find_problems
from yolojax.data.formats.read import read_data
from yolojax.data.sources import open_split
from yolojax.errors import InputError
from yolojax.grid import AnchorGrid
from yolojax.programs.main import main


def run(*arguments):
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONIOENCODING": "utf-8"}
    return subprocess.run([sys.executable, *map(str, arguments)], capture_output=True, timeout=90, env=environment)


def tree(root):
    """All that a folder holds: {path: (when it changed, its bytes or where it leads)}."""
    found = {}
    for folder, folders, files in os.walk(root):
        for path in (os.path.join(folder, name) for name in (".", *folders, *files)):
            about = os.lstat(path)
            content = os.readlink(path) if os.path.islink(path) else ""
            if os.path.isfile(path):
                with open(path, "rb") as file:
                    content = file.read()
            found[path] = (about.st_mtime_ns, about.st_mode, content)
    return found


@pytest.fixture(params=MAKERS)
def broken(request, tmp_path):
    """A broken folder of each format: (the folder, path to give, names file or None, what must be reported)."""
    names = ""
    if request.param == "text":
        names = tmp_path / "classes.names"
        names.write_text("\n".join(NAMES))
    path, expected = MAKERS[request.param](tmp_path / "data")
    return tmp_path / "data", str(path), names, expected


def test_every_problem_is_named_and_nothing_changed(broken, capfd):
    folder, path, names, expected = broken
    before = tree(folder)
    assert main(["check", path, *(["--names", str(names)] if names else [])]) == 1
    assert tree(folder) == before
    report, err = capfd.readouterr()  # of the readers' own libraries too
    assert err == ""
    assert [words for words in expected if words not in report] == []
    lines = report.splitlines()
    # Whole are these pictures, and what is right in a broken file is counted as well.
    for name in set(FINE) - {"fine.png"}:
        assert not any(f"/{name}: " in line for line in lines)
    last = next(place for place, line in enumerate(lines) if line.endswith(" problems:"))
    listed = [line for line in lines[last:] if line.startswith("    ")]
    assert f"\n{len(listed)} problems:\n" in report and len(listed) == len(set(listed))
    assert max(map(len, lines)) < 50_000
    table = {line.split()[0]: line.split()[1] for line in lines if line.startswith(NAMES)}
    assert set(table) == set(NAMES) and "0" not in table.values()


def test_conversion_and_training_refuse_in_one_line(broken, tmp_path, capfd):
    _folder, path, names, _expected = broken
    named = ["--names", str(names)] if names else []
    for to in ("text", "voc", "coco", "yolo"):
        assert main(["convert", path, "--to", to, "--out", str(tmp_path / "out" / to), *named]) == 1
    assert main(["anchors", path, *named]) == 1
    config = Config()
    config.data.train = config.data.val = config.data.test = path
    config.data.names = str(names)
    refused = capfd.readouterr().err.splitlines()
    for split in ("train", "val", "test"):
        try:
            source = open_split(config, split)
        except InputError as error:
            refused.append(f"error: {error}")
            continue
        for index in range(len(source)):
            try:
                source.example(0, index)
            except InputError as error:
                refused.append(f"error: {error}")
    assert all(line.startswith("error: ") for line in refused) and len(refused) >= 8
    assert not any("\n" in line for line in refused) and capfd.readouterr().err == ""
    assert not (tmp_path / "out").exists()


def test_each_broken_picture_is_refused_and_each_whole_one_read(tmp_path):
    write_pictures(tmp_path / "data")
    code = (
        "import sys\nfrom yolojax.data.images import read_image\nfrom yolojax.data.image_size import read_size\n"
        "from yolojax.errors import InputError\n"
        "for path in sys.argv[1:]:\n"
        "    try:\n        print(read_image(path).shape, read_size(path))\n"
        "    except InputError as error:\n        print(error)\n"
    )
    done = run("-c", code, *(tmp_path / "data" / name for name in (*FINE, *BROKEN)))
    lines = done.stdout.decode().splitlines()
    whole = ["(8, 24, 3) (8, 24)" if name == "cmyk.jpg" else "(40, 60, 3) (40, 60)" for name in FINE]
    assert done.stderr == b"" and lines[: len(FINE)] == whole
    for name, line in zip(BROKEN, lines[len(FINE) :], strict=True):
        assert line.startswith(f"{tmp_path}/data/{name}: ")


def test_what_cannot_be_read_at_all_is_one_line(tmp_path):
    for name in ("a.txt", "a.json", "a.yaml"):
        os.mkfifo(tmp_path / name)
        (tmp_path / f"not {name}").write_bytes(b"\x89PNG\xff")
        (tmp_path / f"folder {name}").mkdir()
    (tmp_path / "names").write_text("cat")
    code = (
        "import sys\nfrom yolojax.__main__ import main\n"
        "for path in sys.argv[2:]:\n    assert main(['check', path, '--names', sys.argv[1]]) == 1\n"
    )
    paths = sorted(path for path in tmp_path.iterdir() if path.name != "names")
    done = run("-c", code, tmp_path / "names", *paths)
    lines = done.stderr.decode().splitlines()
    assert done.returncode == 0 and done.stdout == b"" and len(lines) == len(paths)
    for path, line in zip(paths, lines, strict=True):
        assert line.startswith(f"error: {path}") or line == f"error: {path}: no pictures in the list"


def test_a_folder_in_which_nothing_is_right_is_reported(tmp_path):
    for name in ("Annotations", "JPEGImages"):
        (tmp_path / name).mkdir()
    (tmp_path / "Annotations/a.xml").write_text("<annotation>")
    problems = []
    names, records = read_data(tmp_path, None, lambda *problem: problems.append(Problem(*problem)))
    assert names == () and records == []
    assert [kind for kind, _ in problems] == ["malformed file", "no classes"]
    report = describe(records, [], names, AnchorGrid((64, 64)), problems + find_problems(records, [], names))
    assert report.startswith("pictures          0, of which 0 cannot be read\n") and "\n2 problems:\n" in report


def test_thousands_of_boxes_in_a_picture_are_compared_in_little_memory():
    corners = np.arange(4000, dtype=np.float32)[:, None] * [5, 0, 5, 0] + np.float32([0, 0, 4, 4])
    boxes = np.concatenate([corners, corners[[3, 700, 3999]]]).astype(np.float32)
    record = Record("a.png", boxes, np.zeros(len(boxes), np.int32), "l.txt:1")
    tracemalloc.start()
    problems = find_problems([record], [(10, 30_000)], ["cat"])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    repeated = [message.split(" box ")[1].split(" ")[0] for _, message in problems]
    assert repeated == ["15,0,19,4", "3500,0,3504,4", "19995,0,19999,4"]
    assert peak < 150e6  # of all pairs at once each intermediate result would take 128 MB
