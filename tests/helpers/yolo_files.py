"""A small data.yaml, and labels of its pictures."""

YAML = "train: images/train\nval: images/val\nnames:\n  0: cat\n  1: dog\n"
LABELS = {
    "images/train/a.png": "0 0.5 0.5 1 1\n\n1.0 0.25 0.25 5e-1 0.25\n",
    "images/train/deep/b.jpg": None,
    "images/train/c.v1.png": "",
    "images/val/a.png": "1 0.5 0.5 .1 .1",
}
