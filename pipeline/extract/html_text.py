"""The blocks of a page as text in the way of Markdown: headings, lists, tables, quotations, code with its indentation, formulas."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from pipeline.extract.html_math import formula, unescaped
from pipeline.extract.html_names import KIND_BITS, NUMBERS
from pipeline.kernels.pages import ATTRS, ATTRS_END, CLOSE, ELEMENT, FIRST, KINDS, LAST, OPEN, ORDER, PARENT, TAG, Page

_NAMES = {number: name for name, number in NUMBERS.items()}
_HEADINGS = {f"h{level}": "#" * level + " " for level in range(1, 7)}
_HEADING = KIND_BITS["h1"] | KIND_BITS["h2"] | KIND_BITS["h4"]
_PRE, _CODE, _TABLE, _CELL = KIND_BITS["pre"], KIND_BITS["code"], KIND_BITS["table"], KIND_BITS["td"] | KIND_BITS["th"]
_ITEM, _QUOTE = KIND_BITS["li"], KIND_BITS["blockquote"]
_LANGUAGE = re.compile(r"\b(?:lang|language|brush|highlight-source)[-:]\s?([\w+#]+)")
#: Lists are indented up to this depth: deeper ones are made to hurt.
_DEEPEST = 20
#: A table with a longer cell than this many characters, or without two cells in a row, is there for the layout.
_LONGEST_CELL = 300


class Style(NamedTuple):
    """What of the page's form is kept in the text."""

    markup: bool = True
    bullets: bool = True


class _Block(NamedTuple):
    """A kept block: its text, and the elements around it that its form comes from (rows of `Page.nodes`, 0 for none)."""

    text: str
    kinds: int
    heading: str
    pre: int
    item: int
    depth: int
    marker: str
    table: int
    row: int
    column: int


def text_of(page: Page, kept: Sequence[int], style: Style) -> str:
    """The text of the `kept` blocks, in their order."""
    reader = _Reader(page)
    blocks = [block for block in map(reader.block, kept) if block.text.strip()]
    pieces: list[str] = []
    item = 0
    for (table, pre), group in groupby(blocks, key=lambda block: (block.table, block.pre)):
        together = list(group)
        if not style.markup:
            pieces += [_separated(block, item, block.text) for block in together]
        elif table and _is_data(together):
            pieces.append(f"\n\n{_table(together)}\n\n")
        elif pre:
            pieces.append(_fenced(together, reader.language(pre)))
        else:
            for block in together:
                pieces.append(_separated(block, item, _formatted(block, block.item != item, style)))
                item = block.item
    return "".join(pieces)


def _separated(block: _Block, item: int, text: str) -> str:
    """A block after what goes before it: items of lists stand line by line."""
    return ("\n" if block.item and item else "\n\n") + text


def _formatted(block: _Block, first: bool, style: Style) -> str:
    if block.heading:
        return block.heading + " ".join(block.text.split())
    if block.item:
        marker = (block.marker if first else " " * len(block.marker)) if style.bullets else ""
        indent = "  " * block.depth
        return indent + marker + block.text.replace("\n", f"\n{indent}{' ' * len(marker)}")
    return "> " + block.text.replace("\n", "\n> ") if block.kinds & _QUOTE else block.text


def _fenced(blocks: Sequence[_Block], language: str) -> str:
    code = "\n".join(block.text for block in blocks).strip("\n").rstrip()
    fence = "````" if "```" in code else "```"
    return f"\n\n{fence}{language}\n{code}\n{fence}\n\n"


def _is_data(blocks: Sequence[_Block]) -> bool:
    columns = {block.column for block in blocks}
    return len(columns) > 1 and not any(block.pre or len(block.text) > _LONGEST_CELL for block in blocks)


def _table(blocks: Sequence[_Block]) -> str:
    """Rows between bars; the first is taken for the head."""
    width = max(block.column for block in blocks)
    if width > 4 * len(blocks):  # counted cells, of which most are empty
        width = len({block.column for block in blocks})
    lines = []
    for _, group in groupby(blocks, key=lambda block: block.row):
        cells = [""] * max(width, 1)
        for block in group:
            at = min(max(block.column, 1), len(cells)) - 1
            cells[at] = f"{cells[at]} {' '.join(block.text.split())}".strip().replace("|", r"\|")
        lines.append(f"| {' | '.join(cells)} |")
        if len(lines) == 1:
            lines.append(f"|{' --- |' * len(cells)}")
    return "\n".join(lines)


class _Reader:
    """Blocks of one page, read from its tables."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._tags, self._parents, self._kinds, self._orders = page.nodes[:, [TAG, PARENT, KINDS, ORDER]].T.tolist()

    def block(self, number: int) -> _Block:
        """The block of that number."""
        node, first, last = self._page.blocks[number, [ELEMENT, FIRST, LAST]].tolist()
        kinds = self._kinds[node]
        around = dict.fromkeys(("pre", "item", "cell", "row", "table"), 0)
        heading, marker, depth = "", "", 0
        if kinds & (_HEADING | _PRE | _ITEM | _TABLE):
            for above, name in self._ancestors(node):
                if name in _HEADINGS:
                    heading = heading or _HEADINGS[name]
                elif name in ("pre", "listing"):
                    around["pre"] = above
                elif name == "li" and not around["item"]:
                    around["item"], marker = above, self._marker(above)
                elif name in ("ul", "ol", "dl") and around["item"]:
                    depth += 1
                elif name in ("td", "th"):
                    around["cell"] = around["cell"] or above
                elif name == "tr":
                    around["row"] = around["row"] or above
                elif name == "table" and not around["table"]:
                    around["table"] = above
        text = self._text(first, last, bool(around["pre"]))
        column = self._orders[around["cell"]] if around["cell"] else 0
        return _Block(
            text,
            kinds,
            heading,
            around["pre"],
            around["item"],
            min(max(depth - 1, 0), _DEEPEST),
            marker,
            around["table"],
            around["row"],
            column,
        )

    def language(self, pre: int) -> str:
        """The language that a <pre>, or the <code> in it, says it is in, or ""."""
        row = self._page.nodes[pre]
        found = _LANGUAGE.search(self._page.html[row[ATTRS] : row[OPEN] + 200].partition(b"</")[0].decode("utf-8", "ignore"))
        return found[1].lower() if found else ""

    def _ancestors(self, node: int) -> Iterator[tuple[int, str]]:
        while node:
            yield node, _NAMES.get(self._tags[node], "")
            node = self._parents[node]

    def _marker(self, item: int) -> str:
        ordered = _NAMES.get(self._tags[self._parents[item]]) == "ol"
        return f"{self._orders[item]}. " if ordered else "- "

    def _text(self, first: int, last: int, preformatted: bool) -> str:
        pieces: list[str] = []
        in_code = False
        for start, end, node in self._page.runs[first:last].tolist():
            code = not preformatted and bool(self._kinds[node] & _CODE) and end > start
            if code != in_code:
                pieces.append("`")
                in_code = code
            pieces.append(unescaped(self._page.html[start:end].decode()) if end > start else self._special(node))
        text = "".join(pieces) + ("`" if in_code else "")
        if preformatted:
            return text
        return "\n".join(line for line in (" ".join(line.split()) for line in _lines(text)) if line)

    def _special(self, node: int) -> str:
        name = _NAMES.get(self._tags[node], "")
        if name == "br":
            return _BREAK
        row, html = self._page.nodes[node], self._page.html
        attributes, content = html[row[ATTRS] : row[ATTRS_END]].decode(), html[row[OPEN] : row[CLOSE]].decode()
        return formula(name, attributes, content).replace("\n", _BREAK)


#: Stands for a <br> until white space, line feeds too, has been made one blank.
_BREAK = "\0"


def _lines(text: str) -> list[str]:
    return text.split(_BREAK)
