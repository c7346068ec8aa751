"""The reader "mediawiki": pages of a wiki's XML dump (pages-articles, whole or in parts, one or many bzip2 streams)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from urllib.parse import quote
from xml.etree.ElementTree import Element

from pipeline.contracts import InputFile, RawDocument
from pipeline.registry import reader
from pipeline.sources.xml import elements

_NAMESPACE, _UNKNOWN = re.compile(r"\s*-?[0-9]{1,9}\s*"), -(1 << 31)


@reader("mediawiki")
def mediawiki(
    file: InputFile, *, namespaces: Sequence[int] = (0,), lang: str | None = None, max_page_bytes: int = 64 << 20
) -> Iterator[RawDocument]:
    """The last revision in the dump of each page in `namespaces`; redirects too, for the extractor to drop and count.

    `lang` None takes the dump's own (xml:lang). The locator is the page's id; meta: title, and where a redirect leads.
    Raises SourceError when the file is damaged, not a dump, or has a page above `max_page_bytes` (all its revisions).
    """
    base = ""
    names: dict[str, int] = {}
    for element in elements(file, "mediawiki", whole={"siteinfo", "page"}, starts={"mediawiki"}, max_bytes=max_page_bytes):
        if element.tag == "mediawiki":
            lang = lang or element.get("xml:lang")
        elif element.tag == "siteinfo":
            base = (element.findtext("base") or "").rpartition("/")[0]
            names = {name.text or "": _number(name.get("key", "0")) for name in element.iter("namespace")}
        elif _namespace(element, names) in namespaces:
            yield _page(element, base, lang)


def _namespace(page: Element, names: dict[str, int]) -> int:
    """The page's namespace; dumps older than 2012 (schema 0.6) say it only in the title's prefix."""
    stated = page.findtext("ns")
    return _number(stated) if stated else names.get((page.findtext("title") or "").partition(":")[0], 0)


def _number(stated: str) -> int:
    """What is no number is a namespace that nobody asks for."""
    return int(stated) if _NAMESPACE.fullmatch(stated) else _UNKNOWN


def _page(page: Element, base: str, lang: str | None) -> RawDocument:
    title = page.findtext("title") or ""
    revision = page.findall("revision")[-1] if page.find("revision") is not None else Element("revision")
    redirect = page.find("redirect")
    meta = {"title": title, "redirect": redirect.get("title", title) if redirect is not None else None}
    model = revision.findtext("model") or "wikitext"
    if model != "wikitext":
        meta["reason"] = "not_wikitext"
    return RawDocument(
        locator=page.findtext("id") or title,
        content=(revision.findtext("text") or "").encode(),
        format="wikitext" if model == "wikitext" else "invalid",
        url=f"{base}/{quote(title.replace(' ', '_'), safe='/:(),')}" if base else None,
        lang=lang,
        date=revision.findtext("timestamp"),
        meta={key: value for key, value in meta.items() if value is not None},
    )
