"""XML files as trees, and those that are refused with file and line."""

import pytest

from yolojax.data.formats.voc_xml import parse_xml
from yolojax.errors import InputError

TEXT = """<annotation>
  <object><name> cat </name></object>
  <size/>
  <object>
    <name>a &amp; <b/>b</name>
  </object>
</annotation>
"""


def test_elements_have_their_lines_children_and_text(tmp_path):
    (tmp_path / "a.xml").write_text(TEXT)
    root = parse_xml(tmp_path / "a.xml")
    assert (root.tag, root.line, [child.tag for child in root.children]) == ("annotation", 1, ["object", "size", "object"])
    first, second = root.all("object")
    assert (first.line, second.line) == (2, 4)
    assert first.text_of("name") == "cat" and first.text_of("pose") == root.text_of("size") == ""
    # The text around a child is the element's own.
    assert second.text_of("name") == "a & b" and second.children[0].children[0].tag == "b"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<a>\n<b>\n</a>", r"a\.xml:3: malformed XML: mismatched tag"),
        (b"", r"a\.xml:1: malformed XML: no element found"),
        (b"<a/><b/>", r"a\.xml:1: malformed XML: junk after document element"),
        (b'<?xml version="1.0"?>\n<!DOCTYPE a [<!ENTITY b "b">]>\n<a>&b;</a>', r"a\.xml:2: the file has a DTD; remove it"),
        (b'<?xml version="1.0" encoding="klingon"?><a/>', r"a\.xml.*: "),
    ],
)
def test_what_is_refused(content, message, tmp_path):
    (tmp_path / "a.xml").write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        parse_xml(tmp_path / "a.xml")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_missing_is_named(tmp_path):
    with pytest.raises(InputError, match=r"absent\.xml: cannot be read: No such file"):
        parse_xml(tmp_path / "absent.xml")
