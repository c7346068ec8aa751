"""The extractor "html": main text, charsets, facts, and pages made to hurt."""

from __future__ import annotations

import gzip
import importlib.util
import json
import re
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from extract_kit import extract_one, raw_batch, results

from pipeline.contracts import InputFile
from pipeline.errors import SourceError
from pipeline.extract.html import html
from pipeline.registry import bind
from pipeline.sources.warc import warc

STORY = "The ferry leaves at seven, and the road to the harbour takes an hour on foot. " * 5
LIST = "\n\n  • The north pier is closed in winter.\n  • The south pier, which is longer, is open all year."
PAGE = f"""<!doctype html><html lang="en-GB"><head><title>Ferry  times</title><script>var x = "no text";</script></head><body>
<nav><ul><li><a href="/">Home</a></li><li><a href="/map">Map of the site</a></li></ul></nav>
<main><h1>Ferries</h1><p>{STORY}</p><ul><li>The north pier is closed in winter.</li>
<li>The south pier, which is longer, is open all year.</li></ul><pre>a  b
  c</pre><img src="x.png" alt="A photograph"></main>
<footer>All rights reserved</footer></body></html>"""


def test_the_main_text_without_navigation_scripts_and_pictures() -> None:
    page = extract_one(html, PAGE, engine="resiliparse")
    assert page.text == f"Ferries\n\n{STORY.strip()}{LIST}\na  b\n  c"
    assert page.facts == {"lang": "en", "meta": {"title": "Ferry times"}}
    ours = "- The north pier is closed in winter.\n- The south pier, which is longer, is open all year."
    assert (extract_one(html, PAGE).text or "").startswith(f"# Ferries\n\n{STORY.strip()}\n\n{ours}")


def test_an_engine_that_is_not_installed_or_lacks_a_key_is_a_mistake_of_the_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not bind("extractor", "html", {"engine": "resiliparse", "links": True})[1]
    assert "asks for engine resiliparse" in bind("extractor", "html", {"links": True})[1][0][1]
    monkeypatch.setitem(sys.modules, "trafilatura", None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert "pip install trafilatura" in bind("extractor", "html", {"engine": "trafilatura"})[1][0][1]
    with pytest.raises(SourceError, match="pip install trafilatura"):
        extract_one(html, PAGE, engine="trafilatura")


def test_the_one_article_of_a_page_is_its_text() -> None:
    article = STORY.upper() * 2
    page = f"<body><div><p>{STORY}</p></div><div><section><article><p>{article}</p></article></section></div><p>{STORY}</p></body>"
    assert extract_one(html, page, engine="resiliparse").text == article.strip()
    assert STORY.strip() in (
        extract_one(html, page.replace("<section>", f"<section><article>{STORY}</article>"), engine="resiliparse").text or ""
    )
    assert (
        extract_one(html, page.replace(article, "read more"), engine="resiliparse").text
        == f"{STORY.strip()}\n\nread more\n\n{STORY.strip()}"
    )
    body = f'<body><article><p>{STORY}</p><div itemprop="articleBody">{article}</div></article></body>'
    assert extract_one(html, body, engine="resiliparse").text == article.strip()


@pytest.mark.parametrize("depth", range(6))
def test_lists_are_kept_however_flat_the_page(depth: int) -> None:
    items = "<ul><li>bring boots<ul><li>and socks</li></ul></li><li>bring a map</li></ul>"
    page = f"<body>{'<div>' * depth}<p>{STORY}</p>{items}{'</div>' * depth}</body>"
    assert (extract_one(html, page, engine="resiliparse").text or "").endswith("  • bring boots\n    • and socks\n  • bring a map")


def test_lists_of_links_are_dropped_however_flat_the_page() -> None:
    menu = "<ul>" + "<li><a href='/x'>a page of the site</a></li>" * 9 + "</ul>"
    for page in (f"<body>{menu}<p>{STORY}</p></body>", f"<body><div><p>{STORY}</p>{menu}</div></body>"):
        assert extract_one(html, page, engine="resiliparse").text == STORY.strip()


def test_the_keys_are_resiliparses() -> None:
    whole = extract_one(html, PAGE, main_content=False, alt_texts=True, list_bullets=False, engine="resiliparse").text or ""
    assert "Map of the site" in whole
    assert "A photograph" in whole
    assert "•" not in whole
    assert "pier" not in (extract_one(html, PAGE, skip_elements=["ul"]).text or "")
    assert "\n" not in (extract_one(html, "<p>one<p>two", preserve_formatting=False).text or "\n")


def test_a_fragment_is_taken_whole() -> None:
    content = "<h1>Why?</h1><p>Because.</p><div class='comment'>Short.</div>"
    assert "Short." in (extract_one(html, content, {"fragment": 1}).text or "")


@pytest.mark.parametrize(
    ("head", "charset", "meta"),
    [
        ("", "cp1251", {"charset": "windows-1251"}),
        ('<meta charset="windows-1251">', "cp1251", {}),
        ("<META http-equiv=Content-Type content='text/html; charset=koi8-r'>", "koi8-r", {}),
        ('<?xml version="1.0" encoding="koi8-r"?>', "koi8-r", {"charset": "none-such"}),
        ('<meta charset="iso-8859-1">', "utf-8", {"charset": "iso-8859-1"}),
        ("", "koi8-r", {}),
        ("", "utf-16", {"charset": "latin1"}),
    ],
)
def test_charsets(head: str, charset: str, meta: dict[str, str]) -> None:
    sentence = "Паром отходит в семь часов, а дорога до гавани занимает час пешком. " * 3
    page = f"<html><head>{head}</head><body><main><p>{sentence}</p></main></body></html>"
    assert extract_one(html, page.encode(charset), meta).text == sentence.strip()


def test_the_normal_form_holds() -> None:
    page = extract_one(html, "<p>cafe\u0301 &#0;&#7;&#xD800;&#x2028;bell\r\nend</p>", main_content=False)
    assert page.text is not None
    assert page.text.startswith("café ")
    assert not re.search("[\x00-\x08\ud800-\udfff\r]", page.text)


@pytest.mark.parametrize(
    "content", ["", "   ", "<html></html>", "<script>x</script>", "<!-- only a comment", "<p hidden>x</p>", "<img alt='x'>"]
)
def test_a_page_without_text_is_empty(content: str) -> None:
    assert extract_one(html, content).reason == "empty"


def test_too_large_and_binary() -> None:
    assert extract_one(html, "<p>" + "x" * 1000, max_bytes=999).reason == "too_large"
    assert extract_one(html, b"\x89PNG\r\n" + bytes(500)).reason == "binary"


@pytest.mark.parametrize(
    "page",
    [
        "<div>" * 200_000 + "deep",
        "<div><b>" * 50_000 + "</b></div>" * 50_000,
        "".join(f"<b id=n{index}><p>" for index in range(20_000)),
        "<p " + " ".join(f"a{index}=1" for index in range(100_000)) + ">x",
    ],
    ids=["deep", "closed", "reopened", "attributes"],
)
def test_a_page_that_would_take_minutes_is_refused_at_once(page: str) -> None:
    start = time.process_time()
    assert extract_one(html, page).reason == "tangled"
    assert time.process_time() - start < 5  # without the check: from half a minute to hours


def test_long_flat_pages_are_not_tangled() -> None:
    rows = "<tr><td>cell</td><td><a href=x>link</a></td></tr>" * 20_000
    assert "cell" in (extract_one(html, f"<table>{rows}</table><p>" + "<br>x" * 50_000, main_content=False).text or "")
    assert len(extract_one(html, "<p>" + "word " * 1_600_000, main_content=False).text or "") > 7_000_000


def test_a_bad_page_leaves_its_neighbours_alone() -> None:
    rows = results(html(raw_batch([b"<p>one</p>", b"<div>" * 100_000, b"\0\0\0\0", b"<p>two</p>"]), main_content=False))
    assert [(row.text, row.reason) for row in rows] == [("one", None), (None, "tangled"), (None, "binary"), ("two", None)]


def _shingles(text: str) -> Counter[tuple[str, ...]]:
    words = re.findall(r"\w+", text)
    return Counter(zip(words, words[1:], words[2:], words[3:], strict=False))


def test_most_of_the_reference_texts_of_real_pages_is_found(corpus: Path) -> None:
    """Scrapinghub's articles in the corpus: precision and recall of 4-word shingles, averaged over pages."""
    with gzip.open(corpus / "web" / "ground_truth.jsonl.gz", "rt") as lines:
        rows = [json.loads(line) for line in lines]
    truth = {row["url"]: row["text"] for row in rows if row["method"].startswith("human")}
    path = str(corpus / "web" / "extraction-benchmarks.warc.gz")
    pages = [page for page in warc(InputFile("benchmark", path, "", 0)) if page.url in truth]
    scores = []
    for page in pages[::3]:
        found, wanted = _shingles(extract_one(html, page.content, page.meta).text or ""), _shingles(truth[page.url or ""])
        common = (found & wanted).total()
        scores.append((common / max(found.total(), 1), common / max(wanted.total(), 1)))
    assert len(scores) > 30
    precision, recall = (sum(column) / len(scores) for column in zip(*scores, strict=True))
    assert recall > 0.95
    assert precision > 0.88
