"""Look-ups of addresses in lists equal their plain twins, on any address and any list."""

from __future__ import annotations

import re

import numpy as np
import pytest
import reference_urls
from hypothesis import given
from hypothesis import strategies as st
from urls_kit import any_url, urls, web_url, written

from pipeline.kernels import blocklists, lookups
from pipeline.kernels.phrases import flanked
from pipeline.kernels.urls import TRACKING

LINES = (
    "example.com", "# a comment", "  example.org # why", "example.com#part", "0.0.0.0 a.example b.example # c", "127.0.0.1\tlocalhost",
    "::1 x", "127.0.0.1", "0.0.0.0", "two words", "\r", "", "0.0.0.0 #none", "\u00a0", "bücher.de",
)  # fmt: skip
lines = st.lists(st.one_of(st.sampled_from(LINES), any_url), max_size=8).map("\n".join)
lists = st.tuples(st.sampled_from(["", "\ufeff"]), lines).map("".join)


def twins(rows: list[str | None]) -> list[reference_urls.Address]:
    return [reference_urls.address(row or "", TRACKING) for row in rows]


@given(lists)
def test_entries_are_those_of_the_twin(text: str) -> None:
    assert blocklists.entries(text).to_pylist() == reference_urls.entries(text)


@given(
    urls, st.lists(st.one_of(any_url, web_url, st.sampled_from(["example.com", "a.b/?u=http://c", "*.com", ".de", "127.0.0.1", "example"])))
)
def test_domains_and_addresses_are_found_as_their_twins_do(rows: list[str | None], listed: list[str]) -> None:
    listed = [*listed, *(row for row in rows[:1] if row)]
    entries = blocklists.entries("\n".join(listed))
    names = reference_urls.entries("\n".join(listed))
    domains = {twin.host for twin in twins([_whole(name.lstrip("*.")) for name in names])} - {""}
    keys = {twin.key for twin in twins([_whole(name) for name in names])} - {""}
    found, plain = written(*rows), twins(rows)
    assert lookups.in_domains(found, blocklists.domain_hashes(entries)).tolist() == [
        reference_urls.in_domains(twin.host, domains) for twin in plain
    ]
    assert lookups.in_keys(found, blocklists.key_hashes(entries)).tolist() == [twin.key in keys for twin in plain]


def _whole(name: str) -> str:
    return name if re.match("[A-Za-z][A-Za-z0-9+.-]*://", name) else f"http://{name}"


@given(urls)
def test_words_and_parts_of_words_are_found_as_their_twins_do(rows: list[str | None]) -> None:
    found, plain = written(*rows), twins(rows)
    listed = sorted({word for twin in plain[:2] for word in reference_urls.words(twin)} | {"example", "utm", "a"})
    parts = sorted({word[-3:] for word in listed if len(word) > 2} | {"com", "em"})
    counts = lookups.number_of_listed_words(found, blocklists.text_hashes(listed))
    assert counts.tolist() == [len(set(listed) & set(reference_urls.words(twin))) for twin in plain]
    hits = lookups.has_substring(found, flanked(parts))
    assert hits.tolist() == [any(part in reference_urls.squeezed(twin) for part in parts) for twin in plain]


@given(urls)
def test_extensions_are_found_as_their_twin_does(rows: list[str | None]) -> None:
    plain = twins(rows)
    listed = sorted({reference_urls.extension(twin.path) for twin in plain[:2]} | {"com", ""})
    hits = lookups.has_extension(written(*rows), blocklists.text_hashes(listed))
    assert hits.tolist() == [reference_urls.extension(twin.path) in set(listed) - {""} for twin in plain]


@pytest.mark.parametrize("tail", ["a." * 200_000, "a-" * 200_000, "aa" * 200_000, "a/" * 200_000, "a.b" * 100_000])
def test_the_longest_addresses_are_looked_up_in_one_go(tail: str) -> None:
    found = written(f"http://{tail}", f"http://example.com/{tail}")
    domains = blocklists.domain_hashes(blocklists.entries("example.com"))
    assert lookups.in_domains(found, domains).tolist() == [False, True]
    assert lookups.number_of_listed_words(found, blocklists.text_hashes(["example", "com"])).tolist() == [0, 2]
    assert lookups.has_substring(found, flanked(["aaz", "example"])).tolist() == [False, True]


def test_names_beyond_what_the_dns_allows_are_looked_up_by_their_end() -> None:
    found = written(f"http://{'a.' * 200}example.com/", f"http://{'a' * 300}.com/")
    assert lookups.in_domains(found, blocklists.domain_hashes(blocklists.entries("example.com"))).tolist() == [True, False]


def test_hashes_of_a_list_are_sorted_and_distinct() -> None:
    hashes = blocklists.domain_hashes(blocklists.entries("b.example\na.example\nB.example.\n"))
    assert len(hashes) == 2
    assert np.all(hashes[:-1] < hashes[1:])
