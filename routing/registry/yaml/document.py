"""Parses untrusted YAML or JSON into nodes with their line and column.

Every scalar stays a string as it was written: ``NO`` is not false and ``12:30`` is not 750. Whatever could hide what a
file means (aliases, merge keys, tags, duplicate names) is refused, and so is a file that could exhaust the memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import yaml

from routing.characters import named_character
from routing.registry.fields import safe_repr
from routing.registry.yaml.problems import Mark, Problem

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Progress: TypeAlias = Callable[[str, int, int], None]
    """Receives the step, how much of it is done, and how much there is."""

MAX_BYTES = 64 * 1024 * 1024
MAX_DEPTH = 12
"""A route needs five levels, a scheduled override nine."""
MAX_NODES = 2_000_000
"""About 200,000 routes; they take less than 1 GB of memory."""

_OUTER_LEVELS = 4
"""Domains, regions, categories and bots: kept if the file ends within them. An incomplete bot is not."""

_EVENTS_PER_REPORT = 20_000
_NULLS = frozenset(("", "~", "null", "Null", "NULL"))


class Text(NamedTuple):
    value: str
    mark: Mark


class Entry(NamedTuple):
    """The node under a name, and the position of the name."""

    mark: Mark
    node: Node


class Block(NamedTuple):
    entries: dict[str, Entry]
    mark: Mark


class Items(NamedTuple):
    nodes: list[Node]
    mark: Mark


Node: TypeAlias = Text | Block | Items | None
"""None is a node whose problem has been reported."""


def read_bytes(path: Path) -> bytes:
    """Return the file's content, up to one byte more than is allowed, which shows that it is too large."""
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def read_document(content: bytes, progress: Progress) -> tuple[Node, list[Problem]]:
    """Return the file's root node and every syntax problem; the node is None if nothing could be read."""
    if len(content) > MAX_BYTES:
        return None, [Problem(f"The file is larger than {MAX_BYTES // 2**20} MiB. Split it, one file per domain.")]
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = "This is not UTF-8 text. Save the file as UTF-8."
        return None, [Problem(message, _mark_of_byte(content, error.start))]
    builder = _Builder()
    try:
        _build(builder, text, progress)
    except _UnreadableError as error:
        builder.problems.append(error.problem)
    except yaml.reader.ReaderError as error:
        message = f"The character U+{error.character:04X} is not allowed. Remove it."
        builder.problems.append(Problem(message, _mark_of_byte(text.encode(), error.position)))
    except yaml.MarkedYAMLError as error:
        builder.problems.append(_syntax_problem(error, text))
    progress("Reading", len(text), len(text))
    root = builder.finish()
    if root is None and not builder.problems:
        builder.problems.append(Problem("The file is empty. Start with a domain, such as 'stripe:'."))
    return root, builder.problems


def _build(builder: _Builder, text: str, progress: Progress) -> None:
    for count, event in enumerate(yaml.parse(text, Loader=yaml.CSafeLoader)):
        builder.feed(event)
        if count % _EVENTS_PER_REPORT == 0:
            progress("Reading", _position(event)[0], len(text))


class _UnreadableError(Exception):
    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


@dataclass(slots=True)
class _Open:
    """A block or list that has not ended yet. ``key`` is None if the value that follows is to be dropped."""

    node: Block | Items
    has_key: bool = False
    key: Text | None = None


class _Builder:
    """Builds nodes from the parser's events, without recursion, which a deep file could exhaust."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self._root: Node = None
        self._open: list[_Open] = []
        self._documents = 0
        self._nodes = 0

    def feed(self, event: yaml.Event) -> None:
        match event:
            case yaml.ScalarEvent():
                self._refuse_anchor_and_tag(event)
                self._add(self._text(event), event)
            case yaml.MappingStartEvent():
                self._begin(Block({}, _mark(event)), event)
            case yaml.SequenceStartEvent():
                self._begin(Items([], _mark(event)), event)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._add(self._open.pop().node, event)
            case yaml.AliasEvent():
                self._refuse("Aliases such as *name are not supported. Write the value out.", event)
                self._add(None, event)
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    raise _UnreadableError(
                        Problem("A second document starts here. Put each document in a file of its own.", _mark(event))
                    )
            case _:
                pass

    def finish(self) -> Node:
        """Return the root node; if the file ends early, with what was complete until then."""
        while self._open:
            level, incomplete = len(self._open), self._open.pop()
            if level <= _OUTER_LEVELS and isinstance(incomplete.node, Block) and incomplete.node.entries:
                self._attach(incomplete.node)
        return self._root

    def _begin(self, node: Block | Items, event: yaml.CollectionStartEvent) -> None:
        self._refuse_anchor_and_tag(event)
        if len(self._open) == MAX_DEPTH:
            raise _UnreadableError(Problem(f"This is nested deeper than {MAX_DEPTH} levels.", node.mark))
        self._open.append(_Open(node))

    def _add(self, node: Node, event: yaml.Event) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            message = f"The file contains more than {MAX_NODES:,} names and values. Split it, one file per domain."
            raise _UnreadableError(Problem(message, _mark(event)))
        if self._expects_key():
            self._open[-1].key = self._key(node, event)
            self._open[-1].has_key = True
        else:
            self._attach(node)

    def _attach(self, node: Node) -> None:
        if not self._open:
            self._root = node
            return
        parent = self._open[-1]
        if isinstance(parent.node, Items):
            parent.node.nodes.append(node)
        elif parent.key is not None:
            parent.node.entries[parent.key.value] = Entry(parent.key.mark, node)
        parent.has_key, parent.key = False, None

    def _expects_key(self) -> bool:
        return bool(self._open) and isinstance(self._open[-1].node, Block) and not self._open[-1].has_key

    def _key(self, node: Node, event: yaml.Event) -> Text | None:
        block = self._open[-1].node
        if node is None:
            return None
        if not isinstance(node, Text) or not isinstance(block, Block):
            self._refuse("A name must be a plain string.", event)
            return None
        if node.value == "<<":
            self._refuse("Merge keys (<<) are not supported. Write the fields out.", event)
            return None
        if first := block.entries.get(node.value):
            self._refuse(f"{safe_repr(node.value)} appears twice. It is already on line {first.mark.line}.", event)
            return None
        return node

    def _text(self, event: yaml.ScalarEvent) -> Text | None:
        is_plain = event.implicit[0]
        if is_plain and event.value in _NULLS and not self._expects_key() and self._open:
            key = self._open[-1].key
            name = safe_repr(key.value) if key else "This"
            self._refuse(f"{name} has no value. Add one, or remove the line.", event)
            return None
        return Text(event.value, _mark(event)) if self._open or event.value else None

    def _refuse_anchor_and_tag(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
        if event.anchor is not None:
            self._refuse("Anchors such as &name are not supported. Remove it.", event)
        if event.tag is not None:
            self._refuse("Tags such as !name are not supported. Remove it; every value is a string.", event)

    def _refuse(self, message: str, event: yaml.Event) -> None:
        self.problems.append(Problem(message, _mark(event)))


def _mark(event: yaml.Event) -> Mark:
    _, line, column = _position(event)
    return Mark(line + 1, column + 1)


def _position(event: yaml.Event) -> tuple[int, int, int]:
    """Return the character, line and column at which the event starts, from 0."""
    start = event.start_mark
    if start is None:
        raise AssertionError(event)  # only events that a program creates have none
    return start.index, start.line, start.column


def _mark_of_byte(content: bytes, position: int) -> Mark:
    before = content[:position].decode("utf-8-sig", errors="replace")
    return Mark(before.count("\n") + 1, len(before) - before.rfind("\n"))


def _syntax_problem(error: yaml.MarkedYAMLError, text: str) -> Problem:
    at = error.problem_mark or error.context_mark
    if at is None:
        return Problem(f"This is not valid YAML: {error.problem}.")
    mark = Mark(at.line + 1, at.column + 1)
    if text[at.index : at.index + 1] == "\t":
        return Problem("There is a tab where YAML allows only spaces. Indent with spaces.", mark)
    start = f", which starts on line {error.context_mark.line + 1}" if error.context_mark else ""
    context = f", {error.context}{start}" if error.context else ""
    named = {at.line, (error.context_mark or at).line}
    near = "".join(line for number, line in enumerate(text.splitlines()) if number in named)
    return Problem(f"This is not valid YAML{context}: {error.problem}.{named_character(near)}", mark)
