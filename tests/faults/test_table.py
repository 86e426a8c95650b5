"""The table of faults in docs/faults.md names tests that exist, in every row."""

import re


def test_every_row_names_tests_that_exist(repository):
    faults, _ = (repository / "docs/faults.md").read_text().split("## Damaged files")
    rows = [row for row in re.findall(r"^\| .* \| .* \| (.*) \|$", faults, re.M) if row != "test"]
    assert len(rows) > 20
    for row in rows:
        named = re.findall(r"`([\w/]+\.py)(?:::(\w+))?`", row)
        assert named and re.sub(r"`[^`]*`|[;, ]", "", row) == "", row
        for path, function in named:
            text = (repository / "tests" / path).read_text()
            assert f"\ndef {function}(" in text if function else "\ndef test_" in text, row


def test_every_fault_has_its_row(repository):
    table = (repository / "docs/faults.md").read_text()
    for path in ("faults/test_killed.py", "faults/test_data.py"):
        for function in re.findall(r"^def (test_\w+)", (repository / "tests" / path).read_text(), re.M):
            assert f"`{path}::{function}`" in table, function
