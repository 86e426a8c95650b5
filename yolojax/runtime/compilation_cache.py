"""Compiled programs kept on disk, so that the next process that needs one loads it instead of compiling it."""

import contextlib
import os
import re
import sys
import warnings
from pathlib import Path
from typing import Any

from yolojax.errors import InputError

FOLDER, SECONDS = "JAX_COMPILATION_CACHE_DIR", "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"
"""The variables from which JAX reads its settings when it is imported."""
JAX_SECONDS = 1.0
"""JAX's own limit: by default it does not keep what it compiles faster."""


def cache_compiled_programs(folder: str | os.PathLike[str] | None = None) -> Path | None:
    """Keeps compiled programs on disk for this and later processes, as the commands of yolojax do.

    Call it once, before or after JAX is imported; what is compiled from then on is kept, however small it is. JAX keeps one
    file for each program, and finds it again by the program, its shapes, the device and the version of JAX.

    Args:
        folder: where they are kept; made if it is missing. By default a folder of the user's own choice (the environment's
            JAX_COMPILATION_CACHE_DIR, or JAX's jax_compilation_cache_dir), else yolojax/compiled in the user's cache
            ($XDG_CACHE_HOME, or ~/.cache).

    Returns:
        The folder; None if nothing is kept, because there is no home in which files may be written.

    Raises:
        InputError: `folder` is given, but cannot be made or written.
    """
    if folder is None and (chosen := _chosen()):
        place = Path(chosen)
    else:
        wanted = _default() if folder is None else Path(folder)
        place = wanted and _writable(wanted)
        if place is None and folder is not None:
            raise InputError(f"{folder}: compiled programs cannot be kept in this folder; name one that can be written")
        if place is None:
            return None
        _choose(str(place))
    _keep_small_programs()
    return place


def remove_damaged_entries(folder: Path | None) -> None:
    """Has JAX's warning of an entry that it cannot read or write removed together with the entry.

    JAX compiles the program again, but leaves the file and says the same the next time: a process may have been killed while it
    wrote, or its disk was full.

    Args:
        folder: where compiled programs are kept; None: nowhere.
    """
    if folder is None:
        return
    warnings.filterwarnings("always", "Error (reading|writing) persistent compilation cache entry for ", UserWarning)
    show = warnings.showwarning

    def remove_or_show(message: Warning | str, *details: Any, **more: Any) -> None:
        entry = re.match(r"Error (?:reading|writing) persistent compilation cache entry for '(.+?)'", str(message))
        if not entry:
            return show(message, *details, **more)
        # JAX names the program, or the file, which is PROGRAM-DIGEST-cache: with other signs, and the digests are not said.
        for path in folder.glob("*-cache"):
            if _letters(path.name.rsplit("-", 2)[0]) == _letters(entry[1].rsplit("-", 1)[0]):
                with contextlib.suppress(OSError):
                    path.unlink()

    warnings.showwarning = remove_or_show


def _letters(name: str) -> str:
    return re.sub(r"[\W_]", "", name)


def _default() -> Path | None:
    cache = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(cache):  # then it is to be ignored, says the standard of these variables
        cache = os.path.join(os.path.expanduser("~"), ".cache")
    return Path(cache, "yolojax", "compiled") if os.path.isabs(cache) else None


def _writable(folder: Path) -> Path | None:
    """The folder, made if it is missing; None if it cannot be used."""
    with contextlib.suppress(OSError, ValueError):
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            return folder.absolute()
    return None


def _chosen() -> str | None:
    """The folder that JAX uses or will use."""
    jax = sys.modules.get("jax")
    return jax.config.jax_compilation_cache_dir if jax else os.environ.get(FOLDER)


def _choose(folder: str) -> None:
    jax = sys.modules.get("jax")
    if jax is None:  # and need not be: the commands answer --help without loading it
        os.environ[FOLDER] = folder
        return
    before = jax.config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", folder)
    if before not in (None, folder):
        from jax.experimental.compilation_cache import compilation_cache

        compilation_cache.reset_cache()  # else JAX goes on with the folder that it has opened


def _keep_small_programs() -> None:
    """Lets JAX keep programs that it compiles in less than a second too, unless the user has set another limit."""
    jax = sys.modules.get("jax")
    if jax is None:
        os.environ.setdefault(SECONDS, "0")
    elif SECONDS not in os.environ and jax.config.jax_persistent_cache_min_compile_time_secs == JAX_SECONDS:
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
