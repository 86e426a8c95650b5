"""The demo set: boxes are where the ink is, digits keep apart, and one seed gives one set."""

import hashlib
import itertools
import sys
from importlib import resources

import numpy as np
import pytest

from yolojax.data.annotations import check_boxes_in_picture
from yolojax.data.digits import DIGIT_NAMES, _enlarge, _handwritten_digits, compose_scene, split_digits, write_mnist_detection
from yolojax.data.formats.names import read_names
from yolojax.data.formats.text import read_text_list
from yolojax.data.images import read_image
from yolojax.errors import InputError


@pytest.fixture(scope="module")
def train_digits():
    return split_digits()[0]


def sha256(array):
    return hashlib.sha256(array.tobytes()).hexdigest()


def overlap_of_smaller(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    area = min((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return max(0, width) * max(0, height) / area


def test_split_is_fixed_complete_and_disjoint():
    (glyphs, labels), (held_out_glyphs, held_out_labels) = split_digits()
    assert glyphs.shape == (1438, 8, 8) and held_out_glyphs.shape == (359, 8, 8)
    assert glyphs.dtype == np.uint8 and labels.dtype == np.int32
    assert glyphs.min() == 0 and glyphs.max() == 255
    for part in (labels, held_out_labels):
        counts = np.bincount(part, minlength=10)
        assert len(counts) == 10 and counts.min() > 0.09 * len(part)
    seen = {glyph.tobytes() for glyph in glyphs}
    assert not any(glyph.tobytes() in seen for glyph in held_out_glyphs)


def test_the_digits_are_those_of_scikit_learn():
    images, labels = _handwritten_digits()
    assert images.shape == (1797, 8, 8) and (images == images.astype(np.uint8)).all()
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    # Of `images` and `target` of sklearn.datasets.load_digits(), as uint8.
    assert sha256(images.astype(np.uint8)) == "8f26b2bd9d135c256808f68f14fdabddde6d9c7f869ae419704b051f0f14b3b3"
    assert sha256(labels.astype(np.uint8)) == "8ba4f891220f5e4c9c819638d1602d74b83618f167043c6da52a2a247841ddf0"


def test_the_file_of_digits_is_unchanged_and_its_licence_lies_beside_it():
    folder = resources.files("yolojax.data")
    sha = hashlib.sha256(folder.joinpath("digits.csv.gz").read_bytes()).hexdigest()
    licence = folder.joinpath("digits.LICENSE.txt").read_text("utf-8")
    assert sha in licence and "CC BY 4.0" in licence and "BSD 3-Clause" in licence and "Alpaydin" in licence


def test_scene(train_digits):
    counts, heights, classes = [], [], []
    for seed in range(150):
        image, boxes, labels = compose_scene(np.random.default_rng(seed), *train_digits)
        assert image.shape == (160, 160, 3) and image.dtype == np.uint8 and image.flags.c_contiguous
        assert boxes.dtype == np.float32 and labels.dtype == np.int32 and len(boxes) == len(labels)
        assert (boxes >= 0).all() and (boxes <= 160).all() and (boxes[:, 2:] > boxes[:, :2]).all()
        for a, b in itertools.combinations(boxes, 2):
            assert overlap_of_smaller(a, b) < 0.1
        counts.append(len(boxes))
        heights.extend(boxes[:, 3] - boxes[:, 1])
        classes.extend(labels)
    assert set(counts) == {1, 2, 3, 4, 5, 6}
    assert 12 <= min(heights) < 28 and 65 < max(heights) <= 82
    assert np.bincount(classes, minlength=10).min() > 20


def test_scene_of_another_size(train_digits):
    image, boxes, _ = compose_scene(np.random.default_rng(0), *train_digits, size=96)
    assert image.shape == (96, 96, 3) and boxes.max() <= 96


def test_same_seed_same_scene(train_digits):
    one, two, other = (compose_scene(np.random.default_rng(seed), *train_digits) for seed in (5, 5, 6))
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)
    assert (one.image != other.image).any()


def test_boxes_are_tight_around_ink_that_stands_out():
    # One solid bar, alone in its scene, is all that differs strongly from the background around it.
    glyph = np.zeros((1, 8, 8), np.uint8)
    glyph[0, 1:7, 2:6] = 255
    alone = 0
    for seed in range(120):
        image, boxes, labels = compose_scene(np.random.default_rng(seed), glyph, np.array([3], np.int32))
        if len(boxes) > 1:
            continue
        alone += 1
        x1, y1, x2, y2 = boxes[0].astype(int)
        assert labels.tolist() == [3]
        luma = image @ np.array([0.299, 0.587, 0.114])
        outside = np.ones((160, 160), bool)
        outside[y1:y2, x1:x2] = False
        centre = luma[(y1 + y2) // 2, (x1 + x2) // 2]
        around = luma[max(0, y1 - 6) : y2 + 6, max(0, x1 - 6) : x2 + 6]
        around_outside = around[outside[max(0, y1 - 6) : y2 + 6, max(0, x1 - 6) : x2 + 6]]
        assert abs(centre - np.median(around_outside)) > 60
        # The ink fills nearly all of its box.
        inside = luma[y1:y2, x1:x2]
        assert (np.abs(inside - centre) < np.abs(inside - np.median(around_outside))).mean() > 0.85
    assert alone >= 10


def test_enlarged_ink_is_whole():
    glyph = np.zeros((8, 8), np.uint8)
    glyph[1:7, 2:6] = 255
    ink = _enlarge(glyph, 80, 96)
    # 6 of 8 rows and 4 of 8 columns; the ramp that makes edges crisp moves them by a few pixels at most.
    np.testing.assert_allclose(ink.shape, (60, 48), atol=3)
    for edge in (ink[0], ink[-1], ink[:, 0], ink[:, -1]):
        assert 128 <= edge.max() < 255  # where strokes fade out, so nothing was cut off


def files_of(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_written_set(tmp_path):
    out = tmp_path / "a set"
    written = write_mnist_detection(out, train=12, val=5, size=300, seed=3)
    assert sorted(path.name for path in out.iterdir()) == ["digits.names", "train", "train.txt", "val", "val.txt"]
    assert read_names(out / "digits.names") == DIGIT_NAMES
    for name, count in (("train", 12), ("val", 5)):
        records = read_text_list(out / f"{name}.txt", DIGIT_NAMES)
        assert len(records) == count == len(list((out / name).iterdir()))
        assert written[name] == sum(len(record.boxes) for record in records)
        for record in records:
            image = read_image(record.path)
            assert image.shape == (300, 300, 3)
            check_boxes_in_picture(record, 300, 300)
            assert (record.boxes >= 0).all() and (record.boxes <= 300).all()
            sides = record.boxes[:, 2:] - record.boxes[:, :2]
            assert (sides[:, 0] == sides[:, 1]).all()
            assert 1 <= len(sides) and set(sides[:, 0]) <= {14, 22, 28, 42, 56, 84, 112}
            assert (sides[:, 0] >= 84).sum() <= 3 and (sides[:, 0] <= 22).sum() <= 3 and len(sides) <= 12
            for a, b in itertools.combinations(record.boxes, 2):
                assert overlap_of_smaller(a, b) < 0.02
            ink = image[..., 0] < 128
            for x1, y1, x2, y2 in record.boxes.astype(int):
                assert ink[y1:y2, x1:x2].any()
                ink[y1:y2, x1:x2] = False
            assert not ink.any()


def test_same_seed_same_bytes_and_a_longer_list_begins_the_same(tmp_path):
    for name, count, seed in (("a", 4, 1), ("b", 4, 1), ("longer", 6, 1), ("other", 4, 2)):
        write_mnist_detection(tmp_path / name, train=count, val=count, size=200, seed=seed)
    a = files_of(tmp_path / "a")
    assert a == files_of(tmp_path / "b")
    longer, other = files_of(tmp_path / "longer"), files_of(tmp_path / "other")
    assert all(longer[path] == data for path, data in a.items() if path.suffix == ".png")
    assert not any(other[path] == data for path, data in a.items() if path.suffix == ".png")


@pytest.mark.parametrize(("terminal", "seconds"), [(True, 2), (True, 0), (False, 2)])
def test_progress_is_for_terminals_and_long_work(tmp_path, monkeypatch, capsys, terminal, seconds):
    clock = itertools.count(0, seconds)
    monkeypatch.setattr("yolojax.data.digits.time.monotonic", lambda: next(clock))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    write_mnist_detection(tmp_path / "out", train=2, val=1, size=112)
    shown = "\r1 of 3 pictures\r2 of 3 pictures\r3 of 3 pictures\n"
    assert capsys.readouterr().err == (shown if terminal and seconds else "")


def mnist_arrays():
    """Digits that can be told apart by one pixel of ink: training ones have it on top, test ones at the bottom."""
    arrays = {}
    for part, row in (("train", 2), ("test", 25)):
        arrays[f"x_{part}"] = np.zeros((10, 28, 28), np.uint8)
        arrays[f"x_{part}"][:, row : row + 2, 4:24] = 255
        arrays[f"y_{part}"] = np.arange(10, dtype=np.uint8)
    return arrays


def test_mnist_training_and_test_digits_stay_apart(tmp_path):
    np.savez(tmp_path / "m.npz", **mnist_arrays())
    write_mnist_detection(tmp_path / "out", mnist=tmp_path / "m.npz", train=3, val=3, size=250)
    for name, top in (("train", True), ("val", False)):
        for record in read_text_list(tmp_path / "out" / f"{name}.txt", DIGIT_NAMES):
            image = read_image(record.path)[..., 0]
            for x1, y1, x2, y2 in record.boxes.astype(int):
                middle = (y1 + y2) // 2
                # Dark strokes stand in the training half of the tile and nowhere else but at the tile's rim.
                upper, lower = (image[a:b, (x1 + x2) // 2].min() for a, b in ((y1, middle), (middle, y2)))
                assert (upper < 200, lower < 200) == (top, not top)


def test_real_mnist(real_data, tmp_path):
    written = write_mnist_detection(tmp_path / "o", mnist=real_data / "mnist/mnist.npz", train=5, val=2)
    records = read_text_list(tmp_path / "o/train.txt", DIGIT_NAMES)
    assert sum(len(record.boxes) for record in records) == written["train"]
    # Black on white: the paper is most of a picture.
    assert all(np.median(read_image(record.path)) == 255 for record in records)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x_test": None}, "no array x_test"),
        ({"x_train": np.zeros((10, 28, 28))}, r"x_train is float64 \(10, 28, 28\), not uint8"),
        ({"x_train": np.zeros((10, 8, 8), np.uint8)}, "x_train is uint8"),
        ({"x_train": np.zeros((0, 28, 28), np.uint8), "y_train": np.zeros(0, int)}, "x_train is uint8"),
        ({"y_test": np.arange(9)}, "y_test must hold one digit"),
        ({"y_test": np.arange(10) + 1}, "y_test must hold one digit"),
        ({"y_test": np.arange(10.0)}, "y_test must hold one digit"),
        ({"y_test": np.array([None] * 10)}, "cannot be read as an .npz"),
    ],
)
def test_broken_mnist(tmp_path, change, message):
    arrays = {key: value for key, value in (mnist_arrays() | change).items() if value is not None}
    np.savez(tmp_path / "m.npz", **arrays)
    with pytest.raises(InputError, match=message) as caught:
        write_mnist_detection(tmp_path / "out", mnist=tmp_path / "m.npz")
    assert str(tmp_path / "m.npz") in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_mnist_that_is_no_npz(tmp_path):
    np.savez_compressed(tmp_path / "cut", **mnist_arrays())
    whole = (tmp_path / "cut.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.npz").write_text("not an archive")
    (tmp_path / "empty.npz").write_bytes(b"")
    np.save(tmp_path / "array.npy", np.zeros(3))
    for name in ("cut.npz", "text.npz", "empty.npz", "array.npy", "absent.npz", "."):
        with pytest.raises(InputError, match=r"cannot be read as an \.npz") as caught:
            write_mnist_detection(tmp_path / "out", mnist=tmp_path / name)
        assert str(tmp_path / name) in str(caught.value) and "\n" not in str(caught.value)
        # Where MNIST is to be had: the .npz file, or, for a folder, the four others.
        assert str(caught.value).endswith(("/tf-keras-datasets/mnist.npz", "amazonaws.com/mnist/"))


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"train": 0}, "--train 0"),
        ({"val": -1}, "--val -1"),
        ({"size": 111}, "--size 111: the largest digit is 112"),
        ({"train": 10**15}, "--train 1000000000000000 and --val .*: give at most 1,000,000 pictures together"),
        ({"size": 8193}, "--size 8193: give at most 8,192"),
        ({"seed": -1}, "--seed -1"),
    ],
)
def test_numbers_out_of_range(tmp_path, numbers, message):
    with pytest.raises(InputError, match=message):
        write_mnist_detection(tmp_path / "out", **numbers)
    assert not (tmp_path / "out").exists()


def test_smallest_size(tmp_path):
    write_mnist_detection(tmp_path / "out", train=4, val=1, size=112)
    assert len(read_text_list(tmp_path / "out/train.txt", DIGIT_NAMES)) == 4


def test_a_users_files_are_never_touched(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="not empty"):
        write_mnist_detection(tmp_path, train=1, val=1)
    with pytest.raises(InputError, match=r"mine\.txt: cannot be written"):
        write_mnist_detection(tmp_path / "mine.txt", train=1, val=1)
    assert files_of(tmp_path) == {(tmp_path / "mine.txt").relative_to(tmp_path): b"mine"}
