"""SPDX licence expressions: "MIT OR (GPL-2.0-or-later WITH Classpath-exception-2.0)" (SPDX specification 2.3, annex D)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from pipeline.licences.ids import NOASSERTION, by_name, is_exception, spdx_id

_TOKENS = re.compile(r"[()]|[^\s()]+")
#: Longer ones are no licence; what isn't hostile nests a few brackets.
_MAX_CHARS, _MAX_DEPTH = 500, 20


@dataclass(frozen=True)
class Licence:
    """One licence, with the exception that eases it. NOASSERTION stands for one that nobody knows."""

    id: str
    exception: str = ""

    def __str__(self) -> str:
        return f"{self.id} WITH {self.exception}" if self.exception else self.id


@dataclass(frozen=True)
class Compound:
    """Licences of which one may be chosen (OR), or that all hold (AND)."""

    op: str
    parts: tuple[Expression, ...]

    def __str__(self) -> str:
        inner = (f"({part})" if isinstance(part, Compound) else str(part) for part in self.parts)
        return f" {self.op} ".join(inner)


Expression = Licence | Compound


def judge(expression: Expression, of_licence: Callable[[Licence], int]) -> int:
    """The judgement of an expression from those of its licences: the best of what may be chosen, the worst of what must hold."""
    if isinstance(expression, Licence):
        return of_licence(expression)
    found = [judge(part, of_licence) for part in expression.parts]
    return max(found) if expression.op == "OR" else min(found)


@lru_cache(maxsize=65536)
def understood(text: str) -> Expression | None:
    """The licences that a text names: an SPDX expression, or names that people use, between "or", "and" and "/"."""
    if len(text) > _MAX_CHARS:
        return None
    return parsed(text) or _named(text)


@lru_cache(maxsize=65536)
def parsed(text: str) -> Expression | None:
    """The SPDX expression that a text is, in any case, or None."""
    tokens = _TOKENS.findall(text)
    if len(text) > _MAX_CHARS or not tokens:
        return None
    found, rest = _either(tokens, 0)
    return None if rest else found


def _named(text: str) -> Expression | None:
    if name := by_name(text):
        return Licence(name)
    for op, between in (("OR", r"\s+or\s+|\s*[/|]\s*"), ("AND", r"\s+and\s+")):
        names = re.split(between, text.strip(), flags=re.IGNORECASE)
        parts = [parsed(name) or _licence_of(by_name(name)) for name in names]
        if len(parts) > 1 and all(parts):
            return Compound(op, tuple(part for part in parts if part))
    return None


def _licence_of(name: str | None) -> Licence | None:
    return Licence(name) if name else None


# Each of these reads one expression from the beginning of the tokens: what it is (None: nothing) and the tokens after it.
_Read = tuple[Expression | None, list[str]]


def _either(tokens: list[str], depth: int) -> _Read:
    return _joined(tokens, depth, "OR", _all)


def _all(tokens: list[str], depth: int) -> _Read:
    return _joined(tokens, depth, "AND", _single)


def _joined(tokens: list[str], depth: int, op: str, read: Callable[[list[str], int], _Read]) -> _Read:
    parts: list[Expression] = []
    while True:
        part, tokens = read(tokens, depth)
        if part is None:
            return None, tokens
        parts.append(part)
        if not tokens or tokens[0].upper() != op:
            return (parts[0] if len(parts) == 1 else Compound(op, tuple(parts))), tokens
        tokens = tokens[1:]


def _single(tokens: list[str], depth: int) -> _Read:
    if not tokens or depth > _MAX_DEPTH:
        return None, tokens
    if tokens[0] == "(":
        found, rest = _either(tokens[1:], depth + 1)
        return (found, rest[1:]) if rest and rest[0] == ")" else (None, rest)
    name = NOASSERTION if tokens[0].upper() in (NOASSERTION, "NONE") else spdx_id(tokens[0])
    if name is None:
        return None, tokens
    if len(tokens) > 2 and tokens[1].upper() == "WITH":
        return (Licence(name, tokens[2]), tokens[3:]) if is_exception(tokens[2]) else (None, tokens)
    return Licence(name), tokens[1:]
