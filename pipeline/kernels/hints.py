"""Which of many words and phrases occur in names and in texts: one automaton (Aho and Corasick 1975) for all, a look per byte.

Letters of ASCII count without case; a run of anything else is one blank, and so is the step from a small letter to a capital:
"relatedLinks", "related-links" and "Related Links" are the same two words. A pattern that begins or ends in a blank stands
where a word begins or ends.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.kernels.arrow import Bytes, Ints
from pipeline.kernels.compiled import kernel
from pipeline.kernels.unicode import byte_at

Moves = npt.NDArray[np.int16]

#: What a byte is to the automaton: 0 for a blank, 1 to 26 for a letter.
_SYMBOLS = np.zeros(256, np.uint8)
_SYMBOLS[65:91] = _SYMBOLS[97:123] = np.arange(1, 27)
_SYMBOLS.flags.writeable = False


class Hints(NamedTuple):
    """The automaton: `moves` int16[states, 27], the next state by symbol; `bits` int64[states], what is found on getting there."""

    moves: Moves
    bits: Ints


def hints(groups: Sequence[Sequence[str]]) -> Hints:
    """The automaton that sets bit k on finding a pattern of `groups[k]`; patterns are small letters and blanks.

    Raises ValueError for another character, an empty pattern, or more than 63 groups.
    """
    patterns = [pattern for group in groups for pattern in group]
    if len(groups) > 63 or not all(patterns) or not all(char == " " or "a" <= char <= "z" for char in "".join(patterns)):
        raise ValueError("patterns are small letters and blanks, in at most 63 groups")
    states: list[dict[int, int]] = [{}]
    bits = [0]
    for group, words in enumerate(groups):
        for word in words:
            bits[_grown(states, bits, word)] |= 1 << group
    return _completed(states, bits)


def _grown(states: list[dict[int, int]], bits: list[int], word: str) -> int:
    """The state that `word` leads to, made where it isn't there."""
    at = 0
    for char in word:
        symbol = 0 if char == " " else ord(char) - 96
        if symbol not in states[at]:
            states[at][symbol] = len(states)
            states.append({})
            bits.append(0)
        at = states[at][symbol]
    return at


def _completed(states: Sequence[Mapping[int, int]], bits: Sequence[int]) -> Hints:
    """Every state's move for every symbol: where there is none, that of the longest suffix."""
    moves, found = np.zeros((len(states), 27), np.int16), np.array(bits, np.int64)
    waiting, suffix = deque([0]), [0] * len(states)
    while waiting:
        at = waiting.popleft()
        found[at] |= found[suffix[at]]
        moves[at] = moves[suffix[at]]
        for symbol, after in states[at].items():
            suffix[after] = int(moves[suffix[at], symbol]) if at else 0
            moves[at, symbol] = after
            waiting.append(after)
    return Hints(moves, found)


@kernel
def hints_in(data: Bytes, i: int, end: int, moves: Moves, bits: Ints) -> int:
    """The bits of all patterns in data[i:end], which stands between two blanks."""
    state, found, blank, small = int(moves[0, 0]), 0, True, False
    while i < end:
        byte = byte_at(data, i)
        symbol = _SYMBOLS[byte]
        if not blank and (symbol == 0 or (small and byte <= 90)):
            state = int(moves[state, 0])
            found |= bits[state]
            blank = True
        if symbol:
            state = int(moves[state, symbol])
            found |= bits[state]
            blank = False
        small = byte >= 97
        i += 1
    return found if blank else found | bits[int(moves[state, 0])]
