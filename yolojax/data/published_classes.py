"""The classes of the data sets on which Darknet's networks are published, in Darknet's order and spelling."""

from collections.abc import Iterable

COCO = tuple(
    "person,bicycle,car,motorbike,aeroplane,bus,train,truck,boat,traffic light,fire hydrant,stop sign,parking meter,bench,bird,"
    "cat,dog,horse,sheep,cow,elephant,bear,zebra,giraffe,backpack,umbrella,handbag,tie,suitcase,frisbee,skis,snowboard,"
    "sports ball,kite,baseball bat,baseball glove,skateboard,surfboard,tennis racket,bottle,wine glass,cup,fork,knife,spoon,"
    "bowl,banana,apple,sandwich,orange,broccoli,carrot,hot dog,pizza,donut,cake,chair,sofa,pottedplant,bed,diningtable,toilet,"
    "tvmonitor,laptop,mouse,remote,keyboard,cell phone,microwave,oven,toaster,sink,refrigerator,book,clock,vase,scissors,"
    "teddy bear,hair drier,toothbrush".split(",")
)
"""The 80 classes of COCO (Lin et al. 2014, arXiv:1405.0312), as in Darknet's coco.names."""

VOC = tuple(
    "aeroplane,bicycle,bird,boat,bottle,bus,car,cat,chair,cow,diningtable,dog,horse,motorbike,person,pottedplant,sheep,sofa,"
    "train,tvmonitor".split(",")
)
"""The 20 classes of PASCAL VOC (Everingham et al. 2010), as in Darknet's voc.names."""

PUBLISHED = {80: ("COCO", COCO), 20: ("VOC", VOC)}
"""The data sets and their classes, by the number of classes."""

_SPELLINGS = {
    "aeroplane": "airplane",
    "diningtable": "dining table",
    "motorbike": "motorcycle",
    "pottedplant": "potted plant",
    "sofa": "couch",
    "tvmonitor": "tv",
}


def spelling(name: str) -> str:
    """The form in which two class names are compared: in small letters, and COCO's spelling where Darknet has another."""
    name = name.strip().lower()
    return _SPELLINGS.get(name, name)


def same_classes(names: Iterable[str], known: Iterable[str]) -> dict[str, str]:
    """Find classes among others by their names.

    Args:
        names: class names to look for.
        known: class names to look among.

    Returns:
        {name: the one of `known` that is it, else the first that spells it otherwise (see `spelling`)}, without those that have
        none.
    """
    exact, by_spelling = set[str](), dict[str, str]()
    for name in known:
        exact.add(name)
        by_spelling.setdefault(spelling(name), name)
    found = {name: name if name in exact else by_spelling.get(spelling(name)) for name in names}
    return {name: other for name, other in found.items() if other is not None}
