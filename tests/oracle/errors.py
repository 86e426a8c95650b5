"""The confusion matrix and the kinds of error, one box at a time, from the descriptions of their functions."""

from tests.oracle.average_precision import box_iou


def queue(detections):
    """(score, picture, box, class) of all detections by falling score."""
    rows = []
    for picture, (boxes, scores, classes) in enumerate(detections):
        rows += [(float(s), picture, list(map(float, b)), int(c)) for b, s, c in zip(boxes, scores, classes, strict=True)]
    return sorted(rows, key=lambda row: -row[0])


def ground(truths):
    """(picture, box, class, crowd) of all truths."""
    rows = []
    for picture, (boxes, classes, crowds) in enumerate(truths):
        rows += [(picture, list(map(float, b)), int(c), bool(g)) for b, c, g in zip(boxes, classes, crowds, strict=True)]
    return rows


def share_inside(box, crowd):
    """Share of a box's area that lies inside another."""
    width, height = min(box[2], crowd[2]) - max(box[0], crowd[0]), min(box[3], crowd[3]) - max(box[1], crowd[1])
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / ((box[2] - box[0]) * (box[3] - box[1]))


def match(detections, truths, iou_threshold=0.5):
    """For each detection of `queue` the truth it found, "crowd" or None."""
    taken, answers = set(), []
    for _, picture, box, name in queue(detections):
        best, best_iou, forgiven = None, iou_threshold, False
        for place, (there, truth, truth_name, crowd) in enumerate(ground(truths)):
            if there != picture or truth_name != name:
                continue
            if crowd:
                forgiven = forgiven or share_inside(box, truth) >= iou_threshold
            elif place not in taken and box_iou(box, truth) >= best_iou:
                best, best_iou = place, box_iou(box, truth)
        taken.add(best)
        answers.append("crowd" if best is None and forgiven else best)
    return answers


def confusion(detections, truths, classes, score_threshold):
    """The (C + 1) x (C + 1) counts as nested lists."""
    matrix = [[0] * (classes + 1) for _ in range(classes + 1)]
    rows, real = queue(detections), ground(truths)
    waiting, free = [], {place for place, truth in enumerate(real) if not truth[3]}
    for (score, picture, box, name), found in zip(rows, match(detections, truths), strict=True):
        if score < score_threshold or found == "crowd":
            continue
        if found is None:
            waiting.append((picture, box, name))
        else:
            matrix[real[found][2]][name] += 1
            free.remove(found)
    for picture, box, name in waiting:
        near = [(box_iou(box, real[place][1]), -place) for place in free if real[place][0] == picture]
        overlap, place = max(near, default=(0, 0))
        if overlap >= 0.5:
            matrix[real[-place][2]][name] += 1
            free.remove(-place)
        else:
            matrix[classes][name] += 1
    for place in free:
        matrix[real[place][2]][classes] += 1
    return matrix


def kinds(detections, truths):
    """The kind of every detection of `queue` (None if it is right or forgiven), its truth, and the missed truths."""
    rows, real, found = queue(detections), ground(truths), match(detections, truths)
    answers, culprits = [], []
    for (_, picture, box, name), truth in zip(rows, found, strict=True):
        own, other = (0, 1), (0, 1)
        for place, (there, real_box, real_name, crowd) in enumerate(real):
            overlap = box_iou(box, real_box), -place
            if there != picture or crowd or not overlap[0]:
                continue
            if real_name == name:
                own = max(own, overlap)
            else:
                other = max(other, overlap)
        culprit = None
        if truth is not None:
            kind = None
        elif 0.1 <= own[0] < 0.5:
            kind, culprit = "location", -own[1]
        elif other[0] >= 0.5:
            kind, culprit = "classification", -other[1]
        elif own[0] >= 0.5:
            kind = "duplicate"
        elif other[0] <= 0.1:
            kind = "background"
        else:
            kind = "both"
        answers.append(kind)
        culprits.append(culprit)
    explained = {*found, *culprits}
    missed = [place for place, truth in enumerate(real) if not truth[3] and place not in explained]
    return answers, culprits, missed


def average_precision_50(points, positives):
    """COCO's from [(score, right)]: the mean over 101 recalls of the best precision there or above."""
    if not positives:
        return 0.0 if points else 1.0
    curve, right = [], 0
    for count, (_, hit) in enumerate(sorted(points, key=lambda point: -point[0]), start=1):
        right += hit
        curve.append((right / positives, right / count))
    return sum(max((p for r, p in curve if r >= 0.01 * step), default=0) for step in range(101)) / 101


def costs(detections, truths):
    """{kind: gain of mean AP50 when that kind alone is put right}; scores all different."""
    rows, real, found = queue(detections), ground(truths), match(detections, truths)
    answers, culprits, missed = kinds(detections, truths)
    classes = sorted({name for _, _, name, crowd in real if not crowd})
    best = {}
    for place, culprit in enumerate(culprits):
        if culprit is not None and culprit not in found:
            best.setdefault(culprit, place)  # falling scores: the first is the best

    def mean(kind):
        total = 0
        for name in classes:
            positives = sum(truth[2] == name and not truth[3] for truth in real)
            if kind == "missed":
                positives -= sum(real[place][2] == name for place in missed)
            points = []
            for place, (score, _, _, own) in enumerate(rows):
                if found[place] == "crowd":
                    continue
                if answers[place] is not None and answers[place] == kind:
                    culprit = culprits[place]
                    if culprit is not None and best.get(culprit) == place and real[culprit][2] == name:
                        points.append((score, True))
                elif own == name:
                    points.append((score, found[place] is not None))
            total += average_precision_50(points, positives)
        return total / len(classes)

    names = ("classification", "location", "both", "duplicate", "background", "missed")
    return {kind: max(0.0, mean(kind) - mean(None)) for kind in names}
