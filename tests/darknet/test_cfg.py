"""The text of cfg files: what is parsed, and what is refused, with file and line."""

import pytest

from yolojax.darknet.cfg import parse_cfg, read_cfg
from yolojax.errors import InputError


def test_spaces_comments_aliases_and_encodings(tmp_path):
    text = "\ufeff# a net\r\n [ne t] \r\nwidth = 32 # inline\r\nhei ght=3 2\r\n; \xe9 \r\n[conv]\r\nfilters= 4\r\n\r\n[max]\r\n"
    (tmp_path / "a.cfg").write_bytes(text.encode("utf-8").replace(b"\xc3\xa9", b"\xb0\xa1"))
    net, conv, pool = read_cfg(tmp_path / "a.cfg")
    assert [(section.name, section.line) for section in (net, conv, pool)] == [("net", 2), ("convolutional", 6), ("maxpool", 9)]
    assert net.options == {"width": ("32", 3), "height": ("32", 4)}
    assert conv.whole("filters") == 4 and conv.whole("size", 1) == 1


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "a.cfg: no sections; a cfg begins with [net]"),
        ("[convolutional]\n", "a.cfg:1: the first section is [convolutional], but [net] must come first"),
        ("width=3\n[net]\n", "a.cfg:1: 'width=3' comes before the first section; [net] must come first"),
        ("[net]\nnonsense\n", "a.cfg:2: 'nonsense' is neither [section] nor option=value"),
        ("[net]\n=3\n", "a.cfg:2: '=3' is neither [section] nor option=value"),
    ],
)
def test_what_is_no_cfg(text, problem):
    with pytest.raises(InputError) as caught:
        parse_cfg(text, "a.cfg")
    assert str(caught.value) == problem


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.cfg: the cfg cannot be read: No such file"):
        read_cfg(tmp_path / "nowhere.cfg")
    (tmp_path / "a.cfg").write_bytes(b"\0\1\2")
    with pytest.raises(InputError, match=r"a\.cfg: not a cfg but a binary file"):
        read_cfg(tmp_path / "a.cfg")
