"""The terms of a loss: what a loss may return, by which names its terms are summed and logged."""

import functools
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, TypeAlias, cast

import jax
import jax.numpy as jnp
from jax import export

LOG_NAMES = frozenset(
    "step split loss gradient_norm skipped rate_factor learning_rate images_per_second data_seconds device_seconds "
    "host_seconds dropped_small dropped_excess unreadable ap ap50 ap75 ap_small ap_medium ap_large ar_1 ar_10 ar_100 "
    "ar_small ar_medium ar_large voc_ap50 voc_ap50_11point per_class per_size images boxes f1 best_f1 confusion errors curves "
    "absent pictures run config".split()
)
"""Names in the log and in the files of an evaluation that no term of a loss can have."""


@functools.partial(export.register_namedtuple_serialization, serialized_name="yolojax.loss.LossTerms")
class LossTerms(NamedTuple):
    """The three terms of a detection loss, each (B,): one number per image, summed over its slots.

    Attributes:
        box: (B,), the error of the boxes.
        objectness: (B,), the error of the objectness.
        classification: (B,), the error of the classes.
    """

    box: jax.Array
    objectness: jax.Array
    classification: jax.Array


LossValue: TypeAlias = LossTerms | tuple[jax.Array, ...] | Mapping[str, jax.Array] | jax.Array
"""What a loss may return, with (B,) arrays: a NamedTuple such as LossTerms, a mapping by name, or one array."""


def named_terms(value: LossValue, batch_size: int | None = None) -> dict[str, jax.Array]:
    """The terms of a loss by name, whichever way the loss returns them.

    Args:
        value: what the loss returned: LossTerms or another NamedTuple, a mapping {name: term}, or one array, the whole loss.
            Every term is (B,), floating: one number per image. The loss is the sum of the terms.
        batch_size: B, if it is known.

    Returns:
        {name: (B,)}, in the order of the loss. One array has the name "loss", which a mapping of one term can have as well.

    Raises:
        ValueError: no term; a term that is not (B,) or not floating, or whose B differs from that of another; a name that is
            not a string, is empty, or that the log uses for something else (`LOG_NAMES`); a value of another kind.
    """
    if isinstance(value, Mapping):
        terms = dict(value)
    elif isinstance(value, tuple) and hasattr(value, "_fields"):
        terms = cast(Any, value)._asdict()
    elif hasattr(value, "shape"):
        return {"loss": _checked_term("loss", value, batch_size)}
    else:
        kind = type(value).__name__
        raise ValueError(
            f"a loss returns LossTerms, another NamedTuple, a mapping {{name: (B,)}} or one array (B,), not a {kind}"
        )
    if not terms:
        raise ValueError("the loss returned no term")
    if list(terms) == ["loss"]:
        return {"loss": _checked_term("loss", terms["loss"], batch_size)}
    for name, term in terms.items():
        if not isinstance(name, str) or not name or name in LOG_NAMES:
            raise ValueError(f"a term of a loss cannot be called {name!r}, which the log uses for something else")
        batch_size = _checked_term(name, term, batch_size).shape[0]
    return terms


def in_log_order(names: Iterable[str]) -> list[str]:
    """Names of loss terms in the order in which they are logged: those of `LossTerms` first, then the others by name."""
    known = set(names)
    return [name for name in LossTerms._fields if name in known] + sorted(known.difference(LossTerms._fields))


def _checked_term(name: str, term: Any, batch_size: int | None) -> jax.Array:
    shape: Any = getattr(term, "shape", None)
    dtype: Any = getattr(term, "dtype", None)
    right = isinstance(shape, tuple) and len(shape) == 1 and batch_size in (None, shape[0])
    if not right or not jnp.issubdtype(dtype, jnp.floating):
        found = type(term).__name__ if shape is None else f"{shape} {dtype}"
        wanted = "(B,)" if batch_size is None else f"({batch_size},)"
        raise ValueError(f"the term {name!r} of the loss must be {wanted} floating, one number per image, not {found}")
    return term
