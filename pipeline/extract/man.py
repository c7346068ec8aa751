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
from pipeline.extract.roff import lines
from pipeline.registry import extractor

_HEADINGS = str.split("SH SS Sh Ss")
_PARAGRAPHS = str.split("PP P LP HP Pp Lp sp RS RE Bl El Bd Ed SY YS D1 Dl TP TS TE")
_NO_FILL, _FILL = str.split("nf EX Vb Bd"), str.split("fi EE Ve Ed SH SS Sh Ss")
#: Arguments in one font stand apart; those in two fonts that take turns stand together.
_FONTS, _ALTERNATING = str.split("B I SM SB CW R UR MT"), str.split("BR RB IR RI BI IB")
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
    for macro, arguments in lines(clean(decode(content, meta.get("charset")))):
        page.macro(macro, arguments) if macro else page.text(arguments[0])
    text = paragraphs(page.finished())
    if not text and page.link:
        raise NoText("link")
    return Found(text, about={"title": page.title})


class _Page:
    """Lays out text and macros; the words of a paragraph are joined at the next break."""

    def __init__(self) -> None:
        self.title: str | None = None
        self.link = False
        self._name = ""
        self._lines: list[str] = []
        self._words: list[str] = []
        self._fill = True
        self._term = False
        self._table: _Table | None = None

    def finished(self) -> str:
        self._break()
        return "\n".join(self._lines)

    def text(self, text: str) -> None:
        """A line of text: of the paragraph, of an example, or of a table."""
        if self._table is not None:
            self._lines += self._table.row(text)
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

    def macro(self, name: str, arguments: Sequence[str]) -> None:
        """A macro: first what it does to the paragraph so far, then what it says."""
        if name in _PARAGRAPHS or name in _HEADINGS:
            self._paragraph()
        if name in ("br", "TQ", *_NO_FILL, *_FILL):
            self._break()
        if name in _NO_FILL or name in _FILL:
            self._fill = name in _FILL
        if name in ("TP", "TQ"):
            self._term = True
        if name in ("TS", "TE"):
            self._table = _Table() if name == "TS" else None
        self._say(name, arguments)

    def _say(self, name: str, arguments: Sequence[str]) -> None:
        if name in _HEADINGS and arguments:
            self._lines += [" ".join(arguments), ""]
        elif name in ("IP", "It"):
            self._item(inline(arguments, self._name) if name == "It" else "".join(arguments[:1]))
        elif name in ("TH", "Dt"):
            self.title = self.title or "".join(arguments[:1]) or None
        elif name == "so":
            self.link = True
        elif name in _FONTS or name in _ALTERNATING:
            self._words_of(("" if name in _ALTERNATING else " ").join(arguments))
        elif name in MDOC:
            self._name = self._name or (arguments[0] if name == "Nm" and arguments else "")
            self._words_of("— " + " ".join(arguments) if name == "Nd" else inline([name, *arguments], self._name))

    def _words_of(self, text: str) -> None:
        if text.strip():
            self.text(text)

    def _item(self, mark: str) -> None:
        self._paragraph()
        if mark.strip():
            self._words = [mark.strip()]
            if len(mark.strip()) > _MARK:
                self._break()

    def _break(self) -> None:
        if self._words:
            self._lines.append(" ".join(self._words))
            self._words = []
            self._term = False

    def _paragraph(self) -> None:
        self._break()
        self._lines.append("")


class _Table:
    """A table of tbl(1): options and the layout of its columns, which ends with a full stop; then its rows."""

    _SEPARATOR = re.compile(r"tab\s*\((.)\)")

    def __init__(self) -> None:
        self._separator = "\t"
        self._in_rows = False

    def row(self, line: str) -> list[str]:
        """The text of a row, its cells two spaces apart; nothing for lines that say how the table looks."""
        if not self._in_rows:
            stated = self._SEPARATOR.search(line)
            self._separator = stated[1] if stated else self._separator
            self._in_rows = line.rstrip().endswith(".")
            return []
        if not line.strip(" _="):
            return []
        cells = (cell.strip() for cell in line.replace("T{", "").replace("T}", "").split(self._separator))
        text = "  ".join(cell for cell in cells if cell)
        return [text] if text else []
