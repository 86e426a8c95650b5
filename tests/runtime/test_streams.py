"""Standard streams that cannot end a program; test_environment.py runs the programs with them."""

import ast
import os
import signal
import subprocess
import sys
import time

import pytest

from yolojax.runtime.streams import say

CODE = """
import os, sys
from yolojax.runtime.streams import drop_stdout, outlive_readers, prepare_streams
prepare_streams()
{}
"""


def run(code, line='"$@"', **environment):
    command = ["bash", "-c", line, "bash", sys.executable, "-W", "error", "-c", CODE.format(code)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | environment)
    return done.stdout, done.stderr


def test_open_streams_stay_as_they_are():
    assert run("print('é')", PYTHONIOENCODING="utf-8") == ("é\n", "")


def test_characters_that_stdout_cannot_encode_are_escaped():
    assert run("print('a\\u00e9\\u732b')", PYTHONIOENCODING="ascii") == ("a\\xe9\\u732b\n", "")


def test_files_do_not_take_the_places_of_closed_streams():
    out, err = run("print(os.open(os.devnull, os.O_RDONLY) > 2)", '"$@" <&- 2>&-')
    assert (out, err) == ("True\n", "")
    out, err = run("print('dropped'); print(os.open(os.devnull, os.O_RDONLY) > 2, file=sys.stderr)", '"$@" <&- >&-')
    assert (out, err) == ("", "True\n")


def test_a_program_outlives_its_readers_and_says_so_once():
    code = "outlive_readers()\nfor n in range(100_000): print(n, flush=True)\nprint('end', file=sys.stderr)"
    out, err = run(code, '"$@" | head -n 1')
    assert out == "0\n" and err.split("\n")[1:] == ["end", ""] and "stdout: Broken pipe; continuing without it" in err
    assert run(code, '"$@" 2>&1 | head -n 1') == ("0\n", "")


def test_what_was_printed_before_comes_first():
    assert run("print(1)\noutlive_readers()\nprint(2)\nprint(3, file=sys.stderr)") == ("1\n2\n", "3\n")


def test_streams_that_were_replaced_are_left_alone():
    assert run("import io\nsys.stdout = mine = io.StringIO()\noutlive_readers()\nassert sys.stdout is mine") == ("", "")


def test_dropped_output_is_no_error_at_the_end():
    code = "try:\n  for n in range(100_000): print(n, flush=True)\nexcept BrokenPipeError: drop_stdout()\nprint('more')"
    assert run(code, '"$@" | head -n 1') == ("0\n", "")


def test_a_disk_that_is_full_is_an_error_that_names_stdout():
    if not os.path.exists("/dev/full"):
        pytest.skip("no device that is always full")
    code = (
        "from yolojax.errors import InputError\nfrom yolojax.runtime.streams import say\n"
        "try: say('a line')\nexcept InputError as error: print(error, file=sys.stderr)\ndrop_stdout()"
    )
    assert run(code, '"$@" > /dev/full') == ("", "stdout cannot be written: No space left on device\n")


def test_what_a_terminal_would_obey_is_escaped(capsys):
    say("class \x1b]0;title\x07\x1b[2J\x9b1m \u202e größe 日本 \ud800\tend\nnext")
    assert capsys.readouterr().out == ("class \\x1b]0;title\\x07\\x1b[2J\\x9b1m \\u202e größe 日本 \\ud800\tend\nnext\n")


def test_nothing_else_prints(repository):
    printing = set()
    for path in (repository / "yolojax").rglob("*.py"):
        calls = (node.func for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call))
        if any(isinstance(function, ast.Name) and function.id == "print" for function in calls):
            printing.add(str(path.relative_to(repository / "yolojax")))
    # Errors, which are escaped as well, and the number of a picture.
    assert printing == {
        "runtime/streams.py", "runtime/console.py", "programs/main.py", "data/digits.py",
    }  # fmt: skip


def test_an_interrupt_of_a_write_that_waits_for_its_reader_ends_the_program():
    code = (
        "outlive_readers()\nprint('begun', file=sys.stderr, flush=True)\n"
        "try:\n  while True: print('line ' * 1000, flush=True)\n"
        "except KeyboardInterrupt: print('on the way out ' * 1000, flush=True); print('ended', file=sys.stderr, flush=True)"
    )
    reader, writer = os.pipe()
    command = [sys.executable, "-W", "error", "-c", CODE.format(code)]
    with subprocess.Popen(command, stdout=writer, stderr=subprocess.PIPE, text=True) as program:
        try:
            assert program.stderr and program.stderr.readline() == "begun\n"
            time.sleep(0.5)  # until the pipe is full, which nobody reads
            program.send_signal(signal.SIGINT)
            assert program.communicate(timeout=20)[1] == "ended\n" and program.returncode == 0
        finally:
            program.kill()
            os.close(reader)
            os.close(writer)
