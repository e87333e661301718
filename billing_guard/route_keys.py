"""Which mappings are routes of the billing router, and which of their fields would hold a key."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from billing_guard.rules import ROUTE_KEY, Hit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from billing_guard.source import Source

_PREFIXES = {"product_id": "prod_", "price_id": "price_", "customer_id": "cus_"}
_KEY_FIELD = re.compile(
    r"(?:stripe_)?(?:secret|public|publishable|restricted|private|api)_key|stripe_key|(?:stripe_)?webhook_secrets?",
    re.IGNORECASE,
)
_REGISTERING = frozenset({"register_route", "register_override"})

_FIELD = r"""["':]?(?P<name>\w+)["']?[ \t]*(?:=>|:|=(?!=))[ \t]*"""
_LINE = re.compile(rf"(?P<indent>[ \t]*)(?P<item>(?:-[ ]+)*)(?P<field>{_FIELD})?(?P<rest>.*)")
_BRACES = re.compile(r"\{[^{}]*\}")
_IN_BRACES = re.compile(rf"""(?<![\w$.]){_FIELD}(?P<value>"[^"\n]*"|'[^'\n]*'|[^,}}\n]*)""")
_NEW_SECTION = re.compile(r"\[[^\]]*\]\s*$|---")


@dataclass(slots=True, eq=False)
class _Mapping:
    """What stands at one depth of a text; ``name`` is the field of ``parent`` that it is the value of."""

    depth: int
    parent: _Mapping | None = None
    name: str = ""
    places: dict[str, int] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)

    def is_in_a_route(self) -> bool:
        """Whether it is a route, or stands among the overrides of one."""
        if _is_route(self.values):
            return True
        within: _Mapping | None = self
        while within and within.name != "overrides":
            within = within.parent
        return within is not None and within.parent is not None and _is_route(within.parent.values)


def find(code: str) -> Iterator[Hit]:
    """Yield the keys in routes of YAML, JSON, TOML and of code whose mappings are indented or stand in braces."""
    for mapping in [*_indented(code), *_braced(code)]:
        if any(map(_KEY_FIELD.fullmatch, mapping.places)) and mapping.is_in_a_route():
            yield from (
                Hit(ROUTE_KEY, place, name) for name, place in mapping.places.items() if _KEY_FIELD.fullmatch(name)
            )


def find_in_python(source: Source, tree: ast.Module) -> Iterator[Hit]:
    for node in ast.walk(tree):
        named = _named(node)
        if _is_registering(node):
            yield from _key_fields(source, node)
        elif _is_route({name: _text(value) for name, (_, value) in named.items()}):
            yield from _hits(source, named)
            if overrides := named.get("overrides"):
                yield from _key_fields(source, overrides[1])


def _is_route(values: Mapping[str, str]) -> bool:
    """Whether it holds one of Stripe's ids in its place, or the field of a price beside another one of a route."""
    if any(values.get(name, "").startswith(prefix) for name, prefix in _PREFIXES.items()):
        return True
    return "price_id" in values and not _PREFIXES.keys().isdisjoint(values.keys() - {"price_id"})


def _indented(code: str) -> Iterator[_Mapping]:
    top = _Mapping(-1)
    last, offset = "", 0
    for line in code.split("\n"):
        found = _LINE.fullmatch(line)
        if found and line.strip():
            depth = len(found["indent"]) + len(found["item"])
            begins_anew = bool(found["item"]) or _NEW_SECTION.match(found["rest"] or "") is not None
            while top.parent and (top.depth > depth or (begins_anew and top.depth == depth)):
                yield top
                last, top = top.name, top.parent
            if found["field"]:
                if top.depth < depth:
                    top = _Mapping(depth, top, last)
                last = found["name"]
                top.places[last] = offset + found.start("name")
                top.values[last] = _unquoted(found["rest"])
        offset += len(line) + 1
    while top.parent:
        yield top
        top = top.parent


def _braced(code: str) -> Iterator[_Mapping]:
    for braces in _BRACES.finditer(code):
        mapping = _Mapping(0)
        for found in _IN_BRACES.finditer(braces[0]):
            mapping.places[found["name"]] = braces.start() + found.start("name")
            mapping.values[found["name"]] = _unquoted(found["value"])
        yield mapping


def _unquoted(value: str) -> str:
    return value.strip(" \t,;\"'")


_Named = dict[str, tuple[ast.AST, ast.AST | None]]


def _named(node: ast.AST) -> _Named:
    """Return what a dict, a call's keywords or a class's body names: by name, where, and the value."""
    if isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        return {_text(key): (key, value) for key, value in pairs if key is not None and _text(key)}
    if isinstance(node, ast.Call):
        return {keyword.arg: (keyword, keyword.value) for keyword in node.keywords if keyword.arg}
    if isinstance(node, ast.ClassDef):
        return {name.id: (name, value) for name, value in map(_assigned, node.body) if isinstance(name, ast.Name)}
    return {}


def _assigned(statement: ast.stmt) -> tuple[ast.AST | None, ast.AST | None]:
    if isinstance(statement, ast.Assign):
        return statement.targets[0], statement.value
    if isinstance(statement, ast.AnnAssign):
        return statement.target, statement.value
    return None, None


def _is_registering(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", None)
    return name in _REGISTERING


def _key_fields(source: Source, node: ast.AST | None) -> Iterator[Hit]:
    for inner in ast.walk(node) if node else ():
        yield from _hits(source, _named(inner))


def _hits(source: Source, named: _Named) -> Iterator[Hit]:
    for name, (where, _) in named.items():
        if _KEY_FIELD.fullmatch(name) and isinstance(where, (ast.expr, ast.keyword)):
            yield Hit(ROUTE_KEY, source.offset(where.lineno, where.col_offset), name)


def _text(node: ast.AST | None) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
