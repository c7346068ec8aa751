"""The scanners of pieces against the regular expressions they stand for, as the `tokenizers` library runs those."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
from bpe_kit import EDGES, MANY_TONGUES, TEXTS
from hypothesis import example, given, settings
from tokenizers import Regex, pre_tokenizers

from pipeline.kernels.pieces import CLASSES_END, next_piece
from tokenizer.splits import character_classes, gpt4_pattern

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
SURROGATES = range(0xD800, 0xE000)


@lru_cache
def splitter(digits: int) -> pre_tokenizers.Split:
    return pre_tokenizers.Split(Regex(gpt4_pattern(digits) if digits else GPT2), "isolated")


def expected(text: str, digits: int) -> list[str]:
    return [piece for piece, _ in splitter(digits).pre_tokenize_str(text)]


def pieces(text: str, digits: int, before: str = "", after: str = "") -> list[str]:
    """The pieces of `text`, which stands between two others in one buffer."""
    data = np.frombuffer(f"{before}{text}{after}".encode(), np.uint8)
    i, end, found = len(before.encode()), len(data) - len(after.encode()), []
    while i < end:
        stop = next_piece(data, i, end, character_classes(), digits)
        assert i < stop <= end
        found.append(data[i:stop].tobytes().decode())
        i = stop
    return found


@pytest.mark.parametrize("digits", [0, 1, 2, 3])
@settings(max_examples=200, deadline=None)
@given(TEXTS)
@example("a  \n \r\n  b \n\n c   ")
@example("'S 's 'ſ 'LL 'lL 'Re 'ſt x'sx 're' '")
@example("12345 ½½½½ ٣٣٣٣ a1b22c333")
@example(" ! !!\r\n\r\n !a\n.b")
def test_any_text(digits: int, text: str) -> None:
    assert pieces(text, digits) == expected(text, digits)


@pytest.mark.parametrize("digits", [0, 2])
@settings(max_examples=50, deadline=None)
@given(TEXTS)
def test_what_stands_around_a_text_is_not_looked_at(digits: int, text: str) -> None:
    assert pieces(text, digits, before="é x", after="x 1\n") == expected(text, digits)


@pytest.mark.parametrize("digits", [0, 1, 2, 3])
def test_every_pair_of_edges(digits: int) -> None:
    edges = sorted(set(EDGES))
    for first in edges:
        text = "".join(f"{first}{second}a{second}{first} " for second in edges)
        assert pieces(text, digits) == expected(text, digits)


def test_every_character_behind_an_apostrophe_and_a_letter() -> None:
    """Case folding of contractions, and the class of each character of the first planes."""
    for start in range(0, 0x20000, 1 << 11):
        if start in SURROGATES:
            continue
        text = "".join(f"a'{chr(point)}l{chr(point)}" for point in range(start, start + (1 << 11)))
        assert pieces(text, 2) == expected(text, 2)


@pytest.mark.parametrize("pattern", [r"\p{L}", r"\p{N}", r"\s"])
def test_no_code_point_beyond_the_table_has_a_class(pattern: str) -> None:
    """Whole planes where something might be assigned one day, and every 64th character of the others."""
    split = pre_tokenizers.Split(Regex(pattern), "isolated")
    for start in range(CLASSES_END, 0x110000, 1 << 13):
        text = "".join(map(chr, range(start, start + (1 << 13), 1 if start < 0x50000 or start >> 16 == 0xE else 64)))
        assert len(split.pre_tokenize_str(text)) == 1


@pytest.mark.parametrize("text", MANY_TONGUES)
def test_many_tongues(text: str) -> None:
    assert pieces(text, 3) == expected(text, 3)


def test_bytes_that_are_no_utf8_end_where_the_text_ends() -> None:
    """A part written elsewhere may hold a cut character: nothing beyond it is read, and the scan goes on."""
    data = np.frombuffer(b"ab\xe3\x81", np.uint8)
    stops = [2, 4]
    i = 0
    for stop in stops:
        i = next_piece(data, i, len(data), character_classes(), 3)
        assert i == stop
