"""The form of a routes file: what is read as text, and what is refused, with its line and column."""

from __future__ import annotations

import pytest

from routing.registry.yaml import document
from routing.registry.yaml.document import Block, Text, read_document


def read(content: str | bytes):
    return read_document(content if isinstance(content, bytes) else content.encode(), lambda *_: None)


def refusals(content: str | bytes) -> list[str]:
    return [str(problem) for problem in read(content)[1]]


@pytest.mark.parametrize("written", ["NO", "12:30", "12", "0o14", "1e3", "true", "2027-01-01", "=", "0x1F", ".inf"])
def test_a_plain_value_stays_a_string_as_it_was_written(written):
    root, problems = read(f"a: {written}")

    assert problems == []
    assert isinstance(root, Block)
    assert root.entries["a"].node == Text(written, (1, 4))


def test_json_is_read_with_tabs_and_keeps_line_and_column():
    root, problems = read('{\n\t"a": {"b":"c"}\n}')

    assert problems == []
    inner = root.entries["a"].node
    assert inner.entries["b"].mark == (2, 8)
    assert inner.entries["b"].node == Text("c", (2, 12))


def test_a_byte_order_mark_is_not_part_of_the_first_name():
    root, problems = read(b"\xef\xbb\xbfa: b")

    assert problems == []
    assert list(root.entries) == ["a"]


@pytest.mark.parametrize(
    ("content", "refusal"),
    [
        ("", "The file is empty. Start with a domain, such as 'stripe:'."),
        ("# only a comment\n", "The file is empty. Start with a domain, such as 'stripe:'."),
        ("---\n", "The file is empty. Start with a domain, such as 'stripe:'."),
        (b"a: \xff", "line 1, column 4: This is not UTF-8 text. Save the file as UTF-8."),
        ("a: b".encode("utf-16"), "line 1, column 1: This is not UTF-8 text. Save the file as UTF-8."),
        ("é: b\nc: é\x07", "line 2, column 5: The character U+0007 is not allowed. Remove it."),
        ("a:\n\tb: c", "line 2, column 1: There is a tab where YAML allows only spaces. Indent with spaces."),
        ("a: b\na: c", "line 2, column 1: 'a' appears twice. It is already on line 1."),
        ("a: {b: c, b: d}", "line 1, column 11: 'b' appears twice. It is already on line 1."),
        ("a:\nb: c", "line 1, column 3: 'a' has no value. Add one, or remove the line."),
        ("a: ~", "line 1, column 4: 'a' has no value. Add one, or remove the line."),
        ('{"a": null}', "line 1, column 7: 'a' has no value. Add one, or remove the line."),
        ("a: &x b", "line 1, column 4: Anchors such as &name are not supported. Remove it."),
        ("<<: {a: b}", "line 1, column 1: Merge keys (<<) are not supported. Write the fields out."),
        ("a: !!python/name:os.system b", "line 1, column 4: Tags such as !name are not supported. Remove it; "),
        ("a: !!int 12", "line 1, column 4: Tags such as !name are not supported. Remove it; "),
        ("? [a]\n: b", "line 1, column 5: A name must be a plain string."),
        ("a: b\n---\nc: d", "line 2, column 1: A second document starts here. Put each document in a file of its own."),
        (
            "a: [b",
            "line 2, column 1: This is not valid YAML, while parsing a flow sequence, which starts on line 1:",
        ),
        ("a: b: c", "line 1, column 5: This is not valid YAML: mapping values are not allowed in this context."),
    ],
)
def test_whatever_is_not_plain_names_and_strings_is_refused_with_its_position(content, refusal):
    [found] = refusals(content)

    assert found.startswith(refusal)


def test_an_alias_is_refused_and_so_cannot_multiply():
    bomb = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]"

    assert sum("Aliases" in refusal for refusal in refusals(bomb)) == 4


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_a_deep_file_is_refused_before_it_exhausts_anything(opening):
    assert refusals(opening * 200_000) == [
        f"line 1, column {12 * len(opening) + 1}: This is nested deeper than 12 levels."
    ]


def test_a_long_file_is_refused(monkeypatch):
    monkeypatch.setattr(document, "MAX_BYTES", 1024 * 1024)

    assert refusals(b" " * (1024 * 1024 + 1)) == ["The file is larger than 1 MiB. Split it, one file per domain."]


def test_a_file_of_too_many_values_is_refused(monkeypatch):
    monkeypatch.setattr(document, "MAX_NODES", 1000)

    assert refusals("[" + "x," * 2000 + "]") == [
        "line 1, column 2002: The file contains more than 1,000 names and values. Split it, one file per domain."
    ]


def test_a_name_that_looks_like_a_key_is_not_shown(live_key):
    assert refusals(f"{live_key}: a\n{live_key}: b") == [
        "line 2, column 1: (hidden: it looks like a key) appears twice. It is already on line 1."
    ]


def test_every_syntax_problem_is_reported_at_once():
    found = refusals("a: &x b\na: c\nd: !t e\nf: [")

    assert [refusal[:6] for refusal in found] == ["line 1", "line 2", "line 3", "line 5"]


def test_whatever_was_complete_before_a_syntax_error_is_kept():
    root, problems = read("a: {b: c}\n? {d: e")

    assert len(problems) == 1
    assert list(root.entries) == ["a"]
    assert list(root.entries["a"].node.entries) == ["b"]
