"""The same small data set in each layout in which labelling tools and public data sets lie on disk."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tests.helpers.reading import write
from yolojax.data.images import write_image

Boxes = list[tuple[str, float, float, float, float]]

WIDTH, HEIGHT = 64, 48
NAMES = ("cat", "dog")
PICTURES: dict[str, Boxes] = {
    f"p{number}.jpg": [
        (NAMES[number % 2], 4 + number, 6, 24 + number, 30),
        *([(NAMES[(number + 1) % 2], 30, 10 + number, 56, 40)] if number % 3 else []),
    ]
    for number in range(8)
}
"""{picture: its boxes (class, x1, y1, x2, y2) in pixels}; every picture has one."""
_PARTS = {"train": list(PICTURES)[:5], "valid": list(PICTURES)[5:7], "test": list(PICTURES)[7:]}


class Made(NamedTuple):
    """A data set that was made.

    Attributes:
        path: what to give to the programs.
        form: the name of its format.
        names: a file of class names where the data has none of its own, or None.
        splits: its splits.
    """

    path: Path
    form: str
    names: Path | None = None
    splits: tuple[str, ...] = ()


def voc_devkit(folder: Path) -> Made:
    """VOCdevkit/VOC2007 with lists of its splits."""
    root = folder / "VOCdevkit/VOC2007"
    _pictures(root / "JPEGImages")
    _voc_files(root / "Annotations")
    for split, members in (("trainval", list(PICTURES)[:6]), ("train", list(PICTURES)[:4]), ("val", list(PICTURES)[4:6])):
        _lines(root / f"ImageSets/Main/{split}.txt", (Path(name).stem for name in members))
    _lines(root / "ImageSets/Main/test.txt", (Path(name).stem for name in list(PICTURES)[6:]))
    return Made(root, "voc", splits=("train", "val", "test", "trainval"))


def labelimg(folder: Path) -> Made:
    """XML files beside the pictures."""
    _pictures(folder)
    _voc_files(folder)
    return Made(folder, "voc")


def annotations_and_images(folder: Path) -> Made:
    """annotations/ and images/ without lists."""
    _pictures(folder / "images")
    _voc_files(folder / "annotations")
    return Made(folder, "voc")


def roboflow_voc(folder: Path) -> Made:
    """train/, valid/ and test/, each with XML files beside the pictures."""
    for split, members in _PARTS.items():
        _pictures(folder / split, members)
        _voc_files(folder / split, members)
    return Made(folder, "voc", splits=("train", "val", "test"))


def tensorflow_csv(folder: Path) -> Made:
    """A table for the object detection of TensorFlow in each split's folder."""
    for split, members in _PARTS.items():
        _pictures(folder / split, members)
        rows = [
            f"{name},{WIDTH},{HEIGHT},{label},{x1},{y1},{x2},{y2}"
            for name in members
            for label, x1, y1, x2, y2 in PICTURES[name]
        ]
        _lines(folder / split / "_annotations.csv", ["filename,width,height,class,xmin,ymin,xmax,ymax", *rows])
    return Made(folder, "csv", splits=("train", "val", "test"))


def retinanet_csv(folder: Path) -> Made:
    """annotations.csv without header, and classes.csv."""
    _pictures(folder / "images")
    rows = [f"images/{name},{x1},{y1},{x2},{y2},{label}" for name, boxes in PICTURES.items() for label, x1, y1, x2, y2 in boxes]
    _lines(folder / "annotations.csv", rows)
    _lines(folder / "classes.csv", (f"{name},{number}" for number, name in enumerate(NAMES)))
    return Made(folder / "annotations.csv", "csv")


def labelme(folder: Path) -> Made:
    """A JSON file beside each picture."""
    _pictures(folder)
    for name, boxes in PICTURES.items():
        shapes = [
            {"label": label, "points": [[x1, y1], [x2, y2]], "group_id": None, "shape_type": "rectangle", "flags": {}}
            for label, x1, y1, x2, y2 in boxes
        ]
        size = {"imageHeight": HEIGHT, "imageWidth": WIDTH}
        content = {"version": "5.4.1", "flags": {}, "shapes": shapes, "imagePath": name, "imageData": None, **size}
        _json(folder / f"{Path(name).stem}.json", content)
    return Made(folder, "labelme")


def cvat_xml(folder: Path) -> Made:
    """CVAT for images: annotations.xml and images/."""
    _pictures(folder / "images")
    labels = "".join(f"<label><name>{name}</name><type>any</type></label>" for name in NAMES)
    lines = [f'<?xml version="1.0" encoding="utf-8"?>\n<annotations><meta><task><labels>{labels}</labels></task></meta>']
    for number, (name, boxes) in enumerate(PICTURES.items()):
        lines.append(f'<image id="{number}" name="{name}" width="{WIDTH}" height="{HEIGHT}">')
        lines += [
            f'<box label="{label}" source="manual" occluded="0" xtl="{x1}" ytl="{y1}" xbr="{x2}" ybr="{y2}" z_order="0"></box>'
            for label, x1, y1, x2, y2 in boxes
        ]
        lines.append("</image>")
    _lines(folder / "annotations.xml", [*lines, "</annotations>"])
    return Made(folder, "cvat")


def cvat_yolo(folder: Path) -> Made:
    """CVAT's YOLO export, unpacked: its paths start with data/, which is not there."""
    _pictures(folder / "obj_train_data")
    _yolo_files(folder / "obj_train_data")
    _lines(folder / "train.txt", (f"data/obj_train_data/{name}" for name in PICTURES))
    _lines(folder / "obj.names", NAMES)
    _lines(folder / "obj.data", ["classes = 2", "train = data/train.txt", "names = data/obj.names", "backup = backup/"])
    return Made(folder, "darknet", splits=("train",))


def cvat_coco(folder: Path) -> Made:
    """CVAT's COCO export, unpacked."""
    _pictures(folder / "images")
    _coco_file(folder / "annotations/instances_default.json")
    return Made(folder, "coco folder")


def label_studio_coco(folder: Path) -> Made:
    """Label Studio's COCO export: result.json, categories from 0."""
    _pictures(folder / "images")
    _coco_file(folder / "result.json", prefix="images/", first=0)
    return Made(folder, "coco folder")


def label_studio_yolo(folder: Path) -> Made:
    """Label Studio's YOLO export: classes.txt and notes.json."""
    _pictures(folder / "images")
    _yolo_files(folder / "labels")
    _lines(folder / "classes.txt", NAMES)
    _json(folder / "notes.json", {"categories": [{"id": number, "name": name} for number, name in enumerate(NAMES)]})
    return Made(folder, "yolo")


def darknet_data(folder: Path) -> Made:
    """A .data file as for Darknet's own programs, the labels beside the pictures."""
    _pictures(folder / "obj")
    _yolo_files(folder / "obj")
    _lines(folder / "train.txt", (f"obj/{name}" for name in list(PICTURES)[:5]))
    _lines(folder / "test.txt", (f"obj/{name}" for name in list(PICTURES)[5:]))
    _lines(folder / "obj.names", NAMES)
    _lines(folder / "obj.data", ["classes=2", "train=train.txt", "valid=test.txt", "names=obj.names", "backup=backup/"])
    return Made(folder / "obj.data", "darknet", splits=("train", "val"))


def roboflow_yolo(folder: Path) -> Made:
    """Roboflow's YOLO export, whose data.yaml names folders that start with ../."""
    for split, members in _PARTS.items():
        _pictures(folder / split / "images", members)
        _yolo_files(folder / split / "labels", members)
    _lines(
        folder / "data.yaml",
        ["train: ../train/images", "val: ../valid/images", "test: ../test/images", "", "nc: 2", "names: ['cat', 'dog']", ""]
        + ["roboflow:", "  workspace: pets", "  version: 1"],
    )
    return Made(folder, "yolo", splits=("train", "val", "test"))


def roboflow_coco(folder: Path) -> Made:
    """Roboflow's COCO export, whose category 0 is a heading."""
    for split, members in _PARTS.items():
        _pictures(folder / split, members)
        _coco_file(folder / split / "_annotations.coco.json", members, heading=True)
    return Made(folder, "coco folder", splits=("train", "val", "test"))


def coco_2017(folder: Path) -> Made:
    """COCO's own folders."""
    for split, members in (("train2017", list(PICTURES)[:5]), ("val2017", list(PICTURES)[5:])):
        _pictures(folder / split, members)
        _coco_file(folder / f"annotations/instances_{split}.json", members)
    return Made(folder, "coco folder", splits=("train", "val"))


def fiftyone_coco(folder: Path) -> Made:
    """FiftyOne's COCODetectionDataset."""
    _pictures(folder / "data")
    _coco_file(folder / "labels.json")
    return Made(folder, "coco folder")


def fiftyone_own(folder: Path) -> Made:
    """FiftyOne's FiftyOneImageDetectionDataset."""
    _pictures(folder / "data")
    labels = {
        Path(name).stem: [
            {
                "label": NAMES.index(label),
                "bounding_box": [x1 / WIDTH, y1 / HEIGHT, (x2 - x1) / WIDTH, (y2 - y1) / HEIGHT],
            }
            for label, x1, y1, x2, y2 in boxes
        ]
        for name, boxes in PICTURES.items()
    }
    _json(folder / "labels.json", {"classes": NAMES, "labels": labels})
    return Made(folder, "coco folder")


def yolo_other_yaml(folder: Path) -> Made:
    """A YOLO folder whose yaml has a name of its own and names as a mapping with quoted keys."""
    for split, members in (("train", list(PICTURES)[:5]), ("val", list(PICTURES)[5:])):
        _pictures(folder / "images" / split, members)
        _yolo_files(folder / "labels" / split, members)
    _lines(
        folder / "pets.yaml",
        ["path: ../datasets/pets", "train: images/train", "val: images/val", "names:", "  '0': cat", "  '1': dog"],
    )
    return Made(folder, "yolo", splits=("train", "val"))


def yolo_classes(folder: Path) -> Made:
    """LabelImg's YOLO: labels and classes.txt beside the pictures, no yaml."""
    _pictures(folder)
    _yolo_files(folder)
    _lines(folder / "classes.txt", NAMES)
    return Made(folder, "yolo")


def text_list(folder: Path) -> Made:
    """A text list, and a file of names that does not go with it by itself."""
    _pictures(folder / "images")
    lines = [
        " ".join(
            [f"images/{name}", *(f"{x1},{y1},{x2},{y2},{NAMES.index(label)}" for label, x1, y1, x2, y2 in boxes)],
        )
        for name, boxes in PICTURES.items()
    ]
    _lines(folder / "all.txt", lines)
    _lines(folder / "pets.names", NAMES)
    return Made(folder / "all.txt", "text", names=folder / "pets.names")


LAYOUTS: tuple[Callable[[Path], Made], ...] = (
    voc_devkit, labelimg, annotations_and_images, roboflow_voc, tensorflow_csv, retinanet_csv, labelme, cvat_xml, cvat_yolo,
    cvat_coco, label_studio_coco, label_studio_yolo, darknet_data, roboflow_yolo, roboflow_coco, coco_2017, fiftyone_coco,
    fiftyone_own, yolo_other_yaml, yolo_classes, text_list,
)  # fmt: skip


def _pictures(folder: Path, members: Iterable[str] = PICTURES) -> None:
    """Write pictures of noise, so that no two are the same."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in members:
        rng = np.random.default_rng(int(name[1]))
        write_image(folder / name, rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8))


def _voc_files(folder: Path, members: Iterable[str] = PICTURES) -> None:
    for name in members:
        objects = "".join(
            f"<object><name>{label}</name><pose>Unspecified</pose><difficult>0</difficult><bndbox><xmin>{x1}</xmin>"
            f"<ymin>{y1}</ymin><xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox></object>\n"
            for label, x1, y1, x2, y2 in PICTURES[name]
        )
        size = f"<size><width>{WIDTH}</width><height>{HEIGHT}</height><depth>3</depth></size>"
        text = f"<annotation><folder>x</folder><filename>{name}</filename>{size}\n{objects}</annotation>\n"
        write(folder / f"{Path(name).stem}.xml", text)


def _yolo_files(folder: Path, members: Iterable[str] = PICTURES) -> None:
    for name in members:
        rows = (
            (NAMES.index(label), (x1 + x2) / 2 / WIDTH, (y1 + y2) / 2 / HEIGHT, (x2 - x1) / WIDTH, (y2 - y1) / HEIGHT)
            for label, x1, y1, x2, y2 in PICTURES[name]
        )
        _lines(folder / f"{Path(name).stem}.txt", (" ".join(map(str, row)) for row in rows))


def _coco_file(
    path: Path, members: Iterable[str] = PICTURES, *, prefix: str = "", first: int = 1, heading: bool = False
) -> None:
    """Write a COCO file whose first class has the id `first`; with `heading` there is an unused category 0 before it."""
    images, annotations = [], []
    for number, name in enumerate(members):
        images.append({"id": number, "file_name": prefix + name, "width": WIDTH, "height": HEIGHT})
        for label, x1, y1, x2, y2 in PICTURES[name]:
            box = {"bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1), "iscrowd": 0, "segmentation": []}
            ids = {"id": len(annotations), "image_id": number, "category_id": NAMES.index(label) + first}
            annotations.append({**ids, **box})
    categories = [{"id": number, "name": name, "supercategory": "pets"} for number, name in enumerate(NAMES, first)]
    if heading:
        categories.insert(0, {"id": 0, "name": "pets", "supercategory": "none"})
    _json(path, {"info": {}, "licenses": [], "images": images, "annotations": annotations, "categories": categories})


def _json(path: Path, content: Any) -> None:
    write(path, json.dumps(content))


def _lines(path: Path, lines: Iterable[str]) -> None:
    write(path, "".join(f"{line}\n" for line in lines))
