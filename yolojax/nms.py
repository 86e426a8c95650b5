"""Non-maximum suppression with results of fixed size, so that it compiles into one program with the network."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax import export
from jax.typing import ArrayLike

from yolojax.boxes import cxcywh_to_xyxy, iou, pairwise_iou
from yolojax.decode import Predictions
from yolojax.explicit import auto_sharded
from yolojax.greedy import best_in_rounds, best_in_turn, in_rounds, suppressors

METHODS = ("hard", "soft")
CLASS_SCORES: dict[str, Callable[[jax.Array], jax.Array]] = {"sigmoid": jax.nn.sigmoid, "softmax": jax.nn.softmax}
SOFT_NMS_SIGMA = 0.5
FEW = 128
"""Slots that score enough, at most, for the shorter of the two programs of a CPU."""

_Function = TypeVar("_Function", bound=Callable[..., Any])


@functools.partial(export.register_namedtuple_serialization, serialized_name="yolojax.nms.Detections")
class Detections(NamedTuple):
    """A fixed number K of detections per image, by falling score, padded at the end.

    Attributes:
        boxes: (B, K, 4) xyxy in pixels of the network's input; padding is 0.
        scores: (B, K) in [0, 1]; padding is 0.
        classes: (B, K) int32; padding is -1.
        valid: (B, K) bool; False at padding.
    """

    boxes: jax.Array
    scores: jax.Array
    classes: jax.Array
    valid: jax.Array


def _jit(*static_argnames: str) -> Callable[[_Function], _Function]:
    """`jax.jit` as a decorator that shows editors and type checkers the signature of the function."""
    return lambda function: cast(_Function, jax.jit(function, static_argnames=static_argnames))


@_jit()
def nms(boxes_xyxy: jax.Array | np.ndarray, scores: jax.Array | np.ndarray, *, iou_threshold: ArrayLike) -> jax.Array:
    """Exact greedy non-maximum suppression, in n^2 bits of memory.

    Boxes are visited by falling score (of equal scores, the earlier box first). A box is kept if its IoU with every box kept
    before it is at most `iou_threshold`.

    Args:
        boxes_xyxy: (n, 4), in any single unit.
        scores: (n,).
        iou_threshold: scalar in [0, 1].

    Returns:
        (n,) bool, whether each box is kept, in the order of the boxes.
    """
    boxes_xyxy, scores = jnp.asarray(boxes_xyxy), jnp.asarray(scores)
    order = jnp.argsort(-scores, stable=True)
    kept = in_rounds(suppressors(boxes_xyxy[order], iou_threshold), jnp.ones_like(scores, bool))
    return jnp.zeros_like(kept).at[order].set(kept)


@_jit("max_candidates", "max_detections", "class_agnostic", "multi_label", "method", "class_scores", "distance_power")
@auto_sharded(rows=True)
def postprocess(
    predictions: Predictions,
    *,
    score_threshold: ArrayLike = 0.3,
    iou_threshold: ArrayLike = 0.45,
    max_candidates: int = 1024,
    max_detections: int = 100,
    class_agnostic: bool = False,
    multi_label: bool = False,
    method: str = "hard",
    class_scores: str = "sigmoid",
    distance_power: float | None = None,
    aspects: jax.Array | np.ndarray | None = None,
) -> Detections:
    """Turns predictions into detections: scores, the best candidates, non-maximum suppression.

    The score of a class at a slot is sigmoid(objectness) * sigmoid(class), as in Darknet. Candidates are found in two stages:
    first the `max_candidates` slots with the largest best score, then the `max_candidates` best (slot, class) pairs among them;
    the first stage cannot lose any of the best pairs. Among equal scores the lower slot comes first; if there are more of
    them than candidates, slots with the better best class win. Both thresholds may be traced values.

    Args:
        predictions: batched predictions.
        score_threshold: candidates must score more than this.
        iou_threshold: for hard suppression; a box is removed when its IoU with a better one exceeds it.
        max_candidates: the number of (slot, class) pairs per image that enter suppression.
        max_detections: K, the number of detections per image.
        class_agnostic: whether boxes of different classes suppress each other too.
        multi_label: whether a slot may be detected as every class over the threshold, instead of its best class only.
        method: "hard", greedy suppression; or "soft", which multiplies the score of a box by exp(-IoU^2 / 0.5) for each better
            one instead of removing it (Bodla et al. 2017, arXiv:1704.04503, equation 4).
        class_scores: "sigmoid" as above; or "softmax" over the classes in its place, for networks trained that way
            (`paper_loss`).
        distance_power: for hard suppression; if given, (d^2 / c^2)^distance_power is subtracted from the IoU of two boxes, with
            d the distance between their centres and c the diagonal of the smallest box around both (Zheng et al. 2020,
            arXiv:1911.08287, section 3.4; the power is Darknet's beta_nms).
        aspects: (B,), height over width of each picture within the input: d and c are then in fractions of the picture, as in
            Darknet. By default they are in pixels of the input.

    Returns:
        The detections of each image.

    Raises:
        ValueError: an unknown method, or an unknown kind of class scores.
    """
    if method not in METHODS:
        raise ValueError(f"unknown suppression method {method!r}; expected one of {', '.join(METHODS)}")
    if class_scores not in CLASS_SCORES:
        raise ValueError(f"unknown class scores {class_scores!r}; expected one of {', '.join(CLASS_SCORES)}")

    def find(slots, suppress, best, predictions, aspects):
        """Detections of the `slots` best slots of each image; `suppress` is for hard suppression."""

        def one_image(best, boxes, objectness_logits, class_logits, aspect):
            slots, scores, classes = candidates(best, objectness_logits, class_logits)
            boxes = cxcywh_to_xyxy(boxes[slots])
            groups, count = None if class_agnostic else classes, min(max_detections, len(scores))
            if method == "hard":
                overlap = iou if distance_power is None else functools.partial(_distance_iou, distance_power, aspect)
                options = {"iou_threshold": iou_threshold, "groups": groups, "overlap": overlap}
                chosen = suppress(boxes, scores > score_threshold, count, **options)
                valid = chosen < len(scores)
                scores = scores.at[chosen].get(mode="fill", fill_value=0)
            else:
                chosen, scores = _soft(boxes, groups, scores, count)
                valid = scores > score_threshold
            detections = Detections(
                boxes=jnp.where(valid[:, None], boxes[chosen], 0),
                scores=jnp.where(valid, scores, 0),
                classes=jnp.where(valid, classes[chosen], -1),
                valid=valid,
            )
            return _padded(detections, max_detections)

        candidates = functools.partial(_candidates, slots, max_candidates, multi_label, class_scores)
        boxes, objectness_logits, class_logits = predictions
        return jax.vmap(one_image)(best, boxes, objectness_logits, class_logits, aspects)

    def find_on_cpu(best, predictions, aspects):
        """The same detections with less work where, as usual, few slots score enough."""
        many = functools.partial(find, max_candidates, best_in_turn)
        if best.shape[1] <= FEW or max_candidates <= FEW:
            return many(best, predictions, aspects)
        # Rounding may differ from that of the scores themselves, and NaN counts as the largest score.
        over = ~(best <= score_threshold - 1e-5 * jnp.abs(score_threshold))
        few = functools.partial(find, FEW, best_in_turn)
        return jax.lax.cond((over.sum(1) <= FEW).all(), few, many, best, predictions, aspects)

    predictions = jax.tree.map(jnp.asarray, predictions)
    aspects = jnp.ones(predictions.boxes.shape[:1]) if aspects is None else aspects
    best = _slot_scores(predictions.objectness_logits, predictions.class_logits, class_scores)
    find_elsewhere = functools.partial(find, max_candidates, best_in_rounds)
    return jax.lax.platform_dependent(best, predictions, aspects, cpu=find_on_cpu, default=find_elsewhere)


def distance_power(model: object) -> float | None:
    """The `distance_power` of `postprocess` for a network: set by a cfg with nms_kind=diounms, None for any other network."""
    return getattr(model, "distance_power", None)


def _padded(detections: Detections, count: int) -> Detections:
    """The detections of one image, (k, ...) each, padded to (count, ...)."""
    padding = count - len(detections.scores)

    def pad(field, value):
        return jnp.pad(field, [(0, padding)] + [(0, 0)] * (field.ndim - 1), constant_values=value)

    boxes, scores, classes, valid = detections
    return Detections(pad(boxes, 0), pad(scores, 0), pad(classes, -1), pad(valid, False))


def _slot_scores(objectness_logits: jax.Array, class_logits: jax.Array, class_scores: str) -> jax.Array:
    """The score of the best class of each slot, (..., N)."""
    probabilities = CLASS_SCORES[class_scores]
    # The sigmoid is monotonic, so one per slot is enough; computing it for all classes would be most of the work.
    best = jax.nn.sigmoid(class_logits.max(-1)) if class_scores == "sigmoid" else probabilities(class_logits).max(-1)
    return jax.nn.sigmoid(objectness_logits) * best


def _candidates(
    max_slots: int,
    max_candidates: int,
    multi_label: bool,
    class_scores: str,
    best: jax.Array,
    objectness_logits: jax.Array,
    class_logits: jax.Array,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The best (slot, class) pairs of the best slots of an image by falling score: slots, scores and classes, (k,) each."""
    top, slots = jax.lax.top_k(best, min(max_slots, len(best)))
    pairs = jax.nn.sigmoid(objectness_logits[slots])[:, None] * CLASS_SCORES[class_scores](class_logits[slots])
    if multi_label:
        # Best slots first: the pairs are then nearly sorted, which halves the time on a CPU.
        top, chosen = jax.lax.top_k(pairs.reshape(-1), min(max_candidates, pairs.size))
        count = pairs.shape[1]
        falling, chosen = jax.lax.sort((-top, slots[chosen // count] * count + chosen % count), num_keys=2)
        top, slots, classes = -falling, chosen // count, chosen % count
    else:
        classes = pairs.argmax(-1)
    return slots, top, classes.astype(jnp.int32)


def _distance_iou(power: float, aspect: jax.Array, a: jax.Array, b: jax.Array) -> jax.Array:
    """IoU minus (d^2 / c^2)^power, see `postprocess`; boxes xyxy (..., 4)."""

    def squared_length(across, down):
        return (across * aspect) ** 2 + down**2

    between = ((a[..., :2] + a[..., 2:]) - (b[..., :2] + b[..., 2:])) / 2
    around = jnp.maximum(a[..., 2:], b[..., 2:]) - jnp.minimum(a[..., :2], b[..., :2])
    squared_distance, squared_diagonal = (squared_length(v[..., 0], v[..., 1]) for v in (between, around))
    return iou(a, b) - (squared_distance / jnp.where(squared_diagonal > 0, squared_diagonal, 1)) ** power


def _soft(boxes: jax.Array, groups: jax.Array | None, scores: jax.Array, count: int) -> tuple[jax.Array, jax.Array]:
    """Gaussian soft suppression: indices (count,) in the order in which they are chosen, and their scores at that time."""
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

    # Under shard_map, as different from device to device as the scores are.
    varying = jnp.zeros_like(scores[:1])
    state = scores, jnp.zeros(count, jnp.int32) + varying.astype(jnp.int32), jnp.zeros(count, scores.dtype) + varying
    _, chosen, chosen_scores = jax.lax.fori_loop(0, count, choose, state)
    return chosen, chosen_scores
