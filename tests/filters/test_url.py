"""Addresses: what they must be, and the lists that they must not be on."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipeline.contracts import Bound, Verdicts
from pipeline.errors import SourceError
from pipeline.filters.url import url
from pipeline.schema import DOC


def judged(*urls: str | None, **rules: Any) -> Verdicts:
    rows = [{"id": str(n), "text": "text", "source": "web", "url": address} for n, address in enumerate(urls)]
    return url(pa.RecordBatch.from_pylist(rows, schema=DOC), **rules)


def reasons(*urls: str | None, **rules: Any) -> list[str | None]:
    return judged(*urls, **rules).reasons.to_pylist()  # type: ignore[no-any-return]


@pytest.fixture
def listed(tmp_path: Path) -> Any:
    def write(text: str, name: str = "list.txt") -> list[str]:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        return [str(path)]

    return write


def test_addresses_of_pages_are_kept() -> None:
    assert (
        reasons("http://example.com/", "https://example.com/a.html?b=c.jpg", "HTTP://127.0.0.1:8080", "http://a.b/page.php") == [None] * 4
    )


@pytest.mark.parametrize(
    "address", ["ftp://a.b/", "mailto:a@b.c", "javascript:void(0)", "data:text/html,a", "example.com/a", "//a.b/", "a b"]
)
def test_addresses_of_other_schemes_go(address: str) -> None:
    assert reasons(address) == ["url:scheme"]
    assert reasons(address, schemes=None) == [None]


def test_schemes_are_the_callers() -> None:
    assert reasons("FTP://a.b/", "http://a.b/", schemes=["Ftp"]) == [None, "url:scheme"]


@pytest.mark.parametrize(
    ("address", "dropped"),
    [
        ("http://a.b/cat.JPG", True),
        ("http://a.b/cat.jpg?size=2#top", True),
        ("http://a.b/cat%2Ejpg", True),
        ("http://a.b/archive.tar.gz", True),
        ("http://a.b/cat.jpg/", False),
        ("http://a.b/cat.jpg.html", False),
        ("http://a.b/wiki/File:Cat.jpg", False),
        ("http://a.zip/", False),
        ("http://a.b/?f=cat.jpg", False),
        ("http://a.b/jpg", False),
        ("http://a.b/paper.pdf", False),
    ],
)
def test_pictures_and_archives_are_no_pages(address: str, dropped: bool) -> None:
    assert reasons(address) == ["url:extension" if dropped else None]
    assert reasons(address, skip_extensions=[]) == [None]


def test_extensions_are_the_callers() -> None:
    assert reasons("http://a.b/a.pdf", "http://a.b/a.jpg", skip_extensions=[".PDF"]) == ["url:extension", None]


@pytest.mark.parametrize(
    ("address", "dropped"),
    [
        ("http://example.com/", True),
        ("https://user@WWW.Example.COM.:8080/a?b", True),
        ("http://a.b.example.com", True),
        ("http://notexample.com/", False),
        ("http://example.com.org/", False),
        ("http://com/", False),
        ("http://a.b/example.com", False),
        ("http://bücher.example/", True),
        ("http://www.xn--bcher-kva.example/", True),
        ("http://[2001:DB8::1]:80/", True),
        ("http://host.example/", True),
        ("http://wild.example/", True),
        ("http://commented.example/", False),
    ],
)
def test_a_domain_covers_its_sub_domains(address: str, dropped: bool, listed: Any) -> None:
    entries = "Example.com # why\n\nB\u00fccher.example\r\n#commented.example\n[2001:db8::1]\n0.0.0.0 host.example # x\n*.wild.example\n"
    for name in ("domains.txt", "domains.gz"):
        assert reasons(address, domains=listed(entries, name)) == ["url:domain" if dropped else None]


def test_an_address_is_listed_whatever_its_scheme_and_tracking(listed: Any) -> None:
    rules = {"urls": listed("example.com/Page?a=1\nhttps://www.example.org\n")}
    assert reasons("https://www.example.com/Page?a=1&utm_source=x#c", "http://example.org/", **rules) == ["url:exact"] * 2
    others = ("http://example.com/page?a=1", "http://example.com/Page", "http://example.org/a", "http://sub.example.org/")
    assert reasons(*others, **rules) == [None] * 4


def test_a_hard_word_stands_alone(listed: Any) -> None:
    rules = {"hard_words": listed("Bad\nfoo-bar\ngrün\nutm\n")}
    dropped = ("http://a.b/so-BAD/", "http://bad.b/", "http://a.b/?q=bad+x", "http://a.b/x_foobar_", "http://a.b/gr%c3%bcn-x")
    assert reasons(*dropped, **rules) == ["url:word"] * 5
    assert reasons("http://a.b/badge", "http://a.b/foo/bar", "http://a.b/bad1", "http://a.b/#bad", "http://bad@a.b/", **rules) == [None] * 5


def test_two_different_soft_words_are_too_many(listed: Any) -> None:
    rules = {"soft_words": listed("one\ntwo\nthree\n")}
    found = judged("http://a.b/", "http://a.b/One/one", "http://two.b/one?x=1", "http://one.two.three/", **rules)
    assert found.signals["soft_words"].to_pylist() == [0, 1, 2, 3]
    assert found.reasons.to_pylist() == [None, None, "url:soft_words", "url:soft_words"]
    assert found.bounds == (Bound("soft_words", "soft_words", "<=", 1),)
    assert reasons("http://two.b/one", "http://one.two.three/", max_soft_words=2, **rules) == [None, "url:soft_words"]
    assert reasons("http://one.two.three/", max_soft_words=None, **rules) == [None]


def test_parts_of_words_are_found_through_hyphens_and_dots(listed: Any) -> None:
    rules = {"substrings": listed("banned-subword\n")}
    assert reasons("http://foobann.edsub-wo.rdbar.com/any/bar", "http://a.b/xBannedSubwordx", **rules) == ["url:substring"] * 2
    assert reasons("http://banned/subword", "http://a.b/banned_subword", **rules) == [None] * 2


def test_documents_without_an_address_are_kept_or_dropped_as_asked(listed: Any) -> None:
    assert reasons(None, "", " \n") == [None] * 3
    assert reasons(None, "", " \n", "http://a.b/", missing="drop") == ["url:missing"] * 3 + [None]


def test_the_first_rule_that_is_broken_is_the_reason(listed: Any) -> None:
    words = listed("bad\nworse\n")
    rules = {"domains": listed("bad.com", "domains.txt"), "urls": listed("b.com/bad/worse", "urls.txt")}
    rules |= {"hard_words": words, "soft_words": words, "substrings": words}
    found = reasons("ftp://bad.com/a.jpg", "http://bad.com/a.jpg", "http://bad.com/", "http://b.com/bad/worse", "http://b.com/bad", **rules)
    assert found == ["url:scheme", "url:extension", "url:domain", "url:exact", "url:word"]
    assert reasons("http://b.com/bad/worse", soft_words=words, substrings=words) == ["url:soft_words"]


def test_the_host_is_a_signal_and_the_one_form_a_fact() -> None:
    found = judged("HTTP://Sub.Example.com:80/a/../b?utm_id=1", None, "mailto:A@b.c", schemes=None)
    assert found.signals["host"].to_pylist() == ["sub.example.com", None, None]
    assert dict(found.facts) == {}
    facts = judged("HTTP://Example.com:80/a/../b?utm_id=1", None, "mailto:A@b.c", canonical=True).facts
    assert facts["url"].to_pylist() == ["http://example.com/b", None, "mailto:A@b.c"]


def test_folders_in_the_manner_of_toulouse_are_read_by_the_names_of_their_files(listed: Any, tmp_path: Path) -> None:
    listed("listed.example\n", "ut1/adult/domains")
    listed("other.example/page\n", "ut1/adult/urls")
    listed("expression", "ut1/adult/expressions")
    listed("more.example\n", "ut1/mixed/domains.gz")
    folder = [str(tmp_path / "ut1")]
    addresses = ("http://listed.example/", "http://more.example/", "http://other.example/page", "http://other.example/")
    assert reasons(*addresses, domains=folder, urls=folder) == ["url:domain", "url:domain", "url:exact", None]
    assert reasons(*addresses, domains=folder) == ["url:domain", "url:domain", None, None]


@pytest.mark.parametrize("key", ["domains", "urls", "hard_words", "soft_words", "substrings"])
def test_a_list_without_entries_is_an_error(key: str, listed: Any) -> None:
    with pytest.raises(SourceError, match=f"no entry for {key}"):
        reasons("http://a.b/", **{key: listed("# nothing here\n\n")})


def test_a_part_of_a_word_needs_two_characters(listed: Any) -> None:
    with pytest.raises(SourceError, match="two characters"):
        reasons("http://a.b/", substrings=listed("-a-\n"))


def test_no_documents() -> None:
    found = judged()
    assert (len(found.reasons), found.signals["host"].type, len(judged(canonical=True).facts["url"])) == (0, pa.string(), 0)
