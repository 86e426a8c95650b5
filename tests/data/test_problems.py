"""Problems of a data set, and what refuses them."""

import pytest

from yolojax.data.problems import Problem, refuse
from yolojax.errors import InputError


def test_refusing_a_problem_raises_its_message():
    problem = Problem("box without area", "a.txt:3: box 1,2,1,4 has no area")
    with pytest.raises(InputError, match=r"^a\.txt:3: box 1,2,1,4 has no area$"):
        refuse(*problem)
