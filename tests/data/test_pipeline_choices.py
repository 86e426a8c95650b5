"""What a configuration chooses in the pipeline: several input sizes, weighted sampling, mixed pictures."""

import dataclasses

import numpy as np
import pytest

from tests.helpers.text_list import GRID, GRIDS, assert_same, write_list
from yolojax.data.formats.read import Annotations
from yolojax.data.formats.text import read_text_list
from yolojax.data.images import letterbox
from yolojax.data.pipeline import collate, train_batches, train_sample, train_sampler
from yolojax.data.sampling import step_grid
from yolojax.data.sources import ListSource, open_split
from yolojax.errors import InputError


@pytest.fixture
def config(tmp_path):
    return write_list(tmp_path)


def test_each_step_has_its_size(config):
    source, samples_of = open_split(config, "train"), train_sampler(open_split(config, "train"), config)
    batches = list(train_batches(source, config, GRIDS, 0, 12))
    sizes = [batch.images.shape[1:3] for batch, _ in batches]
    assert sizes == [step_grid(config.seed, step, GRIDS).size for step in range(12)] and set(sizes) == {g.size for g in GRIDS}
    for step, (batch, _) in enumerate(batches):
        grid = step_grid(config.seed, step, GRIDS)
        assert_same(batch, collate([train_sample(source, config, grid, *sample) for sample in samples_of(step)]))
    assert_same(list(train_batches(source, config, GRIDS, 5, 12)), batches[5:])


def test_a_sample_differs_between_sizes_by_its_letterbox_alone(config):
    source = open_split(config, "train")
    for epoch in range(3):
        one, other = (train_sample(source, config, grid, epoch, 2) for grid in GRIDS[:2])
        np.testing.assert_array_equal(one.original.classes, other.original.classes)
        factors = [sample.original.boxes / np.array(sample.original.image.shape[1::-1] * 2)[None] for sample in (one, other)]
        np.testing.assert_allclose(*factors, atol=1 / 26)  # the sides of the smaller one are rounded to a pixel of 26
        for sample in (one, other):
            np.testing.assert_array_equal(sample.image, letterbox(sample.original.image, sample.image.shape[:2])[0])


@pytest.mark.parametrize(("sampling", "most"), [("repeat_factor", 5), ("class_balanced", 5)])
def test_rare_classes_are_shown_oftener(config, sampling, most):
    # Six times a cat and once a cow.
    lines = [f"{n}.png 2,2,30,29,{2 if n == most else 0}" for n in range(7)]
    with open(config.data.train, "w") as file:
        file.write("\n".join(lines))
    config.data.sampling, config.data.repeat_threshold = sampling, 1.0
    source = open_split(config, "train")
    samples_of = train_sampler(source, config)
    pictures = [index % 7 for step in range(7 * 100) for _, index in samples_of(step)]
    share = pictures.count(most) / len(pictures)
    # Of classes in 6/7 and 1/7 of the pictures: half of the draws; the square roots of 7/6 and of 7.
    expected = 0.5 if sampling == "class_balanced" else 7**0.5 / (7**0.5 + 6 * (7 / 6) ** 0.5)
    assert share == pytest.approx(expected, abs=0.01)
    assert len(list(train_batches(source, config, [GRID], 0, 5))) == 5


def test_boxes_round_crowds_do_not_make_a_picture_rare(config):
    config.data.sampling = "class_balanced"
    names, records, _ = Annotations((), read_text_list(config.data.train, config.data.class_names), [])

    def drawn(**changes):
        changed = [dataclasses.replace(record, **changes) if n == 1 else record for n, record in enumerate(records)]
        return [train_sampler(ListSource(Annotations(names, changed, [])), config)(step) for step in range(20)]

    assert drawn(crowd=np.ones(1, bool)) == drawn(classes=np.zeros(0, np.int32), crowd=np.zeros(0, bool)) != drawn()


def test_a_picture_shown_again_is_augmented_anew(config):
    source = open_split(config, "train")
    config.data.augment.hsv_probability = 1.0
    first, again = (train_sample(source, config, GRID, 0, index) for index in (2, 2 + len(source)))
    assert (first.image != again.image).any()
    for name in ("flip", "crop", "translate", "hsv"):
        setattr(config.data.augment, f"{name}_probability", 0.0)
    first, again = (train_sample(source, config, GRID, 0, index) for index in (2, 2 + len(source)))
    assert_same(first, again)


@pytest.mark.parametrize("mix", ["mosaic", "mixup"])
def test_the_last_epochs_show_pictures_as_they_are(config, mix):
    source = open_split(config, "train")
    config.train.epochs, config.data.augment.mix_off_epochs = 6.0, 2.0
    plain = [[train_sample(source, config, GRID, epoch, n) for n in range(7)] for epoch in range(6)]
    setattr(config.data.augment, f"{mix}_probability", 1.0)
    mixed = [[train_sample(source, config, GRID, epoch, n) for n in range(7)] for epoch in range(6)]
    for epoch in range(4):
        assert all((one.image != other.image).any() for one, other in zip(plain[epoch], mixed[epoch], strict=True))
        assert_same(train_sample(source, config, GRID, epoch, 3), mixed[epoch][3])
    assert_same(mixed[4:], plain[4:])


def test_mixed_pictures_pass_over_unreadable_ones(config):
    config.data.augment.mosaic_probability = 1.0
    with open(config.data.train.replace("list.txt", "4.png"), "wb") as file:
        file.write(b"no picture")
    source = open_split(config, "train")
    with pytest.raises(InputError, match=r"list\.txt:5"):
        for index in range(4):
            train_sample(source, config, GRID, 0, index)
    config.data.on_unreadable = "skip"
    # A partner that cannot be read is counted where its own turn comes.
    assert [train_sample(source, config, GRID, 0, index).unreadable for index in range(7)] == [0, 0, 0, 0, 1, 0, 0]
