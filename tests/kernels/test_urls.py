"""Web addresses in one form: examples, hostile ones, and the plain twin's word on any."""

from __future__ import annotations

import pytest
import reference_urls
from hypothesis import example, given
from texts import column
from urls_kit import urls, written

from pipeline.kernels.arrow import texts
from pipeline.kernels.urlparts import HOST, HOST_END, PATH_END, SCHEME_END
from pipeline.kernels.urls import TRACKING, Addresses, addresses, key_hashes


def one(url: str) -> str:
    return written(url).texts()[0].as_py()  # type: ignore[no-any-return]


def parts(found: Addresses) -> list[reference_urls.Address]:
    """What the twin gives, read from the places."""
    out, data = [], found.data.tobytes()
    keys, hosts = found.keys().to_pylist(), found.hosts().to_pylist()
    for row, (text, places) in enumerate(zip(found.texts().to_pylist(), found.places.tolist(), strict=True)):
        scheme = data[int(found.offsets[row]) : places[SCHEME_END]].decode()
        path = data[places[HOST_END] : places[PATH_END]].decode()
        path = path[path.index("/") :] if places[HOST] < places[HOST_END] else ""
        out.append(reference_urls.Address(text, scheme, hosts[row], path, keys[row]))
    return out


@given(urls)
@example(["http://a/../..//b/./../%2e%2E/c/..", "https://%2e/", "http://a:%38%30/", "http://ⅷ.℀/", "http://a..:0/", "http:////"])
def test_addresses_are_written_as_their_twin_does(rows: list[str | None]) -> None:
    assert parts(written(*rows)) == [reference_urls.address(row or "", TRACKING) for row in rows]


@given(urls)
@example(["http://www.a.org/", "https://a.org#x", "https://a.org/A", "a.org/", None, "mailto:a@a.org", "http://a.org/%41?", ""])
def test_keys_are_hashed_alike_when_they_are_equal_and_not_at_all_without_a_host(rows: list[str | None]) -> None:
    found = key_hashes(column([*rows])).to_pylist()
    keys = [address.key if address.host else None for address in (reference_urls.address(row or "", TRACKING) for row in rows)]
    assert [value is None for value in found] == [key is None for key in keys]
    assert len(set(zip(found, keys, strict=True))) == len(set(found)) == len(set(keys))


@given(urls)
@example(["http://%ff%2e/", "http://./x", "http://a:80:80/", "http://x/%%34%31"])
def test_the_form_of_a_form_is_itself(rows: list[str | None]) -> None:
    once = parts(written(*rows))
    assert parts(written(*(found.text for found in once))) == once


@pytest.mark.parametrize(
    ("url", "form"),
    [
        ("HTTP://User:pw@WWW.Example.COM.:80/", "http://www.example.com/"),
        ("https://example.com:443", "https://example.com/"),
        ("https://example.com:80", "https://example.com:80/"),
        ("http://example.com:008080/a", "http://example.com:8080/a"),
        ("http://example.com:/a", "http://example.com/a"),
        ("http://[2001:DB8::1]:80/a", "http://[2001:db8::1]/a"),
        ("  http://example.com/a b\n", "http://example.com/a%20b"),
        ("http:\\\\example.com\\a?b\\c", "http://example.com/a?b%5Cc"),
        ("http:example.com/a", "http://example.com/a"),
        ("http://example.com/%7Euser/%c3%bc/ü%2f%", "http://example.com/~user/%C3%BC/%C3%BC%2F%25"),
        ("http://example.com/a/./b/../../c/..", "http://example.com/"),
        ("http://example.com/a//b/", "http://example.com/a//b/"),
        ("http://Bücher.example/", "http://xn--bcher-kva.example/"),
        ("http://b%C3%BCcher。example/", "http://xn--bcher-kva.example/"),
        ("http://faß.example/", "http://fass.example/"),
        ("http://example.com/?b=2&a=1&a=0", "http://example.com/?b=2&a=1&a=0"),
        ("http://example.com/?utm_source=x&q=1&&GCLID=2&fbclid#top", "http://example.com/?q=1"),
        ("http://example.com/?utm_source=x#top", "http://example.com/"),
        ("http://example.com/?utmost=1&ref=2&gclids=3", "http://example.com/?utmost=1&ref=2&gclids=3"),
        ("http://example.com#frag?ment", "http://example.com/"),
        ("example.com/A", "example.com/A"),
        ("//example.com/A", "//example.com/A"),
        ("JavaScript:alert('A B')", "javascript:alert('A B')"),
        ("data:text/plain,A%20B#c", "data:text/plain,A%20B#c"),
        ("MAILTO:A@Example.com", "mailto:A@Example.com"),
        ("http://", "http://"),
        ("", ""),
    ],
)
def test_addresses_have_one_form(url: str, form: str) -> None:
    assert one(url) == form


def test_the_key_is_what_addresses_of_one_page_have_in_common() -> None:
    same = written("http://www.example.com/a?x=1", "https://example.com:443/a?x=1#b", "ftp://EXAMPLE.com/a?x=1&utm_id=3")
    assert same.keys().to_pylist() == ["example.com/a?x=1"] * 3
    assert written("http://www.com/", "http://www.a.b/", "mailto:a@b").keys().to_pylist() == ["www.com/", "a.b/", "mailto:a@b"]


def test_tracking_parameters_are_the_callers() -> None:
    found = addresses(texts(column(["http://a.b/?utm_x=1&from=2&frome=3"])), ("from",))
    assert found.texts().to_pylist() == ["http://a.b/?utm_x=1&frome=3"]


@pytest.mark.parametrize(
    "tail",
    [
        "a" * 100_000,
        "../" * 30_000,
        "a/../" * 20_000,
        "&" * 100_000,
        "%" * 100_000,
        "@" * 100_000,
        "?" + "a&" * 40_000,
        "é" * 50_000,
    ],
)
def test_the_longest_addresses_are_written_in_one_go(tail: str) -> None:
    for url in (f"http://example.com/{tail}", f"http://{tail}"):
        assert parts(written(url)) == [reference_urls.address(url, TRACKING)]


def test_no_addresses() -> None:
    assert (parts(written()), parts(written(None))) == ([], [reference_urls.Address("")])
