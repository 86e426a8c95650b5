"""The detector as a function of pictures, on networks made by hand whose detections are known exactly."""

import concurrent.futures
import functools
import gc
import io
import math
import threading
import time

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.data.test_video import make_video
from yolojax.data.images import letterbox_transform, write_image
from yolojax.data.video import open_video
from yolojax.decode import Predictions, decode
from yolojax.errors import InputError
from yolojax.grid import AnchorGrid
from yolojax.inference import to_original
from yolojax.predict import Detection, Detector

GRID = AnchorGrid((96, 160), (32,), (((32, 32), (32, 24)),))
NAMES = ("red", "green", "blue")
RED, GREEN, BLUE, GREY = (255, 0, 0), (0, 255, 0), (0, 0, 255), (128, 128, 128)
SURE = 1 / (1 + math.exp(-6))
"""Either factor of the score of a cell of one colour, even one blurred at its edges."""


class Colours(nn.Module):
    """Finds every cell of 32 x 32 pixels of one pure colour, as a box around just that cell; grey is nothing."""

    @nn.compact
    def __call__(self, images, *, train):
        batch, height, width, _ = images.shape
        cells = (images / 255.0).reshape(batch, height // 32, 32, width // 32, 32, 3).mean((2, 4))
        logits = 40 * (jnp.minimum(cells, 0.9) - 0.75)
        found = jnp.concatenate([jnp.zeros_like(cells[..., :1].repeat(4, -1)), logits.max(-1, keepdims=True), logits], -1)
        nothing = jnp.zeros_like(found).at[..., 4].set(-20.0)
        return (jnp.stack([found, nothing], axis=3),)


class Constant(nn.Module):
    """Says the same of every picture: two boxes over each other in the middle, and one in the upper left corner."""

    @nn.compact
    def __call__(self, images, *, train):
        heads = np.zeros((3, 5, 2, 8), np.float32)
        heads[..., 4] = -20
        heads[1, 2, 0] = [0, 0, math.log(2), 0, 3, -3, 3, -3]  # (48, 32, 112, 64), class 1
        heads[1, 2, 1] = [0, 0, math.log(2), 0, 2, -3, 3, -3]  # (48, 36, 112, 60), IoU 0.75 with it
        heads[0, 0, 0] = [0, 0, 0, 0, 1, 3, -3, -3]  # (0, 0, 32, 32), class 0
        return (jnp.broadcast_to(heads, (len(images), *heads.shape)),)


class Recorder:
    """`Colours`, and the sizes of the batches for which it was compiled."""

    sizes = ()

    def apply(self, variables, images, *, train):
        assert train is False
        self.sizes += (len(images),)
        return Colours().apply(variables, images, train=train)


@functools.cache
def colour_detector():
    return Detector(Colours(), {}, GRID, NAMES)


@functools.cache
def constant_detector():
    return Detector(Constant(), {}, GRID, NAMES)


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def tiles(rows, side=64):
    """A picture of square tiles of the colours of rows."""
    return np.array(rows, np.uint8).repeat(side, 0).repeat(side, 1)


# Each picture, and its (box in pixels of the picture, class). 320 x 192 pixels are the input, enlarged by two.
PICTURES = {
    "portrait": (tiles([[RED], [GREY], [BLUE]]), [((0, 0, 64, 64), 0), ((0, 128, 64, 192), 2)]),
    "landscape": (
        tiles([[GREY, GREEN, GREY, GREY, RED]]),
        [((64, 0, 128, 64), 1), ((256, 0, 320, 64), 0)],
    ),
    "square": (
        tiles([[GREY, GREY, BLUE], [GREEN, GREY, GREY], [GREY, RED, GREY]], side=10),
        [((20, 0, 30, 10), 2), ((0, 10, 10, 20), 1), ((10, 20, 20, 30), 0)],
    ),
    "of the input's size": (
        tiles([[GREY] * 5, [GREY, RED, GREY, GREY, GREY], [GREY] * 4 + [BLUE]], side=32),
        [((32, 32, 64, 64), 0), ((128, 64, 160, 96), 2)],
    ),
    "empty": (tiles([[GREY]]), []),
    "of one pixel": (
        tiles([[RED]], side=1),
        [((x / 3, y / 3, (x + 1) / 3, (y + 1) / 3), 0) for y in range(3) for x in range(3)],
    ),
}


def in_order(found):
    """(n, 5) box and class, sorted, whatever the order of equal scores."""
    return np.array(sorted((*np.round(box, 3).tolist(), class_id) for box, class_id in found)).reshape(-1, 5)


def assert_found(detection, expected):
    assert isinstance(detection, Detection)
    assert detection.boxes.dtype == detection.scores.dtype == np.float32 and detection.classes.dtype == np.int32
    assert detection.boxes.shape == (len(expected), 4)
    assert detection.names == NAMES
    found = zip(detection.boxes.tolist(), detection.classes.tolist(), strict=True)
    np.testing.assert_allclose(in_order(found), in_order(expected), atol=1e-3)
    np.testing.assert_allclose(detection.scores, SURE**2, rtol=1e-5)


@pytest.mark.parametrize("name", PICTURES)
def test_boxes_are_in_pixels_of_the_original(name):
    image, expected = PICTURES[name]
    (detection,) = colour_detector()([image])
    assert_found(detection, expected)


@pytest.mark.parametrize("count", [1, 3, 8, 9, 11])
def test_a_batch_gives_what_its_pictures_give_one_by_one(count):
    pictures = [PICTURES[name] for name in PICTURES] * 2
    detections = colour_detector()([image for image, _ in pictures[:count]])
    assert len(detections) == count
    for (image, expected), detection in zip(pictures, detections, strict=False):
        assert_found(detection, expected)
        (alone,) = colour_detector()([image])
        for one, two in zip(detection, alone, strict=True):
            np.testing.assert_array_equal(one, two)


def test_few_programs_are_compiled():
    model = Recorder()
    detector = Detector(model, {}, GRID, NAMES)
    for count in (11, 3, 12, 8):
        detector([PICTURES["empty"][0]] * count, score_threshold=0.1 + count / 100)
    assert model.sizes == (8, 4)


@pytest.mark.parametrize(
    ("height", "width", "boxes"),
    [
        # Enlarged 96 times, to 96 x 96 pixels, 32 from the left.
        (1, 1, [(16 / 96, 32 / 96, 80 / 96, 64 / 96)]),
        # Reduced to 160 x 1 pixels, 47 from the top; higher than the picture, the box is cut off at its edges.
        (3, 500, [(150, 0, 350, 3)]),
        (500, 3, [(0, 500 / 3, 3, 1000 / 3)]),
        (192, 320, [(96, 64, 224, 128), (0, 0, 64, 64)]),
        (96, 160, [(48, 32, 112, 64), (0, 0, 32, 32)]),
    ],
)
def test_boxes_are_cut_off_at_the_edges_and_those_beyond_are_no_detections(height, width, boxes):
    (detection,) = constant_detector()([np.zeros((height, width, 3), np.uint8)])
    np.testing.assert_allclose(detection.boxes, boxes, rtol=1e-5)
    assert detection.classes.tolist() == [1, 0][: len(boxes)]
    np.testing.assert_allclose(detection.scores, [sigmoid(3) ** 2, sigmoid(1) * sigmoid(3)][: len(boxes)], rtol=1e-5)


def test_thresholds():
    image = np.zeros((96, 160, 3), np.uint8)
    scores = [sigmoid(3) ** 2, sigmoid(2) * sigmoid(3), sigmoid(1) * sigmoid(3)]

    def found(**thresholds):
        return constant_detector()([image], **thresholds)[0].scores.tolist()

    np.testing.assert_allclose(found(iou_threshold=0.76), scores, rtol=1e-5)
    np.testing.assert_allclose(found(iou_threshold=0.74), scores[::2], rtol=1e-5)
    np.testing.assert_allclose(found(score_threshold=scores[2] + 0.01), scores[:1], rtol=1e-5)
    np.testing.assert_allclose(found(score_threshold=scores[1] + 0.01, iou_threshold=1), scores[:1], rtol=1e-5)
    assert found(score_threshold=0.99) == []
    assert len(found(score_threshold=0)) > 3


def test_paths_and_arrays_may_be_mixed(tmp_path):
    image, expected = PICTURES["landscape"]
    write_image(tmp_path / "höhe 1.png", image)
    path = tmp_path / "höhe 1.png"
    for detection in colour_detector()([path, image, str(path), image[:, ::-1][:, ::-1]]):
        assert_found(detection, expected)


def test_a_picture_that_is_a_view_is_not_written_to():
    image, expected = PICTURES["of the input's size"]
    mirrored = image[:, ::-1]
    mirrored.flags.writeable = False
    (detection,) = colour_detector()([mirrored])
    assert_found(detection, [((160 - x2, y1, 160 - x1, y2), c) for (x1, y1, x2, y2), c in expected])


def test_no_pictures():
    assert colour_detector()([]) == []


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((8, 8, 3), np.float32),
        np.zeros((8, 8), np.uint8),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((3, 8, 8), np.uint8),
        np.zeros((1, 8, 8, 3), np.uint8),
        np.zeros((0, 8, 3), np.uint8),
    ],
)
def test_arrays_that_are_no_pictures_are_refused(image):
    good = PICTURES["empty"][0]
    with pytest.raises(InputError) as caught:
        colour_detector()([good, image])
    assert f"images[1] must be an RGB array (H, W, 3) of uint8, not {image.shape} of {image.dtype}" in str(caught.value)


@pytest.mark.parametrize("image", [0, None, [[0, 0, 0]]])
def test_what_is_neither_array_nor_path_is_refused(image):
    with pytest.raises(InputError, match=rf"images\[0\] must be .* or a path, not {type(image).__name__}"):
        colour_detector()([image])


def test_what_is_no_series_of_images_is_refused():
    for detect in (colour_detector(), colour_detector().predictions, colour_detector().fitted):
        with pytest.raises(InputError, match=r"images must be .* or an iterable of these, not NoneType"):
            detect(None)


def test_every_kind_of_image(tmp_path):
    """One after another in a generator, and each alone: what they are read as is tested in tests/data/test_given.py."""
    pillow = pytest.importorskip("PIL.Image")
    image, expected = PICTURES["landscape"]
    write_image(tmp_path / "a.png", image)
    content = (tmp_path / "a.png").read_bytes()
    kinds = {
        "array": lambda: image,
        "JAX": lambda: jnp.asarray(image),
        "Pillow": lambda: pillow.fromarray(image),
        "path": lambda: tmp_path / "a.png",
        "file": lambda: io.BytesIO(content),
        "bytes": lambda: content,
    }
    for make in kinds.values():
        assert_found(colour_detector()(make()), expected)
    several = colour_detector()(make() for make in kinds.values())
    assert isinstance(several, list) and len(several) == 6
    for detection in several:
        assert_found(detection, expected)


def test_a_long_series_is_read_a_batch_at_a_time():
    image, expected = PICTURES["of the input's size"]
    read, held = [], []

    class Watched:
        """Passes on to `colour_detector`, and notes how many images were read by then."""

        recipe = colour_detector().recipe

        def detect(self, images, *arguments, **options):
            held.append((len(read), len(images)))
            return colour_detector()._backend.detect(images, *arguments, **options)

    def images():
        for number in range(20):
            read.append(number)
            yield image

    detections = Detector.from_backend(Watched())(images())
    assert held == [(8, 8), (16, 8), (20, 4)] and len(detections) == 20
    assert_found(detections[-1], expected)


def test_an_error_of_the_series_itself_is_passed_on():
    def images():
        yield PICTURES["empty"][0]
        raise RuntimeError("the camera is gone")

    with pytest.raises(RuntimeError, match="the camera is gone"):
        colour_detector()(images())


def test_one_picture_gives_one_detection(tmp_path):
    image, expected = PICTURES["landscape"]
    write_image(tmp_path / "one.png", image)
    for one in (image, tmp_path / "one.png", str(tmp_path / "one.png")):
        assert_found(colour_detector()(one), expected)
    (alone,) = colour_detector()(image[None])  # a batch of one is a list
    assert_found(alone, expected)
    with pytest.raises(InputError, match=r"must be an RGB array .* not \(8, 8\) of uint8"):
        colour_detector()(np.zeros((8, 8), np.uint8))


def test_a_picture_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.png: .*No such file"):
        colour_detector()([tmp_path / "nowhere.png"])
    (tmp_path / "bad.png").write_text("no picture")
    with pytest.raises(InputError, match=r"bad\.png"):
        colour_detector()([PICTURES["empty"][0], tmp_path / "bad.png"])


def test_what_a_detector_says_of_itself():
    model, variables = Colours(), {"params": {"unused": np.ones(2, np.float32)}}
    detector = Detector(model, variables, GRID, NAMES)
    assert detector.names == NAMES and detector.size == (96, 160) and detector.grid == GRID and detector.model is model
    assert isinstance(detector.variables["params"]["unused"], jax.Array)


def test_a_backend_of_someone_s_own_needs_nothing_new():
    """It has what backends had before `max_detections` and `predictions`."""

    class Own:
        recipe = colour_detector().recipe

        def detect(self, images, score_threshold, iou_threshold, wanted, *, augment, class_agnostic, method):
            boxes = np.arange(20, dtype=np.float32).reshape(5, 4)
            return [(boxes, np.linspace(0.9, 0.5, 5, dtype=np.float32), np.zeros(5, np.int32))] * len(images)

    detector, image = Detector.from_backend(Own()), PICTURES["empty"][0]
    assert len(detector(image).boxes) == 5 and detector(image, max_detections=2).scores.tolist() == pytest.approx([0.9, 0.8])
    assert detector.grid == GRID
    for name in ("model", "variables"):
        with pytest.raises(InputError, match=f"this detector has no {name}: an exported file holds .*; load its run with"):
            getattr(detector, name)
    with pytest.raises(InputError, match="this detector has no predictions: "):
        detector.predictions(image)


CROWD_GRID = AnchorGrid((320, 448), (32,), (((32, 32), (32, 24)),))


def crowd():
    """14 x 10 cells, all red or green, and a detector of them."""
    rows = [[GREEN if row == 9 else RED for _ in range(14)] for row in range(10)]
    return tiles(rows, side=32), Detector(Colours(), {}, CROWD_GRID, NAMES)


def test_how_many_detections_are_kept():
    image, detector = crowd()
    for asked, kept in ((1, 1), (3, 3), (100, 100), (120, 120), (10**9, 140)):
        assert [len(member) for member in detector(image, max_detections=asked)[:3]] == [kept] * 3
    assert len(detector(image).boxes) == 100
    assert detector(image, max_detections=5, classes=["green"]).classes.tolist() == [1] * 5
    for wrong in (0, -1, 1.5, None, "3"):
        with pytest.raises(InputError, match=f"max_detections must be a whole number from 1, not {wrong!r}"):
            detector(image, max_detections=wrong)


def test_the_ones_kept_are_the_best():
    image = np.zeros((96, 160, 3), np.uint8)
    everything = constant_detector()(image, 0, 0.76)
    for count in (1, 2):
        for whole, best in zip(everything[:3], constant_detector()(image, 0, 0.76, max_detections=count)[:3], strict=True):
            np.testing.assert_array_equal(best, whole[:count])


def test_the_best_one_is_the_best_within_the_picture():
    """A box in the grey margin is no detection, so it takes no place."""

    class Margin(nn.Module):
        """Sure of a box in the upper left corner, less sure of one in the middle."""

        @nn.compact
        def __call__(self, images, *, train):
            heads = np.full((3, 5, 2, 8), 0, np.float32)
            heads[..., 4] = -20
            heads[0, 0, 0, 4:6], heads[1, 2, 0, 4:6] = 4, 2
            return (jnp.broadcast_to(heads, (len(images), *heads.shape)),)

    portrait = np.zeros((192, 64, 3), np.uint8)  # 32 x 96 pixels of the input, 64 from the left
    detection = Detector(Margin(), {}, GRID, NAMES)(portrait, max_detections=1)
    np.testing.assert_allclose(detection.boxes, [[0, 64, 64, 128]])


def test_fewer_detections_are_no_other_program():
    model = Recorder()
    detector = Detector(model, {}, GRID, NAMES)
    for count in (1, 5, 100, 120, 120, 7):
        detector(PICTURES["empty"][0], max_detections=count)
    assert model.sizes == (1, 1)


@pytest.mark.parametrize("count", [1, 3, 9])
def test_predictions_are_those_of_the_network(count):
    images = [image for image, _ in list(PICTURES.values()) * 2][:count]
    detector = colour_detector()
    predictions, fitted = detector.predictions(iter(images)), detector.fitted(iter(images))
    assert isinstance(predictions, Predictions) and all(isinstance(member, jax.Array) for member in predictions)
    slots = GRID.num_slots
    assert [member.shape for member in predictions] == [(count, slots, 4), (count, slots), (count, slots, 3)]
    assert fitted.images.shape == (count, 96, 160, 3) and fitted.sizes == tuple(image.shape[:2] for image in images)
    expected = decode(Colours().apply({}, fitted.images, train=False), GRID)
    for member, other in zip(predictions, expected, strict=True):
        np.testing.assert_allclose(member, other, rtol=1e-5, atol=1e-5)


def test_predictions_go_on_to_detections():
    images = [image for image, _ in PICTURES.values()]
    detector = colour_detector()
    detections = jax.device_get(detector.recipe.suppress(detector.predictions(images), score_threshold=0.3, iou_threshold=0.45))
    fitted = detector.fitted(images)
    for row, (expected, transform, size) in enumerate(zip(detector(images), fitted.transforms, fitted.sizes, strict=True)):
        for one, two in zip(to_original(detections, row, transform, size), expected[:3], strict=True):
            np.testing.assert_allclose(one, two, rtol=1e-5)


def test_predictions_of_one_image_are_a_batch_of_one():
    image = PICTURES["empty"][0]
    assert colour_detector().predictions(image).boxes.shape == (1, GRID.num_slots, 4)
    assert colour_detector().fitted(image).transforms == (letterbox_transform(image.shape[:2], (96, 160)),)


def test_there_are_no_predictions_for_no_images():
    with pytest.raises(InputError, match="no predictions for no images; give at least one"):
        colour_detector().predictions([])
    with pytest.raises(InputError, match="no images can be fitted; give at least one"):
        colour_detector().fitted(iter([]))


def test_predictions_are_compiled_once_for_each_batch_size():
    model = Recorder()
    detector = Detector(model, {}, GRID, NAMES)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(detector.predictions, [PICTURES["empty"][0]] * count) for count in (3, 4, 3, 1, 8, 1)]:
            done.result()
    assert sorted(model.sizes) == [1, 4, 8]


def test_threads_get_what_one_gets_and_compile_each_program_once():
    pictures = [PICTURES[name] for name in PICTURES] * 2
    model = Recorder()
    detector = Detector(model, {}, GRID, NAMES)
    together = threading.Barrier(8)

    def work(thread):
        together.wait()
        for round_ in range(6):
            count = 1 + (thread + round_) % 3
            first = (thread + round_) % 6
            for (_, expected), detection in zip(
                pictures[first:], detector([image for image, _ in pictures[first : first + count]]), strict=False
            ):
                assert_found(detection, expected)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(work, thread) for thread in range(8)]:
            done.result()
    assert sorted(model.sizes) == [1, 2, 4]


def test_only_the_classes_that_are_wanted():
    for image, expected in PICTURES.values():
        for classes in (["blue"], ["blue", "red"], ()):
            wanted = [(box, class_id) for box, class_id in expected if NAMES[class_id] in classes]
            assert_found(colour_detector()(image, classes=classes), wanted)
    with pytest.raises(InputError, match="no class 'cat'; the network's classes are red, green, blue"):
        colour_detector()(image, classes=["red", "cat"])


def test_a_class_that_is_not_wanted_takes_no_place_among_the_hundred():
    # 14 x 10 cells, 139 of them red and one green, whose score is not better.
    grid = AnchorGrid((320, 448), (32,), (((32, 32), (32, 24)),))
    rows = [[RED] * 14 for _ in range(10)]
    rows[9][13] = GREEN
    image = tiles(rows, side=32)
    detector = Detector(Colours(), {}, grid, NAMES)
    assert detector(image).classes.tolist() == [0] * 100
    assert_found(detector(image, classes=["green"]), [((416, 288, 448, 320), 1)])


@pytest.mark.parametrize("name", PICTURES)
def test_the_mirrored_view_of_what_looks_the_same_mirrored_changes_nothing(name):
    image, expected = PICTURES[name]
    assert_found(colour_detector()(image, augment=True), expected)


def test_the_mirrored_view_adds_what_it_finds():
    image = np.zeros((96, 160, 3), np.uint8)
    detection = constant_detector()(image, augment=True)
    # The network finds the same in either view: in the second it lies mirrored in the picture; the middle box is its own image.
    expected = [(48, 32, 112, 64), (0, 0, 32, 32), (128, 0, 160, 32)]
    np.testing.assert_allclose(in_order(zip(detection.boxes.tolist(), detection.classes.tolist(), strict=True)),
                               in_order(zip(expected, [1, 0, 0], strict=True)), rtol=1e-5)  # fmt: skip
    both = constant_detector()([image] * 3, augment=True)
    assert [len(found.boxes) for found in both] == [3, 3, 3]


def test_soft_and_class_agnostic_suppression():
    class Two(nn.Module):
        """Two boxes of IoU 0.75, of different classes, the second one less sure."""

        @nn.compact
        def __call__(self, images, *, train):
            heads = np.zeros((3, 5, 2, 8), np.float32)
            heads[..., 4] = -20
            heads[1, 2, 0] = [0, 0, 0, 0, 3, 3, -3, -3]
            heads[1, 2, 1] = [0, 0, 0, 0, 2, -3, 3, -3]
            return (jnp.broadcast_to(heads, (len(images), *heads.shape)),)

    detector, image = Detector(Two(), {}, GRID, NAMES), np.zeros((96, 160, 3), np.uint8)
    assert detector(image).classes.tolist() == [0, 1]
    assert detector(image, class_agnostic=True).classes.tolist() == [0]
    soft = detector(image, class_agnostic=True, method="soft")
    scores = [sigmoid(3) ** 2, sigmoid(2) * sigmoid(3) * math.exp(-(0.75**2) / 0.5)]
    assert len(soft.scores) == (2 if scores[1] > 0.3 else 1)
    soft = detector(image, 0.1, class_agnostic=True, method="soft")
    np.testing.assert_allclose(soft.scores, scores, rtol=1e-5)
    with pytest.raises(ValueError, match="unknown suppression method 'harder'"):
        detector(image, method="harder")


def video_of_tiles(path, count):
    """A video in which one red cell wanders over the 3 x 5 cells."""
    pictures, boxes = [], []
    for number in range(count):
        row, column = number // 5 % 3, number % 5
        cells = [[GREY] * 5 for _ in range(3)]
        cells[row][column] = RED
        pictures.append(tiles(cells, side=32))
        boxes.append((32 * column, 32 * row, 32 * column + 32, 32 * row + 32))
    return make_video(path, pictures), boxes


def test_a_video_frame_by_frame(tmp_path):
    path, boxes = video_of_tiles(tmp_path / "film.avi", 21)
    seen = list(colour_detector().predict_video(path, score_threshold=0.5))
    assert [index for index, *_ in seen] == list(range(21))
    for (_, frame, detection), box in zip(seen, boxes, strict=True):
        assert frame.shape == (96, 160, 3) and frame.dtype == np.uint8
        x, y = int(box[0]) + 16, int(box[1]) + 16
        assert frame[y, x, 0] > 200 > 60 > frame[y, x, 2]  # red, where it was found
        assert detection.boxes.tolist() == [list(box)] and detection.classes.tolist() == [0]
    assert [len(found.boxes) for *_, found in colour_detector().predict_video(str(path), classes=["blue"])] == [0] * 21
    assert [len(found.boxes) for *_, found in colour_detector().predict_video(path, 0, max_detections=2)] == [2] * 21


def test_a_video_that_is_left_early_ends_its_threads_and_is_released(tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr("yolojax.predict.open_video", lambda source: opened.append(open_video(source)) or opened[-1])
    path, _ = video_of_tiles(tmp_path / "film.avi", 200)
    for index, _, _ in colour_detector().predict_video(path):
        if index == 3:
            break
    stream = colour_detector().predict_video(path)
    next(stream)
    stream.close()
    gc.collect()
    assert len(opened) == 2 and not any(capture.isOpened() for capture in opened)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("yolojax-")]


def test_a_long_video_is_never_read_far_ahead(tmp_path, monkeypatch):
    reads = []

    class Counting:
        def __init__(self, source):
            self._capture = open_video(source)

        def read(self):
            reads.append(1)
            return self._capture.read()

        def get(self, name):
            return self._capture.get(name)

        def release(self):
            self._capture.release()

    monkeypatch.setattr("yolojax.predict.open_video", Counting)
    path, _ = video_of_tiles(tmp_path / "film.avi", 300)
    for index, _, _ in colour_detector().predict_video(path):
        if index % 50 == 0:
            time.sleep(0.1)
        assert len(reads) - index <= 5 * 8 + 2
    assert index == 299


def test_videos_that_cannot_be_opened_are_named_at_the_first_frame(tmp_path):
    (tmp_path / "bad.mp4").write_text("no video")
    for source, message in ((tmp_path / "bad.mp4", r"bad\.mp4: not a video"), (987, "camera 987 cannot be opened")):
        stream = colour_detector().predict_video(source)
        with pytest.raises(InputError, match=message):
            next(stream)
