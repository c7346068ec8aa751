"""Bytes to text: which charset is believed, and the normal form."""

from __future__ import annotations

import contextlib
import random
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.extract.decoding import clean, decode, paragraphs
from pipeline.extract.documents import NoText

RUSSIAN = "Все счастливые семьи похожи друг на друга, а дождь идёт для всех одинаково. " * 4
GERMAN = "Über den Fluß führt eine schöne, grüne Brücke. Fünf Bären übten dort Flöte. " * 4
JAPANESE = "雨が降っているので、今日は家で本を読みます。明日は晴れるでしょう。" * 4


def test_utf8_is_believed_whatever_was_claimed() -> None:
    assert decode(RUSSIAN.encode(), "iso-8859-1", "windows-1251") == RUSSIAN


@pytest.mark.parametrize("mark", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_decides_and_is_dropped(mark: str) -> None:
    assert decode(JAPANESE.encode(mark), "shift_jis") == JAPANESE


@pytest.mark.parametrize(
    ("text", "charset", "label"),
    [
        (RUSSIAN, "cp1251", "Windows-1251"),
        (RUSSIAN, "koi8-r", "KOI8-R"),
        (GERMAN, "latin-1", " 'ISO-8859-1' "),
        (GERMAN, "latin-1", "latin-1"),
        (JAPANESE, "shift_jis", "x-sjis"),
        (JAPANESE, "euc-jp", "euc-jp"),
        ("汉字编码" * 9 + "㐀", "gb18030", "gb2312"),
        ("한글 문서입니다. " * 9, "cp949", "euc-kr"),
        (JAPANESE, "iso-2022-jp", "iso-2022-jp"),
        ("text without a mark, wide", "utf-16-le", "utf-16"),
        ("text without a mark, wide", "utf-16-be", "utf-16be"),
    ],
)
def test_a_claimed_charset_is_used(text: str, charset: str, label: str) -> None:
    assert decode(text.encode(charset), label) == text


@pytest.mark.parametrize(("text", "charset"), [(RUSSIAN, "cp1251"), (RUSSIAN, "koi8-r"), (JAPANESE, "shift_jis"), (GERMAN, "latin-1")])
def test_without_a_claim_the_charset_is_guessed(text: str, charset: str) -> None:
    assert decode(text.encode(charset)) == text


def test_a_wrong_claim_is_dropped_for_a_guess() -> None:
    assert decode(RUSSIAN.encode("koi8-r"), "euc-jp", "no-such-charset", None) == RUSSIAN


def test_damaged_utf8_stays_utf8() -> None:
    content = RUSSIAN.encode() + b"\xff" + RUSSIAN.encode()[:-1]
    assert decode(content, "windows-1251") == content.decode(errors="replace")
    assert decode(content).count("\ufffd") == 1


def test_a_claim_of_utf8_carries_one_bad_byte_in_plain_ascii() -> None:
    assert decode(b"plain words " * 20 + b"\xe9 end", "utf-8") == "plain words " * 20 + "\ufffd end"


def test_binary_content_is_told_by_its_nuls() -> None:
    for charset in (None, "utf-16"):
        with pytest.raises(NoText, match="binary"):
            decode(bytes(range(256)) * 40 + b"\0" * 999, charset)


def test_noise_without_nuls_is_undecodable() -> None:
    noise = random.Random(0).randbytes(4000).replace(b"\0", b"")
    with pytest.raises(NoText, match="undecodable"):
        decode(noise)


def test_the_normal_form() -> None:
    assert clean("one\r\ntwo\rthree\x0bfour\x85five\u2028six\u2029\x0c") == "one\ntwo\nthree\nfour\nfive\nsix\n\n"
    assert clean("a\x00b\x07c\x1b[1m\x9f\ufeff\ufffe\ud800d\te") == "abc[1md\te"
    assert clean("e\u0301") == "\u00e9"
    assert clean("e\u0301", compose=False) == "e\u0301"


def test_paragraphs_have_no_loose_ends() -> None:
    assert paragraphs("\n\n one  \n\n\n\n two\u00a0\n\tthree \n") == "one\n\n two\n\tthree"


def test_long_runs_of_spaces_take_no_longer() -> None:
    start = time.process_time()
    assert paragraphs("a" + " " * 1_000_000 + "b \nc") == "a" + " " * 1_000_000 + "b\nc"
    assert paragraphs("a \n" + "\n" * 1_000_000 + "b") == "a\n\nb"
    assert time.process_time() - start < 5  # in the square of the run, hours


@given(st.text())
def test_the_normal_form_is_stable_and_sound(text: str) -> None:
    for compose in (True, False):
        once = clean(text, compose=compose)
        assert clean(once, compose=compose) == once
        once.encode()
        assert not any(unicodedata.category(char) in ("Cc", "Cs") and char not in "\n\t" for char in once)
    assert paragraphs(paragraphs(text)) == paragraphs(text)


@given(st.binary(max_size=300), st.sampled_from([None, "utf-8", "utf-16", "iso-2022-jp", "big5", "x-user-defined", "rot13"]))
def test_any_bytes_decode_or_say_why(content: bytes, charset: str | None) -> None:
    with contextlib.suppress(NoText):
        clean(decode(content, charset)).encode()
