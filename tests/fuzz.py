"""Damages valid files at random and reads them: every reader must answer with a result that holds together, or an InputError.

    python -m tests.fuzz --seconds 600 [--only voc,cfg] [--seed 1]

Anything else is a finding: another exception, more than ten seconds of work (and one for each 64 KiB), more than 4 GiB, or a
result that cannot be true. The file of each is kept in --keep, and a line says what happened. The exit status is the number of
findings, at most 100.
"""

import argparse
import contextlib
import hashlib
import json
import math
import os
import random
import resource
import shutil
import signal
import struct
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np

from tests.data.formats.test_damage import FILES, OBJECT
from tests.helpers.cfgs import FACE, ZOO, random_floats
from tests.helpers.tiny_config import get_config
from yolojax.config import Config, to_dict
from yolojax.darknet.detector import finite
from yolojax.darknet.network import network_from_cfg
from yolojax.darknet.weights import places, read_weights
from yolojax.data.formats.names import read_names
from yolojax.data.formats.read import read_annotations
from yolojax.data.images import write_image
from yolojax.errors import InputError

SECONDS_A_CASE = 10
MEMORY = 4 * 2**30
TOKENS = (
    "nan -nan inf 1e999 -1 0 1 2147483647 2147483648 -2147483649 1e308 99999999999999999999 0x10 1_0 \u0661 null true false [] "
    "{} \" ' [ ] { } , : ; = # < > </ /> <!-- <![CDATA[ &amp; &lol; ../ ../../etc/passwd /etc/passwd /dev/zero . .. ~ *a &a "
    "<<: !!python/object/apply:os.system !!timestamp !!float !!int --- %YAML \\ud800 \\u0000 \ufeff \u202e \x00 \x1b[2J "
    "!!binary \n \r \t"
).split(" ")
DOCTYPE = b'<!DOCTYPE a [<!ENTITY l "lol"><!ENTITY m "&l;&l;&l;&l;&l;&l;"><!ENTITY n SYSTEM "file:///etc/passwd">]>'


def mutate(rng, data):
    """The bytes after one to six random changes."""
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        place, length = rng.randint(0, len(data)), rng.choice((0, 1, 1, 2, 4, 9, 40))
        piece = bytes(data[place : place + length])
        kind = rng.randrange(9)
        if kind == 0 and data:
            data[min(place, len(data) - 1)] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del data[place : place + length]
        elif kind == 2:
            data[place:place] = piece * rng.choice((1, 2, 100, 10_000))
        elif kind == 3:
            data[place : place + length] = rng.choice(TOKENS).encode("utf-8", "surrogatepass")
        elif kind == 4:
            del data[place:]
        elif kind == 5:
            data[place:place] = rng.randbytes(length)
        elif kind == 6:
            data[place : place + 4] = struct.pack("<i", rng.choice((-1, 0, 1, 2**31 - 1, -(2**31), rng.getrandbits(20))))
        elif kind == 7:
            digits = [i for i, byte in enumerate(data) if 48 <= byte <= 57]
            if digits:
                at = rng.choice(digits)
                data[at : at + 1] = rng.choice(TOKENS[:17]).encode()
        else:
            data[place:place] = rng.choice((DOCTYPE, b"[" * 5000, b"{" * 5000, b"<a>" * 5000, b"- " * 5000, b"9" * 5000))
    return bytes(data)


def check_annotations(annotations):
    """Records that training could take."""
    names, records, _ = annotations
    assert names and all(isinstance(name, str) and name for name in names) and len(set(names)) == len(names)
    for record in records:
        assert len(record.boxes) == len(record.classes) == len(record.difficult) == len(record.crowd)
        assert np.isfinite(record.boxes).all() and (record.boxes[:, 2:] > record.boxes[:, :2]).all()
        assert ((record.classes >= 0) & (record.classes < len(names))).all()


def annotations(form):
    """Of `test_damage.FILES`: what is damaged there, and its reader."""
    suffix, file, text = FILES[form]

    def prepare(folder):
        for name in ("Annotations", "ImageSets/Main", "JPEGImages", "images", "labels"):
            (folder / name).mkdir(parents=True)
        for name in ("a", "b", "JPEGImages/v", "JPEGImages/w", "images/i", "images/j"):
            write_image(folder / f"{name}.png", np.zeros((10, 12, 3), np.uint8))
        (folder / "Annotations/w.xml").write_text(f"<annotation>{OBJECT.replace('cat', 'dog')}</annotation>")
        for _, other, whole in FILES.values():
            (folder / other).write_text(whole)
        where = f"{folder}{suffix}" if suffix.startswith(":") else os.path.join(folder, suffix).removesuffix("/")
        names = ("cat", "dog") if form == "text" else None
        return folder / file, [text.encode()], lambda: check_annotations(read_annotations(where, names=names))

    return prepare


def names(folder):
    def read():
        found = read_names(folder / "names")
        assert found and all(found) and len(set(found)) == len(found)

    return folder / "names", [b"cat\ndog\n", "größer\r\n猫\r\n".encode()], read


def cfg(folder):
    def read():
        _, grid = network_from_cfg(folder / "a.cfg")
        assert grid.num_slots > 0

    return folder / "a.cfg", [ZOO.encode(), FACE.encode()], read


def weights(folder):
    (folder / "a.cfg").write_text(ZOO)
    model, _ = network_from_cfg(folder / "a.cfg")
    count = sum(place.floats for place in places(model))
    whole = struct.pack("<iiiq", 0, 2, 0, 7) + random_floats(count).astype("<f4").tobytes()

    def read():
        found = finite("a.weights", read_weights(folder / "a.weights", model))
        leaves = [leaf for layer in found.variables.values() for leaf in _leaves(layer)]
        assert sum(leaf.size for leaf in leaves) == count and all(np.isfinite(leaf).all() for leaf in leaves)

    return folder / "a.weights", [whole], read


def _leaves(tree):
    return [leaf for part in tree.values() for leaf in _leaves(part)] if isinstance(tree, dict) else [tree]


def config(folder):
    from yolojax.runs.workdir import read_config

    def read():
        found = read_config(folder)
        assert isinstance(found, Config)
        json.dumps(to_dict(found), allow_nan=False)

    return folder / "config.json", [json.dumps(to_dict(get_config())).encode()], read


def meta(folder):
    import jax.numpy as jnp

    from yolojax.runs.checkpoints import Checkpoints
    from yolojax.runs.workdir import make_meta

    entry = {"step": 3, "loss": 1.5, "skipped": 0}
    with Checkpoints(folder) as checkpoints:
        state = {"ema": None, "params": {"a": jnp.ones(3)}}
        checkpoints.save(4, state, make_meta(get_config(), {"ap50": 0.5, "loss": 2.0}, [entry]))
    path = folder / "checkpoints/4/meta/metadata"
    whole = path.read_bytes()
    checkpoints = Checkpoints(folder, read_only=True)

    def read():
        found = checkpoints.meta(4)
        assert isinstance(found["metrics"], dict) and isinstance(found["pending"], list)
        checkpoints._scores.clear()
        assert checkpoints.best_step() in (4, None)

    return path, [whole], read


def about(folder):
    import jax

    from yolojax.grid import AnchorGrid
    from yolojax.inference import Recipe
    from yolojax.runs.exported import ABOUT, KIND, PROGRAM, VERSION, load_exported

    program = jax.export.export(jax.jit(lambda x: x + 1))(jax.ShapeDtypeStruct((2,), "float32")).serialize()
    recipe = Recipe(AnchorGrid((64, 96)), ("cat", "dog"))
    whole = {"format": KIND, "version": VERSION, **recipe.to_dict(), "jax": jax.__version__}

    def read():
        data = (folder / "about.json").read_bytes()
        if not data.startswith(b"PK"):
            with zipfile.ZipFile(folder / "a.yolojax", "w") as archive:
                archive.writestr(ABOUT, data)
                archive.writestr(PROGRAM, bytes(program))
        else:
            (folder / "a.yolojax").write_bytes(data)
        found = load_exported(folder / "a.yolojax")
        assert found.names and all(isinstance(name, str) for name in found.names)
        assert len(found.size) == 2 and all(isinstance(side, int) and side > 0 for side in found.size)

    with zipfile.ZipFile(folder / "whole", "w") as archive:
        archive.writestr(ABOUT, json.dumps(whole))
        archive.writestr(PROGRAM, bytes(program))
    return folder / "about.json", [json.dumps(whole).encode(), (folder / "whole").read_bytes()], read


TARGETS = {
    **{form: annotations(form) for form in FILES},
    **{function.__name__: function for function in (names, cfg, weights, config, meta, about)},
}


class Hang(BaseException):
    """A case that takes too long; no `except Exception` may take it for something else."""


@contextlib.contextmanager
def _limits():
    """A case may take so many seconds, and the process so much memory more than it has."""

    def expire(*_):
        raise Hang

    before = {number: signal.signal(number, expire) for number in (signal.SIGPROF, signal.SIGALRM)}
    limits = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)
        for number, handler in before.items():
            signal.signal(number, handler)


def attempt(read, size=0):
    """What a reader does with a file of so many bytes: "read", "refused", or in words what it should not have done."""
    # PyYAML takes some 15 microseconds a byte.
    seconds = SECONDS_A_CASE + size / 2**16
    began = time.process_time()
    # Of work, whatever else the machine does; a reader that waits for something without working has more time. Again and again,
    # as Python may swallow what a handler raises in the midst of a destructor.
    signal.setitimer(signal.ITIMER_PROF, seconds, 1)
    signal.setitimer(signal.ITIMER_REAL, 30 * seconds, 1)
    try:
        try:
            read()
            answer = "read"
        except InputError as error:
            answer = "refused" if "\n" not in str(error) else f"more than one line: {error}"
        return answer if time.process_time() - began < seconds else f"an answer after more than {seconds:.0f} s"
    except Hang:
        return f"no answer in {seconds:.0f} s"
    except AssertionError as error:
        return f"accepted, and cannot be true: {error!r}, line {error.__traceback__.tb_next.tb_lineno}"
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:200]}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)


def fuzz(name, rng, cases=math.inf, seconds=math.inf, keep=None):
    """Reads damaged files of one target.

    Returns:
        ({"read": n, "refused": n}, [findings]); each finding only once.
    """
    counts, findings = {"read": 0, "refused": 0}, {}
    folder = Path(tempfile.mkdtemp(prefix="yolojax-fuzz-"))
    try:
        path, wholes, read = TARGETS[name](folder)
        end = time.monotonic() + seconds
        with _limits():
            while sum(counts.values()) + len(findings) < cases and time.monotonic() < end:
                data = mutate(rng, rng.choice(wholes))
                path.write_bytes(data)
                outcome = attempt(read, len(data))
                if outcome in counts:
                    counts[outcome] += 1
                elif outcome[:60] not in findings:
                    findings[outcome[:60]] = outcome
                    if keep:
                        digest = hashlib.blake2b(data, digest_size=6).hexdigest()
                        (Path(keep) / f"{name.replace(' ', '_')}-{digest}").write_bytes(data)
                        print(f"{name}: {outcome}  ({digest})", flush=True)
                else:
                    counts["again"] = counts.get("again", 0) + 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return counts, list(findings.values())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60, help="shared by the targets")
    parser.add_argument("--only", help=f"targets between commas, of {', '.join(TARGETS)}")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", default="fuzz-findings", help="folder for the files that were not handled")
    chosen = parser.parse_args()
    os.makedirs(chosen.keep, exist_ok=True)
    targets = chosen.only.split(",") if chosen.only else list(TARGETS)
    total = 0
    for name in targets:
        rng = random.Random(f"{name} {chosen.seed}")
        counts, findings = fuzz(name, rng, seconds=chosen.seconds / len(targets), keep=chosen.keep)
        total += len(findings)
        print(f"{name:12} {counts['read']:8,} read  {counts['refused']:8,} refused  {len(findings):3} findings", flush=True)
    sys.exit(min(total, 100))


if __name__ == "__main__":
    main()
