"""The table of an evaluation."""

from tests.helpers.hand_made import FOUND, NAMES, TRUTHS
from yolojax.evaluation import format_table, summarize


def test_table_rows_and_numbers(monkeypatch):
    plain = format_table(summarize(FOUND, TRUTHS, NAMES))
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "20")
    assert format_table(summarize(FOUND, TRUTHS, NAMES)) == plain
    lines = plain.split("\n")
    rows = {line.split()[0]: line.split()[1:] for line in lines if line and not line.strip().startswith("-")}
    assert list(rows) == ["class", *NAMES, "all"]
    assert rows["cat"] == ["2", "2", "0.505", "0.505", "0.500", "0.545"]
    assert rows["unicorn"] == ["0", "0", "-", "-", "-", "-"]
    assert rows["all"] == ["2", "3", "0.752", "0.752", "0.750", "0.773"]
    assert plain.isascii()


def test_table_stays_aligned_with_eighty_classes_and_long_names():
    names = [f"[bold]class {place}[/bold] :smile: " + "x" * (place % 40) for place in range(79)] + ["y" * 300]
    lines = format_table(summarize(FOUND, TRUTHS, names)).split("\n")
    text = [line for line in lines if line and not line.strip().startswith("-")]
    assert len(text) == 82
    assert len({len(line) for line in text}) == 1
    assert len(text[0]) < 120
    assert text[5].startswith(names[4])
    assert text[-2].startswith("y" * 40)
