"""What a page says of itself, in the ways that pages say it."""

from __future__ import annotations

import pytest
from extract_kit import extract_one

from pipeline.extract.html import html

TEXT = "<p>Some text.</p>"


@pytest.mark.parametrize(
    ("page", "facts"),
    [
        ("<html lang='pt-BR'>", {"lang": "pt"}),
        ("<html lang='x'>", {}),
        ("<title>A &amp;\n B</title>", {"meta": {"title": "A & B"}}),
        ("<meta property='article:published_time' content='2024-03-05T10:00:00Z'>", {"date": "2024-03-05"}),
        ("<meta content='2023-12-31' NAME='DC.Date'>", {"date": "2023-12-31"}),
        ("<meta name='date' content='31.12.2023'>", {}),
        ("<meta name='date' content='2023-13-01'>", {}),
        ("<meta name='author' content='Ann &quot;A&quot; Lee'>", {"meta": {"author": 'Ann "A" Lee'}}),
        ("<meta name='author' content='https://a.example/ann'>", {}),
        ("<link rel='canonical' href='https://a.example/x?a=1&amp;b=2'>", {"meta": {"canonical": "https://a.example/x?a=1&b=2"}}),
        ("<link rel='canonical' href='/x'>", {}),
        ("<body><p>a <time class=x datetime='2020-02-02T00:00'>then</time>", {"date": "2020-02-02"}),
        (
            '<script type="application/ld+json">{"@graph":[{"datePublished":"2019-01-02","author":[{"name":"Bo"}]}]}</script>',
            {"date": "2019-01-02", "meta": {"author": "Bo"}},
        ),
        ('<script type="application/ld+json">{"datePublished": "2019-01-02"</script>', {}),
        ('<script type="application/ld+json">' + "[" * 5000 + "</script>", {}),
    ],
)
@pytest.mark.parametrize("engine", ["tokenmill", "resiliparse"])
def test_facts(page: str, facts: dict[str, object], engine: str) -> None:
    assert extract_one(html, page + TEXT, main_content=False, engine=engine).facts == facts


def test_what_is_most_telling_goes_first() -> None:
    page = "<meta name=date content=2001-01-01><meta property=article:published_time content=2002-02-02><time datetime=2003-03-03>x</time>"
    assert extract_one(html, page + TEXT, main_content=False).facts["date"] == "2002-02-02"
