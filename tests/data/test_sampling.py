"""Which pictures and which size make up a step: every picture as often as its weight says, from (seed, step) alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yolojax.data.sampling import class_balanced_weights, repeat_factors, sampler, step_grid
from yolojax.grid import AnchorGrid

CLASS_LISTS = [np.array(classes, np.int32) for classes in ([0, 0], [0, 1], [0], [], [0, 1, 1], [0], [2], [0])]


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**40), batch_size=st.integers(1, 20), length=st.integers(1, 17), start=st.integers(0, 9))
def test_every_epoch_visits_each_picture_once(seed, batch_size, length, start):
    steps = max(start + 1, -(-4 * length // batch_size))
    visits = [visit for step in range(steps) for visit in sampler(seed, batch_size, length)(step)]
    assert len(visits) == steps * batch_size
    for epoch in range(4):
        of_epoch = visits[epoch * length : (epoch + 1) * length]
        assert {e for e, _ in of_epoch} == {epoch}
        assert sorted(index for _, index in of_epoch) == list(range(length))
    assert sampler(seed, batch_size, length)(start) == visits[start * batch_size : (start + 1) * batch_size]


def test_orders_differ_between_epochs_and_seeds():
    for weights in (None, np.ones(50), np.linspace(0.1, 3, 50)):
        orders = {tuple(index for _, index in sampler(seed, 50, 50, weights)(step)) for seed in (0, 1) for step in range(5)}
        assert len(orders) == 10
    # No epoch is an old one continued or turned round: a picture's place in one says nothing of its place in the next.
    places = np.array([np.argsort([index for _, index in sampler(3, 400, 400)(step)]) for step in range(2)])
    assert abs(np.corrcoef(places)[0, 1]) < 0.2


@settings(deadline=None, max_examples=60)
@given(weights=st.lists(st.floats(0.01, 100), min_size=1, max_size=15), seed=st.integers(0, 2**40))
def test_weights_say_how_often_an_epoch_shows_a_picture(weights, seed):
    weights = np.array(weights)
    length = len(weights)
    samples = sampler(seed, length, length, weights)
    expected = length * weights / weights.sum()
    for epoch in range(3):
        assert {e for e, _ in samples(epoch)} == {epoch}
        indices = np.array([index for _, index in samples(epoch)])
        assert len(set(indices)) == length
        times = np.bincount(indices % length, minlength=length)
        assert ((np.floor(expected - 1e-9) <= times) & (times <= np.ceil(expected + 1e-9))).all()
        # The showings of a picture are counted from 0.
        for picture in range(length):
            assert sorted(indices[indices % length == picture] // length) == list(range(times[picture]))


def test_over_many_epochs_the_weights_are_met_exactly():
    weights = np.array([1.0, 2.5, 0.3, 0.9, 4.0, 1.1, 0.2])
    samples = sampler(0, 7, 7, weights)
    times = np.zeros(7)
    for epoch in range(2000):
        times += np.bincount([index % 7 for _, index in samples(epoch)], minlength=7)
    np.testing.assert_allclose(times / 2000, 7 * weights / weights.sum(), atol=0.04)


def test_repeat_factors_are_those_of_the_rarest_class():
    # Of 8 pictures 6 show class 0, 2 class 1, 1 class 2.
    rare, rarest = np.sqrt(0.5 / 0.25), np.sqrt(0.5 / 0.125)
    expected = [1, rare, 1, 1, rare, 1, rarest, 1]
    np.testing.assert_allclose(repeat_factors(CLASS_LISTS, 0.5), expected, rtol=1e-12)
    np.testing.assert_array_equal(repeat_factors(CLASS_LISTS, 0.125), np.ones(8))
    np.testing.assert_array_equal(repeat_factors([np.zeros(0, np.int32)] * 3, 1.0), np.ones(3))


def test_class_balanced_weights_are_those_of_a_class_and_then_a_picture():
    # A draw in two stages, as the literature has it; the picture without boxes is the fourth class.
    shows = [[i for i, classes in enumerate(CLASS_LISTS) if c in classes] for c in range(3)] + [[3]]
    expected = np.zeros(8)
    for pictures in shows:
        for picture in pictures:
            expected[picture] += 1 / 4 / len(pictures)
    np.testing.assert_allclose(class_balanced_weights(CLASS_LISTS), expected, rtol=1e-12)
    np.testing.assert_allclose(class_balanced_weights(CLASS_LISTS).sum(), 1)
    # A class that no picture shows takes nothing away from the others.
    np.testing.assert_allclose(class_balanced_weights([np.array([5]), np.array([7]), np.array([7])]), [0.5, 0.25, 0.25])
    np.testing.assert_allclose(class_balanced_weights([np.zeros(0, np.int32)] * 2), [0.5, 0.5])


@pytest.mark.parametrize("seed", [0, 5])
def test_the_size_of_a_step_follows_from_the_seed_and_the_step(seed):
    grids = [AnchorGrid(size=(side, side)) for side in (64, 96, 128)]
    drawn = [step_grid(seed, step, grids) for step in range(600)]
    assert drawn == [step_grid(seed, step, tuple(grids)) for step in range(600)]
    assert drawn != [step_grid(seed + 1, step, grids) for step in range(600)]
    assert all(150 < drawn.count(grid) < 250 for grid in grids)
    assert step_grid(seed, 3, grids[:1]) == grids[0]
