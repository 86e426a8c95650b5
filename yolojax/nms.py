"""Non-maximum suppression with results of fixed size, so that it compiles into one program with the network."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from yolojax.boxes import cxcywh_to_xyxy, pairwise_iou

METHODS = ("hard", "soft")
CLASS_SCORES = {"sigmoid": jax.nn.sigmoid, "softmax": jax.nn.softmax}
SOFT_NMS_SIGMA = 0.5


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
        keep: (n,) bool, in the order of the boxes. Takes O(n^2) memory.
    """
    boxes_xyxy, scores = jnp.asarray(boxes_xyxy), jnp.asarray(scores)
    order = jnp.argsort(-scores, stable=True)
    overlapping = pairwise_iou(boxes_xyxy[order], boxes_xyxy[order]) > iou_threshold
    kept = _greedy(overlapping, jnp.ones_like(scores, bool))
    return jnp.zeros_like(kept).at[order].set(kept)


@functools.partial(
    jax.jit,
    static_argnames=("max_candidates", "max_detections", "class_agnostic", "multi_label", "method", "class_scores"),
)
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
):
    """Turns predictions into detections: scores, the best candidates, non-maximum suppression.

    The score of a class at a slot is sigmoid(objectness) * sigmoid(class), as in Darknet. Candidates are found in two stages:
    the `max_candidates` slots of the largest best score, then as many (slot, class) pairs of these; no pair among the
    best can be lost in the first stage. Both thresholds may be traced values.

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

    def one_picture(boxes, objectness_logits, class_logits):
        slots, scores, classes = _candidates(objectness_logits, class_logits, max_candidates, multi_label, class_scores)
        boxes = cxcywh_to_xyxy(boxes[slots])
        overlaps = pairwise_iou(boxes, boxes)
        if not class_agnostic:
            overlaps = jnp.where(classes[:, None] == classes[None, :], overlaps, 0)
        if method == "hard":
            kept = _greedy(overlaps > iou_threshold, scores > score_threshold)
            chosen = jnp.argsort(~kept, stable=True)[:max_detections]
            valid, scores = kept[chosen], scores[chosen]
        else:
            chosen, scores = _soft(overlaps, scores, min(max_detections, len(scores)))
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

    return jax.vmap(one_picture)(*predictions)


def _candidates(objectness_logits, class_logits, max_candidates, multi_label, class_scores):
    """The best (slot, class) pairs of one picture by falling score: slots, scores and classes, (k,) each."""
    of_classes = CLASS_SCORES[class_scores]
    # The sigmoid grows with its argument: one a slot will do, where the scores of all classes would be most of the work.
    best = jax.nn.sigmoid(class_logits.max(-1)) if class_scores == "sigmoid" else of_classes(class_logits).max(-1)
    top, slots = jax.lax.top_k(jax.nn.sigmoid(objectness_logits) * best, min(max_candidates, len(best)))
    if multi_label:
        slots = jnp.sort(slots)  # of equal scores the lower slot comes first
    pairs = jax.nn.sigmoid(objectness_logits[slots])[:, None] * of_classes(class_logits[slots])
    if multi_label:
        top, chosen = jax.lax.top_k(pairs.reshape(-1), min(max_candidates, pairs.size))
        slots, classes = slots[chosen // pairs.shape[1]], chosen % pairs.shape[1]
    else:
        classes = pairs.argmax(-1)
    return slots, top, classes.astype(jnp.int32)


def _greedy(overlapping, candidate):
    """Greedy suppression of boxes sorted by falling score; overlapping (n, n) bool, candidate (n,) bool -> kept (n,).

    Whether a box stays depends only on the boxes before it. Deciding all of them at once, again and again, until nothing
    changes, therefore reaches the greedy result, in as many rounds as the longest chain of suppressions: a few, where
    visiting the boxes one by one takes n dependent steps.
    """
    before = jnp.triu(overlapping, k=1)

    def undecided(state):
        previous, kept = state
        return (previous != kept).any()

    def decide(state):
        _, kept = state
        return kept, candidate & ~(before & kept[:, None]).any(0)

    none = jnp.zeros_like(candidate)
    _, kept = jax.lax.while_loop(undecided, decide, (none, candidate))
    return kept


def _soft(overlaps, scores, count):
    """Gaussian soft suppression: indices (count,) in the order of choice and their scores when chosen."""

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
