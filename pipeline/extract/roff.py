"""The flow of a troff source: comments, definitions and conditions resolved, what is left as lines of text and macros."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from pipeline.extract.troff import plain

_CONTROL = re.compile(r"[.'][ \t]*([^\s\\]+)[ \t]*(.*)")
_ARGUMENT = re.compile(r'"((?:[^"]|"")*)"?|((?:\\ |\S)+)')
_CONDITION = re.compile(r"(!?)(\\n\S+|'[^']*'[^']*'|\S+)[ \t]*")
#: Lines from these to their ends are no text: definitions of macros, comments, equations, pictures.
_SKIPPED = {"de": "..", "de1": "..", "am": "..", "am1": "..", "ig": "..", "EQ": ".EN", "PS": ".PE"}
#: Conditions on one line; nobody nests so many.
_MAX_CONDITIONS = 20


class Line(NamedTuple):
    """A line of text (`macro` empty), or a macro and its arguments; escapes are done."""

    macro: str
    arguments: list[str]


def lines(source: str) -> Iterator[Line]:
    """What a source says, as a terminal (nroff) would be told it."""
    flow = _Flow()
    for line in source.replace("\\\n", "").split("\n"):
        found: Line | str | None = line
        for _ in range(_MAX_CONDITIONS):
            if not isinstance(found, str):
                break
            found = flow.take(found)
        if isinstance(found, Line):
            yield found


class _Flow:
    """What is being skipped, which branches are open, and which strings are defined."""

    def __init__(self) -> None:
        self._skip_to: str | None = None
        self._strings: dict[str, str] = {}
        self._branches: list[bool] = []
        self._otherwise: list[bool] = []

    def take(self, line: str) -> Line | str | None:
        """What a line gives: a Line, the rest of it behind a condition that holds, or nothing."""
        if self._skip_to is not None:
            self._skip_to = None if line.rstrip() == self._skip_to else self._skip_to
            return None
        if not all(self._branches):
            self._pass_over(line)
            return None
        if self._branches and line.rstrip().endswith("\\}"):
            self._branches.pop()
            line = line.rstrip()[:-2]
            if not line.strip(".' "):
                return None
        control = _CONTROL.match(line)
        if control:
            return self._request(control[1], control[2])
        comment = line[:1] in (".", "'") and line[1:2] in ("", "\\", " ")
        return None if comment else Line("", [plain(line, self._strings)])

    def _pass_over(self, line: str) -> None:
        self._branches += [False] * line.count("\\{")
        for _ in range(min(line.count("\\}"), len(self._branches))):
            self._branches.pop()

    def _request(self, name: str, rest: str) -> Line | str | None:
        if name in ("if", "ie", "el"):
            return self._branch(name, rest)
        if name in _SKIPPED:
            words = rest.partition('\\"')[0].split()
            self._skip_to = f".{words[1]}" if name in ("de", "am") and len(words) > 1 else _SKIPPED[name]
            return None
        if name == "ds":
            key, _, value = rest.partition(" ")
            self._strings[key] = plain(value.lstrip().removeprefix('"'), self._strings)
            return None
        return Line(name, [plain(argument, self._strings) for argument in _arguments(rest)])

    def _branch(self, name: str, rest: str) -> str | None:
        """Of conditions, only "as a terminal" (n) and "this is groff" hold. In braces, a branch goes on over the next lines."""
        if name == "el":
            holds = self._otherwise.pop() if self._otherwise else False
        else:
            found = _CONDITION.match(rest)
            negated, test = (found[1], found[2]) if found else ("", "")
            holds = (test == "n" or test.startswith("\\n(.g")) != bool(negated)
            rest = rest[found.end() :] if found else ""
        if name == "ie":
            self._otherwise.append(not holds)
        if rest.startswith("\\{"):
            if "\\}" not in rest:
                self._branches.append(holds)
            rest = rest[2:].replace("\\}", "").lstrip()
        return rest if holds and rest else None


def _arguments(text: str) -> list[str]:
    """The arguments of a macro: separated by spaces, but for those in double quotes."""
    return [quoted.replace('""', '"') if quoted or not bare else bare for quoted, bare in _ARGUMENT.findall(text)]
