"""Characters: every code point has the classes that Python gives it, and lines and strips are Python's."""

from __future__ import annotations

import sys
import unicodedata

import numpy as np
import pyarrow as pa
import regex
from hypothesis import given
from texts import any_text

from pipeline.kernels import unicode
from pipeline.kernels.arrow import Bytes, texts
from pipeline.kernels.unicode import ALNUM, DIGIT, END, LETTER, LINE, SPACE, SYMBOL, TABLE_SIZE, TERM, classes, lowercase

SURROGATES = range(0xD800, 0xE000)


def data(text: str) -> Bytes:
    return texts(pa.array([text], pa.large_string())).data


def test_white_space_is_what_split_splits_at() -> None:
    parted = [point for point in range(sys.maxunicode + 1) if point not in SURROGATES and len(f"a{chr(point)}b".split()) == 2]
    assert parted == np.flatnonzero(classes() & SPACE).tolist()


def test_line_ends_are_what_splitlines_breaks_at() -> None:
    ends = [point for point in range(sys.maxunicode + 1) if point not in SURROGATES and len(f"a{chr(point)}b".splitlines()) == 2]
    assert ends == np.flatnonzero(classes() & LINE).tolist()
    assert all(classes()[point] & SPACE for point in ends)


def test_classes_are_pythons() -> None:
    for point in range(TABLE_SIZE):
        char, bits = chr(point), int(classes()[point])
        category = unicodedata.category(char)
        assert bool(bits & LETTER) == char.isalpha()
        assert bool(bits & ALNUM) == char.isalnum()
        assert bool(bits & DIGIT) == (category == "Nd")
        assert bool(bits & SYMBOL) == (category[0] in "PSC")
        assert bool(bits & TERM) == (category[0] in "LMN")


def test_nothing_of_a_class_lies_beyond_the_table() -> None:
    beyond = map(chr, range(TABLE_SIZE, sys.maxunicode + 1))
    assert not [char for char in beyond if char.isalnum() or char.isspace() or unicodedata.category(char)[0] in "LNPS"]


def test_sentence_ends_are_unicodes() -> None:
    listed = {int(point) for point in np.flatnonzero(classes() & END)}
    every = "".join(chr(point) for point in range(TABLE_SIZE) if point not in SURROGATES)
    known = {ord(char) for char in regex.findall(r"\p{Sentence_Terminal}", every)}
    newer = {point for point in listed ^ known if unicodedata.category(chr(point)) == "Cn"}  # of another Unicode than regex's
    assert listed ^ known == newer


def test_lower_case_is_pythons_where_it_is_one_character() -> None:
    for point in range(TABLE_SIZE):
        lower = chr(point).lower()
        assert lowercase()[point] == (ord(lower) if len(lower) == 1 else point)


@given(any_text)
def test_lines_are_those_of_splitlines(text: str) -> None:
    raw, lines, start = data(text), [], 0
    while start < len(raw):
        stop = unicode.line_stop(classes(), raw, start, len(raw))
        lines.append(bytes(raw[start:stop]).decode())
        start = unicode.next_line(raw, stop, len(raw))
    assert lines == text.splitlines()


@given(any_text)
def test_strip_is_strip(text: str) -> None:
    raw = data(text)
    first, last = unicode.strip(classes(), raw, 0, len(raw))
    assert bytes(raw[first:last]).decode() == text.strip()


@given(any_text)
def test_characters_are_counted_and_decoded(text: str) -> None:
    raw = data(text)
    assert unicode.char_count(raw, 0, len(raw)) == len(text)
    starts = [i for i in range(len(raw)) if not unicode.continues(raw, i)]
    points = [unicode.wide_point(raw, i, len(raw)) if raw[i] >= 0x80 else int(raw[i]) for i in starts]
    assert points == [ord(char) for char in text]


def test_a_character_cut_short_reads_nothing_beyond_the_end() -> None:
    raw = data("日")
    assert unicode.wide_point(raw, 0, 2) == 0
    assert unicode.class_at(classes(), raw, 0, 2) == classes()[0]
