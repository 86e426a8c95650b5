"""Folders of every format with every kind of broken file and label, each with what a report must say of it."""

import json
import os

import numpy as np

from tests.helpers.picture_files import cmyk_jpeg, encoded, exif, picture, with_segment

NAMES = ("cat", "dog")
CUT = encoded(picture(40, 60), ".jpg")[:700], encoded(picture(40, 60), ".png")[:700]
# All are 60 wide and 40 high, but cmyk.jpg 24 and 8.
FINE = {
    "fine.png": encoded(picture(40, 60), ".png"),
    "sixteen.png": encoded(picture(40, 60).astype(np.uint16) * 257, ".png"),
    "grey.jpg": encoded(picture(40, 60)[..., 0], ".jpg"),
    "alpha.png": encoded(np.concatenate([picture(40, 60)] * 2, axis=2)[..., :4], ".png"),
    "cmyk.jpg": cmyk_jpeg([(200, 100, 50, 255)] * 3),
    "turned.jpg": with_segment(encoded(picture(60, 40), ".jpg"), 0xE1, b"Exif\0\0" + exif(6)),
}
BROKEN = ("none.jpg", "cut.jpg", "cut.png", "text.jpg", "folder.jpg", "dangling.jpg", "loop.jpg", "pipe.jpg")


def write_pictures(folder):
    """Writes FINE and BROKEN; returns the names of both."""
    folder.mkdir(parents=True)
    for name, data in FINE.items():
        (folder / name).write_bytes(data)
    for name, data in zip(BROKEN, (b"", *CUT, b"<html>not a picture</html>"), strict=False):
        (folder / name).write_bytes(data)
    (folder / "folder.jpg").mkdir()
    (folder / "dangling.jpg").symlink_to("nowhere.jpg")
    (folder / "loop.jpg").symlink_to("loop.jpg")
    os.mkfifo(folder / "pipe.jpg")
    return (*FINE, *BROKEN)


def unreadable(folder):
    """What a report says of BROKEN."""
    reasons = {"folder.jpg": "Is a directory", "pipe.jpg": "Not a regular file", "dangling.jpg": "No such file"}
    reasons["loop.jpg"] = os.strerror(40)
    said = {name: f"the picture cannot be read: {reason}" for name, reason in reasons.items()}
    return [f"{folder / name}: {said.get(name, 'not a picture')}" for name in BROKEN]


def text_list(root):
    """A text list; returns its path and what must be reported."""
    path, expected = root / "list.txt", unreadable(root)
    lines = [b"\xef\xbb\xbffine.png 1,2,30,38,0 5,5,20,20,1"]
    lines += [f"{name} 1,1,20,7,0".encode() for name in write_pictures(root)[1:]]
    for box, words in {
        "1,2,nan,9,0": "'nan' is not a number",
        "1,2,inf,9,0": "'inf' is not a number",
        "1,2,1e30,9,0": "box 1,2,1e+30,9 is larger than any picture",
        "9,2,1,9,0": "box 9,2,1,9 has no area",
        "9,2,9,9,0": "box 9,2,9,9 has no area",
        "90,2,95,9,0": "box 90,2,95,9 lies outside",
        "50,2,99,9,0": "box 50,2,99,9 lies mostly outside",
        "1,2,9,9,0 1,2,9,9,0": "box 1,2,9,9 repeats",
        "1,2,9,9,7": "class 7 has no name",
        "1,2,9,9,-1": "class '-1' is not a whole number",
        "1,2,9,9,0.5": "class '0.5' is not a whole number",
        "1,2,9,9,99999999999999999999": "has no name",
        "1,2,9,9": "it has 4 values",
        "1,2,9,9,0,1": "it has 6 values",
        "1,2,9\0,9,0": "'9\\x00' is not a number",
        "1,2,9,9," + "0" * 10**6 + "x": "is not a whole number",
    }.items():
        name = f"{len(lines)}.png"
        (root / name).write_bytes(FINE["fine.png"])
        lines.append(f"{name} {box}".encode())
        # Boxes that are no boxes are quoted before it is said what they are.
        quoted = words.startswith(("it has", "'", "class '")) or not box[-1].isdigit()
        expected.append(f"{path}:{len(lines)}: {f'{box!r} is not a box: {words}' if quoted and len(box) < 99 else ''}")
        expected.append(words)
    for line, words in (
        (b"fi\xffne.png 1,2,9,9,0", "not UTF-8 text"),
        (b"fi\0ne.png 1,2,9,9,0", ""),
        (b"absent.png 1,2,9,9,0", f"{root / 'absent.png'}: the picture cannot be read: No such file"),
        (b"x" * 300 + b".png", ""),
        (b"./fine.png", f"picture {root}/./fine.png is already at {path}:1"),
        (b"a " * 10**6, ""),
    ):
        lines.append(line)
        expected.append(f"{path}:{len(lines)}: {words}")
    path.write_bytes(b"\r\n".join(lines))
    return path, expected


def voc(root):
    """A VOC folder; returns its path and what must be reported."""
    for name in ("Annotations", "ImageSets/Main"):
        (root / name).mkdir(parents=True)
    pictures = write_pictures(root / "JPEGImages")
    expected = unreadable(root / "JPEGImages")
    box = "<bndbox>\n<xmin>{}</xmin>\n<ymin>{}</ymin>\n<xmax>{}</xmax>\n<ymax>{}</ymax>\n</bndbox>"

    def annotation(*objects, filename=""):
        return f"<annotation><filename>{filename}</filename>\n{''.join(objects)}</annotation>"

    def item(corners, name="cat"):
        return f"<object><name>{name}</name>\n{box.format(*corners.split())}</object>\n"

    def write(name, text, *words, picture=FINE["fine.png"]):
        file = root / "Annotations" / f"{name}.xml"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        (root / "JPEGImages" / f"{name}.png").write_bytes(picture)
        expected.extend(f"{file}:{word}".replace("\n", "\\n").replace("\udcff", "\\udcff") for word in words)

    for name in pictures:
        text = annotation(item("1 1 20 7"), item("2 2 9 6", "dog"), filename=name)
        (root / f"Annotations/of {name}.xml").write_text(text)
    entities = "".join(f'<!ENTITY b{n + 1} "{f"&b{n};" * 9}">' for n in range(30))
    write("bomb", f'<!DOCTYPE a [<!ENTITY b0 "bb">{entities}]>\n<a>&b30;</a>', "1: the file has a DTD")
    write("cut short", annotation(item("1 2 30 38"))[:-40], "7: malformed XML")
    write("empty", "", "1: malformed XML")
    write("nul", annotation("\0"), "2: malformed XML")
    write("not utf-8", b"<annotation>\xff</annotation>", "1: malformed XML")
    write("klingon", b'<?xml version="1.0" encoding="klingon"?><annotation/>', " cannot be read: unknown encoding: klingon")
    write("new\nline \udcff", "<a>", "1: malformed XML")
    write("no bndbox", annotation("\n<object><name>cat</name></object>"), "3: the object has no bndbox")
    write("no name", annotation("<object></object>"), "2: the object has no name")
    write("bell", annotation(item("1 2 9 9", "c\u0080t")), "2: the name 'c\\x80t' is not a line of text")
    write("no side", annotation(item("1 2 30 38").replace("ymax", "top")), "3: the bndbox has no ymax")
    for name, corners, words in (
        ("words", "1 2 nine 9", "6: xmax 'nine' is not a number"),
        ("nan", "1 2 nan 9", "3: box 1,2,nan,9 is larger than any picture"),
        ("inf", "1 2 9 inf", "3: box 1,2,9,inf is larger than any picture"),
        ("huge", "1 2 1e30 9", "3: box 1,2,1e+30,9 is larger than any picture"),
        ("inverted", "9 2 1 9", "3: box 9,2,1,9 is inverted"),
        ("flat", "9 2 9 9", "3: box 9,2,9,9 has no area"),
        ("outside", "90 2 95 9", " box 90,2,95,9 lies outside"),
        ("enormous", "1 2 " + "9" * 10**6 + " 9", "3: box 1,2,inf,9 is larger than any picture"),
    ):
        write(name, annotation(item(corners)), words)
    write("twice", annotation(item("1 2 9 9") * 2), " box 1,2,9,9 repeats")
    (root / "Annotations/folder.xml").mkdir()
    (root / "Annotations/dangling.xml").symlink_to("nowhere.xml")
    (root / "Annotations/loop.xml").symlink_to("loop.xml")
    os.mkfifo(root / "Annotations/pipe.xml")
    expected += [f"{root}/Annotations/{name}.xml: cannot be read: " for name in ("folder", "dangling", "loop", "pipe")]
    (root / "Annotations/alone.xml").write_text(annotation())
    expected.append(f"{root}/JPEGImages/alone.jpg: the picture cannot be read: No such file")
    lists = root / "ImageSets/Main"
    (lists / "train.txt").write_bytes(b"twice\r\n\r\nabsent\r\ntwice\r\nb\xffd\r\n" + b"x" * 300 + b"\nfl\0at\nof fine.png")
    (lists / "val.txt").write_text("of fine.png")
    (lists / "empty.txt").touch()
    os.mkfifo(lists / "pipe.txt")
    os.mkfifo(lists / "cat_train.txt")
    lines = ("3: there is no", "4: twice is already", "5: not UTF-8", "6: there is no", "7: there is no")
    expected += [f"{lists}/train.txt:{line}" for line in lines]
    expected += [f"{lists}/empty.txt: the split is empty"]
    expected += [f"{lists}/{name}.txt: cannot be read: Not a regular file" for name in ("pipe", "cat_train")]
    return root, expected


def coco(root):
    """A COCO file; returns its path and what must be reported."""
    pictures = write_pictures(root)
    path = root / "labels.json"
    images = [{"id": place, "file_name": name} for place, name in enumerate(pictures)]
    annotations = [{"id": 1, "image_id": 0, "category_id": 1, "bbox": [1, 2, 20, 20]}]
    annotations += [{"id": 2, "image_id": 0, "category_id": 9, "bbox": [1, 2, 20, 30], "iscrowd": 1}]
    categories = [{"id": 1, "name": "cat"}, {"id": 9, "name": "dog"}]
    expected = unreadable(root)
    for entry, words in (
        ({"image_id": 99}, "there is no image 99"),
        ({"image_id": None}, "'image_id' is None"),
        ({"image_id": [0]}, "'image_id' is [0]"),
        ({"category_id": 5}, "there is no category 5"),
        ({"category_id": True}, "'category_id' is True"),
        ({"category_id": 1.5}, "'category_id' is 1.5"),
        ({"category_id": -1}, "there is no category -1"),
        ({"category_id": 10**30}, "there is no category 1000"),
        ({"bbox": None}, "'bbox' is None"),
        ({"bbox": [1, 2, 3]}, "bbox [1, 2, 3] is not [x, y"),
        ({"bbox": [1, 2, 3, True]}, "bbox [1, 2, 3, True] is not [x, y"),
        ({"bbox": [1, 2, 3, "4"]}, "bbox [1, 2, 3, '4'] is not [x, y"),
        ({"bbox": [[[[[[[[[[1]]]]]]]]]] * 10**4}, "bbox [[[[[[[..."),
        ({"bbox": "x" * 10**6}, "'bbox' is 'xxx"),
        ({"bbox": [1, 2, float("nan"), 3]}, "box 1,2,nan,5 is larger than any picture"),
        ({"bbox": [1, 2, float("inf"), 3]}, "box 1,2,inf,5 is larger than any picture"),
        ({"bbox": [1, 2, 1e30, 3]}, "box 1,2,1e+30,5 is larger than any picture"),
        ({"bbox": [1, 2, 10**400, 3]}, "bbox is larger than any picture"),
        ({"bbox": [9, 2, -8, 7]}, "box 9,2,1,9 is inverted"),
        ({"bbox": [9, 2, 0, 7]}, "box 9,2,9,9 has no area"),
    ):
        number = len(annotations) + 1
        annotations.append({"id": number, "image_id": 0, "category_id": 1, "bbox": [1, 2, 3, 4], **entry})
        expected.append(f"{path}: annotation {number}: {words}")
    annotations += [{}, 7, {"id": {"a": []}, "image_id": 0, "category_id": 1}]
    place = len(annotations) - 3
    expected.append(f"{path}: annotations[{place}]: there is no 'image_id'")
    expected += [f"{path}: annotations[{place + 1}] is 7, not an object", f"{path}: annotation {{'a': []}}: there is no 'bbox'"]
    annotations += [{"id": 80 + n, "image_id": 1, "category_id": 1, "bbox": [3, 3, 9, 9]} for n in range(2)]
    expected.append(f"{path}: image 1: box 3,3,12,12 repeats")
    annotations.append({"id": 82, "image_id": 2, "category_id": 1, "bbox": [90, 3, 9, 9]})
    expected.append(f"{path}: image 2: box 90,3,99,12 lies outside")
    images += [
        {"id": 0, "file_name": "fine.png"}, {"id": 50}, {"file_name": "fine.png"}, {"id": True, "file_name": "fine.png"}, None,
        {"id": 51, "file_name": "x" * 300}, {"id": 52, "file_name": "a\0\ud800\n.jpg"}, {"id": 53, "file_name": "./fine.png"},
        {"id": 54, "file_name": ""}, {"id": 55, "file_name": 5},
    ]  # fmt: skip
    place = len(pictures)
    expected += [
        f"{path}: image 0 is there twice", f"{path}: image 50: there is no 'file_name'",
        f"{path}: images[{place + 2}]: there is no 'id'", f"{path}: image True: 'id' is True",
        f"{path}: images[{place + 4}] is None, not an object", f"{path}: image 51: {root}/xxx",
        f"{path}: image 52: {root}/a\\x00\\ud800\\n.jpg: the picture cannot be read",
        f"{path}: image 53: picture {root}/fine.png is already at {path}: image 0", f"{path}: image 54: ",
        f"{path}: image 55: 'file_name' is 5",
    ]  # fmt: skip
    names = ((1, "cow"), (10, "cat "), (11, " "), ("12a", "cow"))
    categories += [*({"id": number, "name": name} for number, name in names), []]
    expected += [
        f"{path}: category 1 is there twice", f"{path}: category 10: 'cat' is the name of category 1 as well",
        f"{path}: category 11: the name ' ' is not a line of text", f"{path}: category '12a': 'id' is '12a'",
        f"{path}: categories[6] is [], not an object",
    ]  # fmt: skip
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return path, expected


def yolo(root):
    """A YOLO data.yaml; returns its path and what must be reported."""
    pictures = write_pictures(root / "images")
    expected, labels = unreadable(root / "images"), root / "labels"
    labels.mkdir()
    yaml = "train: images\nval: [listed.txt, nowhere]\ntest: 7\nnc: 3\nnames: {0: cat, 1: dog}\n"
    (root / "data.yaml").write_text(yaml)
    expected += [f"{root}/data.yaml: {words}" for words in ("nc is 3, but there are 2", "val: there is no", "no split 'test'")]
    for name in pictures:
        (labels / name).with_suffix(".txt").write_bytes(b"\xef\xbb\xbf0 .5 .5 .5 .5\r\n1 0.25 0.25 0.5 0.5\r\n")
    (labels / "cut.txt").write_text("0 .5 .5 .5 .5\n0 .5 .5 .5\n")  # where there is no picture to scale them to
    expected.append(f"{labels}/cut.txt:2: 4 values, not 5")

    def write(name, text, words, line=2):
        (root / "images" / f"{name}.png").write_bytes(FINE["fine.png"])
        (labels / f"{name}.txt").write_bytes(text if isinstance(text, bytes) else text.encode())
        where = f"{labels}/{name}.txt".replace("\n", "\\n").replace("\udcff", "\\udcff")
        expected.append(f"{where}:{line}: {words}" if line else f"{where}: {words}")

    for number, (row, words) in enumerate(
        {
            "0 .5 .5 .5": "4 values, not 5",
            "0 .1 .1 .2 .2 .3 .3 .4": "8 values, not 5",
            "cat .5 .5 .5 .5": "'cat .5 .5 .5 .5' is not five numbers",
            "2 .5 .5 .5 .5": "class 2 has no name",
            "-1 .5 .5 .5 .5": "class -1 has no name",
            "0.5 .5 .5 .5 .5": "class 0.5 has no name",
            "1e300 .5 .5 .5 .5": "class 1e300 has no name",
            "nan .5 .5 .5 .5": "class nan has no name",
            "0 nan .5 .5 .5": "'0 nan .5 .5 .5' is not normalised",
            "0 .5 inf .5 .5": "'0 .5 inf .5 .5' is not normalised",
            "0 40 20 10 10": "'0 40 20 10 10' is not normalised",
            "0 .5 .5 -.005 .5": "box 30.15,10,29.85,30 is inverted",
            "0 .5 .5 0 .5": "box 30,10,30,30 has no area",
            "0 .5\0 .5 .5 .5": "'0 .5\\x00 .5 .5 .5' is not five numbers",
            "0 .5 " * 10**6: "2000000 values, not 5",
            "0 " + "9" * 10**6 + " .5 .5 .5": "'0 9999",
        }.items()
    ):
        write(f"row {number}", f"1 .5 .5 .25 .25\r\n{row}", words)
    write("not utf-8", b"0 .5 .5 .5 .5\n\xff\xfe", "not UTF-8 text")
    write("new\nline \udcff", "0\n", "1 values, not 5", 1)
    write("twice", "0 .5 .5 .5 .5\n" * 2, "box 15,10,45,30 repeats", 0)
    for name in ("folder", "dangling", "loop", "pipe"):
        (labels / f"{name}.txt").unlink()
        (root / "images" / f"{name} label.png").write_bytes(FINE["fine.png"])
        expected.append(f"{labels}/{name} label.txt: cannot be read: ")
    (labels / "folder label.txt").mkdir()
    (labels / "dangling label.txt").symlink_to("nowhere.txt")
    (labels / "loop label.txt").symlink_to("loop label.txt")
    os.mkfifo(labels / "pipe label.txt")
    listed = [b"images/fine.png", b"images/absent.png", b"", b"images/fine.png", b"\xff", b"x" * 300, b"a\0b", b"images"]
    (root / "listed.txt").write_bytes(b"\r\n".join(listed))
    expected += [f"{root}/listed.txt:{line}: " for line in (2, 4, 5, 6, 7, 8)]
    return root / "data.yaml", expected


MAKERS = {"text": text_list, "voc": voc, "coco": coco, "yolo": yolo}
