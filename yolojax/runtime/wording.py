"""Words of messages that depend on a number."""


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """A number and what it counts: "1 class", "2 classes", "1,000 pictures".

    Args:
        number: how many there are.
        noun: what one of them is called.
        plural: what several are called; None: the noun with -s, or -es where the sound asks for it.
    """
    if plural is None:
        plural = noun + ("es" if noun.endswith(("s", "x", "ch", "sh")) else "s")
    return f"{number:,} {noun if number == 1 else plural}"
