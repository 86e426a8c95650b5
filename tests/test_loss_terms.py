"""The terms of a loss by name, whichever way a loss returns them."""

from typing import NamedTuple

import numpy as np
import pytest

from yolojax.loss_terms import LOG_NAMES, LossTerms, in_log_order, named_terms


class Two(NamedTuple):
    near: np.ndarray
    far: np.ndarray


@pytest.mark.parametrize(
    "value, names",
    [
        (LossTerms(*np.ones((3, 4), np.float32)), ["box", "objectness", "classification"]),
        (Two(*np.ones((2, 4), np.float32)), ["near", "far"]),
        ({"b": np.ones(4, np.float64), "a": np.ones(4, np.float32)}, ["b", "a"]),
        (np.ones(4, np.float32), ["loss"]),
        ({"loss": np.ones(4, np.float32)}, ["loss"]),
    ],
)
def test_a_loss_may_return_its_terms_in_several_ways(value, names):
    for found in (named_terms(value), named_terms(value, 4)):
        assert list(found) == names
        given = [value] if isinstance(value, np.ndarray) else list(getattr(value, "values", value.__iter__)())
        assert all(map(np.array_equal, found.values(), given))
    with pytest.raises(ValueError, match=rf"the term '{names[0]}' of the loss must be \(5,\) floating, .*, not \(4,\) float"):
        named_terms(value, 5)


ONES = np.ones(4, np.float32)


@pytest.mark.parametrize(
    "value, message",
    [
        ({}, "the loss returned no term"),
        ((ONES, ONES), r"a loss returns LossTerms, .*, not a tuple"),
        ([ONES], r"not a list"),
        (3.0, r"not a float"),
        (np.float32(3), r"the term 'loss' of the loss must be \(B,\) floating, one number per image, not \(\) float32"),
        ({"box": ONES, "mass": ONES[None]}, r"the term 'mass' .* \(4,\) floating, .* not \(1, 4\) float32"),
        ({"box": ONES, "mass": ONES[:3]}, r"the term 'mass' .* \(4,\) floating, .* not \(3,\) float32"),
        ({"box": ONES.astype(int)}, r"the term 'box' .* not \(4,\) int64"),
        ({"box": None}, r"the term 'box' .* not NoneType"),
        ({"box": 1.0}, r"the term 'box' .* not float"),
        ({3: ONES}, "a term of a loss cannot be called 3"),
        ({"": ONES}, "a term of a loss cannot be called ''"),
        *(
            ({name: ONES, "box": ONES}, f"a term of a loss cannot be called '{name}', which the log uses")
            for name in sorted(LOG_NAMES)
        ),
    ],
)
def test_terms_that_cannot_be_summed_or_logged_are_refused_in_one_line(value, message):
    with pytest.raises(ValueError, match=message) as error:
        named_terms(value)
    assert "\n" not in str(error.value)


def test_the_usual_terms_are_logged_first_and_the_others_by_name():
    assert in_log_order(["size", "classification", "angle", "box"]) == ["box", "classification", "angle", "size"]
    assert in_log_order(LossTerms._fields) == list(LossTerms._fields) and in_log_order([]) == []
