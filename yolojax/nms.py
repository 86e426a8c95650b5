"""Non-maximum suppression with results of fixed size, so that it compiles into one program with the network."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from yolojax.boxes import cxcywh_to_xyxy, iou, pairwise_iou

METHODS = ("hard", "soft")
CLASS_SCORES = {"sigmoid": jax.nn.sigmoid, "softmax": jax.nn.softmax}
SOFT_NMS_SIGMA = 0.5
WORD = 32
"""Bits of the words that say which boxes suppress a box."""


class Detections(NamedTuple):
    """Detections of fixed number K a picture, by falling score, padded at the end.

    Attributes:
        boxes: (B, K, 4) xyxy in pixels of the network's input; padding is 0.
        scores: (B, K) in [0, 1]; padding is 0.
        classes: (B, K) int32; padding is -1.
        valid: (B, K) bool, False at padding.
    """

    boxes: jax.Array
    scores: jax.Array
    classes: jax.Array
    valid: jax.Array


@jax.jit
def nms(boxes_xyxy, scores, *, iou_threshold):
    """Exact greedy non-maximum suppression.

    Boxes are visited by falling score (of equals, the earlier one first); one is kept if its IoU with every box kept
    before it is at most `iou_threshold`.

    Args:
        boxes_xyxy: (n, 4), any one unit.
        scores: (n,).
        iou_threshold: scalar.

    Returns:
        keep: (n,) bool, in the order of the boxes. Takes n^2 bits of memory.
    """
    boxes_xyxy, scores = jnp.asarray(boxes_xyxy), jnp.asarray(scores)
    order = jnp.argsort(-scores, stable=True)
    kept = _greedy(_suppressors(boxes_xyxy[order], iou_threshold), jnp.ones_like(scores, bool))
    return jnp.zeros_like(kept).at[order].set(kept)


@functools.partial(
    jax.jit,
    static_argnames=(
        "max_candidates", "max_detections", "class_agnostic", "multi_label", "method", "class_scores", "distance_power",
    ),
)  # fmt: skip
def postprocess(
    predictions,
    *,
    score_threshold=0.3,
    iou_threshold=0.45,
    max_candidates=1024,
    max_detections=100,
    class_agnostic=False,
    multi_label=False,
    method="hard",
    class_scores="sigmoid",
    distance_power=None,
    aspects=None,
):
    """Turns predictions into detections: scores, the best candidates, non-maximum suppression.

    The score of a class at a slot is sigmoid(objectness) * sigmoid(class), as in Darknet. Candidates are found in two stages:
    the `max_candidates` slots of the largest best score, then as many (slot, class) pairs of these; no pair among the
    best can be lost in the first stage. Of equal scores the lower slot comes first; where not all of them can be candidates,
    those of the slot with the better best class are. Both thresholds may be traced values.

    Args:
        predictions: Predictions, batched.
        score_threshold: candidates score more than this.
        iou_threshold: of hard suppression; a box is removed when its IoU with a better one exceeds it.
        max_candidates: how many (slot, class) pairs of a picture enter suppression.
        max_detections: K, how many of a picture come out.
        class_agnostic: boxes of different classes suppress each other too.
        multi_label: a slot may be detected as every class over the threshold; else as its best class only.
        method: "hard", greedy suppression; or "soft", which multiplies the score of a box by exp(-IoU^2 / 0.5) for each better
            one instead of removing it (Bodla et al. 2017, arXiv:1704.04503, equation 4).
        distance_power: of hard suppression; where given, (d^2 / c^2)^distance_power is taken off the IoU of two boxes with the
            distance d of their centres and the diagonal c of the box around both (Zheng et al. 2020, arXiv:1911.08287, section
            3.4; the power is Darknet's beta_nms).
        aspects: (B,), height over width of the pictures as they lie in the input: as in Darknet, d and c are then in shares of
            the picture. By default they are in pixels of the input.
        class_scores: "sigmoid" as above; or "softmax" over the classes in its place, for networks trained so (`paper_loss`).

    Returns:
        Detections.

    Raises:
        ValueError: an unknown method, an unknown kind of class scores.
    """
    if method not in METHODS:
        raise ValueError(f"unknown suppression method {method!r}: one of {', '.join(METHODS)}")
    if class_scores not in CLASS_SCORES:
        raise ValueError(f"unknown class scores {class_scores!r}: one of {', '.join(CLASS_SCORES)}")

    def one_picture(boxes, objectness_logits, class_logits, aspect):
        slots, scores, classes = _candidates(objectness_logits, class_logits, max_candidates, multi_label, class_scores)
        boxes = cxcywh_to_xyxy(boxes[slots])
        groups = None if class_agnostic else classes
        if method == "hard":
            overlap = iou if distance_power is None else functools.partial(_distance_iou, distance_power, aspect)
            kept = _greedy(_suppressors(boxes, iou_threshold, groups, overlap), scores > score_threshold)
            (chosen,) = jnp.nonzero(kept, size=min(max_detections, len(kept)), fill_value=len(kept))
            valid = chosen < len(kept)
            scores = scores.at[chosen].get(mode="fill", fill_value=0)
        else:
            chosen, scores = _soft(boxes, groups, scores, min(max_detections, len(scores)))
            valid = scores > score_threshold
        found = Detections(
            boxes=jnp.where(valid[:, None], boxes[chosen], 0),
            scores=jnp.where(valid, scores, 0),
            classes=jnp.where(valid, classes[chosen], -1),
            valid=valid,
        )
        padding = max_detections - len(chosen)
        fill = Detections(boxes=0, scores=0, classes=-1, valid=False)
        return Detections(
            *(
                jnp.pad(member, [(0, padding)] + [(0, 0)] * (member.ndim - 1), constant_values=value)
                for member, value in zip(found, fill, strict=True)
            )
        )

    aspects = jnp.ones(len(predictions.boxes)) if aspects is None else aspects
    return jax.vmap(one_picture)(*predictions, aspects)


def distance_power(model):
    """That of `postprocess` which belongs to a network: of a cfg with nms_kind=diounms; None for any other."""
    return getattr(model, "distance_power", None)


def _candidates(objectness_logits, class_logits, max_candidates, multi_label, class_scores):
    """The best (slot, class) pairs of one picture by falling score: slots, scores and classes, (k,) each."""
    of_classes = CLASS_SCORES[class_scores]
    # The sigmoid grows with its argument: one a slot will do, where the scores of all classes would be most of the work.
    best = jax.nn.sigmoid(class_logits.max(-1)) if class_scores == "sigmoid" else of_classes(class_logits).max(-1)
    top, slots = jax.lax.top_k(jax.nn.sigmoid(objectness_logits) * best, min(max_candidates, len(best)))
    pairs = jax.nn.sigmoid(objectness_logits[slots])[:, None] * of_classes(class_logits[slots])
    if multi_label:
        # Best slots first: nearly sorted, the pairs take half the time on a CPU that they take by slot.
        top, chosen = jax.lax.top_k(pairs.reshape(-1), min(max_candidates, pairs.size))
        count = pairs.shape[1]
        falling, chosen = jax.lax.sort((-top, slots[chosen // count] * count + chosen % count), num_keys=2)
        top, slots, classes = -falling, chosen // count, chosen % count
    else:
        classes = pairs.argmax(-1)
    return slots, top, classes.astype(jnp.int32)


def _distance_iou(power, aspect, a, b):
    """IoU less (d^2 / c^2)^power, see `postprocess`; boxes xyxy (..., 4)."""

    def squared_length(across, down):
        return (across * aspect) ** 2 + down**2

    between = ((a[..., :2] + a[..., 2:]) - (b[..., :2] + b[..., 2:])) / 2
    around = jnp.maximum(a[..., 2:], b[..., 2:]) - jnp.minimum(a[..., :2], b[..., :2])
    squared_distance, squared_diagonal = (squared_length(v[..., 0], v[..., 1]) for v in (between, around))
    return iou(a, b) - (squared_distance / jnp.where(squared_diagonal > 0, squared_diagonal, 1)) ** power


def _suppressors(boxes, iou_threshold, groups=None, overlap=iou):
    """Which boxes before it overlap each box by more than the threshold, and are of its group where groups (n,) are given.

    Bits, because the greedy rounds read them again and again: (n, w) uint32 for boxes (n, 4), where bit b of word k in row i
    is of box b * w + k.
    """
    count = len(boxes)
    words = -(-count // WORD)
    earlier = jnp.pad(boxes, ((0, words * WORD - count), (0, 0)))
    places = jnp.arange(words * WORD)
    if groups is not None:
        earlier_groups = jnp.pad(groups, (0, words * WORD - count))
    bits = jnp.zeros((count, words), jnp.uint32)
    # One term a bit, which XLA makes one loop of: a sum over an axis of bits takes three times as long on a CPU.
    for bit in range(WORD):
        part = slice(bit * words, (bit + 1) * words)
        suppresses = overlap(boxes[:, None], earlier[None, part]) > iou_threshold
        suppresses &= places[None, part] < places[:count, None]
        if groups is not None:
            suppresses &= groups[:, None] == earlier_groups[None, part]
        bits |= suppresses.astype(jnp.uint32) << bit
    return bits


def _greedy(suppressors, candidate):
    """Greedy suppression of boxes sorted by falling score; `_suppressors` of them, candidate (n,) bool -> kept (n,).

    Whether a box stays depends only on the boxes before it. Deciding all of them at once, again and again, until nothing
    changes, therefore reaches the greedy result, in as many rounds as the longest chain of suppressions: a few, where
    visiting the boxes one by one takes n dependent steps.
    """
    count, words = suppressors.shape
    shifts = jnp.arange(WORD, dtype=jnp.uint32)[:, None]

    def packed(kept):
        kept = jnp.pad(kept, (0, words * WORD - count)).reshape(WORD, words)
        return (kept.astype(jnp.uint32) << shifts).sum(0, dtype=jnp.uint32)

    def undecided(state):
        previous, kept = state
        return (previous != kept).any()

    def decide(state):
        _, kept = state
        return kept, candidate & ~(suppressors & packed(kept)[None]).any(1)

    none = jnp.zeros_like(candidate)
    _, kept = jax.lax.while_loop(undecided, decide, (none, candidate))
    return kept


def _soft(boxes, groups, scores, count):
    """Gaussian soft suppression: indices (count,) in the order of choice and their scores when chosen."""
    overlaps = pairwise_iou(boxes, boxes)
    if groups is not None:
        overlaps = jnp.where(groups[:, None] == groups[None, :], overlaps, 0)

    def choose(step, state):
        remaining, chosen, chosen_scores = state
        best = remaining.argmax()
        chosen = chosen.at[step].set(best)
        chosen_scores = chosen_scores.at[step].set(remaining[best])
        decayed = remaining * jnp.exp(-(overlaps[best] ** 2) / SOFT_NMS_SIGMA)
        return decayed.at[best].set(-jnp.inf), chosen, chosen_scores

    state = scores, jnp.zeros(count, jnp.int32), jnp.zeros(count, scores.dtype)
    _, chosen, chosen_scores = jax.lax.fori_loop(0, count, choose, state)
    return chosen, chosen_scores
