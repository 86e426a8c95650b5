"""File names from names that others chose: of classes, splits and runs, out of a data set, a cfg, a config.json, an export."""

import re
import unicodedata
from collections.abc import Sequence

MOST_BYTES = 120
"""Of a name; a number and an extension still fit into the 255 bytes that file systems allow."""
_DEVICES = re.compile(r"(con|prn|aux|nul|(com|lpt)\d)(\.|$)", re.I)


def file_names(names: Sequence[str]) -> list[str]:
    """Different names of files or folders, safe on any system, for any names: none leads out of the folder that it is put in.

    An ordinary name stays as it is. In others, what is neither letter, digit, blank nor one of "_.+-" becomes "_", blanks and
    dots at the ends are left out, and names of which nothing is left become their number in the list. Names that would be the
    same, also where letter case does not count, get a number: never do two share a file.

    Args:
        names: any texts, even equal ones.

    Returns:
        A name for each, in order.
    """
    simple = [_simple(name, number) for number, name in enumerate(names)]
    chosen, taken = dict[int, str](), set[str]()
    # Names that can stay as they are go before those that only become like them.
    for number in sorted(range(len(names)), key=lambda number: simple[number] != names[number]):
        name, count = simple[number], 1
        while folded(name) in taken:
            count += 1
            name = f"{simple[number]}-{count}"
        taken.add(folded(name))
        chosen[number] = name
    return [chosen[number] for number in range(len(names))]


def _simple(name: str, number: int) -> str:
    text = re.sub(r"[^\w .+-]", "_", name).encode("utf-8", "replace")[:MOST_BYTES].decode("utf-8", "ignore")
    text = text.strip(" .") or str(number)
    return f"_{text}" if _DEVICES.match(text) else text


def folded(name: str) -> str:
    """A name in a form that is equal for all names that are one file on some system."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
