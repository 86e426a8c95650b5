"""Options with which XLA compiles faster programs for a CPU than by default."""

import functools
import os

import jax

_PASSES = "xla_disable_hlo_passes"
_LIBRARY = "xla_cpu_experimental_ynn_fusion_type"
_CHOICES = {
    # jaxlib 0.10 gives convolutions to YNNPACK, whose gradients of kernels take up to 16 times as long as Eigen's, and most
    # other convolutions up to 3 times.
    _LIBRARY: "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT",
}


def compiler_options(backend: str | None = None) -> dict[str, str]:
    """Options for `jax.jit(function, compiler_options=...)` under which convolutions are fast on a CPU.

    All programs that yolojax compiles itself have them. They change the order of sums, and so the last digits of a result.
    An option that the environment's XLA_FLAGS names is the user's to choose, and is left out here.

    Args:
        backend: the platform for which a program is compiled, such as "cpu"; by default that of JAX.

    Returns:
        The options; none for other platforms than a CPU, or where XLA does not have them.
    """
    if (backend or jax.default_backend()) != "cpu":
        return {}
    flags = os.environ.get("XLA_FLAGS", "")
    return {name: value for name, value in _CHOICES.items() if name not in flags and _is_known(name, value)}


@functools.cache
def _is_known(name: str, value: str) -> bool:
    """Whether XLA takes an option: what it does not know it refuses, when it compiles."""
    device = jax.local_devices(backend="cpu")[0]
    with jax.default_device(device):
        try:
            jax.jit(lambda: 0, compiler_options={name: value}).lower().compile()
        except jax.errors.JaxRuntimeError:
            return False
    return True


def keeping_barriers() -> dict[str, str]:
    """Options under which `jax.lax.optimization_barrier` keeps loops apart on a CPU to the end of the compilation.

    By default XLA removes the barriers on a CPU so early that it merges what they keep apart.

    Returns:
        The options; none for other platforms than a CPU, or where they do not help.
    """
    return {_PASSES: "cse_barrier_expander"} if jax.default_backend() == "cpu" and _barriers_can_be_kept() else {}


@functools.cache
def _barriers_can_be_kept() -> bool:
    # XLA ignores the names of passes that it does not have.
    program = jax.jit(lambda x: jax.lax.optimization_barrier(x + 1) * 2, compiler_options={_PASSES: "cse_barrier_expander"})
    with jax.default_device(jax.local_devices(backend="cpu")[0]):
        return "opt-barrier" in str(program.lower(jax.ShapeDtypeStruct((8,), "float32")).compile().as_text())
