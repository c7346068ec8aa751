"""How much of a text repeats itself: the counts behind Gopher's repetition rules, in linear time.

Three devices keep it fast without changing a count:
- one hash table serves all pieces of all texts of a batch: entries of earlier uses are told by their number (`hashing`);
- an n-gram can occur twice only where its first n - 1 words do, so each size looks only at what the last one left;
- a duplicate n-gram is compared as its words joined without spaces, so two equal ones of 16 bytes or more agree in their
  first 16: where those occur once, no size from 5 to 10 needs a look.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.kernels.arrow import Bytes, Ints, Texts
from pipeline.kernels.blocks import find_words, most_pieces
from pipeline.kernels.compiled import kernel
from pipeline.kernels.eights import before, find_newline, load8, load_some, prefetch, store8
from pipeline.kernels.hashing import Hashes, Slots, find_or_add, hash_bytes, hash_padded, mix, next_base, slot_mask, stir
from pipeline.kernels.unicode import char_count, classes, strip

#: Columns of `repetition_counts`. TOP and DUPLICATE are the columns of the smallest n-gram; larger ones follow.
CHARS, LINES, DUP_LINES, DUP_LINE_CHARS, PARAGRAPHS, DUP_PARAGRAPHS, DUP_PARAGRAPH_CHARS, TOP, DUPLICATE = 0, 1, 2, 3, 4, 5, 6, 7, 10
#: The sizes of n-grams, in words, whose most frequent one is looked for, and whose duplicates are.
TOP_SIZES, DUPLICATE_SIZES = (2, 3, 4), (5, 6, 7, 8, 9, 10)

_COLUMNS = DUPLICATE + len(DUPLICATE_SIZES)
_FIRST_TOP, _LAST_TOP, _FIRST_DUPLICATE, _LAST_DUPLICATE = 2, 4, 5, 10
_PREFIX = 16
#: So many items before its turn an item's slot is asked for: the tables of a long text don't fit into a core's cache.
_AHEAD = 16
_ORDER = np.uint64(0x9E3779B97F4A7C15)


class _Scratch(NamedTuple):
    """Arrays large enough for the largest text: room for the bytes of its words, and for a value per word or line."""

    joined: Bytes  # the words' bytes, one word after another, and some zeros
    ends: Ints  # where in `joined` each word ends, after a 0
    starts: Ints  # of lines, of paragraphs, of n-grams
    stops: Ints
    words: Hashes
    grams: Hashes
    keys: Hashes
    first: npt.NDArray[np.int32]
    counts: npt.NDArray[np.int32]
    repeated: Bytes
    slots: Slots


def repetition_counts(column: Texts) -> Ints:
    """int64[rows, 16] of each text, by the columns above.

    LINES are what `re.split("\\n+", text)` gives, PARAGRAPHS what `re.split("\\n{2,}", text.strip())` gives; of pieces
    that occur before in the same text, DUP_* is the number and DUP_*_CHARS their characters. TOP + k: characters (with
    single spaces) times occurrences of the most frequent n-gram of TOP_SIZES[k] words, the earliest of equals.
    DUPLICATE + k: characters (without spaces) in n-grams of DUPLICATE_SIZES[k] words seen before, read greedily: after
    a hit go on behind it, else at the next word.
    """
    counts = np.zeros((column.rows, _COLUMNS), np.int64)
    if column.rows:
        _count_repetition(column.offsets, column.data, classes(), _scratch(column), counts)
    return counts


def _scratch(column: Texts) -> _Scratch:
    room = most_pieces(column.offsets, column.data) + 2
    ints, hashes, small = np.empty((3, room), np.int64), np.empty((3, room), np.uint64), np.empty((2, room), np.int32)
    joined = np.empty(int(np.diff(column.offsets).max()) + _PREFIX, np.uint8)
    arrays = (joined, *ints, *hashes, *small, np.empty(room, np.uint8), np.zeros(slot_mask(room) + 1, np.int32))
    return _Scratch._make(arrays)


@kernel
def _count_repetition(offsets: Ints, data: Bytes, table: Bytes, scratch: _Scratch, counts: Ints) -> None:
    base = 1
    for row in range(len(counts)):
        start, end = offsets[row], offsets[row + 1]
        counts[row, CHARS] = char_count(data, start, end)
        lines = _find_lines(data, start, end, scratch)
        base = _count_duplicates(data, lines, scratch, base, counts[row, LINES:PARAGRAPHS])
        paragraphs = _join_lines(data, lines, table, scratch)
        base = _count_duplicates(data, paragraphs, scratch, base, counts[row, PARAGRAPHS:TOP])
        words = _read_words(data, start, end, table, scratch)
        base = _count_top_ngrams(words, scratch, base, counts[row, TOP:DUPLICATE])
        base = _count_duplicate_ngrams(words, scratch, base, counts[row, DUPLICATE:])


@kernel
def _find_lines(data: Bytes, start: int, end: int, scratch: _Scratch) -> int:
    """Split at runs of newlines: fill `starts` and `stops` of the lines and return their number."""
    lines = 0
    scratch.starts[0] = start
    i = find_newline(data, start, end)
    while i < end:
        scratch.stops[lines] = i
        while i < end and data[np.uint64(i)] == 10:
            i += 1
        lines += 1
        scratch.starts[lines] = i
        i = find_newline(data, i, end)
    scratch.stops[lines] = end
    return lines + 1


@kernel
def _join_lines(data: Bytes, lines: int, table: Bytes, scratch: _Scratch) -> int:
    """Make of the lines the paragraphs of the text without the white space around it; return their number."""
    first, last = strip(table, data, scratch.starts[0], scratch.stops[lines - 1])
    paragraphs, start = 0, first
    for line in range(1, lines):
        stop, following = scratch.stops[line - 1], scratch.starts[line]
        if following - stop >= 2 and stop > first and following < last:
            scratch.starts[paragraphs], scratch.stops[paragraphs] = start, stop
            paragraphs += 1
            start = following
    scratch.starts[paragraphs], scratch.stops[paragraphs] = start, last
    return paragraphs + 1


@kernel
def _count_duplicates(data: Bytes, pieces: int, scratch: _Scratch, base: int, counts: Ints) -> int:
    """Fill `counts` with the pieces, those that occur before, and the characters of these; return the next base."""
    mask = slot_mask(pieces)
    counts[0] = pieces
    for piece in range(pieces):
        start, stop = scratch.starts[piece], scratch.stops[piece]
        scratch.keys[piece] = hash_bytes(data, start, stop)
        if find_or_add(scratch.keys, piece, scratch.slots, mask, base) != piece:
            counts[1] += 1
            counts[2] += char_count(data, start, stop)
    return next_base(scratch.slots, base, pieces)


@kernel
def _read_words(data: Bytes, start: int, end: int, table: Bytes, scratch: _Scratch) -> int:
    """Fill `joined`, `ends` and the hashes of the words; return how many words there are."""
    words, size = find_words(data, start, end, table, scratch.starts, scratch.stops), 0
    scratch.ends[0] = 0
    for word in range(words):
        first, last = scratch.starts[word], scratch.stops[word]
        scratch.words[word] = _read_word(data, first, last, scratch.joined, size)
        size += last - first
        scratch.ends[word + 1] = size
    scratch.joined[size : size + _PREFIX] = 0
    return words


@kernel
def _read_word(data: Bytes, start: int, end: int, joined: Bytes, at: int) -> np.uint64:
    """Copy data[start:end] to `joined`, zeros behind it, and return its hash.

    Sixteen bytes a turn: so few words are longer that a processor guesses one turn.
    """
    safe = end + 16 <= len(data)
    state, i = np.uint64(end - start), start
    while i < end:
        low = load8(data, i) if safe else load_some(data, i, end)
        high = load8(data, i + 8) if safe else load_some(data, i + 8, end)
        low, high = low & before(end - i), high & before(end - i - 8)
        store8(joined, at, low)
        store8(joined, at + 8, high)
        state = stir(stir(state, low), high)
        i += 16
        at += 16
    return state


@kernel
def _chars(gram: int, size: int, scratch: _Scratch) -> int:
    """The characters of the n-gram's words."""
    return char_count(scratch.joined, scratch.ends[gram], scratch.ends[gram + size])


@kernel
def _count_top_ngrams(words: int, scratch: _Scratch, base: int, counts: Ints) -> int:
    """Fill `counts` with the characters of the most frequent n-gram of each size; return the next base.

    `starts` lists the n-grams that a longer one may repeat: at first all words.
    """
    for word in range(words):
        scratch.grams[word], scratch.starts[word] = scratch.words[word], word
    listed, mask = words, slot_mask(words)
    for size in range(_FIRST_TOP, min(_LAST_TOP, words) + 1):
        while listed and scratch.starts[listed - 1] + size > words:
            listed -= 1
        occurrences, top = 1, 0
        _hash_listed(listed, size, scratch)
        for k in range(listed):
            gram = scratch.starts[k]
            if k + _AHEAD < listed:
                prefetch(scratch.slots, scratch.keys[scratch.starts[k + _AHEAD]] & np.uint64(mask))
            first = find_or_add(scratch.keys, gram, scratch.slots, mask, base)
            scratch.first[gram] = first
            seen = scratch.counts[first] + 1 if first != gram else 1
            scratch.counts[first] = seen
            if seen > occurrences or (seen == occurrences and first < top):
                occurrences, top = seen, first
        counts[size - _FIRST_TOP] = occurrences * (_chars(top, size, scratch) + size - 1)
        base = next_base(scratch.slots, base, words)
        listed = _keep_repeated(listed, scratch)
    return base


@kernel
def _hash_listed(listed: int, size: int, scratch: _Scratch) -> None:
    """Fill `grams` and `keys` for the n-grams in `starts`, from those of one word less."""
    for k in range(listed):
        gram = scratch.starts[k]
        scratch.grams[gram] = scratch.grams[gram] * _ORDER + scratch.words[gram + size - 1]
        scratch.keys[gram] = mix(scratch.grams[gram])


@kernel
def _keep_repeated(listed: int, scratch: _Scratch) -> int:
    """Leave in `starts` the n-grams that occur more than once; return how many there are."""
    kept = 0
    for k in range(listed):
        gram = scratch.starts[k]
        scratch.starts[kept] = gram
        kept += scratch.counts[scratch.first[gram]] > 1
    return kept


@kernel
def _count_duplicate_ngrams(words: int, scratch: _Scratch, base: int, counts: Ints) -> int:
    """Fill `counts` with the characters in n-grams seen before, for each size; return the next base."""
    mask = slot_mask(words)
    candidates = _find_candidates(words, scratch, mask, base)
    base = next_base(scratch.slots, base, words)
    for size in range(_FIRST_DUPLICATE, _LAST_DUPLICATE + 1):
        following = 0
        for candidate in range(candidates):
            gram = scratch.first[candidate]
            if gram < following:
                continue
            if gram + size > words:
                break
            scratch.keys[gram] = _hash_joined(gram, size, scratch)
            if find_or_add(scratch.keys, gram, scratch.slots, mask, base) != gram:
                counts[size - _FIRST_DUPLICATE] += _chars(gram, size, scratch)
                following = gram + size
        base = next_base(scratch.slots, base, words)
    return base


@kernel
def _hash_joined(gram: int, size: int, scratch: _Scratch) -> np.uint64:
    """A hash of the n-gram's joined words, going on from the whole eights of bytes that a smaller size has hashed."""
    state, eights = scratch.grams[gram], scratch.counts[gram]
    start, end = scratch.ends[gram], scratch.ends[gram + size]
    while start + 8 * (eights + 1) <= end:
        state = stir(state, load8(scratch.joined, start + 8 * eights))
        eights += 1
    scratch.grams[gram], scratch.counts[gram] = state, eights
    return mix(state ^ hash_padded(scratch.joined, start + 8 * eights, end))


@kernel
def _find_candidates(words: int, scratch: _Scratch, mask: int, base: int) -> int:
    """Fill `first` with the words where a duplicate n-gram may start or be repeated; return how many there are.

    That is where the 16 bytes from there on stand in two places, and where the shortest n-gram has fewer.
    """
    for word in range(words):
        start = scratch.ends[word]
        scratch.keys[word] = load8(scratch.joined, start) * _ORDER + load8(scratch.joined, start + 8)
        scratch.keys[word] = mix(scratch.keys[word])
    for word in range(words):
        if word + _AHEAD < words:
            prefetch(scratch.slots, scratch.keys[word + _AHEAD] & np.uint64(mask))
        first = find_or_add(scratch.keys, word, scratch.slots, mask, base)
        scratch.repeated[word] = first != word
        scratch.repeated[first] |= first != word
    candidates = 0
    for word in range(words):
        short = scratch.ends[min(word + _FIRST_DUPLICATE, words)] - scratch.ends[word] < _PREFIX
        scratch.first[candidates] = word
        scratch.grams[word], scratch.counts[word] = 0, 0
        candidates += short or scratch.repeated[word] != 0
    return candidates
