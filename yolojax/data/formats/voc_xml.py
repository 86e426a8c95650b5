"""XML files as trees of `Element`, read so that nothing in them can expand or name other files."""

import os
from typing import NamedTuple
from xml.parsers import expat

from yolojax.errors import InputError
from yolojax.runtime.files import open_regular


class Element(NamedTuple):
    """An XML element.

    Attributes:
        tag: its name.
        line: the line of the file on which it begins, from 1.
        children: the elements directly inside.
        pieces: its own text, in pieces.
        attributes: {name: value} of its start tag.
    """

    tag: str
    line: int
    children: "list[Element]"
    pieces: list[str]
    attributes: dict[str, str]

    @property
    def text(self) -> str:
        """Its own text without the blanks around it."""
        return "".join(self.pieces).strip()

    def all(self, tag: str) -> "list[Element]":
        """The children of that name."""
        return [child for child in self.children if child.tag == tag]

    def text_of(self, tag: str) -> str:
        """The text of the first child of that name; "" where there is none."""
        return next((child.text for child in self.children if child.tag == tag), "")


def parse_xml(path: str | os.PathLike[str]) -> Element:
    """Read an XML file that has no DTD.

    Args:
        path: the file.

    Returns:
        Its root.

    Raises:
        InputError: the file cannot be read, has a DTD or is malformed; the message names file and line.
    """
    stack = [Element("", 0, [], [], {})]
    parser = expat.ParserCreate()
    parser.buffer_text = True

    def refuse_dtd(*_):
        raise InputError(f"{path}:{parser.CurrentLineNumber}: the file has a DTD; remove it, annotations need none")

    def start(tag, attributes):
        element = Element(tag, parser.CurrentLineNumber, [], [], attributes)
        stack[-1].children.append(element)
        stack.append(element)

    parser.StartDoctypeDeclHandler = refuse_dtd
    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _: stack.pop()
    parser.CharacterDataHandler = lambda text: stack[-1].pieces.append(text)
    try:
        with open_regular(path) as file:
            parser.Parse(file.read(), True)
    except InputError:
        raise
    except expat.ExpatError as error:
        raise InputError(f"{path}:{error.lineno}: malformed XML: {expat.ErrorString(error.code)}") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, LookupError) as error:  # an encoding that expat cannot take
        raise InputError(f"{path}: cannot be read: {error}; save it as UTF-8") from error
    return stack[0].children[0]
