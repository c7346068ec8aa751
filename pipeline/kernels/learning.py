"""The training of byte-level BPE from counted pieces: merge the pair that occurs most, again and again.

The merges are those of `tokenizers`' BpeTrainer, where its 32-bit counts are enough; here they are 64 bits wide. Of pairs
that occur equally often the one with the smaller ids goes first, and a merge that makes the text of a special token makes
that token. Whatever becomes one token was merged by itself, as if nothing stood around it: so a token is made of one pair
only, a pair is merged once, and waits in the queue once.

Only the pieces that hold a pair are looked at when it is merged: each pair in the queue has a list of them, which may name
pieces that no longer hold it. A round of merging needs memory for the pairs that it makes: where there is none, it stops
before a piece and goes on from there when it is called again with more.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.kernels.arrow import Ints
from pipeline.kernels.compiled import kernel
from pipeline.kernels.hashing import mix
from pipeline.kernels.merging import signed
from pipeline.kernels.strings import NO_ROOM, Strings, add, roomier

Small = npt.NDArray[np.int32]
#: int32[n, 2]: the tokens that each merge joins.
Merges = npt.NDArray[np.int32]

#: What `_learn` returns: it is done, or what it has no room for.
_DONE, _PAIRS, _NODES, _QUEUE, _MERGES, _TOKENS = 0, 1, 2, 3, 4, 5
#: Columns of a row of the table of pairs: left id << 32 | right id, how often it occurs, the first node of the list that this
#: round makes, the next row for which it makes one.
_PAIR, _COUNT, _LIST, _NEXT = 0, 1, 2, 3
#: Columns of an item of the queue: a pair, its count when that was last looked at, the list of its pieces.
_WORDS = 2
#: Places in the state. Of the work: pieces whose pairs are counted, merges made; of a round: the pair, what it becomes, the list
#: of pieces left to do; the first of the rows it has opened, and how many; of the tables: the first of the free nodes, how
#: many, how many nodes were ever used, pairs in the table, items in the queue.
_COUNTED, _MERGED = 0, 1
_LEFT, _RIGHT, _NEW, _TODO, _OPENED, _OPEN = 2, 3, 4, 5, 6, 7
_FREE, _FREED, _USED, _KNOWN, _QUEUED = 8, 9, 10, 11, 12
#: Rows that tables have at first.
_ROOM = 1 << 14
_NONE = -1
_HALF = 32
_LOW = 0xFFFFFFFF
_ONE = np.uint64(1)


class Words(NamedTuple):
    """Distinct pieces: piece w is symbols[starts[w]:starts[w] + lengths[w]], and occurs counts[w] times."""

    symbols: Small
    starts: Ints
    lengths: Small
    counts: Ints


class _Work(NamedTuple):
    """What training works in. `nodes` int32[n, 2] are lists of pieces: number, next node."""

    pairs: Ints
    nodes: Small
    queue: Ints
    merges: Merges
    tokens: Strings
    state: Ints


def learn(words: Words, tokens: Strings, vocab_size: int, min_frequency: int) -> tuple[Strings, Merges]:
    """Merge until there are `vocab_size` tokens or no pair occurs `min_frequency` times.

    `tokens` holds the tokens there are before, spelled so that what two of them make together is spelled as both; the
    symbols of `words`, which are used up, are their numbers. Returns all tokens, and the merges in the order in which they
    were made. Raises OverflowError beyond 2^31 pairs of neighbours.
    """
    state = np.zeros(13, np.int64)
    state[[_TODO, _OPENED, _FREE]] = _NONE
    pairs, queue = np.full((_ROOM, 4), _NONE, np.int64), np.empty((_ROOM, 3), np.int64)
    nodes = _longer(np.empty((0, 2), np.int32), int(words.lengths.sum()))
    work = _Work(pairs, nodes, queue, np.empty((_ROOM, 2), np.int32), tokens, state)
    while lacking := _learn(words, work, vocab_size, min_frequency):
        work = _roomier(work, lacking)
    return work.tokens, work.merges[: state[_MERGED]].copy()


def _roomier(work: _Work, lacking: int) -> _Work:
    if lacking == _PAIRS:
        pairs = np.full((2 * len(work.pairs), 4), _NONE, np.int64)
        _move(work.pairs, pairs, work.state)
        return work._replace(pairs=pairs)
    if lacking == _NODES:
        return work._replace(nodes=_longer(work.nodes, len(work.nodes) * 5 // 4 + _ROOM))
    if lacking == _QUEUE:
        return work._replace(queue=_longer(work.queue, 2 * len(work.queue)))
    if lacking == _MERGES:
        return work._replace(merges=_longer(work.merges, 2 * len(work.merges)))
    return work._replace(tokens=roomier(work.tokens, len(work.tokens.data)))


def _longer(array: np.ndarray, length: int) -> np.ndarray:
    if length > 1 << 31:
        raise OverflowError("more than 2^31 places where pairs occur: train on fewer pieces")
    out = np.empty((length, *array.shape[1:]), array.dtype)
    out[: len(array)] = array
    return out


@kernel
def _learn(words: Words, work: _Work, vocab_size: int, min_frequency: int) -> int:
    """Go on until all is done, or until there is no room: then what there is none of."""
    state = work.state
    while state[_COUNTED] < len(words.lengths):  # the first round: every pair is new
        lacking = _lacking(work, words.lengths[state[_COUNTED]])
        if lacking:
            return lacking
        _count(words, state[_COUNTED], work)
        state[_COUNTED] += 1
    while True:
        while state[_TODO] != _NONE:
            lacking = _lacking(work, words.lengths[work.nodes[state[_TODO], 0]])
            if lacking:
                return lacking
            _merge(words, _take(work), work)
        _close_round(work)
        if work.tokens.size[0] >= vocab_size or not _find_next(work, min_frequency):
            return _DONE
        lacking = _begin_round(work)
        if lacking:
            return lacking


@kernel
def _lacking(work: _Work, length: int) -> int:
    """What there may be no room of for a piece of so many symbols: a merge in it makes two pairs of three or more."""
    state = work.state
    if 2 * (state[_KNOWN] + length) > len(work.pairs):
        return _PAIRS
    if state[_USED] - state[_FREED] + length > len(work.nodes):
        return _NODES
    if state[_QUEUED] + state[_OPEN] + length > len(work.queue):
        return _QUEUE
    return 0


@kernel
def _count(words: Words, word: int, work: _Work) -> None:
    """Count the pairs of a piece."""
    start = words.starts[word]
    for i in range(start, start + words.lengths[word] - 1):
        _gain(work, words.symbols[i], words.symbols[i + 1], words.counts[word], word)


@kernel
def _merge(words: Words, word: int, work: _Work) -> None:
    """Merge a pair wherever it stands in a piece, from left to right, and count what that changes."""
    left, right, new = work.state[_LEFT], work.state[_RIGHT], work.state[_NEW]
    symbols, count, start = words.symbols, words.counts[word], words.starts[word]
    end, i, last = start + words.lengths[word], start, start
    while i < end:
        if symbols[i] != left or i + 1 == end or symbols[i + 1] != right:
            symbols[last] = symbols[i]
            i += 1
        else:
            if last > start:
                _lose(work, symbols[last - 1], left, count)
                _gain(work, symbols[last - 1], new, count, word)
            symbols[last] = new
            i += 2
            if i < end:
                _lose(work, right, symbols[i], count)
                _gain(work, new, symbols[i], count, word)
        last += 1
    words.lengths[word] = last - start


@kernel
def _gain(work: _Work, left: int, right: int, count: int, word: int) -> None:
    """A pair occurs more often, and in this piece: it is opened, if it isn't, and the piece put on its list, if it isn't there."""
    pairs, nodes, state = work.pairs, work.nodes, work.state
    pair = _pair(left, right)
    row = _row(pairs, pair)
    if pairs[row, _PAIR] == _NONE:
        pairs[row, _PAIR], pairs[row, _COUNT] = pair, 0
        state[_KNOWN] += 1
    pairs[row, _COUNT] += count
    first = pairs[row, _LIST]
    if first == _NONE:
        pairs[row, _NEXT], state[_OPENED] = state[_OPENED], row
        state[_OPEN] += 1
    elif nodes[first, 0] == word:
        return
    node = _new_node(work)
    nodes[node, 0], nodes[node, 1] = word, first
    pairs[row, _LIST] = node


@kernel
def _lose(work: _Work, left: int, right: int, count: int) -> None:
    work.pairs[_row(work.pairs, _pair(left, right)), _COUNT] -= count


@kernel
def _pair(left: int, right: int) -> int:
    return np.int64(left) << _HALF | np.int64(right)  # type: ignore[return-value]  # to Numba they are one


@kernel
def _row(pairs: Ints, pair: int) -> int:
    """The row of a pair, or the empty one where it belongs."""
    mask = np.uint64(len(pairs) - 1)
    row = mix(np.uint64(pair)) & mask
    while pairs[row, _PAIR] != pair and pairs[row, _PAIR] != _NONE:
        row = (row + _ONE) & mask
    return signed(row)


@kernel
def _new_node(work: _Work) -> int:
    state = work.state
    if state[_FREE] == _NONE:
        state[_USED] += 1
        return state[_USED] - 1  # type: ignore[no-any-return]
    node = state[_FREE]
    state[_FREE] = work.nodes[node, 1]
    state[_FREED] -= 1
    return node  # type: ignore[no-any-return]


@kernel
def _take(work: _Work) -> int:
    """The first piece of the list of those to do; its node is free."""
    nodes, state = work.nodes, work.state
    node = state[_TODO]
    state[_TODO], nodes[node, 1] = nodes[node, 1], state[_FREE]
    state[_FREE] = node
    state[_FREED] += 1
    return nodes[node, 0]  # type: ignore[no-any-return]


@kernel
def _close_round(work: _Work) -> None:
    """Put the opened pairs into the queue, each with its list; those that the same round took away again are forgotten."""
    pairs, state = work.pairs, work.state
    row = state[_OPENED]
    while row != _NONE:
        if pairs[row, _COUNT] > 0:
            _push(work.queue, state[_QUEUED], pairs[row, _PAIR], pairs[row, _COUNT], pairs[row, _LIST])
            state[_QUEUED] += 1
        else:
            _free(work, pairs[row, _LIST])
        pairs[row, _LIST] = _NONE
        row = pairs[row, _NEXT]
    state[_OPENED], state[_OPEN] = _NONE, 0


@kernel
def _free(work: _Work, node: int) -> None:
    """Free a whole list."""
    nodes, state = work.nodes, work.state
    while node != _NONE:
        following = nodes[node, 1]
        nodes[node, 1], state[_FREE] = state[_FREE], node
        state[_FREED] += 1
        node = following


@kernel
def _find_next(work: _Work, min_frequency: int) -> bool:
    """Bring the pair that is merged next to the front of the queue; false when there is none."""
    queue, state = work.queue, work.state
    while state[_QUEUED] > 0:
        count = work.pairs[_row(work.pairs, queue[0, _PAIR]), _COUNT]
        if count == queue[0, _COUNT]:
            return count >= max(min_frequency, 1)  # type: ignore[no-any-return]
        _sink(queue, state[_QUEUED], queue[0, _PAIR], count, queue[0, _WORDS])
    return False


@kernel
def _begin_round(work: _Work) -> int:
    """Make a token of the pair at the front of the queue, and take the list of its pieces."""
    queue, tokens, state = work.queue, work.tokens, work.state
    if state[_MERGED] == len(work.merges):
        return _MERGES
    left, right = queue[0, _PAIR] >> _HALF, queue[0, _PAIR] & _LOW
    new = _join(tokens, left, right)
    if new == NO_ROOM:
        return _TOKENS
    work.merges[state[_MERGED], 0], work.merges[state[_MERGED], 1] = left, right
    state[_MERGED] += 1
    state[_LEFT], state[_RIGHT], state[_NEW], state[_TODO] = left, right, new, queue[0, _WORDS]
    state[_QUEUED] -= 1
    last = state[_QUEUED]
    _sink(queue, last, queue[last, _PAIR], queue[last, _COUNT], queue[last, _WORDS])
    return 0


@kernel
def _join(tokens: Strings, left: int, right: int) -> int:
    """The token that two tokens make; it is spelled behind all others, where it stays if it is new."""
    start = tokens.bounds[tokens.size[0]]
    end = start
    for token in (left, right):
        length = tokens.bounds[token + 1] - tokens.bounds[token]
        if end + length > len(tokens.data):
            return NO_ROOM
        for i in range(length):
            tokens.data[end + i] = tokens.data[tokens.bounds[token] + i]
        end += length
    return add(tokens, tokens.data, start, end)


@kernel
def _before(queue: Ints, i: int, pair: int, count: int) -> bool:
    """Whether item i goes before another: it occurs more often, or as often and has the smaller ids."""
    if queue[i, _COUNT] != count:
        return queue[i, _COUNT] > count  # type: ignore[no-any-return]
    return queue[i, _PAIR] < pair  # type: ignore[no-any-return]


@kernel
def _set(queue: Ints, i: int, pair: int, count: int, first: int) -> None:
    queue[i, _PAIR], queue[i, _COUNT], queue[i, _WORDS] = pair, count, first


@kernel
def _push(queue: Ints, size: int, pair: int, count: int, first: int) -> None:
    """Add an item to a heap of `size`."""
    i = size
    while i > 0 and not _before(queue, (i - 1) // 2, pair, count):
        above = (i - 1) // 2
        _set(queue, i, queue[above, _PAIR], queue[above, _COUNT], queue[above, _WORDS])
        i = above
    _set(queue, i, pair, count, first)


@kernel
def _sink(queue: Ints, size: int, pair: int, count: int, first: int) -> None:
    """Put an item in the place of the one at the front of a heap of `size`."""
    i = 0
    while 2 * i + 1 < size:
        child = 2 * i + 1
        if child + 1 < size and _before(queue, child + 1, queue[child, _PAIR], queue[child, _COUNT]):
            child += 1
        if not _before(queue, child, pair, count):
            break
        _set(queue, i, queue[child, _PAIR], queue[child, _COUNT], queue[child, _WORDS])
        i = child
    _set(queue, i, pair, count, first)


@kernel
def _move(pairs: Ints, to: Ints, state: Ints) -> None:
    """Put the rows of a table into another; the pairs that this round has opened are opened there."""
    state[_OPENED] = _NONE
    for i in range(len(pairs)):
        if pairs[i, _PAIR] == _NONE:
            continue
        row = _row(to, pairs[i, _PAIR])
        for column in range(3):
            to[row, column] = pairs[i, column]
        if to[row, _LIST] != _NONE:
            to[row, _NEXT], state[_OPENED] = state[_OPENED], row
