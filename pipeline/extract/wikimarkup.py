"""Wikitext without its markup, in one pass over its delimiters: the time grows with the length, whatever is left open.

mwparserfromhell builds a tree of every node: 1 MB/s on real articles, and quadratic in braces left open. This keeps only a
stack of what is open, and reads some 13 MB/s. The tests hold the two against each other.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from pipeline.extract.wikinames import MEDIA, NO_TEXT, OPAQUE, spoken

#: What may open or close something. No groups, each branch begins with a literal: then the search skips to such characters.
_TOKEN = re.compile(r"\{\{+|\}\}+|\[\[|\]\]|\{\||\|\}(?!\})|<!--|</?[A-Za-z][^<>]{0,2000}>")
_TAG = re.compile(r"</?([A-Za-z][A-Za-z0-9]*)")
_CLOSING = {name: re.compile(rf"</{name}\s*>", re.IGNORECASE) for name in OPAQUE}
_BREAKS = ("br", "p", "div", "li", "tr", "blockquote", "poem", "center", "hr", "dd", "dt")
_INTERLANGUAGE = re.compile(r"(?:[a-z]{2,3}(?:-[a-z-]+)?|simple):\S")
_PIPE_TRICK = re.compile(r"^[^:]*:|\s*[(,].*$")

#: Deeper than this, nobody meant to nest; more is read as text, so that no text is copied more often.
_MAX_DEPTH = 40

#: Characters of indentation that a table may have.
_MAX_INDENT = 40

#: Where kept content waits outside the text, so that nothing takes it for markup. The normal form has neither character.
_HELD = re.compile("\x02([0-9]+)\x03")


class Stripped(NamedTuple):
    """Text in which headings, lists and apostrophes still stand, the templates met (lower case), and what waits outside."""

    text: str
    templates: set[str]
    held: list[str]

    def release(self, text: str) -> str:
        """`text` with what was held (formulas, code) in its places."""
        return _HELD.sub(lambda mark: self.held[int(mark[1])], text)


def strip_markup(text: str) -> Stripped:
    """A page (in the normal form) without templates, tables, references, files, comments, and the targets of links."""
    scanner = _Scanner(text)
    return Stripped(scanner.run(), scanner.templates, scanner.held)


class _Frame:
    """Something open ("{{", "[[", "{|", "<table", or the "page") and the text in it so far."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.pieces: list[str] = []


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.stack = [_Frame("page")]
        self.templates: set[str] = set()
        self.held: list[str] = []
        self._absent: set[str] = set()

    def run(self) -> str:
        position = 0
        while token := _TOKEN.search(self.text, position):
            self._put(self.text[position : token.start()])
            position = self._handle(token)
        self._put(self.text[position:])
        while len(self.stack) > 1:
            self._merge()
        return "".join(self.stack[0].pieces)

    def _handle(self, token: re.Match[str]) -> int:
        """Act on a token; where to go on reading."""
        word = token[0]
        if word[0] == "<":
            return self._comment(token.end()) if word == "<!--" else self._tag(word, token.end())
        if word == "[[":
            self._open("[[")
        elif word == "]]":
            self._close("[[", across=(), end=self._link)
        elif word[:2] == "{{":
            for _ in range(len(word) // 2):
                self._open("{{")
        elif word[:2] == "}}":
            for _ in range(len(word) // 2):
                self._close("{{", across=("[[", "{|", "<table"), end=self._template)
        elif not self._begins_line(token.start()):
            self._put(word)
        elif word == "{|":
            self._open("{|")
        else:
            self._close("{|", across=("[[",), end=_nothing)
        return token.end()

    def _begins_line(self, position: int) -> bool:
        """Whether only spaces and marks of indentation stand before `position` in its line: tables are nothing elsewhere."""
        line = self.text[max(position - _MAX_INDENT, 0) : position].rpartition("\n")[2]
        return len(line) < _MAX_INDENT and not line.strip(" \t:*#;")

    def _comment(self, start: int) -> int:
        end = self.text.find("-->", start)
        return end + 3 if end >= 0 else len(self.text)

    def _tag(self, tag: str, end: int) -> int:
        found = _TAG.match(tag)
        name = found[1].lower() if found else ""
        closes = tag[1] == "/"
        if name in OPAQUE and not closes and tag[-2] != "/":
            return self._opaque(name, end)
        if name == "table":
            self._close("<table", across=("[[",), end=_nothing) if closes else self._open("<table")
        elif name in _BREAKS:
            self._put("\n")
        return end

    def _opaque(self, name: str, start: int) -> int:
        """Pass over an element whose content isn't wikitext; the tag alone, where nothing closes it."""
        end = _CLOSING[name].search(self.text, start) if name not in self._absent else None
        if end is None:
            self._absent.add(name)
            return start
        if (around := OPAQUE[name]) is not None:
            self._hold(str(around).format(self.text[start : end.start()].strip()))
        return end.end()

    def _hold(self, text: str) -> None:
        self.held.append(text)
        self._put(f"\x02{len(self.held) - 1}\x03")

    def _put(self, text: str) -> None:
        if text:
            self.stack[-1].pieces.append(text)

    def _open(self, kind: str) -> None:
        if len(self.stack) < _MAX_DEPTH:
            self.stack.append(_Frame(kind))

    def _close(self, kind: str, across: tuple[str, ...], end: Callable[[str], str]) -> None:
        """End the innermost frame of `kind`, if only frames of the kinds `across` are open in it."""
        depth = len(self.stack) - 1
        while depth > 0 and self.stack[depth].kind in across:
            depth -= 1
        if self.stack[depth].kind != kind:
            return
        while len(self.stack) - 1 > depth:
            self._merge()
        self._put(end("".join(self.stack.pop().pieces)))

    def _merge(self) -> None:
        """Take the innermost open thing for text."""
        frame = self.stack.pop()
        self.stack[-1].pieces.extend(frame.pieces)

    def _template(self, content: str) -> str:
        name = content.partition("|")[0].strip().lower()
        self.templates.add(name)
        return spoken(name, content)

    def _link(self, content: str) -> str:
        target, bar, label = content.partition("|")
        prefix, colon, _ = target.partition(":")
        if (colon and prefix.strip().lower() in NO_TEXT) or MEDIA.search(target):
            return ""
        if bar:
            return label.rpartition("|")[2] or _PIPE_TRICK.sub("", target)
        return "" if _INTERLANGUAGE.match(target) else target.lstrip(" :")


def _nothing(_: str) -> str:
    return ""
