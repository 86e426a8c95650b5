"""Words of messages that depend on a number."""

import pytest

from yolojax.runtime.wording import counted


@pytest.mark.parametrize(
    ("number", "noun", "expected"),
    [(0, "picture", "0 pictures"), (1, "class", "1 class"), (2, "class", "2 classes"), (1000, "box", "1,000 boxes")],
)
def test_the_noun_follows_the_number(number, noun, expected):
    assert counted(number, noun) == expected


def test_other_plurals_are_given():
    assert counted(2, "training picture", "pictures of the training") == "2 pictures of the training"
