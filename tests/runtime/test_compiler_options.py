"""The options of the compiler: those of a CPU that this XLA knows, and never against the user's own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from yolojax.runtime import compiler_options as module
from yolojax.runtime.compiler_options import compiler_options, keeping_barriers


def test_a_program_compiles_with_them_and_computes_the_same():
    def convolve(x, kernel):
        return jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))

    rng = np.random.default_rng(0)
    x, kernel = jnp.asarray(rng.standard_normal((2, 9, 9, 32))), jnp.asarray(rng.standard_normal((3, 3, 32, 32)))
    plain, fast = (jax.jit(convolve, compiler_options=options)(x, kernel) for options in ({}, compiler_options()))
    np.testing.assert_allclose(plain, fast, rtol=1e-4, atol=1e-4)


def test_other_platforms_have_none():
    assert compiler_options("gpu") == compiler_options("tpu") == {}


@pytest.mark.skipif(not compiler_options("cpu"), reason="this XLA has none of the options")
def test_what_the_environment_sets_is_left_to_it(monkeypatch):
    (name,) = compiler_options("cpu")
    monkeypatch.setenv("XLA_FLAGS", f"--{name}=LIBRARY_FUSION_TYPE_DOT --xla_cpu_enable_fast_math=false")
    assert compiler_options("cpu") == {}


def test_an_option_that_xla_does_not_know_is_left_out(monkeypatch):
    monkeypatch.setattr(module, "_CHOICES", {"xla_cpu_no_such_option": "1"})
    assert compiler_options("cpu") == {}


@pytest.mark.skipif(jax.default_backend() != "cpu" or not compiler_options(), reason="for a CPU alone")
def test_they_keep_convolutions_from_the_slower_library():
    def convolve(x, kernel):
        return jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))

    x, kernel = jnp.ones((1, 9, 9, 32)), jnp.ones((3, 3, 32, 32))
    compiled = jax.jit(convolve, compiler_options=compiler_options()).lower(x, kernel).compile().as_text()
    assert "ynn" not in compiled and "convolution" in compiled


@pytest.mark.skipif(jax.default_backend() != "cpu" or not keeping_barriers(), reason="for a CPU alone")
def test_a_barrier_is_there_to_the_end_of_the_compilation():
    def compiled(options):
        function = jax.jit(lambda x: jnp.sin(jax.lax.optimization_barrier(x * 2)) + 1, compiler_options=options)
        return function.lower(jnp.ones(8)).compile().as_text()

    assert compiled(keeping_barriers()).count("fusion(") > compiled({}).count("fusion(")
