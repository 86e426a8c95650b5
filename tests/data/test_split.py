"""A data set divided: a partition with the right shares, the same for the same seed, every class in training."""

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yolojax.data.formats.names import read_names
from yolojax.data.formats.read import read_annotations
from yolojax.data.formats.text import read_text_list
from yolojax.data.images import write_image
from yolojax.data.split import divide, split_data
from yolojax.errors import InputError

NAMES = ("cat", "dog", "cow")
NUM_CLASSES = 6

image_classes = st.lists(st.integers(0, NUM_CLASSES - 1), max_size=8).map(lambda classes: np.array(classes, np.int32))
data_sets = st.lists(image_classes, min_size=1, max_size=60)
some_shares = st.tuples(st.floats(0, 0.45), st.floats(0, 0.45)).map(lambda shares: (1 - sum(shares), *shares))


@settings(deadline=None)
@given(data_sets, some_shares, st.integers(0, 5))
def test_every_image_is_in_one_part_and_shares_hold_within_rounding(classes, shares, seed):
    part_of = divide(classes, NUM_CLASSES, shares, seed)
    assert part_of.shape == (len(classes),) and part_of.min() >= 0 and part_of.max() < len(shares)
    counts = np.bincount(part_of, minlength=len(shares))
    for count, share in zip(counts[1:], shares[1:], strict=True):
        assert abs(count - share * len(classes)) <= 0.5 + 1e-9
    assert abs(counts[0] - shares[0] * len(classes)) <= 1 + 1e-9


@settings(deadline=None)
@given(data_sets, some_shares, st.integers(0, 5))
def test_the_same_seed_gives_the_same_division(classes, shares, seed):
    np.testing.assert_array_equal(divide(classes, NUM_CLASSES, shares, seed), divide(classes, NUM_CLASSES, shares, seed))


@settings(deadline=None)
@given(data_sets, some_shares, st.integers(0, 5))
def test_every_class_is_in_training_where_there_is_room(classes, shares, seed):
    part_of = divide(classes, NUM_CLASSES, shares, seed)
    trained = {int(c) for of_image, part in zip(classes, part_of, strict=True) if part == 0 for c in of_image}
    present = {int(c) for of_image in classes for c in of_image}
    if (part_of == 0).sum() >= len(present):
        assert trained == present


def test_other_seeds_give_other_divisions():
    classes = [np.array([i % 3]) for i in range(60)]
    divisions = {tuple(divide(classes, 3, (0.6, 0.2, 0.2), seed)) for seed in range(10)}
    assert len(divisions) == 10


def test_each_part_gets_its_share_of_every_class():
    rng = np.random.default_rng(0)
    # 1,000 images of 1 to 4 boxes each; the rarest class is in about twenty of them, and 100 images have no boxes.
    frequency = np.array([0.5, 0.3, 0.12, 0.07, 0.01])
    classes = [rng.choice(5, rng.integers(1, 5), p=frequency) for _ in range(900)] + [np.zeros(0, int)] * 100
    part_of = divide(classes, 5, (0.6, 0.2, 0.2), 0)
    assert np.bincount(part_of).tolist() == [600, 200, 200]
    groups = [np.array([c in of_image for of_image in classes]) for c in range(5)] + [np.arange(1000) >= 900]
    for members in groups:
        assert 10 < members.sum()
        shares = np.bincount(part_of[members], minlength=3) / members.sum()
        np.testing.assert_allclose(shares, (0.6, 0.2, 0.2), atol=max(0.02, 1 / members.sum()))


@settings(deadline=None)
@given(data_sets, some_shares, st.integers(0, 5), st.data())
def test_a_group_is_in_one_part(classes, shares, seed, data):
    numbers = data.draw(st.lists(st.integers(0, 20), min_size=len(classes), max_size=len(classes)))
    groups = np.unique(numbers, return_inverse=True)[1]
    part_of = divide(classes, NUM_CLASSES, shares, seed, groups)
    assert part_of.shape == (len(classes),) and part_of.min() >= 0 and part_of.max() < len(shares)
    assert len({(group, part) for group, part in zip(groups, part_of, strict=True)}) == groups.max() + 1
    largest = np.bincount(groups).max()
    counts = np.bincount(part_of, minlength=len(shares))
    assert (np.abs(counts - np.array(shares) * len(classes)) <= largest * len(shares) + 1).all()


def test_groups_share_the_classes_as_well():
    rng = np.random.default_rng(1)
    # 200 videos of 3 to 8 frames; all frames of a video show its class.
    video = np.repeat(np.arange(200), rng.integers(3, 9, 200))
    classes = [np.array([number % 4]) for number in video]
    part_of = divide(classes, 4, (0.6, 0.2, 0.2), 0, video)
    np.testing.assert_allclose(np.bincount(part_of) / len(video), (0.6, 0.2, 0.2), atol=0.01)
    for label in range(4):
        shares = np.bincount(part_of[video % 4 == label]) / (video % 4 == label).sum()
        np.testing.assert_allclose(shares, (0.6, 0.2, 0.2), atol=0.04)


def test_a_class_of_two_images_is_in_training():
    for seed in range(20):
        classes = [np.array([0])] * 48 + [np.array([1])] * 2
        assert 0 in divide(classes, 2, (0.2, 0.4, 0.4), seed)[48:]


@pytest.fixture
def data(tmp_path):
    """A list of 20 pictures in folders of its own, the path of one with a space; and its names."""
    folder = tmp_path / "my data"
    (folder / "pictures").mkdir(parents=True)
    rng = np.random.default_rng(0)
    lines = []
    for number in range(20):
        name = f"pictures/number {number}.png"
        write_image(folder / name, rng.integers(0, 256, (40, 60, 3), dtype=np.uint8))
        boxes = [f"{x},{x + 1.25},{x + 20},{x + 18},{c}" for x, c in zip(range(number % 4), (number % 3, 0, 1), strict=False)]
        lines.append(" ".join([name, *boxes]))
    (folder / "list.txt").write_text("\n".join(lines) + "\n")
    return folder / "list.txt"


def key(record):
    return os.path.realpath(record.path), record.boxes.tolist(), record.classes.tolist()


def test_the_lists_hold_the_data_and_refer_to_it_by_relative_paths(data, tmp_path, monkeypatch):
    before = {path: path.read_bytes() for path in data.parent.rglob("*") if path.is_file()}
    out = tmp_path / "divided"
    split = split_data(data, out, names=NAMES, seed=3)
    assert {path: path.read_bytes() for path in data.parent.rglob("*") if path.is_file()} == before
    assert sorted(path.name for path in out.iterdir()) == ["classes.names", "test.txt", "train.txt", "val.txt"]
    assert read_names(out / "classes.names") == NAMES == split.names and split.losses == []
    parts = {name: read_text_list(out / f"{name}.txt", NAMES) for name in ("train", "val", "test")}
    assert [len(part) for part in parts.values()] == [12, 4, 4]
    original = read_text_list(data, NAMES)
    assert sorted(key(record) for part in parts.values() for record in part) == sorted(map(key, original))
    order = [key(record) for record in original]
    for name, part in parts.items():
        assert [order.index(key(record)) for record in part] == sorted(order.index(key(record)) for record in part)
        assert [key(record) for record in split.parts[name]] == [key(record) for record in part]
    assert all(line.startswith("../my data/pictures/") for line in (out / "train.txt").read_text().splitlines())
    # The whole tree may be moved.
    (tmp_path / "elsewhere").mkdir()
    for folder in (data.parent, out):
        folder.rename(tmp_path / "elsewhere" / folder.name)
    assert len(read_text_list(tmp_path / "elsewhere/divided/train.txt", NAMES)) == 12


def test_the_same_seed_writes_the_same_bytes(data, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        split_data(data, tmp_path / name, names=NAMES, seed=seed)
    a, b, c = ([(tmp_path / name / f"{part}.txt").read_text() for part in ("train", "val", "test")] for name in "abc")
    assert a == b != c


def test_a_share_of_zero_writes_no_list(data, tmp_path):
    split = split_data(data, tmp_path / "out", names=NAMES, val=0.25, test=0)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["classes.names", "train.txt", "val.txt"]
    assert {name: len(records) for name, records in split.parts.items()} == {"train": 15, "val": 5}


def test_what_lists_cannot_express_is_said(real_data, tmp_path):
    data = real_data / "bccd"
    split = split_data(data, tmp_path / "out", seed=1)
    _, records, problems = read_annotations(data)
    assert sum(len(part) for part in split.parts.values()) == len(records)
    assert len(problems) == 2 and any(line.startswith("2 boxes without area were left out") for line in split.losses)
    difficult = sum(int(record.difficult.sum()) for record in records)
    assert len(split.losses) == 1 + bool(difficult)
    again = read_annotations(tmp_path / "out/train.txt", names=split.names)
    assert sum(len(record.boxes) for record in again.records) == sum(len(record.boxes) for record in split.parts["train"])


def numbers_of(part):
    return {int(os.path.basename(record.path).split(" ")[1].removesuffix(".png")) for record in part}


@pytest.mark.parametrize(("pattern", "key"), [(r"number (\d*)\d\.", lambda n: n // 10), (r"\d(?=\.)", lambda n: n % 10)])
def test_groups_by_the_names_of_the_files(data, tmp_path, pattern, key):
    split = split_data(data, tmp_path / "out", names=NAMES, val=0.3, test=0, groups=pattern)
    parts = [numbers_of(part) for part in split.parts.values()]
    assert sum(map(len, parts)) == 20 and not {key(n) for n in parts[0]} & {key(n) for n in parts[1]}
    assert split.groups == [f"{len({key(n) for n in range(20)})} groups by --groups {pattern}: each is in one list"]


def test_pictures_that_the_groups_do_not_name_are_on_their_own(data, tmp_path):
    split = split_data(data, tmp_path / "out", names=NAMES, groups=r"number 1\d")
    assert any(
        line.startswith("10 pictures are not in a group, as --groups does not match their names: ") for line in split.groups
    )
    assert sum(map(len, split.parts.values())) == 20


@pytest.mark.parametrize("pattern", [None, r"number ([01]$|[2-9]|1\d)"])
def test_doubles_are_in_one_list(data, tmp_path, pattern):
    folder = data.parent / "pictures"
    for double, of in ((3, 14), (7, 14), (15, 5)):
        (folder / f"number {double}.png").write_bytes((folder / f"number {of}.png").read_bytes())
    for seed in range(5):
        split = split_data(data, tmp_path / f"out {seed}", names=NAMES, seed=seed, groups=pattern)
        place = {number: name for name, part in split.parts.items() for number in numbers_of(part)}
        assert place[3] == place[7] == place[14] and place[5] == place[15]
        assert split.groups[-1] == "3 pictures are doubles of others: equal files are in one list"


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(", r"--groups \(: not a regular expression: "),
        ("frame", r"--groups frame: matches none of the 20 file names, such as number 0\.png"),
        ("number", "20 pictures in 1 groups are too few: none is left for"),
    ],
)
def test_groups_that_cannot_be(data, tmp_path, pattern, message):
    with pytest.raises(InputError, match=message):
        split_data(data, tmp_path / "out", names=NAMES, groups=pattern)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"val": -0.1}, "--val must be at least 0 and less than 1, not -0.1"),
        ({"test": 1.0}, "--test must be at least 0 and less than 1, not 1"),
        ({"val": float("nan")}, "--val must be"),
        ({"val": 0.5, "test": 0.5}, "leave nothing for training"),
        ({"seed": -1}, "--seed must be at least 0, not -1"),
        ({"val": 0.01}, "20 pictures are too few: none is left for val"),
    ],
)
def test_numbers_out_of_range(data, tmp_path, numbers, message):
    with pytest.raises(InputError, match=message):
        split_data(data, tmp_path / "out", names=NAMES, **numbers)
    assert not (tmp_path / "out").exists()


def test_a_picture_on_two_lines_could_come_into_two_lists(data, tmp_path):
    data.write_text(data.read_text() + "pictures/../pictures/number 3.png\n")
    with pytest.raises(InputError, match=r"list\.txt:21: picture .* is already at .*list\.txt:4; keep one"):
        split_data(data, tmp_path / "out", names=NAMES)


def test_a_folder_in_use_is_left_alone(data, tmp_path):
    before = sorted(path for path in data.parent.rglob("*"))
    with pytest.raises(InputError, match="exists and is not an empty folder"):
        split_data(data, data.parent, names=NAMES)
    assert sorted(path for path in data.parent.rglob("*")) == before
