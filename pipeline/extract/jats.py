"""The extractor "jats": title, abstract and body of an article in JATS, the XML of PubMed Central and most journals."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html.entities import name2codepoint
from typing import Any
from xml.etree.ElementTree import ParseError, XMLParser

import pyarrow as pa

from pipeline.contracts import Extracted
from pipeline.extract.decoding import decode, paragraphs
from pipeline.extract.documents import Found, NoText, extracted
from pipeline.registry import extractor

#: Elements that are no running text, and all they hold.
_DROPPED = str.split(
    "back ref-list fn fn-group table-wrap table fig fig-group graphic media supplementary-material object-id label alt-title"
    " trans-title-group sub-article response floats-group journal-meta"
)
#: Of an article's own front matter, all that is read.
_FRONT = str.split("title-group abstract article-id pub-date permissions")
#: Elements that stand on lines of their own.
_BLOCKS = str.split("title article-title p sec abstract list disp-formula disp-quote def-item boxed-text verse-line statement body front")
_FORMULAS = ("inline-formula", "disp-formula")
#: Deeper than this, nobody meant to nest, and text would be copied too often.
_MAX_DEPTH = 200

_XLINK, _XML = "{http://www.w3.org/1999/xlink}", "{http://www.w3.org/XML/1998/namespace}"
_MATH = "{http://www.w3.org/1998/Math/MathML}math"
_SPACES = re.compile(r"[ \t\n]+")
_GAPS = re.compile("  +")
_TEX = re.compile(r"\\begin\{document\}(.*)\\end\{document\}", re.S)
_CREATIVE_COMMONS = re.compile(r"creativecommons\.org/licenses/(by[a-z-]*)/(\d\.\d)")


@extractor("jats", uses=("resiliparse", "unicode"))
def jats(raw: pa.RecordBatch, *, max_bytes: int = 32 << 20) -> Extracted:
    """Title, abstract and body of an article; formulas as LaTeX where it is given; tables, figures, notes, references dropped.

    Facts: title and article type (in meta), lang, licence, date, url (by DOI). Reasons: "bad_xml", "xml_entities"
    (declarations of entities are refused unread), "not_an_article", "empty", "too_large".
    """
    return extracted(raw, _read, max_bytes=max_bytes)


def _read(content: bytes, _: Mapping[str, Any]) -> Found:
    source = decode(content)
    if "<!ENTITY" in source:
        raise NoText("xml_entities")
    article = _Article()
    parser = XMLParser(target=article)
    parser.entity.update((name, chr(number)) for name, number in name2codepoint.items())
    try:
        parser.feed(source)
        parser.close()
    except ParseError as error:
        raise NoText("bad_xml") from error
    about = {"title": article.facts.get("title"), "article_type": article.facts.get("type")}
    return Found(paragraphs(article.text()), article.url(), article.facts.get("lang"), article.facts.get("licence"), article.date(), about)


class _Article:
    """The parser's target. Each open element has its text so far; at its end, what becomes of it goes into its parent's."""

    def __init__(self) -> None:
        self.facts: dict[str, str] = {}
        self._path: list[tuple[str, dict[str, str]]] = []
        self._skipped = 0
        self._texts: list[list[str]] = [[]]
        self._dates: list[dict[str, str]] = []
        self._formula: dict[str, str] = {}

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if not self._path:
            self._begin(tag, attributes)
        if len(self._path) > _MAX_DEPTH:
            raise NoText("too_deep")
        outside = bool(self._path) and self._path[-1][0] == "article-meta" and tag not in _FRONT
        self._path.append((tag, attributes))
        if self._skipped or tag in _DROPPED or outside:
            self._skipped += 1
            return
        self._texts.append([])
        if tag == "pub-date":
            self._dates.append({})
        elif tag in _FORMULAS:
            self._formula = {}
        elif tag == "license":
            self._note("licence", _spdx(attributes.get(f"{_XLINK}href", "")))

    def data(self, text: str) -> None:
        if not self._skipped:
            self._texts[-1].append(_SPACES.sub(" ", text))

    def end(self, tag: str) -> None:
        _, attributes = self._path.pop()
        if self._skipped:
            self._skipped -= 1
        else:
            text = "".join(self._texts.pop())
            self._texts[-1].append(self._becomes(tag, attributes, text))

    def close(self) -> None:
        """The parser's end; nothing is left open in well-formed XML."""

    def text(self) -> str:
        return "".join(self._texts[0])

    def url(self) -> str | None:
        if doi := self.facts.get("doi"):
            return f"https://doi.org/{doi}"
        pmc = self.facts.get("pmc", "").removeprefix("PMC")
        return f"https://www.ncbi.nlm.nih.gov/pmc/articles/PMC{pmc}/" if pmc else None

    def date(self) -> str | None:
        """The first publication date that is whole; else its year."""
        for keys in (("year", "month", "day"), ("year", "month"), ("year",)):
            for found in self._dates:
                if all(found.get(key, "").isdigit() for key in keys):
                    return "-".join(found[key].zfill(2) for key in keys)
        return None

    def _begin(self, tag: str, attributes: dict[str, str]) -> None:
        if tag != "article":
            raise NoText("not_an_article")
        self._note("type", attributes.get("article-type"))
        self._note("lang", attributes.get(f"{_XML}lang", "").partition("-")[0].lower())

    def _note(self, fact: str, value: str | None) -> None:
        if value and fact not in self.facts:
            self.facts[fact] = value

    def _becomes(self, tag: str, attributes: dict[str, str], text: str) -> str:
        """The text that an element adds to its parent's."""
        parent = self._path[-1][0] if self._path else ""
        if tag == "article-title":
            self._note("title", text.strip())
        elif tag == "article-id":
            self._note(attributes.get("pub-id-type", ""), text.strip())
            return ""
        elif parent == "pub-date":
            self._dates[-1].setdefault(tag, text.strip())
        elif tag in ("tex-math", _MATH):
            return self._formula_part(tag, text)
        elif tag == "xref" and parent == "sup" and attributes.get("ref-type") == "bibr":
            return ""
        return "" if tag in ("pub-date", "permissions") else self._laid_out(tag, text)

    def _formula_part(self, tag: str, text: str) -> str:
        """A formula in one of its spellings, kept until the formula ends, for the best of them to be taken."""
        found = _TEX.search(text)
        spelled = f"${(found[1] if found else text).strip().strip('$').strip()}$" if tag == "tex-math" else text
        if not any(name in _FORMULAS for name, _ in self._path):
            return spelled
        self._formula[tag] = spelled
        return ""

    def _laid_out(self, tag: str, text: str) -> str:
        if tag in _FORMULAS:
            text = self._formula.get("tex-math") or self._formula.get(_MATH) or text
        if tag in ("sup", "sub"):
            return f"{'^' if tag == 'sup' else '_'}{text.strip()}" if text.strip() else ""
        if tag == "list-item":
            return f"\n- {text.strip()}"
        return f"\n\n{_GAPS.sub(' ', text).strip()}\n\n" if tag in _BLOCKS else text


def _spdx(link: str) -> str | None:
    """The SPDX id of a Creative Commons licence, by its address."""
    found = _CREATIVE_COMMONS.search(link)
    return f"CC-{found[1].upper()}-{found[2]}" if found else None
