"""Detection on files, mostly with a minimal detector that finds one box in every picture."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from tests.test_predict import GREY, PICTURES, RED, colour_detector, crowd, tiles
from yolojax.data.images import read_image, write_image
from yolojax.data.pictures import find_sources, paths_of
from yolojax.detection.run import detect_files
from yolojax.draw import draw_detections
from yolojax.errors import InputError
from yolojax.predict import Detection

NAMES = ("dog", "größe")


class Whole:
    """Finds class 1 in the whole of every picture, once."""

    def __init__(self):
        self.calls = []

    def __call__(self, images, score_threshold, iou_threshold):
        self.calls.append((len(images), score_threshold, iou_threshold))
        return [
            Detection(
                np.array([[0, 0, image.shape[1], image.shape[0] - 0.126]], np.float32),
                np.array([0.87654321], np.float32),
                np.array([1], np.int32),
                NAMES,
            )
            for image in images
        ]


def picture(path, width=30, height=20, level=90):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, np.full((height, width, 3), level, np.uint8))
    return path


def detected(detector, sources, out, **options):
    """What detections.json says."""
    detect_files(detector, sources, out, **options)
    return json.loads((out / "detections.json").read_text(encoding="utf-8"))


@pytest.fixture
def folder(tmp_path):
    for name in ("b.png", "a.jpg", "c d é.PNG"):
        picture(tmp_path / "in" / name)
    picture(tmp_path / "in" / "deeper" / "e.png")
    (tmp_path / "in" / "notes.txt").write_text("no picture")
    (tmp_path / "in" / "folder.png").mkdir()
    return tmp_path / "in"


def names(paths):
    return [path.name for path in paths]


def test_pictures_of_a_folder_and_of_globs(folder):
    assert names(find_sources([str(folder)])) == ["a.jpg", "b.png", "c d é.PNG"]
    assert names(find_sources([f"{folder}/*.png"])) == ["b.png"]
    assert names(find_sources([f"{folder}/**/*.png"])) == ["b.png", "e.png"]
    assert names(find_sources([f"{folder}/c d é.PNG", folder / "a.jpg"])) == ["c d é.PNG", "a.jpg"]
    picture(folder / ".yolojax.0123456789ab.tmp.png")  # left by a program that was killed
    assert names(find_sources([folder])) == ["a.jpg", "b.png", "c d é.PNG"]
    # An existing file is taken literally; as a glob, its brackets would match one letter.
    literal = picture(folder / "[ab].png")
    picture(folder / "a.png")
    assert find_sources([str(literal)]) == [literal]


def test_a_picture_that_is_named_twice_is_taken_once(folder, monkeypatch):
    monkeypatch.chdir(folder)
    sources = ["b.png", "./b.png", folder / "b.png", "../in/b.png", "*.png", "deeper/../b.png"]
    assert names(find_sources(sources)) == ["b.png"]
    assert names(find_sources(["b.png", "."])) == ["b.png", "a.jpg", "c d é.PNG"]
    # A link to a picture has its own name, and `..` of a linked folder is not the folder that holds the link.
    os.symlink("b.png", "link.png")
    picture(folder.parent / "far" / "b.png")
    (folder.parent / "far" / "near").mkdir()
    os.symlink("../far/near", "link")
    assert find_sources(["b.png", "link.png", "link/../b.png"]) == [*map(Path, ("b.png", "link.png", "link/../b.png"))]


def test_sources_without_pictures_are_named(folder):
    for source in ("nowhere.png", f"{folder}/*.bmp"):
        with pytest.raises(InputError) as caught:
            find_sources([str(folder), source])
        assert str(caught.value) == f"{source}: there is no such picture or folder"
    with pytest.raises(InputError, match=r"folder\.png: no pictures or videos in this folder \(\.avif, \.bmp, "):
        find_sources([folder / "folder.png"])


def test_drawings_and_json(folder, tmp_path, capsys):
    out = tmp_path / "made" / "ö out"
    detector = Whole()
    results = detected(detector, [str(folder)], out, score_threshold=0.25, iou_threshold=0.5)
    assert detector.calls == [(3, 0.25, 0.5)]
    assert sorted(path.name for path in out.iterdir()) == ["a.jpg", "b.png", "c d é.PNG", "detections.json"]
    assert results[2] == {
        "file": f"{folder}/c d é.PNG",
        "width": 30,
        "height": 20,
        "detections": [{"class": 1, "name": "größe", "score": 0.8765, "box": [0.0, 0.0, 30.0, 19.87]}],
    }
    (detection,) = Whole()([read_image(folder / "b.png")], 0, 0)
    drawn = draw_detections(read_image(folder / "b.png"), detection.boxes, detection.classes, NAMES, detection.scores)
    np.testing.assert_array_equal(read_image(out / "b.png"), drawn)
    printed = capsys.readouterr().out
    assert "3 detections in 3 pictures" in printed and str(out) in printed


def test_a_second_run_replaces_the_first(folder, tmp_path):
    detected(Whole(), [folder], tmp_path / "out")
    results = detected(Whole(), [folder / "b.png"], tmp_path / "out")
    assert len(results) == 1


def test_pictures_are_handed_over_in_batches(tmp_path):
    for number in range(19):
        picture(tmp_path / "in" / f"{number:02}.png", width=30 + number)
    detector = Whole()
    results = detected(detector, [tmp_path / "in"], tmp_path / "out")
    assert sorted(count for count, *_ in detector.calls) == [3, 8, 8]
    assert [result["width"] for result in results] == list(range(30, 49))
    for number in range(19):
        assert read_image(tmp_path / "out" / f"{number:02}.png").shape[1] % (30 + number) == 0


def test_equal_names_of_two_folders_do_not_meet(tmp_path):
    levels = {}
    for level, name in enumerate(("one/a.png", "two/a.png", "two/a-2.png", "three/A.PNG"), start=1):
        picture(tmp_path / name, level=20 * level, width=480, height=480)
        levels[name] = 20 * level
    out = tmp_path / "out"
    results = detected(Whole(), [tmp_path / name for name in levels], out)
    assert [os.path.relpath(result["file"], tmp_path) for result in results] == list(levels)
    drawn = {path.name: int(read_image(path)[240, 240, 0]) for path in out.glob("*.*") if path.suffix != ".json"}
    assert drawn == {"a.png": 20, "a-2.png": 40, "a-2-2.png": 60, "A-3.PNG": 80}


def test_no_picture_is_overwritten(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(folder)
    os.symlink(folder, tmp_path / "link")
    (tmp_path / "hard").mkdir()
    os.link(folder / "b.png", tmp_path / "hard" / "b.png")
    other = picture(tmp_path / "elsewhere" / "b.png")
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    for sources, out in (
        ([folder], folder),
        (["b.png"], "."),
        ([folder], tmp_path / "link"),
        ([folder / "b.png"], tmp_path / "hard"),
        ([other, folder / "a.jpg", folder / "b.png"], folder),
    ):
        with pytest.raises(InputError, match=r"would be overwritten.*--out"):
            detect_files(Whole(), sources, out)
    assert {path: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before


def test_no_labels_of_a_source_and_no_crop_that_is_one_are_overwritten(tmp_path):
    source = picture(tmp_path / "set" / "images" / "a.png")
    labels = tmp_path / "set" / "labels" / "a.txt"
    labels.parent.mkdir()
    labels.write_text("0 0.5 0.5 0.1 0.1\n")
    with pytest.raises(InputError, match=r"labels/a\.txt is a source, or the labels of one"):
        detect_files(Whole(), [source], tmp_path / "set", draw=False, txt=True)
    assert labels.read_text() == "0 0.5 0.5 0.1 0.1\n"
    crop = picture(tmp_path / "out" / "crops" / NAMES[1] / "a-0.png")
    before = crop.read_bytes()
    with pytest.raises(InputError, match=r"a-0\.png is a source"):
        detect_files(Whole(), [source, crop], tmp_path / "out", draw=False, crops=True)
    assert crop.read_bytes() == before


def test_a_folder_holds_pictures_and_videos(folder, tmp_path):
    (folder / "film.mp4").write_bytes(b"no video")
    assert folder / "film.mp4" in find_sources([folder])


def test_a_broken_picture_is_named_and_the_rest_is_done(folder, tmp_path, capsys):
    (folder / "b.png").write_bytes(b"\x89PNG broken")
    (folder / "z.jpg").write_bytes(b"")
    with pytest.raises(InputError) as caught:
        detect_files(Whole(), [folder], tmp_path / "out")
    assert str(caught.value) == f"2 of 4 pictures could not be read: {folder}/b.png, {folder}/z.jpg"
    results = json.loads((tmp_path / "out" / "detections.json").read_text(encoding="utf-8"))
    assert [os.path.basename(result["file"]) for result in results] == ["a.jpg", "c d é.PNG"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.jpg", "c d é.PNG", "detections.json"]
    printed = capsys.readouterr().out
    assert f"left out: {folder}/b.png: " in printed and f"left out: {folder}/z.jpg: " in printed
    assert "2 detections in 2 pictures" in printed


def test_paths_before_a_line_that_is_none_are_done(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("yolojax.detection.run.paths_of", lambda _: paths_of(file.fileno()))
    (tmp_path / "list").write_bytes(os.fsencode(folder / "a.jpg") + b"\n" + os.fsencode(folder / "a.jpg") + b"\0")
    with open(tmp_path / "list", "rb") as file, pytest.raises(InputError, match=r"^standard input has a line with a NUL byte"):
        detect_files(Whole(), ["-"], tmp_path / "out")
    assert len(json.loads((tmp_path / "out" / "detections.json").read_text(encoding="utf-8"))) == 1


def test_of_very_many_broken_pictures_the_first_are_named(tmp_path):
    paths = [tmp_path / f"{number}.png" for number in range(14)]
    for path in paths:
        path.write_text("no picture")
    with pytest.raises(InputError) as caught:
        detect_files(Whole(), paths, tmp_path / "out")
    named = ", ".join(str(path) for path in paths[:10])
    assert str(caught.value) == f"14 of 14 pictures could not be read: {named} and 4 more"


def test_nothing_but_broken_pictures(tmp_path):
    (tmp_path / "a.png").write_text("no picture")
    detector = Whole()
    with pytest.raises(InputError, match="1 of 1 pictures could not be read"):
        detect_files(detector, [tmp_path / "a.png"], tmp_path / "out")
    assert json.loads((tmp_path / "out" / "detections.json").read_text()) == []


def test_pictures_whose_names_no_drawing_can_have(tmp_path):
    image = picture(tmp_path / "in" / "x.png")
    (tmp_path / "in" / "photo").write_bytes(image.read_bytes())
    (tmp_path / "in" / "grey.pgm").write_bytes(b"P5 2 2 255\n\x10\x20\x30\x40")
    results = detected(Whole(), [tmp_path / "in" / "photo", tmp_path / "in" / "grey.pgm"], tmp_path / "out")
    assert [os.path.basename(result["file"]) for result in results] == ["photo", "grey.pgm"]
    for name, (height, width) in (("photo.png", (20, 30)), ("grey.pgm.png", (2, 2))):
        drawn = read_image(tmp_path / "out" / name)
        assert drawn.shape[0] * width == drawn.shape[1] * height


def test_a_name_that_is_no_text(tmp_path, capsys):
    os.makedirs(tmp_path / "in")
    good, bad = (os.path.join(os.fsencode(tmp_path / "in"), name) for name in (b"caf\xe9.png", b"caf\xe8.png"))
    os.rename(picture(tmp_path / "in" / "x.png"), good)
    with open(bad, "w") as file:
        file.write("no picture")
    with pytest.raises(InputError) as caught:
        detect_files(Whole(), [tmp_path / "in"], tmp_path / "out")
    str(caught.value).encode()
    (result,) = json.loads((tmp_path / "out" / "detections.json").read_text(encoding="utf-8"))
    assert os.path.basename(result["file"]) == "caf\ufffd.png"
    assert os.path.exists(os.path.join(os.fsencode(tmp_path / "out"), b"caf\xe9.png"))
    capsys.readouterr().out.encode()


def test_a_folder_that_cannot_be_made(folder, tmp_path):
    (tmp_path / "file").write_text("in the way")
    for out in (tmp_path / "file", tmp_path / "file" / "out"):
        with pytest.raises(InputError) as caught:
            detect_files(Whole(), [folder], out)
        assert str(caught.value).startswith(f"{out}: the folder cannot be made: ")
    assert (tmp_path / "file").read_text() == "in the way"


def test_with_a_detector(tmp_path):
    for name, (image, _) in PICTURES.items():
        write_image(tmp_path / f"{name}.png", image)
    results = detected(colour_detector(), [tmp_path], tmp_path / "out")
    for result in results:
        image, expected = PICTURES[os.path.basename(result["file"])[:-4]]
        assert (result["height"], result["width"]) == image.shape[:2]
        detections = sorted((entry["box"], entry["class"]) for entry in result["detections"])
        assert detections == sorted((np.round(box, 2).tolist(), class_id) for box, class_id in expected)
        assert {entry["name"] for entry in result["detections"]} <= {"red", "green", "blue"}
        assert all(0.99 < entry["score"] <= 1 for entry in result["detections"])


def crowds(folder, *counts):
    """Pictures of so many detections each, and the detector of `crowd`, whose cells are 14 x 10."""
    for number, count in enumerate(counts):
        cells = np.full((140, 3), GREY, np.uint8)
        cells[:count] = RED
        write_image(folder / f"{number}.png", tiles(cells.reshape(10, 14, 3), side=32))
    return crowd()[1]


@pytest.mark.parametrize(
    ("options", "kept", "line"),
    [
        ({}, [100, 99, 100], "2 pictures have 100 detections, the most that are kept; --max_detections=200 keeps more"),
        ({"max_detections": 110}, [110, 99, 100], "1 picture has 110 detections, the most that are kept; --max_detections=220"),
        ({"max_detections": 1}, [1, 1, 1], None),
        ({"max_detections": 200}, [120, 99, 100], None),
    ],
)
def test_pictures_of_which_no_more_detections_are_kept_are_counted_once(options, kept, line, tmp_path, capsys):
    detector = crowds(tmp_path, 120, 99, 100)
    results = detected(detector, [tmp_path], tmp_path / "out", **options)
    assert [len(result["detections"]) for result in results] == kept
    printed = capsys.readouterr().out
    assert printed.count("the most that are kept") == (line is not None) and (line or "") in printed
    assert printed.splitlines()[-1].startswith("3 pictures in ")
