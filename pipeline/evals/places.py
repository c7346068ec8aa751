"""From runs of terms to pieces of text: what was found, in its own words, and the document with it cut out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from pipeline.evals.postings import Spans
from pipeline.kernels.arrow import Bytes, Ints, Texts
from pipeline.kernels.ngrams import terms_of

#: The matching text is shown up to so many characters.
SHOWN_CHARS = 200


class Place(NamedTuple):
    """One document with something found in it: its text in UTF-8, and the spans found as bytes of it, sorted."""

    row: int
    text: Bytes
    starts: Ints
    ends: Ints
    matched: str  # the longest span of the item named, its first characters


def places(column: Texts, spans: Spans) -> Iterator[Place]:
    """The documents that spans are about."""
    order = np.lexsort((spans.firsts, spans.rows))
    for part in np.split(order, np.flatnonzero(np.diff(spans.rows[order])) + 1) if len(order) else ():
        row = int(spans.rows[part[0]])
        terms = terms_of(Texts(column.offsets[row : row + 2], column.data))
        start = int(column.offsets[row])
        text = column.data[start : int(column.offsets[row + 1])]
        starts, ends = terms.starts[spans.firsts[part]] - start, terms.ends[spans.lasts[part] - 1] - start
        longest = int(np.argmax(np.where(spans.best[part], ends - starts, -1)))
        yield Place(row, text, starts, ends, _shown(text, int(starts[longest]), int(ends[longest])))


def pieces(place: Place, margin: int, least: int) -> tuple[list[str], int]:
    """What is left of a document without its spans and `margin` characters around each: the pieces of at least `least`

    characters, and how many passages were cut. Spans that touch with their margins are one passage.
    """
    chars = np.append(np.flatnonzero(place.text & 0xC0 != 0x80), len(place.text))  # where each character starts
    first = np.maximum(np.searchsorted(chars, place.starts) - margin, 0)
    last = np.minimum(np.searchsorted(chars, place.ends) + margin, len(chars) - 1)
    last = np.maximum.accumulate(last)
    parted = np.flatnonzero(np.append(True, first[1:] > last[:-1]))
    begins, stops = first[parted], last[np.append(parted[1:], len(first)) - 1]
    kept = zip(np.append(0, stops), np.append(begins, len(chars) - 1), strict=True)
    return [place.text[chars[a] : chars[b]].tobytes().decode() for a, b in kept if b - a >= least], len(parted)


def _shown(text: Bytes, start: int, end: int) -> str:
    return text[start : min(end, start + 4 * SHOWN_CHARS)].tobytes().decode(errors="ignore")[:SHOWN_CHARS]
