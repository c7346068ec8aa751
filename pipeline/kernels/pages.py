"""A page as arrays: its elements, its runs of text and its blocks, read in one pass from HTML that a parser has written out.

The parser (Lexbor) has put the tree in order: every element that isn't void is closed, in turn; attributes are name="value";
"<" in a text is an entity, but for raw texts (scripts). So a page is read here without a stack: an element knows its parent.

A BLOCK is what stands between two borders of block-level elements, or two <br>: a paragraph, a heading, a cell, an item of a
list without those inside it. What it is measured by is added up while its text is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from pipeline.kernels.arrow import Bytes, Ints
from pipeline.kernels.compiled import kernel
from pipeline.kernels.hints import Hints, hints_in
from pipeline.kernels.phrases import lower
from pipeline.kernels.unicode import byte_at

_BLANK, _BANG, _QUOTE, _COMMA, _HYPHEN, _DOT, _SLASH, _LESS, _EQUALS, _GREATER, _ASK = b' !",-./<=>?'
#: Lead bytes of characters of three bytes that are written without blanks, and the first of those of four.
_WIDE, _FOUR = 0xE3, 0xF0
_HASH_BITS = (1 << 48) - 1

#: Columns of `Page.nodes`: number of its name, row of its parent, of the nearest border around it or itself, bytes of its
#: attributes (from, to) and of its content (from, to), hints of its own attributes, of its parent's too, of all above too, kinds of
#: it and all above, its place among the items of its list, its items so far, a hash of the names and hints from the root to it.
TAG, PARENT, HOME, ATTRS, ATTRS_END, OPEN, CLOSE, OWN, NEAR, ABOVE, KINDS, ORDER, ITEMS, WAY, NODE_FIELDS = range(15)
#: Columns of `Page.runs`: bytes of the text (from, to: none for a <br>), the element it stands in.
START, END, NODE, RUN_FIELDS = range(4)
#: Columns of `Page.blocks`: its element, its runs (from, to), characters, words, characters in links, ends of sentences, commas,
#: digits, capitals, runs in links, hints of its text.
ELEMENT, FIRST, LAST, CHARS, WORDS, LINKED, STOPS, COMMAS, DIGITS, CAPITALS, LINKS, SAID, BLOCK_FIELDS = range(13)

#: What a name says of an element: it has no content; what it holds isn't read as text; it is a border of blocks; its content is no
#: markup; its content is one piece of text that others read (formulas); it breaks a line; it is a list's item; its attributes say
#: nothing of what stands in it (the page's own); it may hold a formula.
VOID, UNREAD, BORDER, RAW, WHOLE, BREAK, ITEM, ROOT, SCRIPT = (1 << bit for bit in range(9))
#: What an attribute is read for: names in its value, how it is styled, that it hides by being there, what a script is.
NAMING, STYLING, HIDING, TYPING = 1, 2, 3, 4
#: Kinds that the scan itself asks for: in a link, in preformatted text, in something unread.
LINK_KIND, PRE_KIND, UNREAD_KIND = 1, 2, 4
#: Hints that the scan itself asks for: not to be read, not to be seen, a formula's source.
UNREAD_HINT, UNSEEN_HINT, FORMULA_HINT = 1, 2, 4

#: What a formula counts for among words and characters.
_FORMULA_WORDS, _FORMULA_CHARS = 2, 8


class Names(NamedTuple):
    """Names by sorted hash: what each says (`traits`) and the bit of KINDS that elements of that name set."""

    hashes: Ints
    traits: Ints
    kinds: Ints


class Page(NamedTuple):
    """What was read: int64 tables whose columns are named above; row 0 of `nodes` is the page itself."""

    html: bytes
    nodes: Ints
    runs: Ints
    blocks: Ints


def names(traits: Mapping[str, int], kinds: Mapping[str, int] | None = None) -> Names:
    """The table of names, ordered as `numbers` orders them."""
    ordered = sorted(traits, key=name_hash)
    hashes = np.array([name_hash(name) for name in ordered], np.int64)
    bits = [(kinds or {}).get(name, 0) for name in ordered]
    return Names(hashes, np.array([traits[name] for name in ordered], np.int64), np.array(bits, np.int64))


def numbers(traits: Iterable[str]) -> dict[str, int]:
    """The number by which `Page.nodes` names each of the names in a table; -1 is any other."""
    return {name: number for number, name in enumerate(sorted(traits, key=name_hash))}


def name_hash(name: str) -> int:
    """The hash that `_hash` gives of a name."""
    value = 0
    for byte in name.encode():
        value = (value * 31 + byte) & _HASH_BITS
    return value


def number_of_tags(html: bytes) -> int:
    """How often "<" occurs; `bytes.count` takes ten times as long where it occurs often."""
    return int(np.count_nonzero(np.frombuffer(html, np.uint8) == _LESS))


def read_page(html: bytes, elements: Names, attributes: Names, in_names: Hints, in_texts: Hints) -> Page:
    """The elements, runs and blocks of `html`, as a parser wrote it out."""
    size = number_of_tags(html) + 2  # each tag is followed by a text at most, and may be one itself: <br>, a formula
    nodes, runs = np.zeros((size, NODE_FIELDS), np.int64), np.zeros((2 * size, RUN_FIELDS), np.int64)
    blocks, sizes = np.zeros((2 * size, BLOCK_FIELDS), np.int64), np.zeros(3, np.int64)
    _read_page(np.frombuffer(html, np.uint8), elements, attributes, in_names, in_texts, nodes, runs, blocks, sizes)
    return Page(html, nodes[: sizes[0]], runs[: sizes[1]], blocks[: sizes[2]])


@kernel
def _read_page(
    data: Bytes, elements: Names, attributes: Names, in_names: Hints, in_texts: Hints, nodes: Ints, runs: Ints, blocks: Ints, sizes: Ints
) -> None:
    sizes[0], i, at, fresh, breaks = 1, 0, 0, True, 0
    nodes[0, TAG] = -1
    while i < len(data):
        if data[i] != _LESS:
            end = _next(data, i, _LESS)
            if not nodes[at, KINDS] & UNREAD_KIND and (not _blank(data, i, end) or not fresh):
                if fresh:
                    _add_block(nodes, at, blocks, sizes)
                _add_run(runs, blocks, sizes, i, end, at)
                _measure(data, i, end, nodes[at, KINDS], blocks[sizes[2] - 1], in_texts)
                fresh = False
                breaks = breaks if _blank(data, i, end) else 0
            i = end
        elif data[i + 1] == _SLASH:
            nodes[at, CLOSE] = i
            fresh = fresh or nodes[at, HOME] == at
            at, i = nodes[at, PARENT], _next(data, i, _GREATER) + 1
        elif data[i + 1] == _BANG:
            i = _after_declaration(data, i)
        else:
            node, row = sizes[0], _row(elements.hashes, _hash(data, i + 1, _name_end(data, i + 1)))
            traits = elements.traits[row] if row >= 0 else BORDER * _is_custom(data, i + 1)
            i = _add_node(data, i, at, row, traits, elements, attributes, in_names, nodes, sizes)
            if traits & BREAK and not fresh:
                breaks += 1
                fresh = breaks > 1
                if not fresh:
                    _add_run(runs, blocks, sizes, i, i, node)
            if traits & BORDER:
                fresh, breaks = True, 0
            if traits & VOID:
                continue
            if nodes[node, OWN] & FORMULA_HINT and not nodes[at, KINDS] & UNREAD_KIND:
                if fresh:
                    _add_block(nodes, at, blocks, sizes)
                fresh = False
                _add_run(runs, blocks, sizes, i, i, node)
                blocks[sizes[2] - 1, WORDS] += _FORMULA_WORDS
                blocks[sizes[2] - 1, CHARS] += _FORMULA_CHARS
            if traits & RAW:
                i = _raw_end(data, i, nodes[node, ATTRS])
            at = node
    while at:
        nodes[at, CLOSE], at = len(data), nodes[at, PARENT]


@kernel
def _add_block(nodes: Ints, at: int, blocks: Ints, sizes: Ints) -> None:
    blocks[sizes[2], ELEMENT] = nodes[at, HOME]
    blocks[sizes[2], FIRST] = sizes[1]
    sizes[2] += 1


@kernel
def _add_run(runs: Ints, blocks: Ints, sizes: Ints, start: int, end: int, node: int) -> None:
    run = runs[sizes[1]]
    run[START], run[END], run[NODE] = start, end, node
    sizes[1] += 1
    blocks[sizes[2] - 1, LAST] = sizes[1]


@kernel
def _add_node(
    data: Bytes, i: int, at: int, row: int, traits: int, elements: Names, attributes: Names, in_names: Hints, nodes: Ints, sizes: Ints
) -> int:
    """Where the content begins of the element whose start tag is at `i`, which becomes the next row of `nodes`."""
    number, node, above = sizes[0], nodes[sizes[0]], nodes[at]
    sizes[0] += 1
    node[TAG], node[PARENT], node[ATTRS] = row, at, _name_end(data, i + 1)
    node[HOME] = number if traits & BORDER else above[HOME]
    end = _read_attributes(data, node, attributes, in_names)
    node[ATTRS_END] = end
    node[OPEN] = end + 1
    if traits & ROOT:
        node[OWN] = 0
    formula = traits & WHOLE or (traits & SCRIPT and node[OWN] & FORMULA_HINT)
    node[OWN] = node[OWN] | FORMULA_HINT if formula else node[OWN] & ~FORMULA_HINT
    node[NEAR] = node[OWN] | above[OWN]
    node[ABOVE] = node[OWN] | above[ABOVE]
    node[KINDS] = above[KINDS] | (elements.kinds[row] if row >= 0 else 0)
    if traits & UNREAD or formula or node[OWN] & UNREAD_HINT:
        node[KINDS] |= UNREAD_KIND
    if traits & ITEM:
        above[ITEMS] += 1
        node[ORDER] = above[ITEMS]
    node[WAY] = ((above[WAY] * 31 + row + 2) * 31 + (node[OWN] & _HASH_BITS)) & _HASH_BITS
    return end + 1


@kernel
def _read_attributes(data: Bytes, node: Ints, attributes: Names, in_names: Hints) -> int:
    """Where the start tag ends (its ">"); what its attributes say goes into OWN."""
    i, own = node[ATTRS], 0
    while i < len(data) and data[i] == _BLANK:
        end = i + 2
        while end < len(data) and data[end] != _EQUALS:
            end += 1
        close = _next(data, end + 2, _QUOTE)
        row = _row(attributes.hashes, _hash(data, i + 1, end))
        if row >= 0:
            use = attributes.traits[row]
            if use == HIDING:
                own |= UNREAD_HINT
            else:
                found = hints_in(data, end + 2, close, in_names.moves, in_names.bits)
                own |= found & (~FORMULA_HINT if use == NAMING else UNSEEN_HINT if use == STYLING else FORMULA_HINT)
        i = close + 1
    node[OWN] = own
    return int(i)


@kernel
def _measure(data: Bytes, i: int, end: int, kinds: int, block: Ints, in_texts: Hints) -> None:
    """Add what is counted of a run of text to its block."""
    block[SAID] |= hints_in(data, i, end, in_texts.moves, in_texts.bits)
    chars, words, inside = 0, 0, False
    while i < end:
        byte = byte_at(data, i)
        if byte <= _BLANK:
            inside = False
        elif not 128 <= byte < 192:
            chars += 1
            wide = _WIDE <= byte < _FOUR  # Chinese, Japanese, Korean: no blanks between words
            words += wide or not inside
            inside = not wide
            block[CAPITALS] += 65 <= byte <= 90
            block[DIGITS] += 48 <= byte <= 57
            block[COMMAS] += byte == _COMMA
            block[STOPS] += byte in (_DOT, _BANG, _ASK) and (i + 1 >= end or byte_at(data, i + 1) <= _QUOTE)
            block[STOPS] += byte == _WIDE and i + 2 < end and data[i + 1] == 128 and data[i + 2] == 130
        i += 1
    block[CHARS] += chars
    block[WORDS] += words
    if kinds & LINK_KIND:
        block[LINKED] += chars
        block[LINKS] += chars > 0


@kernel
def _next(data: Bytes, i: int, wanted: int) -> int:
    """Where the next byte `wanted` stands, or the end."""
    while i < len(data) and data[i] != wanted:
        i += 1
    return i


@kernel
def _blank(data: Bytes, i: int, end: int) -> bool:
    while i < end and data[i] <= _BLANK:
        i += 1
    return i >= end


@kernel
def _name_end(data: Bytes, i: int) -> int:
    while i < len(data) and data[i] != _BLANK and data[i] != _GREATER:
        i += 1
    return i


@kernel
def _is_custom(data: Bytes, i: int) -> int:
    """1 for a name with a hyphen: an element that the page defined, mostly a box."""
    return 1 if _next(data[: _name_end(data, i)], i, _HYPHEN) < _name_end(data, i) else 0


@kernel
def _hash(data: Bytes, i: int, end: int) -> int:
    value = 0
    while i < end:
        value = (value * 31 + byte_at(data, i)) & _HASH_BITS
        i += 1
    return value


@kernel
def _row(hashes: Ints, wanted: int) -> int:
    """The row of a hash, or -1."""
    row = int(np.searchsorted(hashes, wanted))
    return row if row < len(hashes) and hashes[row] == wanted else -1


@kernel
def _after_declaration(data: Bytes, i: int) -> int:
    """Where a comment or a doctype ends."""
    if data[i + 2] != _HYPHEN:
        return _next(data, i, _GREATER) + 1
    i += 4
    while i + 2 < len(data) and not (data[i] == _HYPHEN and data[i + 1] == _HYPHEN and data[i + 2] == _GREATER):
        i += 1
    return i + 3


@kernel
def _raw_end(data: Bytes, i: int, attrs: int) -> int:
    """Where the end tag stands of the raw text that starts at `i`; the name ended at `attrs`."""
    name = attrs
    while data[name - 1] != _LESS:
        name -= 1
    while i < len(data):
        i = _next(data, i, _LESS)
        if i + 1 < len(data) and data[i + 1] == _SLASH:
            same = 0
            while same < attrs - name and i + 2 + same < len(data) and lower(byte_at(data, i + 2 + same)) == byte_at(data, name + same):
                same += 1
            if same == attrs - name:
                return i
        i += 1
    return len(data)
