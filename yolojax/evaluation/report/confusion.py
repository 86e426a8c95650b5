"""The confusion matrix of a report."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from yolojax.evaluation.report.page import class_name, columns, escape, folded, note, number, plot, table
from yolojax.evaluation.report.plots import NAMED, confusion_figure, row_shares, save_png

MISTAKES = 15  # pairs of classes listed from a large matrix


def confusion(folder: Path, metrics: Mapping[str, Any]) -> Iterator[str]:
    """Yields the HTML of the confusion matrix, and writes it to folder/confusion.png.

    Args:
        folder: an existing folder.
        metrics: "confusion" of metrics.json.
    """
    names, counts = metrics["names"], np.asarray(metrics["matrix"], int)
    figure = confusion_figure(names, counts)
    save_png(figure, folder / "confusion.png")
    last = len(names) - 1
    titles = [class_name(name, place) if place < last else escape(name) for place, name in enumerate(names)]
    yield note("Rows are the ground truth, columns the detected class; the tint is the share of the row.")
    if last <= NAMED:
        yield _matrix(names, titles, counts, "matrix")
    else:
        caption = f"All {number(last)} classes in their order; the background is last."
        yield columns(plot(figure, "confusion-", caption), _largest_confusions(names, titles, counts))
        yield folded("The full matrix in numbers", _matrix(names, titles, counts, "matrix large"))
    yield note(
        f"Detections with a score of at least {number(metrics['score_threshold'])} are paired with ground truth at an IoU of "
        f"at least {number(metrics['iou_threshold'], 2)}; whatever remains is paired with the background."
    )


def _largest_confusions(names: Sequence[str], titles: Sequence[str], counts: np.ndarray) -> str:
    wrong = counts * (1 - np.eye(len(names), dtype=int))
    wrong[-1, :] = wrong[:, -1] = 0
    order = np.argsort(-wrong, axis=None, kind="stable")[:MISTAKES]
    rows = [
        [titles[row], f'<td class="text">{escape(names[column])}</td>', number(int(wrong[row, column]))]
        for row, column in zip(*np.unravel_index(order, wrong.shape), strict=True)
        if wrong[row, column]
    ]
    return table(("truth", "detected as", "count"), rows) if rows else note("No class was confused with another.")


def _matrix(names: Sequence[str], titles: Sequence[str], counts: np.ndarray, kind: str) -> str:
    def cell(count: int, share: float) -> str:
        ink = ";color:#fff" if share > 0.55 else ""
        style = f' style="background:rgb(42 93 132 / {share:.2f}){ink}"' if count else ""
        return f"<td{style}>{count if count else '·'}</td>"

    rows = [
        [titles[place], *(cell(count, share) for count, share in zip(row.tolist(), shares.tolist(), strict=True))]
        for place, (row, shares) in enumerate(zip(counts, row_shares(counts), strict=True))
    ]
    return table(["truth \\ detected", *names], rows, kind=kind)
