"""What a file or folder that is no data set looks like, and what to do with it: for messages."""

import itertools
import os
import re
import shlex
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from yolojax.data.formats.find import is_hidden, walk
from yolojax.data.images import ENDINGS, UNREAD_ENDINGS
from yolojax.data.lines import NUMBER
from yolojax.runtime.files import beginning

_START = 4096  # bytes that are looked at
_LINES = 20
_MANY = 100  # entries of a folder that are looked at
_SEARCHED = 5000  # files, to find one with labels
_PICTURES = ENDINGS | UNREAD_ENDINGS
_DETECT = "to find objects in it, give it to `yolojax detect`; as a data set, give the annotations"
_VIDEOS = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".flv")
_MODELS = (".weights", ".pt", ".pth", ".onnx", ".h5", ".keras", ".ckpt", ".pb", ".tflite", ".safetensors", ".stablehlo")
_RECORDS = (".tfrecord", ".tfrecords", ".record", ".tfrec")
_MAGIC = (
    (b"\xff\xd8\xff", "picture"),
    (b"\x89PNG\r\n", "picture"),
    (b"GIF8", "picture"),
    (b"BM", "picture"),
    (b"II*\0", "picture"),
    (b"MM\0*", "picture"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"\x1f\x8b", "archive"),
    (b"BZh", "archive"),
    (b"\xfd7zXZ", "archive"),
    (b"7z\xbc\xaf", "archive"),
    (b"Rar!", "archive"),
)
_ARCHIVES = {".tar": "tar -xf", ".tgz": "tar -xf", ".rar": "unrar x", ".7z": "7z x", ".gz": "gunzip", ".bz2": "bunzip2"}
_LABEL = re.compile(rf"\d+(?:\.0*)?(?:\s+{NUMBER}){{4,}}")
_BOX = re.compile(rf"(?:^|\s){NUMBER}(?:[,;]{NUMBER}){{3,}}")
_UNREAD_LABELS = {
    "KITTI": rf"^[A-Za-z_]+ {NUMBER} -?\d+(?: {NUMBER}){{12,13}}\s*$",
    "DOTA": rf"^(?:{NUMBER} ){{8}}[A-Za-z][\w-]* \d\s*$",
    "VisDrone": r"^\d+,\d+,\d+,\d+,[01],\d+,-?\d+,-?\d+,?\s*$",
    "MOTChallenge": rf"^\d+,\d+(?:,{NUMBER}){{7,8}}\s*$",
    "WIDER FACE": r"\.jpe?g\s*\n\d+\s*\n\d+ \d+ \d+ \d+(?: \d+){6}\s*$",
}
_WORDS = re.compile(rf"^[A-Za-z]\S*(?: {NUMBER}){{4}}\s*$")
_PICTURE_NAME = re.compile(rf"(?:{'|'.join(map(re.escape, sorted(_PICTURES, key=len, reverse=True)))})(?![A-Za-z0-9])", re.I)


def file_looks_like(path: str | os.PathLike[str]) -> str | None:
    """Say what a file looks like that no format but the text list recognises.

    Args:
        path: the file.

    Returns:
        What it looks like and what to do, as "a video; ..."; None if it can be a text list, or cannot be read.
    """
    path = Path(path)
    ending = path.suffix.lower()
    content = beginning(path, _START)
    return _by_ending(path, ending, content) or _by_content(path, ending, content)


def lists_boxes(path: str | os.PathLike[str]) -> bool:
    """Whether one of the first lines of a file is a picture and a box, as `images/a.jpg 1,2,30,40,0`."""
    lines = beginning(path, _START).decode("utf-8-sig", errors="ignore").splitlines()[:_LINES]
    pictures = ((line, _PICTURE_NAME.search(line)) for line in lines)
    return any(picture and _BOX.search(line, picture.end()) for line, picture in pictures)


def folder_looks_like(folder: str | os.PathLike[str], is_data_set: Callable[[Path], bool]) -> str:
    """Say what a folder looks like that no format recognises.

    Args:
        folder: the folder.
        is_data_set: whether a folder or file inside it is recognised.

    Returns:
        What it looks like and what to do, as "an empty folder".
    """
    folder = Path(folder)
    try:
        entries = sorted(entry for entry in folder.iterdir() if not is_hidden(entry))
    except OSError as error:
        return f"a folder that cannot be read: {error.strerror}"
    if not entries:
        return "an empty folder"
    if (folder / "config.json").is_file() and (folder / "checkpoints").is_dir():
        return "the workdir of a training; give the data set (its config.json names it, under data.train)"
    folders = [entry for entry in entries if entry.is_dir()]
    files = [entry for entry in entries if not entry.is_dir()]
    if len(found := [entry for entry in files if entry.suffix.lower() == ".data"]) > 1:
        return f"a folder with several .data files (Darknet); give one of them: {_some(found)}"
    if inside := [entry for entry in folders[:_MANY] if is_data_set(entry)]:
        if len(inside) == 1:
            return f"a folder around a data set; give {inside[0]}"
        return f"a folder of several data sets; give one of them: {_some(inside)}"
    if _has_picture(folder) and is_data_set(folder.absolute().parent):
        return f"a part of a data set; give {os.path.dirname(folder) or os.curdir}"
    inside = itertools.islice(walk(folder, lambda *_: None), _SEARCHED)
    texts = itertools.islice((path for path in inside if path.suffix.lower() == ".txt"), _LINES)
    if labels := next(filter(None, (_unread_labels(beginning(text, _START)) for text in texts)), None):
        return labels
    endings = Counter(entry.suffix.lower() for entry in files)
    for wanted, what in (
        ((".yaml", ".yml"), "a folder without data.yaml; if one of its .yaml files describes a YOLO data set, give that"),
        ((".json",), "a folder with .json files; give the one that holds the annotations (COCO)"),
        ((".csv",), "a folder with .csv files; give the one that holds the annotations"),
        ((".zip", *_ARCHIVES), "a folder with archives; unpack them first (`unzip FILE -d FOLDER`)"),
        (_RECORDS, "a folder of TensorFlow records, which are not read; export the data set in another format"),
    ):
        if found := [entry for entry in files if entry.suffix.lower() in wanted]:
            return f"{what}: {_some(found)}"
    return _folder_of_pictures(folder, folders, endings)


def _by_ending(path: Path, ending: str, content: bytes) -> str | None:
    """What the ending of a file's name tells, or None."""
    if ending in _PICTURES:
        return f"a picture; {_DETECT}"
    if ending in _VIDEOS:
        return f"a video; {_DETECT}"
    if ending == ".zip":
        return _zip(path)
    if ending in _ARCHIVES:
        program = "tar -xf" if path.stem.lower().endswith(".tar") else _ARCHIVES[ending]
        return f"an archive; unpack it (`{program} {shlex.quote(str(path))}`) and give the folder with the annotations"
    if ending in _RECORDS or ".tfrecord-" in path.name:
        return "TensorFlow records, which are not read; export the data set in another format, such as COCO"
    if ending in _MODELS:
        return "the weights of a network; give the data set"
    if ending == ".cfg":
        return "Darknet's description of a network; the data set is described by its .data file"
    if ending == ".ipynb":
        return "a notebook; give the data set"
    if ending == ".pbtxt":
        return "a label map of TensorFlow, which has no boxes; give the annotations"
    if ending == ".xml":
        return _xml(path, content)
    if ending == ".names":
        return "class names; give them with --names, and as the data set the annotations"
    return None


def _by_content(path: Path, ending: str, content: bytes) -> str | None:
    """What the beginning of a file tells, or None."""
    kind = next((kind for magic, kind in _MAGIC if content.startswith(magic)), None)
    if kind == "picture" and not _is_text(content):
        return f"a picture; {_DETECT}"
    if kind == "zip":
        return _zip(path)
    if kind == "archive":
        return "an archive; unpack it and give the folder with the annotations"
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "text in UTF-16; save it as UTF-8"
    if content.count(b"\0") > len(content) / 100:
        return "a binary file; give the annotations"
    lines = [line for line in content.decode(errors="replace").removeprefix("\ufeff").splitlines() if line.strip()][:_LINES]
    if not lines:
        return None
    if lines[0].lstrip().startswith(("<?xml", "<annotation")):
        return _xml(path, content)
    if lines[0].lstrip().startswith(("{", "[{", "[\n")) and ending != ".txt":
        return "JSON; annotations in JSON need the ending .json"
    if all(_LABEL.fullmatch(line.strip()) for line in lines):
        return "the boxes of one picture (YOLO); give the folder, data.yaml or .data file, or a list of pictures"
    if labels := _unread_labels(content):
        return labels
    if not any(_PICTURE_NAME.search(line) or _BOX.search(line) or _names_file(path, line) for line in lines):
        if all(len(line.split()) <= 3 for line in lines):
            return "a list of words, perhaps class names: these are given with --names; as the data set, give the annotations"
        return f"a text file without any picture in its first lines; the first is {lines[0].strip()[:80]!r}"
    return None


def _unread_labels(content: bytes) -> str | None:
    """What labels a text holds that are not read as they are, or None."""
    text = content.decode(errors="replace").replace("\r\n", "\n")
    for name, pattern in _UNREAD_LABELS.items():
        if re.search(pattern, text, re.MULTILINE):
            return f"labels of {name}, which are not read; convert them to YOLO, Pascal VOC or COCO first"
    lines = [line for line in text.splitlines() if line.strip()]
    if lines and all(map(_WORDS.match, lines[:_LINES])):
        return (
            "YOLO labels with names of classes in the place of their numbers; write numbers from 0, and the names into "
            "classes.txt in that order"
        )
    return None


def _is_text(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return b"\0" not in content


def _names_file(path: Path, line: str) -> bool:
    """Whether a line names an existing file, as a picture without an extension."""
    try:
        return (path.parent / line.strip()).is_file()
    except (OSError, ValueError):
        return False


def _zip(path: Path) -> str:
    folder = path.with_suffix("") if path.suffix else f"{path}_unpacked"
    return f"a zip file; unpack it (`unzip {shlex.quote(str(path))} -d {shlex.quote(str(folder))}`) and give {folder}"


def _xml(path: Path, content: bytes) -> str:
    root = re.search(rb"<([A-Za-z_][\w.-]*)", content)
    name = root[1].decode() if root else "nothing"
    if name == "annotation":
        return f"the annotation of one picture (VOC); give the folder of all: {path.parent}"
    return f"an XML file that is no data set; its first element is <{name}>"


def _folder_of_pictures(folder: Path, folders: list[Path], endings: Counter[str]) -> str:
    """What a folder looks like in which pictures, label files or nothing of use lies."""
    labels = folder / "labels"
    pictures = sum(endings[ending] for ending in _PICTURES)
    if (endings[".txt"] and pictures) or labels.is_dir():
        return (
            "pictures and label files (YOLO) without class names; write them into classes.txt in the folder, "
            "one per line, class 0 first"
        )
    if not pictures and len(folders) and all(_has_picture(entry) for entry in folders):
        return f"folders of pictures without annotations: {_some(folders)}"
    if pictures:
        return f"{pictures} pictures without annotations; to find objects in them, give the folder to `yolojax detect`"
    counts = ", ".join(f"{number} {ending or 'without an extension'}" for ending, number in endings.most_common(4))
    parts = [f"files: {counts}"] * bool(counts) + [f"folders: {_some(folders)}"] * bool(folders)
    return "a folder without annotations that are known; it has " + ", and ".join(parts)


def _has_picture(folder: Path) -> bool:
    try:
        with os.scandir(folder) as entries:
            first = itertools.islice(entries, _MANY)
            return any(os.path.splitext(entry.name)[1].lower() in _PICTURES for entry in first)
    except OSError:
        return False


def _some(paths: list[Path]) -> str:
    return ", ".join(path.name for path in paths[:3]) + ", ..." * (len(paths) > 3)
