"""The extractor "jats": an article's text and what it says of itself; XML made to hurt."""

from __future__ import annotations

import io
import tarfile
import time
from pathlib import Path

import pytest
from extract_kit import extract_one

from pipeline.extract.jats import jats

ARTICLE = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE article PUBLIC "-//NLM//DTD JATS//EN" "JATS.dtd">
<article article-type="research-article" xml:lang="EN-us" xmlns:mml="http://www.w3.org/1998/Math/MathML" xmlns:xlink="http://www.w3.org/1999/xlink">
<front><journal-meta><journal-title>Annals of Tides</journal-title></journal-meta><article-meta>
<article-id pub-id-type="pmc">77</article-id><article-id pub-id-type="doi">10.1/tide.7</article-id>
<article-categories><subject>Sea</subject></article-categories>
<title-group><article-title>On <italic>tides</italic> &amp; time</article-title><alt-title>Tides</alt-title></title-group>
<contrib-group><contrib><name><surname>Doe</surname></name></contrib></contrib-group>
<pub-date><year>2019</year></pub-date><pub-date><day>3</day><month>2</month><year>2020</year></pub-date>
<permissions><copyright-statement>Nobody</copyright-statement>
<license xlink:href="https://creativecommons.org/licenses/by-nc/4.0/"><license-p>Free.</license-p></license></permissions>
<abstract><title>Summary</title><p>Water&nbsp;comes.</p></abstract><kwd-group><kwd>moon</kwd></kwd-group>
</article-meta></front>
<body><sec><label>1</label><title>Methods</title>
<p>We wait<sup><xref ref-type="bibr">3</xref></sup> for 10<sup>5</sup> s of H<sub>2</sub>O
 [<xref ref-type="bibr">4</xref>].<fn><p>Not us.</p></fn></p>
<list><list-item><p>first</p></list-item><list-item><p>second</p></list-item></list>
<p>So <inline-formula><alternatives><tex-math>\\documentclass{x}\\begin{document}$$a^2$$\\end{document}</tex-math>
<mml:math><mml:mi>a</mml:mi></mml:math></alternatives></inline-formula> holds and <inline-formula><mml:math><mml:mi
>b</mml:mi></mml:math></inline-formula> too.</p>
<table-wrap><table><tr><td>cell</td></tr></table></table-wrap><fig><caption><p>A wave.</p></caption></fig></sec></body>
<back><ref-list><ref>Old book</ref></ref-list></back></article>"""


def test_an_article() -> None:
    article = extract_one(jats, ARTICLE)
    assert (article.text or "").split("\n\n") == [
        "On tides & time",
        "Summary",
        "Water\u00a0comes.",
        "Methods",
        "We wait for 10^5 s of H_2O [4].",
        "- first\n- second",
        "So $a^2$ holds and b too.",
    ]
    assert article.facts == {
        "url": "https://doi.org/10.1/tide.7",
        "lang": "en",
        "licence": "CC-BY-NC-4.0",
        "date": "2020-02-03",
        "meta": {"title": "On tides & time", "article_type": "research-article"},
    }


def test_without_a_doi_and_a_whole_date() -> None:
    source = ARTICLE.replace('<article-id pub-id-type="doi">10.1/tide.7</article-id>', "").replace("<day>3</day>", "")
    facts = extract_one(jats, source).facts
    assert facts["url"] == "https://www.ncbi.nlm.nih.gov/pmc/articles/PMC77/"
    assert facts["date"] == "2020-02"


def test_reasons() -> None:
    assert extract_one(jats, ARTICLE[:900]).reason == "bad_xml"
    assert extract_one(jats, "<article><p>&undefined;</p></article>").reason == "bad_xml"
    assert extract_one(jats, "<PubmedArticleSet/>").reason == "not_an_article"
    assert extract_one(jats, "<article><back><p>x</p></back></article>").reason == "empty"
    assert extract_one(jats, ARTICLE, max_bytes=99).reason == "too_large"
    assert extract_one(jats, b"\0\1" * 99).reason == "binary"


@pytest.mark.parametrize("charset", ["utf-8", "utf-16"])
def test_entity_bombs_are_refused_unread(charset: str) -> None:
    declared = "".join(f'<!ENTITY e{index} "{f"&e{index - 1};" * 10}">' for index in range(1, 12))
    bomb = f'<!DOCTYPE article [<!ENTITY e0 "boom">{declared}]><article><body><p>&e11;</p></body></article>'
    assert extract_one(jats, bomb.encode(charset)).reason == "xml_entities"
    stolen = '<!DOCTYPE article [<!ENTITY file SYSTEM "file:///etc/hostname">]><article><body><p>&file;</p></body></article>'
    assert extract_one(jats, stolen.encode(charset)).reason == "xml_entities"


def test_deep_nesting_is_refused() -> None:
    start = time.process_time()
    assert extract_one(jats, "<article><body>" + "<sec>" * 500_000).reason == "too_deep"
    assert time.process_time() - start < 5


def test_articles_of_the_corpus(corpus: Path) -> None:
    with tarfile.open(corpus / "academic" / "pmc-articles.tar.gz") as tar:
        found = [extract_one(jats, (tar.extractfile(info) or io.BytesIO()).read()) for info in tar if info.name.endswith(".nxml")]
    assert len(found) == 8
    for article in found:
        assert len(article.text or "") > 10_000
        assert article.facts["meta"]["title"]
        assert article.facts["url"].startswith("https://doi.org/10.")
