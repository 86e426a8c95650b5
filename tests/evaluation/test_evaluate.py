"""One pass over a split, with steps that know the truth, and the compiled step of a network made by hand."""

import functools
import math
import threading

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from yolojax.boxes import cxcywh_to_xyxy
from yolojax.config import Config, EvalConfig
from yolojax.data.annotations import Record
from yolojax.data.augment import Example
from yolojax.data.formats.read import Annotations
from yolojax.data.images import letterbox_boxes, letterbox_transform, write_image
from yolojax.data.pipeline import val_batches
from yolojax.data.sources import ListSource, UnreadablePicture
from yolojax.evaluation.evaluate import compile_eval_step, evaluate
from yolojax.evaluation.metrics.coco import coco_results
from yolojax.evaluation.report.tables import format_table
from yolojax.grid import AnchorGrid
from yolojax.inference import Recipe, to_original
from yolojax.loss import LossTerms, yolo_loss
from yolojax.nms import Detections
from yolojax.runtime.devices import make_mesh, shardings

GRID = AnchorGrid((64, 96), (32,), (((32, 32),),))
NAMES = ("cat", "dog", "cow")


class Memory:
    """A split in memory: the picture of index i is grey level i, the sizes differ, and every fourth has no boxes."""

    names = NAMES

    def __init__(self, length, unreadable=()):
        self.length, self.unreadable = length, unreadable

    def __len__(self):
        return self.length

    def example(self, epoch, index):
        assert epoch == 0
        if index in self.unreadable:
            raise UnreadablePicture(f"list.txt:{index + 1}: broken")
        rng = np.random.default_rng(index)
        height, width = rng.integers(60, 400, 2).tolist()
        count = index % 4
        # One box in each third of the width, so that none hides another.
        left = np.arange(count) * width / 3 + 0.5
        boxes = np.stack([left, np.full(count, 3.25), left + width / 4, height * rng.uniform(0.5, 1, count)], axis=1)
        image = np.full((height, width, 3), index, np.uint8)
        return Example(image, boxes.astype(np.float32), rng.integers(0, 3, count).astype(np.int32))


def config_of(batch_size):
    config = Config()
    config.data.class_names = NAMES
    config.data.max_boxes = 4
    config.data.threads = 2
    config.data.on_unreadable = "skip"
    config.eval.batch_size = batch_size
    return config


def perfect(variables, batch):
    """Detects the true boxes; the loss terms of a picture follow from its number, which its pixels hold."""
    batch = jax.device_get(batch)
    valid = batch.targets.classes >= 0
    number = batch.images[:, 32, 48, 0].astype(np.float32)
    return (
        Detections(cxcywh_to_xyxy(batch.targets.boxes), np.where(valid, np.float32(0.9), 0), batch.targets.classes, valid),
        LossTerms(number, 2 * number, np.float32(10) + number),
    )


def one_device():
    return jax.sharding.SingleDeviceSharding(jax.devices()[0])


def run(step, source, batch_size, sharding=None, on_progress=None):
    return evaluate(step, {}, source, config_of(batch_size), GRID, sharding or one_device(), on_progress)


@pytest.mark.parametrize(("length", "batch_size"), [(11, 4), (8, 4), (3, 8), (5, 1)])
def test_perfect_detections(length, batch_size):
    sizes = []

    def step(variables, batch):
        sizes.append(len(batch.images))
        return perfect(variables, batch)

    source = Memory(length)
    outcome = run(step, source, batch_size)
    assert sizes == [batch_size] * math.ceil(length / batch_size)
    assert outcome.indices == list(range(length))
    summary = outcome.summary
    for name in ("ap", "ap50", "ap75", "voc_ap50", "voc_ap50_11point"):
        assert summary[name] == pytest.approx(1.0)
    for index, ((boxes, scores, classes), truth) in enumerate(zip(outcome.detections, outcome.truths, strict=True)):
        _, true_boxes, true_classes = source.example(0, index)
        np.testing.assert_array_equal(truth[0], true_boxes)
        np.testing.assert_array_equal(truth[1], true_classes)
        np.testing.assert_allclose(boxes, true_boxes, atol=1e-3)
        np.testing.assert_array_equal(classes, true_classes)
        assert boxes.dtype == scores.dtype == np.float32 and classes.dtype == np.int32
    assert summary["images"] == length and summary["boxes"] == sum(index % 4 for index in range(length))
    # Over the pictures: copies that fill the last batch would raise the means.
    mean = (length - 1) / 2
    assert (summary["box"], summary["objectness"], summary["classification"]) == (mean, 2 * mean, 10 + mean)
    assert summary["loss"] == 10 + 4 * mean
    assert summary["unreadable"] == 0 and summary["images_per_second"] > 0


def test_what_a_detector_misses_or_confuses_costs():
    def confused(variables, batch):
        found, losses = perfect(variables, batch)
        return found._replace(classes=np.where(found.valid, (found.classes + 1) % 3, -1)), losses

    def moved(variables, batch):
        found, losses = perfect(variables, batch)
        return found._replace(boxes=found.boxes + 500), losses

    def nothing(variables, batch):
        found, losses = perfect(variables, batch)
        return found._replace(valid=np.zeros_like(found.valid)), losses

    for step in (confused, moved, nothing):
        assert run(step, Memory(7), 4).summary["ap50"] == 0
    assert all(len(boxes) == 0 for boxes, _, _ in run(nothing, Memory(7), 4).detections)


def test_difficult_and_crowd_boxes_may_be_found_or_missed(tmp_path):
    boxes, classes = np.array([[2, 2, 30, 30], [40, 2, 90, 60]], np.float32), np.array([0, 1], np.int32)
    records = []
    for index, (difficult, crowd) in enumerate([([0, 0], [0, 0]), ([1, 0], [0, 0]), ([0, 0], [1, 0])]):
        write_image(tmp_path / f"{index}.png", np.full((64, 96, 3), index, np.uint8))
        flags = (np.array(difficult, bool), np.array(crowd, bool))
        records.append(Record(str(tmp_path / f"{index}.png"), boxes, classes, "", *flags))

    def misses_ignored(variables, batch):
        found, losses = perfect(variables, batch)
        return found._replace(valid=found.valid & ((batch.images[:, :1, 0, 0] == 0) | (found.classes == 1))), losses

    for step in (perfect, misses_ignored):
        summary = run(step, ListSource(Annotations(NAMES, records, [])), 3).summary
        assert summary["ap50"] == summary["voc_ap50"] == pytest.approx(1.0)


def test_each_picture_is_matched_with_its_own_truth():
    def shifted(variables, batch):
        found, losses = perfect(variables, batch)
        return Detections(*(np.roll(member, 1, axis=0) for member in found)), losses

    assert run(shifted, Memory(8), 4).summary["ap50"] < 0.5


@pytest.mark.parametrize("batch_size", [8, 11])
def test_a_batch_is_split_over_the_devices(batch_size):
    mesh = make_mesh()
    _, split = shardings(mesh)
    seen = []

    def step(variables, batch):
        seen.append((batch.images.shape[0], len(batch.images.addressable_shards), batch.targets.slots.sharding == split))
        return perfect(variables, batch)

    outcome = run(step, Memory(19), batch_size, split)
    full = math.ceil(batch_size / mesh.size) * mesh.size
    assert seen == [(full, mesh.size, True)] * math.ceil(19 / full)
    assert outcome.indices == list(range(19)) and outcome.summary["ap50"] == pytest.approx(1.0)
    assert outcome.summary["box"] == 9


def test_unreadable_pictures_are_left_out_and_counted():
    source = Memory(11, unreadable=(1, 4, 5, 6, 7, 10))
    progress = []
    outcome = run(perfect, source, 4, on_progress=lambda done, total: progress.append((done, total)))
    kept = [0, 2, 3, 8, 9]
    assert outcome.indices == kept
    assert outcome.summary["images"] == 5 and outcome.summary["unreadable"] == 6
    assert outcome.summary["box"] == pytest.approx(np.mean(kept)) and outcome.summary["ap50"] == pytest.approx(1.0)
    results = coco_results(outcome.detections, outcome.indices)
    assert {result["image_id"] for result in results} == {2, 3, 9}
    assert progress[-1] == (11, 11)


def test_progress_counts_up_to_all():
    progress = []
    run(perfect, Memory(6), 4, on_progress=lambda done, total: progress.append((done, total)))
    assert progress[-1] == (6, 6) and (4, 6) in progress and progress == sorted(progress)


def test_nothing_that_can_be_read():
    def never(variables, batch):
        raise AssertionError

    outcome = run(never, Memory(3, unreadable=(0, 1, 2)), 2)
    assert outcome.detections == outcome.truths == outcome.indices == []
    assert outcome.summary["unreadable"] == 3 and outcome.summary["images"] == 0
    assert math.isnan(outcome.summary["loss"]) and math.isnan(outcome.summary["ap50"])
    assert "all" in format_table(outcome.summary)


def test_variables_are_handed_to_the_step():
    given = {"params": object()}

    def step(variables, batch):
        assert variables is given
        return perfect(variables, batch)

    evaluate(step, given, Memory(2), config_of(2), GRID, one_device())


def test_a_fault_in_the_step_leaves_no_threads():
    def step(variables, batch):
        assert any(thread.name.startswith("yolojax-data") for thread in threading.enumerate())
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory") as caught:
        run(step, Memory(40), 4)
    assert not any(thread.name.startswith("yolojax-data") for thread in threading.enumerate())
    assert caught.traceback


def test_detections_in_pixels_of_the_original():
    transform = letterbox_transform((100, 400), (64, 96))
    wanted = np.array([[10, 20, 200, 90], [-30, -5, 50, 300], [390, 10, 420, 50]], np.float32)
    boxes = np.stack([np.zeros((5, 4), np.float32)] * 2)
    boxes[1, :3] = letterbox_boxes(wanted, transform)
    boxes[1, 3] = (10, 0, 80, 20)  # the picture begins at row 20
    found = Detections(
        boxes=boxes,
        scores=np.array([[0.5] * 5, [0.9, 0.8, 0.7, 0.6, 0.5]], np.float32),
        classes=np.array([[7] * 5, [1, 2, 0, 1, -1]], np.int32),
        valid=np.array([[True] * 5, [True, True, True, True, False]]),
    )
    boxes, scores, classes = to_original(found, 1, transform, (100, 400))
    np.testing.assert_allclose(boxes, [[10, 20, 200, 90], [0, 0, 50, 100], [390, 10, 400, 50]], atol=1e-3)
    np.testing.assert_array_equal(scores, np.float32([0.9, 0.8, 0.7]))
    assert classes.tolist() == [1, 2, 0]
    assert (boxes.dtype, scores.dtype, classes.dtype) == (np.float32, np.float32, np.int32)


PAIR = AnchorGrid((64, 96), (32,), (((32, 32), (32, 24)),))
RECIPE = Recipe(PAIR, NAMES)


class Same(nn.Module):
    """Says the same of every picture: in row 1, column 2, boxes of both anchors, as cat and, less surely, as dog.

    Brighter pictures are surer ones.
    """

    @nn.compact
    def __call__(self, images, *, train):
        heads = np.full((2, 3, 2, 8), -20, np.float32)
        heads[..., :4] = 0
        heads[1, 2, :, 4:] = [[4, 3, -1, -3], [3, 3, -1, -3]]
        surer = self.param("gain", nn.initializers.zeros, ()) * images.astype(jnp.float32).mean((1, 2, 3))
        return (jnp.broadcast_to(heads, (len(images), *heads.shape)).at[..., 4].add(surer[:, None, None, None]),)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_the_compiled_step():
    mesh = make_mesh()
    replicated, split = shardings(mesh)
    model, loss = Same(), functools.partial(yolo_loss, ignore_iou=0.4)
    config = EvalConfig(score_threshold=0.1, iou_threshold=0.8, max_candidates=3, max_detections=7)
    step = compile_eval_step(replicated, split, model=model, recipe=RECIPE, loss=loss, config=config)
    settings = config_of(8)
    ((batch, _, _),) = val_batches(Memory(8), settings, PAIR, 8)
    variables = {"params": {"gain": jnp.float32(0.001)}}
    found, terms = jax.device_get(step(jax.device_put(variables, replicated), jax.device_put(batch, split)))

    expected = jax.jit(lambda images: loss(model.apply(variables, images, train=False), batch.targets, PAIR))(batch.images)
    for one, two in zip(terms, expected, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-5)
    # The two boxes overlap by 0.75, and every class that scores more than 0.1 counts, which is no cow; the fourth (box, class),
    # the second box as a dog, is beyond the candidates.
    assert found.boxes.shape == (8, 7, 4)
    np.testing.assert_array_equal(found.valid.sum(1), 3)
    np.testing.assert_array_equal(found.classes[:, :3], [[0, 0, 1]] * 8)
    boxes = np.float32([[64, 32, 96, 64], [64, 36, 96, 60], [64, 32, 96, 64]])
    np.testing.assert_allclose(found.boxes[:, :3], np.stack([boxes] * 8), atol=1e-4)
    surer = 0.001 * batch.images.mean((1, 2, 3))[:, None]
    assert len(set(surer.ravel().tolist())) == 8
    np.testing.assert_allclose(
        found.scores[:, :3], sigmoid(np.array([[4, 3, 4]]) + surer) * sigmoid(np.array([[3, 3, -1]])), rtol=1e-4
    )

    # Mirrored as well, the same boxes are found at the other side too; the loss stays that of the pictures as they are.
    both = compile_eval_step(replicated, split, model=model, recipe=RECIPE, loss=loss, config=config, augment=True)
    twice, same_terms = jax.device_get(both(jax.device_put(variables, replicated), jax.device_put(batch, split)))
    jax.tree.map(lambda one, two: np.testing.assert_allclose(one, two, rtol=1e-5), same_terms, terms)
    np.testing.assert_array_equal(twice.valid.sum(1), 3)  # candidates: the surest box in either view, and the next of them
    assert {tuple(box) for box in twice.boxes[0, :2].round().tolist()} == {(64, 32, 96, 64), (0, 32, 32, 64)}
    soft = compile_eval_step(replicated, split, model=model, recipe=RECIPE, loss=loss, config=config, soft_nms=True)
    less = jax.device_get(soft(jax.device_put(variables, replicated), jax.device_put(batch, split)))[0]
    assert (less.scores[:, 1] < found.scores[:, 1]).all()

    outcome = evaluate(step, variables, Memory(9), settings, PAIR, split)
    # The boxes are no detections in a narrow picture, where they lie in the margin.
    margins = [letterbox_transform(Memory(9).example(0, index).image.shape[:2], (64, 96)).left for index in range(9)]
    assert [len(scores) for _, scores, _ in outcome.detections] == [3 if left < 32 else 0 for left in margins]
    assert min(margins) < 32 <= max(margins)

    # All devices, and the class names of the source, are the defaults.
    unnamed = config_of(8)
    unnamed.data.class_names = ()
    step = compile_eval_step(model=model, recipe=RECIPE, loss=loss, config=config)
    again = evaluate(step, variables, Memory(9), unnamed, PAIR)
    assert list(again.summary["per_class"]) == list(Memory.names)
    same = {name: value for name, value in outcome.summary.items() if name != "images_per_second"}
    np.testing.assert_equal({name: again.summary[name] for name in same}, same)
