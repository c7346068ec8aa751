"""The reader "mediawiki", and the streaming of XML elements below it."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from archive_kit import COMPRESS, input_file

from pipeline.contracts import InputFile, RawDocument
from pipeline.errors import SourceError
from pipeline.sources.mediawiki import mediawiki
from pipeline.sources.xml import elements

HEAD = """<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.10/" version="0.10" xml:lang="sl"><siteinfo><sitename>W</sitename>
<base>https://sl.wiki.invalid/wiki/Glavna_stran</base><namespaces><namespace key="0" /><namespace key="1">Pogovor</namespace></namespaces>
</siteinfo>"""


def page(number: int, title: str, text: str, namespace: int | None = 0, more: str = "", before: str = "") -> str:
    ns = "" if namespace is None else f"<ns>{namespace}</ns>"
    revision = f"<revision><id>9{number}</id><timestamp>2024-05-0{number}T00:00:00Z</timestamp><text>{text}</text></revision>"
    return f"<page><title>{title}</title>{ns}<id>{number}</id>{more}{before}{revision}</page>"


def dump(tmp_path: Path, *pages: str, suffix: str = "", end: str = "</mediawiki>", head: str = HEAD) -> InputFile:
    path = tmp_path / f"dump.xml{suffix}"
    path.write_bytes(COMPRESS[suffix]((head + "\n".join(pages) + end).encode()))
    return input_file(path)


@pytest.mark.parametrize("suffix", ["", ".bz2", ".gz", ".zst"])
def test_pages_of_the_main_namespace(tmp_path: Path, suffix: str) -> None:
    file = dump(
        tmp_path,
        page(1, "Jabolko &amp; hruška", "Besedilo &lt;b&gt;"),
        page(2, "Pogovor:Jabolko", "talk", namespace=1),
        page(3, "Jabolka", "#REDIRECT [[x]]", more='<redirect title="Jabolko"/>'),
        page(4, "A/B", "last", before="<revision><text>first</text></revision>"),
        suffix=suffix,
    )
    assert list(mediawiki(file)) == [
        RawDocument(
            "1",
            b"Besedilo <b>",
            "wikitext",
            "https://sl.wiki.invalid/wiki/Jabolko_%26_hru%C5%A1ka",
            "sl",
            date="2024-05-01T00:00:00Z",
            meta={"title": "Jabolko & hruška"},
        ),
        RawDocument(
            "3",
            b"#REDIRECT [[x]]",
            "wikitext",
            "https://sl.wiki.invalid/wiki/Jabolka",
            "sl",
            date="2024-05-03T00:00:00Z",
            meta={"title": "Jabolka", "redirect": "Jabolko"},
        ),
        RawDocument("4", b"last", "wikitext", "https://sl.wiki.invalid/wiki/A/B", "sl", date="2024-05-04T00:00:00Z", meta={"title": "A/B"}),
    ]


def test_namespaces_and_language_by_key(tmp_path: Path) -> None:
    file = dump(tmp_path, page(1, "X", "a"), page(2, "Pogovor:X", "b", namespace=1))
    assert [(found.locator, found.lang) for found in mediawiki(file, namespaces=[1], lang="xx")] == [("2", "xx")]


def test_old_dumps_say_the_namespace_in_the_title(tmp_path: Path) -> None:
    file = dump(tmp_path, page(1, "Opomba: x", "a", namespace=None), page(2, "Pogovor:X", "b", namespace=None))
    assert [found.locator for found in mediawiki(file)] == ["1"]


def test_pages_without_text_and_of_other_models(tmp_path: Path) -> None:
    css = page(1, "X.css", "b {}").replace("<text>", "<model>css</model><text>")
    deleted = "<page><title>Y</title><ns>0</ns><id>2</id><revision><text deleted='deleted'/></revision></page>"
    bare = "<page><title>Z</title><ns>0</ns><id>3</id></page>"
    found = list(mediawiki(dump(tmp_path, css, deleted, bare)))
    assert [(item.format, item.content) for item in found] == [("invalid", b"b {}"), ("wikitext", b""), ("wikitext", b"")]
    assert (found[0].meta or {})["reason"] == "not_wikitext"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (HEAD + page(1, "X", "a"), "not well-formed XML"),
        (HEAD + "<page><title>X</page></mediawiki>", "not well-formed XML: mismatched tag: line 3"),
        ("<rss><channel/></rss>", "its outermost element is <rss>, not <mediawiki>"),
        ("", "not well-formed XML"),
        ("just words", "not well-formed XML"),
        ("<!DOCTYPE x [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;'>]>" + HEAD + "&b;</mediawiki>", "it declares entities"),
        ("<!DOCTYPE x [<!ENTITY % p SYSTEM 'file:///etc/hostname'>%p;]>" + HEAD + "</mediawiki>", "it declares entities"),
        (HEAD + "<page>" + "<a>" * 1000, "nested deeper than 100"),
    ],
)
def test_what_is_no_whole_dump_is_an_error(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(SourceError, match=r"dump\.xml") as error:
        list(mediawiki(dump(tmp_path, content, head="", end="")))
    assert message in str(error.value)


def test_a_page_beyond_the_limit_is_an_error(tmp_path: Path) -> None:
    history = "<revision><text>many words</text></revision>" * 1000
    with pytest.raises(SourceError, match="more than 5000 characters"):
        list(mediawiki(dump(tmp_path, page(1, "X", "a", before=history)), max_page_bytes=5000))


def test_a_truncated_dump_names_the_file(tmp_path: Path) -> None:
    file = dump(tmp_path, *(page(number % 9 + 1, f"X{number}", "word " * 100) for number in range(300)), suffix=".bz2")
    Path(file.path).write_bytes(Path(file.path).read_bytes()[:-50])
    with pytest.raises(SourceError, match=r"dump\.xml\.bz2.*within the first \d+ bytes"):
        list(mediawiki(file))


def test_memory_holds_one_page_at_a_time(tmp_path: Path) -> None:
    file = dump(tmp_path, *(page(1, f"X{number}", "word " * 20_000) for number in range(300)), suffix=".gz")
    assert len(list(zip(range(3), mediawiki(file), strict=False))) == 3
    tracemalloc.start()
    size = sum(len(found.content) for found in mediawiki(file))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert size == 30_000_000
    assert peak < 15_000_000


def test_elements_by_name_whole_or_at_their_start(tmp_path: Path) -> None:
    (tmp_path / "x.xml").write_text("<r v='1'><a k='2'>t<b>u</b></a><c><a/></c>outside</r>")
    found = list(elements(input_file(tmp_path / "x.xml"), "r", whole={"a"}, starts={"r", "c"}))
    assert [(item.tag, dict(item.attrib), "".join(item.itertext())) for item in found] == [
        ("r", {"v": "1"}, ""),
        ("a", {"k": "2"}, "tu"),
        ("c", {}, ""),
        ("a", {}, ""),
    ]


def test_dumps_of_the_corpus(corpus: Path) -> None:
    path = corpus / "wikipedia" / "enwiki-shortened.xml.bz2"
    pages = list(mediawiki(InputFile(path.name, str(path), "", 0)))
    assert len(pages) == len({item.locator for item in pages}) == 205
    assert sum("redirect" in (item.meta or {}) for item in pages) == 99
    assert {item.lang for item in pages} == {"en"}
