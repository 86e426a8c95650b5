"""A table of what goes wrong in labelled data: kind of problem x format. Every box is used, or its file is named."""

import json
import os
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from tests.helpers.reading import write
from yolojax.data.check import find_problems, is_remark
from yolojax.data.formats.read import FORMATS, read_annotations, read_data, recognise
from yolojax.data.image_size import try_pictures
from yolojax.data.images import write_image
from yolojax.data.problems import Problem
from yolojax.errors import InputError

WIDTH, HEIGHT = 64, 48
FINE = (8.0, 6.0, 40.0, 30.0)
SMALL = (2.0, 2.0, 12.0, 14.0)
THIN = (20.25, 20.0, 20.75, 30.0)
PICTURES = {"voc": "JPEGImages", "labelme": "", "darknet": "obj"}  # the folder of the pictures; images/ elsewhere
COMPOSED = "caf\u00e9"
DECOMPOSED = unicodedata.normalize("NFD", COMPOSED)


class Sample(NamedTuple):
    """What is written about a picture, beside a second one, b.jpg, about which all is well.

    Attributes:
        boxes: its boxes, xyxy in pixels.
        stem: the name of its label file, and of the picture unless the others say differently.
        listed: its name as it is written, from the folder of pictures.
        on_disk: its name on disk, from there; "" for a picture that is not there.
        stated: (width, height) as the annotations state it.
        other_unit: writes fractions where pixels are expected, and the other way round.
        raw: written in place of the boxes, in the words of the format.
        in_list: whether a YOLO set names its pictures in a list.
    """

    boxes: tuple[tuple[float, float, float, float], ...] = (FINE,)
    stem: str = "a"
    listed: str = "a.jpg"
    on_disk: str = "a.jpg"
    stated: tuple[int, int] = (WIDTH, HEIGHT)
    other_unit: bool = False
    raw: Any = None
    in_list: bool = False

    def corners(self) -> list[tuple[float, ...]]:
        """The boxes as a format that has pixels states them."""
        scale = np.array([WIDTH, HEIGHT] * 2) if self.other_unit else 1
        return [tuple((np.array(box) / scale).tolist()) for box in self.boxes]

    def centres(self) -> str:
        """The lines of a YOLO label file."""
        scale = np.array([1, 1]) if self.other_unit else np.array([WIDTH, HEIGHT])
        rows = []
        for box in np.array(self.boxes).reshape(-1, 2, 2):
            rows.append([0, *(box.mean(axis=0) / scale).tolist(), *((box[1] - box[0]) / scale).tolist()])
        return "".join(" ".join(map(str, row)) + "\n" for row in rows)


SUB = Sample(listed="sub\\a.jpg", on_disk="sub/a.jpg")
OTHER = Sample(stem="b", listed="b.jpg", on_disk="b.jpg")


def write_voc(root, sample):
    """Annotations/NAME.xml, one object a box."""
    sides = ("xmin", "ymin", "xmax", "ymax")
    boxes = [
        "<bndbox>" + "".join(f"<{side}>{value}</{side}>" for side, value in zip(sides, box, strict=True)) + "</bndbox>"
        for box in sample.corners()
    ]
    objects = "".join(f"<object><name>cell</name>{box}</object>" for box in boxes)
    size = f"<size><width>{sample.stated[0]}</width><height>{sample.stated[1]}</height></size>"
    content = f"<annotation><filename>{sample.listed}</filename>{size}{sample.raw or objects}</annotation>"
    write(root / f"Annotations/{sample.stem}.xml", content)


def write_yolo(root, sample):
    """labels/NAME.txt; data.yaml names the folder of pictures, or a list."""
    write(root / f"labels/{sample.stem}.txt", sample.raw or sample.centres())
    with (root / "train.txt").open("a") as file:
        file.write(f"./images/{sample.listed}\n".replace("/images/sub\\", "\\images\\sub\\"))
    train = "train.txt" if sample.in_list or (root / "listed").exists() else "images"
    if sample.in_list:
        (root / "listed").touch()
    write(root / "data.yaml", f"train: {train}\nval: {train}\nnames: [cell]\n")


def write_darknet(root, sample):
    """obj/NAME.txt beside the pictures, train.txt, obj.names and obj.data."""
    folder = os.path.dirname(sample.listed.replace("\\", "/"))
    write(root / "obj" / folder / f"{sample.stem}.txt", sample.raw or sample.centres())
    write(root / "obj.names", "cell\n")
    write(root / "obj.data", "classes=1\ntrain=train.txt\nnames=obj.names\n")
    with (root / "train.txt").open("a") as file:
        file.write(f"obj/{sample.listed}\n".replace("obj/sub\\", "obj\\sub\\"))


def write_coco(root, sample):
    """labels.json: what is written for a second picture is added to it."""
    path = root / "labels.json"
    content = json.loads(path.read_text()) if path.exists() else {"images": [], "annotations": []}
    number = len(content["images"])
    width, height = sample.stated
    content["images"].append({"id": number, "file_name": sample.listed, "width": width, "height": height})
    boxes = [{"bbox": [x1, y1, x2 - x1, y2 - y1]} for x1, y1, x2, y2 in sample.corners()]
    for box in [sample.raw] if sample.raw else boxes:
        content["annotations"].append({"id": len(content["annotations"]), "image_id": number, "category_id": 1, **box})
    content["categories"] = [{"id": 1, "name": "cell"}]
    write(path, json.dumps(content))


def write_text(root, sample):
    """list.txt, and the class names in cell.names."""
    write(root / "cell.names", "cell\n")
    boxes = [",".join(map(str, (*box, 0))) for box in sample.corners()]
    with (root / "list.txt").open("a") as file:
        file.write(" ".join([f"images/{sample.listed}".replace("/sub\\", "\\sub\\"), *boxes]) + "\n")


def write_csv(root, sample):
    """labels.csv as for TensorFlow's object detection."""
    path, (width, height) = root / "labels.csv", sample.stated
    if not path.exists():
        header = "filename,region_count,region_id,region_shape_attributes,region_attributes"
        write(path, f"{header if sample.raw else 'filename,width,height,class,xmin,ymin,xmax,ymax'}\n")
    boxes = sample.corners() or [("", "", "", "")]
    with path.open("a") as file:
        if sample.raw:
            file.write(f"{sample.listed},1,0,{sample.raw}\n")
        elif "region_id" in path.read_text():
            file.write(f"{sample.listed},1,0,{VIA_RECTANGLE}\n")
        else:
            file.writelines(f"{sample.listed},{width},{height},cell,{','.join(map(str, box))}\n" for box in boxes)


def write_labelme(root, sample):
    """NAME.json beside the pictures."""
    shapes = [{"shape_type": "rectangle", "points": [[x1, y1], [x2, y2]]} for x1, y1, x2, y2 in sample.corners()]
    shapes = [{"label": "cell", **shape} for shape in ([sample.raw] if sample.raw else shapes)]
    width, height = sample.stated
    content = {"version": "5", "shapes": shapes, "imagePath": sample.listed, "imageHeight": height, "imageWidth": width}
    write(root / f"{sample.stem}.json", json.dumps(content))


def write_cvat(root, sample):
    """annotations.xml: what is written for a second picture is added to it."""
    path, end = root / "annotations.xml", "</annotations>"
    before = path.read_text().removesuffix(end) if path.exists() else "<annotations><version>1.1</version>\n"
    boxes = "".join(f'<box label="cell" xtl="{x1}" ytl="{y1}" xbr="{x2}" ybr="{y2}"/>\n' for x1, y1, x2, y2 in sample.corners())
    width, height = sample.stated
    image = f'<image id="0" name="{sample.listed}" width="{width}" height="{height}">\n{sample.raw or boxes}</image>\n'
    write(path, before + image + end)


VIA_RECTANGLE = '"{""name"":""rect"",""x"":8,""y"":6,""width"":32,""height"":24}","{""label"":""cell""}"'
VIA_POLYGON = (
    '"{""name"":""polygon"",""all_points_x"":[8,40,8],""all_points_y"":[6,6,30]}","{""label"":""cell""}"'  # as VIA 2 writes it
)
WRITERS: dict[str, Callable[[Path, Sample], None]] = {
    "voc": write_voc, "yolo": write_yolo, "coco": write_coco, "text": write_text, "csv": write_csv, "labelme": write_labelme,
    "cvat": write_cvat, "darknet": write_darknet,
}  # fmt: skip
FILES = {"coco": "labels.json", "text": "list.txt", "csv": "labels.csv", "cvat": "annotations.xml"}
"""The file to give, where it is not the folder."""


def picture_folder(root: Path, form: str) -> Path:
    """Where the pictures lie."""
    return root / PICTURES.get(form, "images")


def write_picture(path: Path) -> None:
    """Write a picture; one in a format that is not read has the beginning of such a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".jpg":
        write_image(path, np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8))
    else:
        path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200))


def make(root: Path, form: str, sample: Sample, other: Sample = OTHER) -> Path:
    """Write a data set of two pictures; returns what to give to the programs."""
    root.mkdir(parents=True)
    for each in (sample, other):
        if each.on_disk:
            write_picture(picture_folder(root, form) / each.on_disk)
        WRITERS[form](root, each)
    return root / FILES.get(form, "")


def label_beside(root: Path, form: str) -> None:
    """A label whose picture is not there, as after a typo."""
    folder = {"voc": "Annotations", "yolo": "labels", "darknet": "obj"}.get(form, "")
    ending = {"voc": "xml", "labelme": "json"}.get(form, "txt")
    content = (root / folder / f"b.{ending}").read_text().replace("b.jpg", "typo.jpg")
    write(root / folder / f"typo.{ending}", content)


def hidden_beside(root: Path, form: str) -> None:
    """What a Mac and Windows leave beside pictures and labels."""
    folders = {root, picture_folder(root, form), *root.iterdir()}
    for folder in filter(Path.is_dir, folders):
        for name in ("._a.jpg", "._a.xml", "._a.txt", "._a.json", "._labels.csv", ".DS_Store", "Thumbs.db"):
            write(folder / name, b"\0\5\x16\7")


def link_pictures(root: Path, form: str) -> None:
    """Move the pictures to another disk, with a link in their place; those of LabelMe with their labels."""
    folder, far = picture_folder(root, form), root.parent / "far"
    if folder == root:
        root.rename(far)
        root.mkdir()
        folder = root / "linked"
    else:
        folder.rename(far)
    folder.symlink_to(far)


def other_file_beside(root: Path, form: str) -> None:
    """A file where the labels are that is none."""
    folder, name, content = {
        "voc": ("Annotations", "export.xml", "<html><body>Sign in</body></html>"),
        "yolo": ("labels", "notes.txt", "labelled by Ann\n"),
        "darknet": ("obj", "notes.txt", "labelled by Ann\n"),
        "labelme": ("", "settings.json", '{"theme": "dark"}'),
    }[form]
    write(root / folder / name, content)


def overwrite(root: Path, form: str) -> None:
    """Put something else in the place of the file of annotations."""
    content = {"coco": "{}", "cvat": "<annotations/>", "csv": "epoch,loss\n1,2\n", "text": b"\xff\xd8\xff\xe0" + bytes(99)}
    write(root / FILES[form], content[form])


def second_label(root: Path, form: str) -> None:
    """Other boxes of a.jpg, in a second place."""
    if form == "yolo":
        write(root / "images/a.txt", Sample((SMALL,)).centres())
    else:
        WRITERS[form](root, Sample((SMALL,), stem="copy"))


class Cell(NamedTuple):
    """What is to come of a kind of problem in a format.

    Attributes:
        kind: the kind of the problem that is reported; "refused" where the whole data set is; None: nothing is reported.
        place: a word that its message holds: the file in which it is.
        sample: what is written.
        other: what is written about the other picture.
        change: called with the folder and the format when all is written.
        used: how many of the boxes of the sample are used; None: all.
    """

    kind: str | None
    place: str = ""
    sample: Sample = Sample()
    other: Sample = OTHER
    change: Callable[[Path, str], None] | None = None
    used: int | None = None


PER_FILE = {"voc": "a.xml", "yolo": "a.txt", "darknet": "a.txt", "labelme": "a.json"}
PLACES = {**PER_FILE, **FILES}
"""The file that holds the boxes of the sample."""
ONE_FILE = "one file holds all, and names the pictures: see 'picture missing'"
NO_SHAPES = "has upright boxes alone"
RLE = {"counts": [8 * HEIGHT + 6, *[24, 24] * 31, 24, 18 + 24 * HEIGHT], "size": [HEIGHT, WIDTH]}


def everywhere(kind: str | None, sample: Sample, **others: Any) -> dict[str, Cell]:
    """The same cell for each format."""
    return {form: Cell(kind, PLACES[form] if kind else "", sample, **others) for form in WRITERS}


TABLE: dict[str, dict[str, Cell | str]] = {
    "all is well": {**everywhere(None, Sample())},
    "no box at all": {
        form: Cell("no boxes", "2 pictures and not a single box", Sample(()), OTHER._replace(boxes=())) for form in WRITERS
    },
    "fractions for pixels, pixels for fractions": {
        form: Cell(
            "malformed box" if form in ("yolo", "darknet") else "normalised box",
            PLACES[form],
            Sample(other_unit=True),
            used=0,
        )
        for form in WRITERS
    },
    "box under a pixel": {**everywhere("box under a pixel", Sample((FINE, THIN)))},
    "box without area": {**everywhere("box without area", Sample((FINE, (5.0, 5.0, 5.0, 9.0))), used=1)},
    "stated size differs": {
        **everywhere("stated size", Sample(stated=(640, 480))),
        **dict.fromkeys(("yolo", "darknet", "text"), "states no sizes"),
    },
    "label without picture": {
        **{form: Cell("unreadable picture", "typo", change=label_beside) for form in ("voc", "labelme")},
        **{form: Cell("label without picture", "typo.txt", change=label_beside) for form in ("yolo", "darknet")},
        **dict.fromkeys(("coco", "text", "csv", "cvat"), ONE_FILE),
    },
    "picture missing": {
        **everywhere("unreadable picture", Sample(on_disk=""), used=0),
        "yolo": Cell("unreadable picture", "a.jpg", Sample(on_disk="", in_list=True), used=0),
    },
    "picture in an ending that is not read": {
        form: Cell(
            "unknown picture format" if form in ("voc", "yolo") else "unreadable picture",
            "a.heic",
            Sample(listed="a.heic", on_disk="a.heic"),
            used=0,
        )
        for form in WRITERS
    },
    "hidden files": {
        **everywhere(None, Sample(), change=hidden_beside),
        **{form: Cell("hidden file", "._a.", change=hidden_beside) for form in ("voc", "yolo", "labelme")},
    },
    "linked folder": {**everywhere(None, Sample(), change=link_pictures)},
    "Unicode form": {
        form: Cell("other form of name", COMPOSED, Sample(stem=COMPOSED, listed=f"{COMPOSED}.jpg", on_disk=f"{DECOMPOSED}.jpg"))
        for form in WRITERS
    },
    "backslashes": {
        **everywhere("other form of name", SUB),
        "darknet": Cell("other form of name", "train.txt", SUB),
        "yolo": Cell("other form of name", "train.txt", SUB._replace(stem="sub/a", in_list=True)),
        "voc": Cell(None, "", SUB),  # found by the name of its annotation
    },
    "label named a.jpg.txt": {
        **{form: Cell("other form of name", "a.jpg.", Sample(stem="a.jpg")) for form in ("voc", "yolo", "darknet")},
        "labelme": Cell(None, "", Sample(stem="a.jpg")),  # it names its picture
        **dict.fromkeys(("coco", "text", "csv", "cvat"), ONE_FILE),
    },
    "label named in capitals": {
        **{form: Cell("other form of name", "A.txt", Sample(stem="A")) for form in ("yolo", "darknet")},
        **{form: Cell(None, "", Sample(stem="A")) for form in ("voc", "labelme")},  # they name their picture
        **dict.fromkeys(("coco", "text", "csv", "cvat"), ONE_FILE),
    },
    "label named with a blank": {
        **{form: Cell("other form of name", "a .txt", Sample(stem="a ")) for form in ("yolo", "darknet")},
        **{form: Cell(None, "", Sample(stem="a ")) for form in ("voc", "labelme")},  # they name their picture
        **dict.fromkeys(("coco", "text", "csv", "cvat"), ONE_FILE),
    },
    "two labels of one picture": {
        "voc": Cell("two annotations", "copy.xml", change=second_label),
        "yolo": Cell("second label", "images/a.txt", change=second_label),
        "labelme": Cell("malformed image", "copy.json", change=second_label),
        "cvat": Cell("malformed image", "annotations.xml:8", change=second_label),
        "text": Cell("picture with other boxes", "list.txt:3", change=second_label, used=2),
        "coco": Cell("picture with other boxes", "labels.json: image 2", change=second_label, used=2),
        "csv": Cell(None, "", Sample((FINE, SMALL)), Sample((FINE,), "b", "b.jpg", "b.jpg")),  # a row is a box
        "darknet": "its labels lie in one place",
    },
    "polygon": {
        "voc": Cell("polygon", "a.xml", Sample(raw="<object><name>cell</name><polygon><x1>8</x1><y1>6</y1><x2>40</x2><y2>6</y2>"
                                               "<x3>8</x3><y3>30</y3></polygon></object>")),
        **{form: Cell("polygon", "a.txt", Sample(raw="0 .125 .125 .625 .125 .125 .625\n")) for form in ("yolo", "darknet")},
        "coco": Cell("polygon", "labels.json", Sample(raw={"segmentation": [[8, 6, 40, 6, 8, 30]]})),
        "labelme": Cell("polygon", "a.json", Sample(raw={"shape_type": "polygon", "points": [[8, 6], [40, 6], [8, 30]]})),
        "cvat": Cell("polygon", "annotations.xml:3", Sample(raw='<polygon label="cell" points="8,6;40,6;8,30"/>\n')),
        "csv": Cell("polygon", "labels.csv:2", Sample(raw=VIA_POLYGON)),
        "text": NO_SHAPES,
    },
    "mask": {
        "coco": Cell("mask", "labels.json", Sample(raw={"segmentation": RLE})),
        "labelme": Cell("mask", "a.json",
                        Sample(raw={"shape_type": "mask", "points": [[8, 6], [39, 29]], "mask": "iVBORw0KGgo="})),
        "cvat": Cell("mask", "annotations.xml:3",
                     Sample(raw='<mask label="cell" rle="768" left="8" top="6" width="32" height="24"/>\n')),
        **dict.fromkeys(("voc", "yolo", "darknet", "text", "csv"), "has no masks"),
    },
    "rotated box": {
        "voc": Cell("rotated box", "a.xml", Sample(raw="<object><name>cell</name><robndbox><cx>24</cx><cy>18</cy><w>32</w>"
                                                   "<h>24</h><angle>0</angle></robndbox></object>")),
        "coco": Cell("rotated box", "labels.json", Sample(raw={"bbox": [12, 2, 24, 32], "attributes": {"rotation": 90}})),
        "labelme": Cell("rotated box", "a.json",
                        Sample(raw={"shape_type": "rotation", "points": [[8, 6], [40, 6], [40, 30], [8, 30]]})),
        "cvat": Cell("rotated box", "annotations.xml:3",
                     Sample(raw='<box label="cell" xtl="12" ytl="2" xbr="36" ybr="34" rotation="90"/>\n')),
        **dict.fromkeys(("yolo", "darknet"), "its corners are a polygon"),
        **dict.fromkeys(("text", "csv"), NO_SHAPES),
    },
    "two boxes in one object": {
        "voc": Cell(None, "", Sample((FINE, (10.0, 10.0, 30.0, 40.0)), raw=(
            "<object><name>cell</name><bndbox><xmin>8</xmin><ymin>6</ymin><xmax>40</xmax><ymax>30</ymax></bndbox>"
            "<bndbox><xmin>10</xmin><ymin>10</ymin><xmax>30</xmax><ymax>40</ymax></bndbox></object>"))),
        **dict.fromkeys(("yolo", "darknet", "text", "csv", "cvat", "coco", "labelme"), "an entry is one box"),
    },
    "two names of one object": {
        "voc": Cell("malformed box", "a.xml", Sample(raw="<object><name>cell</name><name>dog</name><bndbox><xmin>8</xmin>"
                                                     "<ymin>6</ymin><xmax>40</xmax><ymax>30</ymax></bndbox></object>"), used=0),
        **dict.fromkeys(("yolo", "darknet", "text", "csv", "cvat", "coco", "labelme"), "an entry has one class"),
    },
    "not an annotation": {
        "voc": Cell("not an annotation", "export.xml", change=other_file_beside),
        "yolo": Cell("other file", "notes.txt", change=other_file_beside),
        "darknet": Cell(None, change=other_file_beside),  # its labels lie beside the pictures, as other files may
        "labelme": Cell("other file", "settings.json", change=other_file_beside),
        **{form: Cell("refused", FILES[form], change=overwrite, used=0) for form in ("coco", "cvat", "csv", "text")},
    },
}  # fmt: skip
"""{kind: {format: what is to come of it, or why it cannot occur}}."""

CELLS = [
    pytest.param(form, cell, id=f"{kind}-{form}")
    for kind, row in TABLE.items()
    for form, cell in row.items()
    if isinstance(cell, Cell)
]


def test_every_format_is_in_every_row():
    # Folders of COCO files and of text lists are read by the readers of these files.
    assert set(FORMATS) - {"coco folder", "text folder"} == set(WRITERS)
    for kind, row in TABLE.items():
        assert set(row) == set(WRITERS), kind


def read_for_report(path: Path, names: Path | None) -> tuple[list[Problem], list[Any]]:
    """All problems that check finds, and the records."""
    problems: list[Problem] = []
    try:
        class_names, records = read_data(path, names, lambda *problem: problems.append(Problem(*problem)))
    except InputError as error:
        return [*problems, Problem("refused", str(error))], []
    return problems + find_problems(records, try_pictures(records), class_names), records


def boxes_of_sample(records: list[Any], sample: Sample) -> list[tuple[float, ...]]:
    """The boxes of the sample's picture that are used: a picture that cannot be read is named when it is opened."""
    return sorted(
        tuple(box)
        for record, size in zip(records, try_pictures(records), strict=True)
        if os.path.basename(record.path) == os.path.basename(sample.on_disk) and not isinstance(size, InputError)
        for box in record.boxes.tolist()
    )


@pytest.mark.parametrize(("form", "cell"), CELLS)
def test_every_box_is_used_or_its_file_is_named(form, cell, tmp_path):
    sample = cell.sample
    path = make(tmp_path / "set", form, sample, cell.other)
    if cell.change:
        cell.change(tmp_path / "set", form)
    names = tmp_path / "set/cell.names" if form == "text" else None
    problems, records = read_for_report(path, names)
    said = [problem for problem in problems if problem.kind == cell.kind and cell.place in problem.message]
    assert bool(said) == (cell.kind is not None), problems
    assert all("\n" not in problem.message for problem in problems)
    if cell.kind is None:
        assert problems == []
    if cell.kind == "refused":
        return
    assert recognise(path) == form
    used = boxes_of_sample(records, sample)
    expected = sorted(sample.boxes)[: cell.used] if cell.used is None else used
    assert len(used) == (len(sample.boxes) if cell.used is None else cell.used)
    np.testing.assert_allclose(used, expected, atol=1e-4)
    assert len(boxes_of_sample(records, cell.other)) == len(cell.other.boxes)
    if len(used) < len(sample.boxes):
        assert not is_remark(said[0].kind, FORMATS[form].stops)


@pytest.mark.parametrize(("form", "cell"), CELLS)
def test_training_uses_the_same_boxes_or_refuses(form, cell, tmp_path):
    path = make(tmp_path / "set", form, cell.sample, cell.other)
    if cell.change:
        cell.change(tmp_path / "set", form)
    _, records = read_for_report(path, tmp_path / "set/cell.names" if form == "text" else None)
    try:
        found = read_annotations(path, None, ("cell",))
    except InputError as error:
        assert "\n" not in str(error) and (cell.place.split(":")[0] in str(error) or "there is no " in str(error))
        return
    assert boxes_of_sample(found.records, cell.sample) == boxes_of_sample(records, cell.sample)
    unread = [str(size) for size in try_pictures(found.records) if isinstance(size, InputError)]
    left_out = [problem.message for problem in found.problems if not is_remark(problem.kind)]
    if len(boxes_of_sample(found.records, cell.sample)) < len(cell.sample.boxes):
        assert any(cell.place in message for message in unread + left_out), "boxes vanished"
