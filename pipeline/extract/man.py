"""The extractor "man": manual pages (man(7), and what is common of mdoc(7)) as running text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from pipeline.contracts import Extracted
from pipeline.extract.decoding import clean, decode, paragraphs
from pipeline.extract.documents import Found, NoText, extracted
from pipeline.extract.mdoc import MDOC, inline
from pipeline.extract.troff import plain
from pipeline.registry import extractor

_CONTROL = re.compile(r"[.'][ \t]*([^\s\\]+)[ \t]*(.*)")
_ARGUMENT = re.compile(r'"((?:[^"]|"")*)"?|((?:\\ |\S)+)')
_CONDITION = re.compile(r"(!?)(\\n\S+|'[^']*'[^']*'|\S+)[ \t]*")
_TABLE_SEPARATOR = re.compile(r"tab\s*\((.)\)")

_HEADINGS = str.split("SH SS Sh Ss")
_PARAGRAPHS = str.split("PP P LP HP Pp Lp sp RS RE Bl El Bd Ed SY YS D1 Dl")
_NO_FILL, _FILL = str.split("nf EX Vb Bd"), str.split("fi EE Ve Ed")
#: Arguments in one font stand apart; those in two fonts that take turns stand together.
_FONTS, _ALTERNATING = str.split("B I SM SB CW R UR MT"), str.split("BR RB IR RI BI IB")
#: Lines from these to their ends are no text: definitions of macros, comments, equations, pictures.
_SKIPPED = {"de": "..", "de1": "..", "am": "..", "am1": "..", "ig": "..", "EQ": ".EN", "PS": ".PE"}
#: Conditions on one line; nobody nests so many.
_MAX_CONDITIONS = 20
#: A mark of a list item up to this many characters stands on the item's line.
_MARK = 3


@extractor("man", uses=("resiliparse", "unicode"))
def man(raw: pa.RecordBatch, *, max_bytes: int = 4 << 20) -> Extracted:
    """Text of manual pages: headings, paragraphs, terms and what is said of them, examples line by line; fact: title.

    Reasons: "empty", "too_large", "undecodable", "link" for a page that only names another (.so).
    """
    return extracted(raw, _read, max_bytes=max_bytes)


def _read(content: bytes, meta: Mapping[str, Any]) -> Found:
    page = _Page()
    for line in clean(decode(content, meta.get("charset"))).replace("\\\n", "").split("\n"):
        page.take(line)
    text = paragraphs(page.text())
    if not text and page.link:
        raise NoText("link")
    return Found(text, about={"title": page.title})


def _arguments(text: str) -> list[str]:
    """The arguments of a macro: separated by spaces, but for those in double quotes."""
    return [quoted.replace('""', '"') if quoted or not bare else bare for quoted, bare in _ARGUMENT.findall(text)]


class _Page:
    """Takes a page line by line; what it has of the paragraph so far is joined at the next break."""

    def __init__(self) -> None:
        self.title: str | None = None
        self.link = False
        self._lines: list[str] = []
        self._words: list[str] = []
        self._fill = True
        self._term = False
        self._skip_to: str | None = None
        self._table: str | None = None
        self._separator = "\t"
        self._name = ""
        self._strings: dict[str, str] = {}
        self._blocks: list[bool] = []
        self._else: list[bool] = []

    def text(self) -> str:
        self._break()
        return "\n".join(self._lines)

    def take(self, line: str) -> None:
        """Act on one line; a condition that holds leaves the rest of its line to be acted on."""
        for _ in range(_MAX_CONDITIONS):
            rest = self._take(line)
            if rest is None:
                return
            line = rest

    def _take(self, line: str) -> str | None:
        if self._skip_to is not None:
            self._skip_to = None if line.rstrip() == self._skip_to else self._skip_to
            return None
        if self._blocks and not all(self._blocks):
            self._count_braces(line)
            return None
        if line.rstrip().endswith("\\}") and self._blocks:
            self._blocks.pop()
            line = line.rstrip()[:-2]
            if line.strip(".' ") == "":
                return None
        control = _CONTROL.match(line)
        if control:
            return self._control(control[1], control[2])
        if line[:1] not in (".", "'") or line[1:2] not in ("", "\\", " "):
            self._text(line)
        return None

    def _count_braces(self, line: str) -> None:
        self._blocks += [False] * line.count("\\{")
        for _ in range(min(line.count("\\}"), len(self._blocks))):
            self._blocks.pop()

    def _text(self, line: str) -> None:
        text = plain(line, self._strings)
        if self._table is not None:
            self._table_line(text)
        elif not self._fill:
            self._lines.append(text)
        elif not text.strip():
            self._paragraph()
        else:
            if text[0] == " ":
                self._break()
            self._words.append(text.strip())
            if self._term:
                self._break()

    def _break(self) -> None:
        if self._words:
            self._lines.append(" ".join(self._words))
            self._words = []
            self._term = False

    def _paragraph(self) -> None:
        self._break()
        self._lines.append("")

    def _control(self, name: str, rest: str) -> str | None:
        if name in ("if", "ie", "el"):
            return self._conditional(name, rest)
        if name in _SKIPPED:
            parts = rest.partition('\\"')[0].split()
            self._skip_to = f".{parts[1]}" if name in ("de", "am") and len(parts) > 1 else _SKIPPED[name]
        elif name == "ds":
            key, _, value = rest.partition(" ")
            self._strings[key] = plain(value.lstrip().removeprefix('"'), self._strings)
        else:
            self._macro(name, [plain(argument, self._strings) for argument in _arguments(rest)])
        return None

    def _macro(self, name: str, arguments: Sequence[str]) -> None:
        self._layout(name, arguments)
        if name in _FONTS or name in _ALTERNATING:
            self._text_of(("" if name in _ALTERNATING else " ").join(arguments))
        elif name in MDOC:
            self._mdoc(name, arguments)

    def _conditional(self, name: str, rest: str) -> str | None:
        """Only "as a terminal" (n) and "is this groff" hold; a branch in braces goes on over the next lines."""
        if name == "el":
            active = self._else.pop() if self._else else False
        else:
            found = _CONDITION.match(rest)
            negated, test = (found[1], found[2]) if found else ("", "")
            active = (test == "n" or test.startswith("\\n(.g")) != bool(negated)
            rest = rest[found.end() :] if found else ""
            self._else += [not active] if name == "ie" else []
        if rest.startswith("\\{"):
            if "\\}" not in rest:
                self._blocks.append(active)
            rest = rest[2:].replace("\\}", "").lstrip()
        return rest if active and rest else None

    def _layout(self, name: str, arguments: Sequence[str]) -> None:
        if name in ("TH", "Dt"):
            self.title = self.title or "".join(arguments[:1]) or None
        elif name == "so":
            self.link = True
        elif name in _HEADINGS:
            self._fill = True
            self._paragraph()
            self._lines += [" ".join(arguments), ""] if arguments else []
        elif name in ("TP", "TQ"):
            self._paragraph() if name == "TP" else self._break()
            self._term = True
        elif name in ("IP", "It"):
            self._item(arguments if name == "IP" else [inline(arguments, self._name)])
        elif name == "br":
            self._break()
        elif name in ("TS", "TE"):
            self._paragraph()
            self._table, self._separator = ("?" if name == "TS" else None), "\t"
        if name in _PARAGRAPHS:
            self._paragraph()
        if name in _NO_FILL or name in _FILL:
            self._break()
            self._fill = name in _FILL

    def _item(self, arguments: Sequence[str]) -> None:
        self._paragraph()
        if arguments and arguments[0].strip():
            self._words = [arguments[0].strip()]
            if len(arguments[0]) > _MARK:
                self._break()

    def _text_of(self, text: str) -> None:
        """Text that a macro gives: its escapes are done."""
        if text.strip():
            self._text(text.replace("\\", "\\e"))

    def _mdoc(self, name: str, arguments: Sequence[str]) -> None:
        if name == "Nm" and arguments and not self._name:
            self._name = arguments[0]
        if name == "Nd":
            self._text_of("— " + " ".join(arguments))
        else:
            self._text_of(inline([name, *arguments], self._name))

    def _table_line(self, text: str) -> None:
        """A line of tbl(1): the options and the layout of the columns end with a full stop, the rows follow."""
        if self._table in ("?", None):
            found = _TABLE_SEPARATOR.search(text)
            self._separator = found[1] if found else self._separator
            if text.rstrip().endswith("."):
                self._table = self._separator
        elif text.strip(" _=") and text.strip() not in ("T{", "T}"):
            cells = text.replace("T{", "").replace("T}", "").split(self._table)
            self._lines.append("  ".join(cell.strip() for cell in cells if cell.strip()))
