"""Personal data is found where its plain twin finds it, whatever stands beside it; nothing is left to be found afterwards."""

from __future__ import annotations

import pytest
import reference_pii
from hypothesis import given, settings
from hypothesis import strategies as st
from texts import any_rows, column

from pipeline.kernels import pii
from pipeline.kernels.arrow import Texts, large_strings, texts

PLACEHOLDERS = [f"|||{kind.upper()}|||" for kind in pii.KINDS]

#: What the patterns are made of, whole and in pieces, and what may stand between.
PIECES = (
    "jo", "a.b", "first.last+tag", "..", "@", "@", "mail.org", "sub.mail.co.uk", "example.com", "host.test", "2x.png", "git", "this",
    "x" * 63,
    "@mail.org", "jo@mail.org", "-bad-.de", "a.b.c.dd", "com", "_",
    "93.184.216.34", "10.0.0.1", "172.31.9.9", "192.0.2.44", "100.64.1.77", "1.2.3.4", "255.0.0.99", "8.8.44.8", "4.04.99.1", "v",
    "version ",
    "Ver. ", ".5", "-rc1", ".tar", "2a00:1450:4001:81b::200e", "2001:db8::1", "2001:4860:4860::8888", "2606:4700:0:0:0:0:6810:84e5",
    "2a00::",
    "3fff:1::1", "2620::1:1::2", "2a00:1", ":", "::", "/48", ":80",
    "4111111111111111", "4111 1111 1111 1111", "4111-1111-1111-1111", "3782 822463 10005", "378282246310005", "5555555555554444",
    "30569309025904", "3056 930902 5904", "6011000990139424", "2223000048400011", "4111 1111 1111 1112", " 1111", "4222222222222",
    "GB82WEST12345698765432", "GB82 WEST 1234 5698 7654 32", "DE89370400440532013000", "NO93 8601 1117 947",
    "DE89 3704 0044 0532 0130 01", "GB82",
    "WEST",
    "+44 20 7946 0958", "+442079460958", "+49 (0)30 1234567", "+1 415 555 2671", "+14155552671", "+1 (415) 555-2671", "+33 1 23 45 67 89",
    "+2024-05-01 10", "+40.7127837", "(415) 555-2671", "(415)555 2671", "415-555-2671", "415.555.2671", "1-415-555-2671",
    "1 (415) 555-2671",
    "415-555-0123", "911-555-2671", "415-911-2671", "+20 10 1234 5678", "+353", "(0)", "+1", "00",
    "AKIA", "ASIAQWERTYUIOPASDF12", "AKIAIOSFODNN7EXAMPLE", "AIza" + "Sy0-_" * 7, "ghp_" + "aB3" * 12, "github_pat_" + "1a_" * 8,
    "sk_live_" + "4eC39HqL" * 2, "sk-" + "a1B2c3D4e5" * 2, "sk-circle-fade-dot-delay-one", "xoxb-123456789012-abc", "xoxp-", "eyJ",
    "eyJhbGciOiJI.eyJzdWIiOiIx.SflKxwRJSMeKKF2QT4", "eyJhbGciOiJI.", "api_key", "ClientSecret", "access token", " = ", "=", ": ", "=> ",
    "\"",
    "'", "a8f5f167f44f4964e6c998dee827110c", "your_key_goes_here_please", "secret",
    "-----BEGIN PRIVATE KEY-----", "-----BEGIN RSA PRIVATE KEY-----\n", "-----BEGIN PGP PRIVATE KEY BLOCK-----",
    "-----BEGIN PUBLIC KEY-----",
    "MIIEvQIBADANBgkqhkiG9w0B", "-----END RSA PRIVATE KEY-----", "-----END ", "-----", "\\n", "-", "--",
    " ", " ", " ", "\n", ".", ",", "+", "(", ")", "/", "$", "1", "23", "456", "7890", "a", "Z", "é", "日", "😀", "\u0663",
)  # fmt: skip
near_misses = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)
some_kinds = st.one_of(st.just(pii.KINDS), st.sets(st.sampled_from(pii.KINDS)))


def found(column_of: Texts, kinds: object = pii.KINDS) -> list[list[tuple[int, int, str]]]:
    """What was found in each row, in bytes from its start."""
    spans, rows = pii.find(column_of, kinds), [[] for _ in range(column_of.rows)]  # type: ignore[arg-type, var-annotated]
    for row, (start, stop), kind in zip(spans.rows.tolist(), spans.bounds.tolist(), spans.kinds.tolist(), strict=True):
        rows[row].append((start - int(column_of.offsets[row]), stop - int(column_of.offsets[row]), pii.KINDS[kind]))
    return rows


def replaced(rows: list[str], kinds: object = pii.KINDS) -> list[str]:
    given_rows = texts(column([*rows]))
    return large_strings(*pii.replace(given_rows, pii.find(given_rows, kinds), PLACEHOLDERS)).to_pylist()  # type: ignore[arg-type]


@settings(max_examples=600)
@given(st.lists(near_misses, max_size=4), some_kinds)
def test_near_misses_are_told_apart_as_their_twin_does(rows: list[str], kinds: object) -> None:
    assert found(texts(column([*rows])), kinds) == [reference_pii.find(row, kinds) for row in rows]  # type: ignore[arg-type]


@given(any_rows)
def test_any_text_is_searched_as_its_twin_does(rows: list[str | None]) -> None:
    assert found(texts(column(rows))) == [reference_pii.find(row or "", pii.KINDS) for row in rows]


@settings(max_examples=600)
@given(near_misses, some_kinds)
def test_what_was_replaced_is_left_alone_the_second_time(text: str, kinds: object) -> None:
    once = replaced([text], kinds)
    assert replaced(once, kinds) == once


@given(st.lists(near_misses, max_size=4))
def test_what_stands_between_the_spans_is_not_touched(rows: list[str]) -> None:
    for row, spans, text in zip(rows, found(texts(column([*rows]))), replaced(rows), strict=True):
        raw, at, made = row.encode(), 0, b""
        for start, stop, kind in spans:
            made += raw[at:start] + PLACEHOLDERS[pii.KINDS.index(kind)].encode()
            at = stop
        assert text.encode() == made + raw[at:]


def test_pages_of_the_corpus_are_searched_as_their_twin_does(some_pages: list[str]) -> None:
    assert found(texts(column([*some_pages]))) == [reference_pii.find(page, pii.KINDS) for page in some_pages]


@pytest.mark.parametrize(
    "piece",
    [
        "a@",
        "1.",
        "1:",
        "-",
        "7",
        "2a00:",
        "4111 ",
        "+1",
        "(415",
        "eyJa.",
        "sk-",
        "_",
        "api_key='",
        "-----BEGIN PRIVATE KEY-----",
        "A",
        "=:",
    ],
)
def test_the_worst_texts_are_searched_in_one_go(piece: str) -> None:
    text = piece * (300_000 // len(piece))
    assert len(found(texts(column([text, "jo@mail.org"])))[1]) == 1


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(KeyError, match="shoe_size"):
        pii.find(texts(column(["a"])), ["shoe_size"])
