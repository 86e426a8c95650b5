"""Problems of a data set, and what refuses them."""

import pytest

from yolojax.data.problems import Effect, Problem, effect_of, refuse, summarise
from yolojax.errors import InputError


def test_refusing_a_problem_raises_its_message():
    problem = Problem("box without area", "a.txt:3: box 1,2,1,4 has no area")
    with pytest.raises(InputError, match=r"^a\.txt:3: box 1,2,1,4 has no area$"):
        refuse(*problem)


def test_kinds_that_do_not_stop_are_summarised_each_in_one_line():
    problems = [Problem("polygon", "a.txt:1: p"), Problem("box without area", "b.xml:2: q"), Problem("polygon", "a.txt:3: r")]
    assert summarise([*problems, problems[0]]) == [
        "2 polygons became the boxes around them, the first at a.txt:1: p",
        "1 boxes without area were left out, the first at b.xml:2: q",
    ]
    assert summarise([]) == []


def test_a_kind_that_the_table_lacks_stops():
    assert effect_of("malformed box") is Effect.STOP
    assert effect_of("picture twice") is Effect.LEAVE_OUT
    assert effect_of("polygon") is Effect.REMARK
