"""Names of the published networks' classes."""

from yolojax.data.published_classes import COCO, PUBLISHED, VOC, same_classes, spelling


def test_the_lists_are_those_of_darknet(real_data):
    for names, file in ((COCO, "coco.names"), (VOC, "voc.names")):
        assert list(names) == (real_data / "darknet" / file).read_text().split("\n")[: len(names)]
        assert PUBLISHED[len(names)][1] is names


def test_each_name_has_a_spelling_of_its_own():
    assert len({spelling(name) for name in COCO}) == 80
    assert {spelling(name) for name in VOC} <= {spelling(name) for name in COCO}
    assert spelling(" TVmonitor ") == spelling("tv") == "tv"


def test_they_are_as_many_as_published():
    assert {number: len(set(names)) for number, (_, names) in PUBLISHED.items()} == {80: 80, 20: 20}
    assert COCO[0] == "person" and COCO[79] == "toothbrush" and VOC[14] == "person"
    assert spelling(" Sofa ") == spelling("couch") == "couch"


def test_the_same_name_goes_before_another_spelling():
    assert same_classes(("TV", "tvmonitor", "sofa", "tree"), ("tv", "tvmonitor", " Couch ", "couch")) == {
        "TV": "tv",
        "tvmonitor": "tvmonitor",
        "sofa": " Couch ",
    }
