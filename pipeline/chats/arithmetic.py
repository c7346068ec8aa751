"""Whether a calculation holds: "48/2=24" read and computed exactly, without running anything."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from fractions import Fraction

_TOKEN = re.compile(r"\s*(?:(\d[\d,]*(?:\.\d+)?|\.\d+)(?:\s*(%))?|([-+*/x×÷()]))")

#: No note of a calculator is longer, and none nests deeper. Numbers are computed exactly: long ones would take minutes.
_MOST_TOKENS, _MOST_DIGITS = 200, 40


class Unreadable(Exception):
    """What is no calculation of numbers with + - * / and brackets."""


def holds(note: str) -> bool | None:
    """Whether the two sides of "expression=value" are equal; None when they can't be read.

    A value may be rounded, or cut, to the decimals that it has.
    """
    left, equals, right = note.rpartition("=")
    if not equals:
        return None
    try:
        found, stated = value_of(left.rpartition("=")[2]), value_of(right)
    except (Unreadable, ZeroDivisionError):
        return None
    number, percent, _ = right.strip().partition("%")
    unit = Fraction(1, 10 ** len(number.strip().partition(".")[2])) / (100 if percent else 1)
    rounded, cut = abs(found - stated) <= unit / 2, 0 <= abs(found) - abs(stated) < unit and found * stated >= 0
    return rounded or cut


def value_of(expression: str) -> Fraction:
    """The exact value of an expression; raises Unreadable, and ZeroDivisionError."""
    tokens = _tokens(expression.replace("$", ""))
    value, place = _sum(tokens, 0)
    if place != len(tokens):
        raise Unreadable(expression)
    return value


def _tokens(expression: str) -> list[Fraction | str]:
    tokens: list[Fraction | str] = []
    place, text = 0, expression.rstrip()
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is None or len(tokens) >= _MOST_TOKENS:
            raise Unreadable(expression)
        number, percent, sign = found.groups()
        tokens.append({"x": "*", "×": "*", "÷": "/"}.get(sign, sign) if sign else _number(number, bool(percent)))
        place = found.end()
    return tokens


def _number(text: str, percent: bool) -> Fraction:
    if len(text) > _MOST_DIGITS:
        raise Unreadable(text[:_MOST_DIGITS])
    try:
        value = Fraction(Decimal(text.replace(",", "")))
    except InvalidOperation as error:
        raise Unreadable(text) from error
    return value / 100 if percent else value


def _sum(tokens: list[Fraction | str], place: int) -> tuple[Fraction, int]:
    value, place = _product(tokens, place)
    while place < len(tokens) and tokens[place] in ("+", "-"):
        other, after = _product(tokens, place + 1)
        value, place = (value + other if tokens[place] == "+" else value - other), after
    return value, place


def _product(tokens: list[Fraction | str], place: int) -> tuple[Fraction, int]:
    value, place = _factor(tokens, place)
    while place < len(tokens) and (tokens[place] in ("*", "/", "(")):
        other, after = _factor(tokens, place if tokens[place] == "(" else place + 1)
        value, place = (value / other if tokens[place] == "/" else value * other), after
    return value, place


def _factor(tokens: list[Fraction | str], place: int) -> tuple[Fraction, int]:
    if place >= len(tokens):
        raise Unreadable("an operand is missing")
    token = tokens[place]
    if isinstance(token, Fraction):
        return token, place + 1
    if token in ("-", "+"):
        value, after = _factor(tokens, place + 1)
        return (-value if token == "-" else value), after
    if token == "(":
        value, after = _sum(tokens, place + 1)
        if after < len(tokens) and tokens[after] == ")":
            return value, after + 1
    raise Unreadable(str(token))
