"""Messages of InputError are one line that any terminal can show."""

from hypothesis import given
from hypothesis import strategies as st

from yolojax.errors import InputError, first_line, one_line


@given(st.text(max_size=300))
def test_every_message_is_one_printable_line(text):
    message = str(InputError(text))
    assert message.isprintable()
    assert message == text or not text.isprintable()


def test_unprintable_characters_are_escaped():
    assert str(InputError("a\nb\x1b[31m\u202ec.png: bad")) == r"a\nb\x1b[31m\u202ec.png: bad"
    assert one_line("猫 ü.png") == "猫 ü.png"


def test_overlong_words_and_messages_are_shortened():
    word = "a" * 1000
    assert one_line(f"{word}: bad") == f"{'a' * 200}...{'a' * 99}:" + " bad"
    assert one_line("b" * 700) == f"{'b' * 200}...{'b' * 100}"
    assert one_line("c" * 699) == "c" * 699
    assert len(one_line("word " * 100_000)) < 11_000


def test_the_first_line_of_an_exception_is_its_message_or_its_type():
    assert first_line(ValueError("\n one\ntwo")) == "one"
    assert first_line(KeyError()) == "KeyError"
