"""Traces of training steps: which steps are traced, what is printed, and what the trace holds."""

import gzip
import json

import jax
import pytest

from yolojax.training.profile import FIRST, traced


@pytest.mark.parametrize(("steps", "items", "traced_steps"), [(2, 20, 2), (9, FIRST + 3, 3)])
def test_so_many_steps_are_traced(tmp_path, steps, items, traced_steps):
    lines, seen = [], []
    program = jax.jit(lambda x: x + 1)
    for item in traced(range(items), steps, str(tmp_path), lambda: None, lines.append):
        with jax.profiler.TraceAnnotation(f"step number {item}"):
            jax.block_until_ready(program(0.0))
        seen.append(item)
    assert seen == list(range(items))
    (line,) = lines
    assert f"a trace of {traced_steps} steps is in {tmp_path}" in line
    (path,) = tmp_path.rglob("perfetto_trace.json.gz")
    names = {event.get("name") for event in json.loads(gzip.decompress(path.read_bytes()))["traceEvents"]}
    in_trace = {item for item in range(items) if f"step number {item}" in names}
    assert in_trace == set(range(FIRST, FIRST + traced_steps))


def test_a_run_too_short_says_so(tmp_path):
    lines = []
    assert list(traced(range(FIRST), 2, str(tmp_path), lambda: None, lines.append)) == list(range(FIRST))
    assert "no trace" in lines[0] and not list(tmp_path.iterdir())


def test_without_steps_nothing_happens(tmp_path):
    lines = []
    assert list(traced(range(20), 0, str(tmp_path), lambda: None, lines.append)) == list(range(20))
    assert not lines and not list(tmp_path.iterdir())


@pytest.mark.parametrize("failing", ["start_trace", "stop_trace"])
def test_a_trace_that_cannot_be_written_ends_no_training(tmp_path, monkeypatch, failing):
    def fail(*_, **__):
        if failing == "stop_trace":
            stop()
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: No space left on device\nmore")

    stop, lines = jax.profiler.stop_trace, []
    monkeypatch.setattr(jax.profiler, failing, fail)
    assert list(traced(range(20), 2, str(tmp_path), lambda: None, lines.append)) == list(range(20))
    (line,) = lines
    assert line.startswith("--profile: ") and line.endswith("cannot be written: RESOURCE_EXHAUSTED: No space left on device")
