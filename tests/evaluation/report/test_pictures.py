from hypothesis import given, settings
from hypothesis import strategies as st

from yolojax.evaluation.report.pictures import choose_pictures, pictures_to_show

A, B, C = [0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.none() | st.integers(0, 4), max_size=20), st.integers(1, 5))
def test_no_picture_is_chosen_twice_and_the_best_are_better(quarters, number):
    scores = [{"f1": None if q is None else q / 4, "truths": 3, "detections": 2} for q in quarters]
    chosen = choose_pictures(scores, number)
    assert chosen == choose_pictures(scores, number)
    places = [place for places in chosen.values() for place in places]
    assert len(set(places)) == len(places) == min(len(scores), len(places))
    best, worst, others = ([scores[place]["f1"] for place in chosen[kind]] for kind in ("best", "worst", "random"))
    between = [value for place, value in enumerate(q and q / 4 for q in quarters) if place not in places and value is not None]
    assert best == sorted(best, reverse=True) and worst == sorted(worst)
    assert min(best, default=1) >= max([*worst, *between, *filter(None, others)], default=0)
    assert max(worst, default=0) <= min([*between, *(value for value in others if value is not None)], default=1)
    known = sum(quarter is not None for quarter in quarters)
    assert len(best) + len(worst) == min(known, min(number, -(-known // 2)) + number)
    assert len(others) == min(number, len(scores) - len(best) - len(worst))


def test_more_boxes_go_first_and_pictures_keep_their_numbers():
    detections = [([A], [0.9], [0]), ([A, B], [0.9, 0.8], [0, 0]), ([C], [0.9], [0]), ([B, C], [0.9, 0.9], [0, 0])]
    truths = [([A], [0]), ([A, B], [0, 0]), ([A], [0]), ([A], [0])]
    shown = pictures_to_show(detections, truths, [3, 5, 7, 11], lambda image_id: f"{image_id}.png", 0.5)
    assert [entry["title"] for entry in shown["best"]] == ["5.png", "3.png"]
    assert [entry["image_id"] for entry in shown["worst"]] == [11, 7]
    assert shown["best"][0] == {"image_id": 5, "title": "5.png", "truths": 2, "detections": 2, "matched": 2, "f1": 1.0}
    assert shown["random"] == [] and shown["score_threshold"] == 0.5
    assert pictures_to_show([], [], [], str, float("nan"))["score_threshold"] == 0.3
