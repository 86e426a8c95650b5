"""Small COCO files, written and read."""

import json

from yolojax.data.formats.read import read_annotations

CATEGORIES = [{"id": 1, "name": "car"}, {"id": 2, "name": "dog"}]
BOX = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 10, 20]}


def coco_reader(folder):
    """Writes a COCO file and an empty picture, and reads it: ({picture: boxes}, [(kind, message without the path)])."""

    def run(annotations=(BOX,), images=({"id": 1, "file_name": "a.jpg"},), categories=CATEGORIES, names=None):
        (folder / "a.jpg").touch()
        path = folder / "set.json"
        path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
        found = read_annotations(path, names=names)
        problems = [(kind, message.removeprefix(f"{path}: ")) for kind, message in found.problems]
        return found.records, problems

    return run
