"""What may stand beside a checkpoint, also in one of an earlier version."""

import pytest

from tests.helpers.tiny_config import get_config
from yolojax.errors import InputError
from yolojax.runs.meta import check_meta, known_fingerprint
from yolojax.runs.resume import check_data
from yolojax.runs.workdir import make_meta

OLDEST = {"metrics": {}, "pending": []}


def test_meta_of_this_and_of_earlier_versions_is_accepted():
    now = make_meta(get_config(), {"ap50": 0.5}, [{"step": 3, "loss": float("nan"), "skipped": 1}], [0.5, None])
    assert check_meta(now) is now
    assert check_meta(OLDEST) is OLDEST


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"metrics": None}, "metrics"),
        ({"metrics": {"ap50": "0.5"}}, "metrics"),
        ({"metrics": {"ap50": 10**400}}, "metrics"),
        ({"pending": {}}, "pending"),
        ({"pending": [3]}, "pending"),
        ({"pending": [{"loss": [1]}]}, "pending"),
        ({"scores": {"ap50": 1}}, "scores"),
        ({"scores": ["0.5"]}, "scores"),
        ({"skipped": "3"}, "skipped"),
        ({"skipped": -1}, "skipped"),
        ({"data": []}, "data"),
        ({"config": "digits"}, "config"),
    ],
)
def test_other_types_are_refused_by_name(change, named):
    with pytest.raises(InputError, match=rf"^{named} in its meta"):
        check_meta(OLDEST | change)


@pytest.mark.parametrize("value", [[], {"metrics": {}}, {"pending": []}, None])
def test_what_every_version_wrote_must_be_there(value):
    with pytest.raises(InputError, match="its meta"):
        check_meta(value)


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        "x",
        {"pictures": 3},
        {"pictures": 3, "boxes": 4},
        {"pictures": 3, "boxes": "4", "parts": ["a", "b", "c"]},
        {"pictures": 3, "boxes": 4, "parts": ["a"]},
        {"pictures": 3, "boxes": 4, "parts": ["a", "b", "c"], "relative": None},
    ],
)
def test_data_of_which_too_little_is_known_is_taken_as_it_is(value):
    assert known_fingerprint(value) is None
    now = {"pictures": 3, "boxes": 4, "parts": ["a", "b", "c"], "relative": ["a", "b", "c"]}
    assert (
        check_data({"data": {"train": value}, "config": {"data": []}}, {"train": now}, {"train": None}, {"train": "x"}, "w", 4)
        == []
    )


def test_a_fingerprint_is_known():
    whole = {"pictures": 3, "boxes": 4, "parts": ["a", "b", "c"]}
    assert known_fingerprint(whole) is whole and known_fingerprint({"own": 1}) == {"own": 1}
