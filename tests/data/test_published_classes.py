"""The classes of COCO and VOC."""

from yolojax.data.published_classes import COCO, PUBLISHED, VOC, spelling


def test_they_are_as_many_as_published_and_of_either_spelling():
    assert {number: len(set(names)) for number, (_, names) in PUBLISHED.items()} == {80: 80, 20: 20}
    assert set(map(spelling, VOC)) <= set(map(spelling, COCO)) and not set(VOC) <= set(map(spelling, COCO))
    assert COCO[0] == "person" and COCO[79] == "toothbrush" and VOC[14] == "person"
    assert spelling(" Sofa ") == spelling("couch") == "couch"
