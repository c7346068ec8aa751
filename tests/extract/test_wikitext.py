"""The extractor "wikitext": markup by markup, left open, and against mwparserfromhell on real articles."""

from __future__ import annotations

import re
import time
from collections import Counter
from pathlib import Path

import mwparserfromhell
import pytest
from extract_kit import extract_one
from hypothesis import given
from hypothesis import strategies as st

from pipeline.contracts import InputFile
from pipeline.extract.decoding import clean
from pipeline.extract.wikimarkup import strip_markup
from pipeline.extract.wikitext import wikitext
from pipeline.sources.mediawiki import mediawiki

FILL = "A sentence that is long enough for the page not to be a stub, said again and again. " * 3


def prose(source: str) -> str | None:
    """The text of a page, without the sentence that keeps it from being a stub."""
    text = extract_one(wikitext, f"{source}\n\n{FILL}").text
    return None if text is None else text.removesuffix(FILL.strip()).rstrip("\n")


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("'''Bold''', ''italic'' and '''''both'''''.", "Bold, italic and both."),
        ("[[Apple]]s, [[pear|a ''pear'']], [[:Category:Fruit]], [[Help:Links|help]]", "Apples, a pear, Category:Fruit, help"),
        ("[[Boston (city)|]] and [[Talk:Plum|]]", "Boston and Plum"),
        ("one[[File:a.jpg|thumb|a [[cat]] in ''Rome'']] two [[Fichier:b.png]]", "one two"),
        ("[[Datei:Karte.svg|mini|Karte]]text", "text"),
        ("end\n[[Category:Fruit]]\n[[Catégorie:Fruits|Pomme]]\n[[Lahko:Sadje]] [[de:Apfel]]", "end"),
        ("see [http://x.org the site], [https://y.org] and http://z.org", "see the site, and http://z.org"),
        ("a<ref name=x>{{cite|b}}</ref> b<ref name=x /> c<!-- d --> e", "a b c e"),
        ("x {{infobox|a={{b|c}}|d=[[e]]}} y", "x y"),
        ("{{Infobox\n| name = a\n|}}\nafter", "after"),
        ("a {{convert|12|km|mi}} long, {{lang|fr|mot}}, {{nowrap|b c}}{{snd}}d", "a 12 km long, mot, b c – d"),
        ("'''X''' ({{IPA|x}}; {{lang-ru|Икс}}) and ({{audio|y}}) z", "X (Икс) and z"),
        ("before\n{| class=x\n! a\n|-\n| b {{c|d}}\n{|\n|nested\n|}\n|}\nafter", "before\n\nafter"),
        ("before <table><tr><td>cell</td></tr></table>after", "before after"),
        ("x<sup>2</sup>, <small>y</small><br/>z &amp; &eacute;&nbsp;w", "x2, y\nz & é\u00a0w"),
        ("<math>{{a}} [[b]] ''c''</math> holds", "${{a}} [[b]] ''c''$ holds"),
        ("<nowiki>[[not a link]] ''x''</nowiki>", "[[not a link]] ''x''"),
        ("<syntaxhighlight lang=c>\nif (a) { b[[1]] = 2; }\n</syntaxhighlight>", "if (a) { b[[1]] = 2; }"),
        ("<gallery>\na.jpg|b\n</gallery>c<poem>d</poem>", "c\nd"),
        ("* one\n** two\n# three\n: four\n; five\n*", "- one\n- two\n- three\nfour\nfive"),
        ("==x\n= y =z", "==x\n= y =z"),
        ("__NOTOC__a __b__", "a __b__"),
        ("-{zh-hans:计算机;zh-hant:電腦}- and -{plain}-", "计算机 and plain"),
    ],
)
def test_markup(source: str, text: str) -> None:
    assert prose(source) == text


def test_headings_stay_where_something_follows() -> None:
    source = f"== One ==\n=== Sub ===\n{FILL}\n== Empty ==\n{{{{x}}}}\n=== Also empty ===\n== References ==\n<references/>"
    assert extract_one(wikitext, source).text == f"One\n\nSub\n\n{FILL.strip()}"


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("a {{open b", "a open b"),
        ("a }} b ]] c |} d", "a b c |} d"),
        ("a [[open b", "a open b"),
        ("[[a {{b]] c}}", "a"),
        ("<ref>open b", "open b"),
        ("{|\n| a\nb {{c}} d", "b d"),
        ("{{a|[[b}} c", "c"),
        ("</ref> </math> <b>x", "x"),
        ("a <!-- open", ""),
    ],
)
def test_what_is_left_open_is_text_but_for_comments(source: str, text: str) -> None:
    found = extract_one(wikitext, f"{FILL}\n\n{source}\n\nlast words").text or ""
    assert " ".join(found.removeprefix(FILL.strip()).split()).removesuffix("last words").strip() == (text or "a")
    assert found.endswith("last words") == bool(text)


def test_reasons() -> None:
    for redirect in ("#REDIRECT [[Apple]]", "#redirect:[[Apple]] x", " # WEITERLEITUNG [[Apfel]]", "#تحويل [[تفاح]]"):
        assert extract_one(wikitext, redirect).reason == "redirect"
    assert extract_one(wikitext, FILL, {"redirect": "Apple"}).reason == "redirect"
    for template in ("disambig", "Disambiguation|x", "homonymie", "Begriffsklärung", "disambigua", "曖昧さ回避"):
        assert extract_one(wikitext, f"{FILL}\n{{{{{template}}}}}").reason == "disambiguation"
    assert extract_one(wikitext, "Too short.").reason == "stub"
    assert extract_one(wikitext, "Too short.", min_chars=5).text == "Too short."
    assert extract_one(wikitext, "{{infobox|a=b}}").reason == "empty"
    assert extract_one(wikitext, "# [[First]] of a list\n" + FILL).reason is None


@pytest.mark.parametrize(
    "piece",
    [
        "{{",
        "}}",
        "[[",
        "]]",
        "{{a|",
        "[[a|",
        "{|\n",
        "\n|}",
        "<ref>",
        "<ref name=",
        "<!--",
        "<math>",
        "''",
        "<div>",
        "\n* ",
        "==",
        "{{{",
        "-{",
        "[",
    ],
)
def test_markup_left_open_a_hundred_thousand_times_takes_no_longer(piece: str) -> None:
    start = time.process_time()
    extract_one(wikitext, piece * 100_000 + FILL)
    assert time.process_time() - start < 5  # in the square of the length, minutes


@given(
    st.lists(
        st.sampled_from(["{{", "}}", "[[", "]]", "|", "{|", "|}", "\n", "<ref>", "</ref>", "<!--", "-->", "''", "a", " ", "=="]),
        max_size=40,
    )
)
def test_any_order_of_delimiters_is_read(tokens: list[str]) -> None:
    found = strip_markup("".join(tokens))
    assert not re.search(r"\[\[|<ref>.*</ref>", found.text)


def _words(text: str) -> Counter[str]:
    return Counter(re.findall(r"\w{3,}", text))


@pytest.mark.parametrize("dump", ["enwiki-shortened.xml.bz2", "itwiki-small-dump.xml.bz2"])
def test_the_words_are_those_mwparserfromhell_finds(corpus: Path, dump: str) -> None:
    pages = [page for page in mediawiki(InputFile(dump, str(corpus / "wikipedia" / dump), "", 0)) if 2000 < len(page.content) < 30_000]
    found, expected = Counter[str](), Counter[str]()
    for page in pages[:: len(pages) // 8]:
        text = extract_one(wikitext, page.content, page.meta).text
        if text is not None:
            found += _words(text)
            expected += _words(mwparserfromhell.parse(clean(page.content.decode())).strip_code())
    common = (found & expected).total()
    assert expected.total() > 1000
    assert common / found.total() > 0.95  # the rest: words of templates such as {{lang}}
    assert common / expected.total() > 0.75  # the rest: tables, categories, captions of files, empty sections
