"""The outputs of detect.py, each complete or absent: videos, YOLO labels, crops, detections.json; and its line about time."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from tests.detection.test_run import NAMES, Whole, detected, picture
from tests.test_predict import colour_detector, video_of_tiles
from yolojax.data.formats.yolo import read_yolo
from yolojax.data.images import read_image, write_image
from yolojax.data.problems import refuse
from yolojax.data.video import frames, open_video, properties
from yolojax.detection.outputs import Outputs
from yolojax.detection.run import detect_files
from yolojax.errors import InputError
from yolojax.predict import Detection
from yolojax.runtime.drafts import draft_name


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def fixed(boxes, classes, names=("cat", "a/b")):
    """A detector that finds the same in every picture."""
    detection = Detection(np.array(boxes, np.float32), np.full(len(boxes), 0.5, np.float32), np.array(classes), names)
    return lambda images, score_threshold, iou_threshold: [detection] * len(images)


def test_a_video_is_drawn_and_has_an_entry_a_frame(tmp_path):
    path, boxes = video_of_tiles(tmp_path / "film.avi", 21)
    results = detected(colour_detector(), [path, path], tmp_path / "out")
    assert files(tmp_path / "out") == ["detections.json", "film.mp4"]
    assert [(r["file"], r["frame"], r["width"], r["height"]) for r in results] == [(str(path), n, 160, 96) for n in range(21)]
    assert [[entry["box"] for entry in result["detections"]] for result in results] == [[list(box)] for box in boxes]
    capture = open_video(tmp_path / "out" / "film.mp4")
    assert properties(capture) == (10, 21)
    drawn = list(frames(capture, "film"))
    assert {frame.shape for _, frame in drawn} == {(480, 800, 3)}
    for (_, frame), (left, top, _, _) in zip(drawn, boxes, strict=True):
        assert frame[5 * top + 80, 5 * left + 80, 0] > 200 > 60 > frame[5 * top + 80, 5 * left + 80, 2]


def test_what_a_killed_run_left_behind_goes(tmp_path):
    out = tmp_path / "out"
    dead = [out / draft_name(), out / "labels" / draft_name(), out / "crops" / "cat" / draft_name()]
    for draft in dead:
        draft.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text("half")
        os.utime(draft, (0, 0))
    detected(colour_detector(), [picture(tmp_path / "a.png")], out, draw=False)
    assert files(out) == ["detections.json"]


def test_pictures_and_videos_keep_their_order(tmp_path):
    path, _ = video_of_tiles(tmp_path / "film.avi", 3)
    first, last = picture(tmp_path / "a.png"), picture(tmp_path / "b.png")
    results = detected(colour_detector(), [last, path, first], tmp_path / "out", draw=False)
    assert [(os.path.basename(r["file"]), r.get("frame")) for r in results] == [
        ("b.png", None), ("film.avi", 0), ("film.avi", 1), ("film.avi", 2), ("a.png", None),
    ]  # fmt: skip
    assert files(tmp_path / "out") == ["detections.json"]


def test_videos_that_cannot_be_read(tmp_path, capsys):
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    with pytest.raises(InputError, match=r"^\S*bad\.mp4: not a video that OpenCV can read"):
        detect_files(Whole(), [tmp_path / "bad.mp4"], tmp_path / "out")
    assert files(tmp_path / "out") == []
    image = picture(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"^1 of 2 sources could not be read: \S*bad\.mp4$"):
        detect_files(Whole(), [tmp_path / "bad.mp4", image], tmp_path / "out")
    assert files(tmp_path / "out") == ["a.png", "detections.json"]
    assert "left out: " in capsys.readouterr().out
    whole, _ = video_of_tiles(tmp_path / "whole.avi", 21)
    (tmp_path / "cut.avi").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(InputError, match=r"^1 of 1 sources could not be read: \S*cut\.avi$"):
        detect_files(Whole(), [tmp_path / "cut.avi"], tmp_path / "cut")
    assert 0 < len(json.loads((tmp_path / "cut" / "detections.json").read_text())) < 21
    with pytest.raises(InputError, match=r"^camera 987 cannot be opened"):
        detect_files(Whole(), ["987"], tmp_path / "out")


def test_labels_are_read_back_as_the_boxes(tmp_path):
    image = picture(tmp_path / "images" / "train" / "a.png", width=200, height=100)
    boxes, classes = [[10, 20, 110, 70.5], [0, 0, 200, 100]], [1, 0]
    detect_files(fixed(boxes, classes), [image], tmp_path / "out", draw=False, json=False, txt=True)
    assert files(tmp_path / "out") == ["labels/a.txt"]
    assert (tmp_path / "out" / "labels" / "a.txt").read_text().splitlines()[1] == "0 0.500000 0.500000 1.000000 1.000000"
    # Moved beside its picture, it is the label file of a YOLO data set.
    (tmp_path / "labels" / "train").mkdir(parents=True)
    (tmp_path / "out" / "labels" / "a.txt").rename(tmp_path / "labels" / "train" / "a.txt")
    (tmp_path / "data.yaml").write_text("train: images/train\nnames: [cat, dog]\n")
    _, records = read_yolo(tmp_path / "data.yaml", "train", None, refuse)
    np.testing.assert_allclose(records[0].boxes, boxes, atol=1e-3)
    assert list(records[0].classes) == classes


def test_crops_are_the_pixels_that_the_box_touches(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    write_image(tmp_path / "a.png", image)
    boxes = [[10.2, 5.9, 30, 20.1], [79.5, 0, 80, 60]]
    detect_files(fixed(boxes, [0, 1]), [tmp_path / "a.png"], tmp_path / "out", draw=False, json=False, crops=True)
    assert files(tmp_path / "out") == ["crops/a_b/a-1.png", "crops/cat/a-0.png"]
    np.testing.assert_array_equal(read_image(tmp_path / "out" / "crops" / "cat" / "a-0.png"), image[5:21, 10:30])
    np.testing.assert_array_equal(read_image(tmp_path / "out" / "crops" / "a_b" / "a-1.png"), image[:, 79:])


def test_labels_of_equal_stems_and_of_frames_do_not_meet(tmp_path):
    path, _ = video_of_tiles(tmp_path / "a.avi", 2)
    sources = [picture(tmp_path / "a.png"), picture(tmp_path / "a.jpg"), path]
    detect_files(Whole(), sources, tmp_path / "out", draw=False, json=False, txt=True, crops=True)
    stems = ["a", "a-2", "a-3-000000", "a-3-000001"]
    expected = [f"crops/{NAMES[1]}/{stem}-0.png" for stem in stems] + [f"labels/{stem}.txt" for stem in stems]
    assert files(tmp_path / "out") == sorted(expected)


def test_json_is_not_there_before_it_is_whole(tmp_path):
    for number in range(40):
        picture(tmp_path / "in" / f"{number:02}.png")
    out, seen = tmp_path / "out", []

    def detector(images, **thresholds):
        seen.append((out / "detections.json").exists())
        return Whole()(images, **thresholds)

    assert len(detected(detector, [tmp_path / "in"], out)) == 40
    assert seen == [False] * 5
    assert not [name for name in files(out) if "tmp" in name]


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_a_run_that_stops_leaves_no_half_file(error, tmp_path, capsys):
    path, _ = video_of_tiles(tmp_path / "film.avi", 60)
    count = 0

    class Stopping(Outputs):
        def add(self, *arguments, **options):
            nonlocal count
            count += 1
            if count == 20:
                raise error
            super().add(*arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("yolojax.detection.run.Outputs", Stopping)
        with pytest.raises(error):
            detect_files(Whole(), [path], tmp_path / "out")
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("yolojax-")]
    if error is ZeroDivisionError:
        assert files(tmp_path / "out") == []
        return
    # Ctrl-C ends a camera: what was done until then is kept, and is complete.
    assert files(tmp_path / "out") == ["detections.json", "film.mp4"]
    assert len(json.loads((tmp_path / "out" / "detections.json").read_text())) == 19
    assert len(list(frames(open_video(tmp_path / "out" / "film.mp4"), "film"))) == 19
    assert "19 detections in 19 pictures" in capsys.readouterr().out


@contextlib.contextmanager
def files_of_at_most(size):
    """Writes beyond a size fail, as they do where the disk is full."""
    resource = pytest.importorskip("resource", reason="this system has no such limit")
    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


def test_what_cannot_be_written_is_named_and_the_rest_is_done(tmp_path, capsys):
    for name in ("a.png", "b.png", "c.png"):
        picture(tmp_path / "in" / name)
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
    write_image(tmp_path / "in" / "b.png", noise)
    (tmp_path / "out" / "labels").mkdir(parents=True)
    (tmp_path / "out" / "labels" / "c.txt").mkdir()
    with files_of_at_most(50_000), pytest.raises(InputError) as caught:
        detect_files(Whole(), [tmp_path / "in"], tmp_path / "out", txt=True)
    assert str(caught.value) == (
        f"2 outputs could not be written, the first: {tmp_path}/out/b.png: the picture cannot be written: File too large"
    )
    assert files(tmp_path / "out") == ["a.png", "c.png", "detections.json", "labels/a.txt", "labels/b.txt"]
    assert len(json.loads((tmp_path / "out" / "detections.json").read_text())) == 3
    assert "3 detections in 3 pictures" in capsys.readouterr().out


def test_a_drawn_video_without_frames_is_an_error(tmp_path):
    path, _ = video_of_tiles(tmp_path / "film.avi", 21)
    with files_of_at_most(20_000), pytest.raises(InputError, match=r"^\S*out/film\.mp4: the video cannot be written: File too"):
        detect_files(Whole(), [path, picture(tmp_path / "a.png")], tmp_path / "out")
    assert files(tmp_path / "out") == ["a.png", "detections.json"]
    assert len(json.loads((tmp_path / "out" / "detections.json").read_text())) == 22


def test_pictures_whose_paths_come_later_on_standard_input_are_not_overwritten(tmp_path):
    photos = tmp_path / "photos"
    for name in ("sub/a.png", "sub/b.png", "a.png", "b.png"):
        picture(photos / name, level=len(name))
    (photos / "a.txt").write_text("0 .5 .5 .1 .1\n")
    mine = {path: path.read_bytes() for path in photos.rglob("*.*")}
    (tmp_path / "list").write_text("".join(f"{photos}/{name}\n" for name in ("sub/a.png", "sub/b.png", "a.png", "b.png")))
    code = (
        "import sys\nfrom tests.detection.test_run import Whole\nfrom yolojax.detection.run import detect_files\n"
        "from yolojax.errors import InputError\n"
        "try: detect_files(Whole(), ['-'], sys.argv[1])\nexcept InputError as error: print(error)"
    )
    with (tmp_path / "list").open() as stdin:
        done = subprocess.run([sys.executable, "-c", code, photos], stdin=stdin, capture_output=True, text=True, check=True)
    assert {path: path.read_bytes() for path in mine} == mine
    assert "2 outputs could not be written, the first: " in done.stdout and "is a source" in done.stdout
    assert files(photos) == [
        "a-2.png", "a.png", "a.txt", "b-2.png", "b.png", "detections.json", "sub/a.png", "sub/b.png",
    ]  # fmt: skip
    assert len(json.loads((photos / "detections.json").read_text())) == 4


def everything(source, out):
    """Detects with all outputs; returns the line of the error, or None."""
    try:
        detect_files(Whole(), [source], out, txt=True, crops=True)
    except InputError as error:
        return str(error)
    return None


def test_only_outputs_of_earlier_runs_are_replaced(tmp_path):
    source, out = tmp_path / "in", tmp_path / "out"
    picture(source / "a.png")
    picture(source / "b.jpg")
    video_of_tiles(source / "film.avi", 2)
    assert everything(source, out) is None and everything(source, out) is None
    written = files(out)
    assert {"a.png", "b.jpg", "film.mp4", "labels/a.txt", "labels/film-000001.txt", "detections.json"} < set(written)
    outputs = [out / name for name in written if name != "detections.json"]
    for path in outputs:
        path.write_bytes(b"mine")
    error = everything(source, out)
    assert error.startswith(f"{len(outputs)} outputs could not be written, the first: {out}/")
    assert "not marked as an unchanged output of an earlier run" in error
    assert all(path.read_bytes() == b"mine" for path in outputs)
    assert len(json.loads((out / "detections.json").read_text())) == 4  # the rest is done
    (out / "detections.json").write_text("[]")
    assert everything(source, out).startswith(f"{out}/detections.json exists, and is not marked")
    assert (out / "detections.json").read_text() == "[]" and files(out) == written


def test_detections_of_a_second_run_on_standard_input_replace_those_of_the_first(tmp_path):
    code = (
        "import sys\nfrom tests.detection.test_run import Whole\nfrom yolojax.detection.run import detect_files\n"
        "detect_files(Whole(), ['-'], sys.argv[1])"
    )
    for name in ("a.png", "b.png"):
        path = os.fspath(picture(tmp_path / name))
        subprocess.run([sys.executable, "-c", code, tmp_path / "out"], input=path, text=True, check=True, capture_output=True)
        (entry,) = json.loads((tmp_path / "out" / "detections.json").read_text())
        assert entry["file"] == path
    assert files(tmp_path / "out") == ["a.png", "b.png", "detections.json"]


def test_a_list_of_pictures_is_not_overwritten_by_labels(tmp_path):
    picture(tmp_path / "val.png")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "val.txt").write_text("../val.png\n")
    with pytest.raises(InputError, match=r"labels/val\.txt is a source"):
        detect_files(Whole(), [tmp_path / "labels" / "val.txt"], tmp_path, draw=False, txt=True)
    assert (tmp_path / "labels" / "val.txt").read_text() == "../val.png\n"


def test_classes_do_not_share_a_folder_of_crops(tmp_path):
    names = ("a/b", "a:b", "..", "../../x", "A_B", "\x1b[31m", "n" * 300, "\ud800")
    boxes = [[n, 0, n + 5, 5] for n in range(len(names))]
    picture(tmp_path / "in" / "p.png")
    detect_files(fixed(boxes, list(range(len(names))), names), [tmp_path / "in"], tmp_path / "out", crops=True, txt=True)
    crops = [name for name in files(tmp_path / "out") if name.startswith("crops/")]
    assert len({os.path.dirname(name).lower() for name in crops}) == len(crops) == len(names)
    assert len(files(tmp_path)) == len(names) + 4  # nothing is elsewhere
    (entry,) = json.loads((tmp_path / "out" / "detections.json").read_text())
    assert [found["name"] for found in entry["detections"]] == list(names)


def test_the_last_line_shows_what_bounds_the_run(tmp_path, capsys, monkeypatch):
    for number in range(40):
        picture(tmp_path / "in" / f"{number:02}.bmp", width=8, height=8)
    monkeypatch.setattr("yolojax.detection.outputs.draw_detections", lambda image, *_: image)

    def shares(detector):
        detect_files(detector, [tmp_path / "in"], tmp_path / "out")
        line = capsys.readouterr().out.splitlines()[-1]
        assert line.startswith("40 pictures in ")
        return [int(share) for share in re.findall(r"\((\d+)%\)", line)]

    def slow(images, **thresholds):
        time.sleep(0.2)
        return Whole()(images, **thresholds)

    assert max(range(3), key=shares(slow).__getitem__) == 1
    read = read_image
    with monkeypatch.context() as patch:
        patch.setattr("yolojax.detection.run.read_image", lambda path: time.sleep(0.05) or read(path))
        assert max(range(3), key=shares(Whole()).__getitem__) == 0
    write = write_image
    monkeypatch.setattr("yolojax.detection.outputs.write_image", lambda *a, **k: time.sleep(0.05) or write(*a, **k))
    assert max(range(3), key=shares(Whole()).__getitem__) == 2
