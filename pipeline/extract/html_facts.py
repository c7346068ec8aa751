"""What a page says of itself: title, language, date, author, canonical address."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from pipeline.extract.html_math import unescaped

#: Tags as a parser writes them out: attributes are name="value".
_META = re.compile(r'<meta((?: [^\s="]+="[^"]*")+)>')
_LINK = re.compile(r'<link((?: [^\s="]+="[^"]*")+)>')
_TIME = re.compile(r'<time(?: [^\s="]+="[^"]*")*? datetime="([^"]*)"')
_ATTRIBUTE = re.compile(r' ([^\s="]+)="([^"]*)"')
_TITLE = re.compile(r"<title>([^<]*)</title>")
_ROOT = re.compile(r'<html(?: [^\s="]+="[^"]*")*? (?:xml:)?lang="([^"]*)"')
_LINKED_DATA = re.compile(r'<script[^>]{0,200}? type="application/ld\+json"[^>]{0,200}>(.*?)</script>', re.S)
_LANGUAGE = re.compile(r"[a-z]{2,3}(?=$|[-_])")
_DATE = re.compile(r"\s*((?:19|20)\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01]))(?!\d)")

#: Names of <meta>, most telling first.
_DATES = (
    "article:published_time", "datepublished", "og:published_time", "date", "dc.date", "dc.date.issued", "dcterms.created", "pubdate",
    "publishdate", "publish-date", "sailthru.date", "parsely-pub-date", "citation_publication_date",
)  # fmt: skip
_AUTHORS = ("author", "article:author", "dc.creator", "parsely-author", "sailthru.author", "citation_author")
#: Linked data is looked at up to this length, and names up to this one.
_MAX_DATA, _MAX_NAME, _MAX_DEPTH = 100_000, 100, 6


class Facts(NamedTuple):
    """What was found; a date is YYYY-MM-DD, a language a primary subtag in lower case."""

    title: str | None
    lang: str | None
    date: str | None
    author: str | None
    canonical: str | None


def facts(html: str) -> Facts:
    """The facts of a page that a parser wrote out; what isn't stated in a known form is None."""
    head = html[: html.find("</head>")]
    metas = dict(reversed(list(_metas(head))))
    title, root = _TITLE.search(head), _ROOT.search(head)
    lang = _LANGUAGE.match(root[1].strip().lower()) if root else None
    dates, authors = [metas.get(name) for name in _DATES], [metas.get(name) for name in _AUTHORS]
    date, author = _first(map(_date, dates)), _first(map(_name, authors))
    if not date or not author:
        for item in _linked_data(html):
            date, author = date or _date(item.get("datePublished")), author or _author(item.get("author"))
    if not date and (time := _TIME.search(html)):
        date = _date(time[1])
    return Facts(_line(title[1]) if title else None, lang[0] if lang else None, date, author, _canonical(head))


def _metas(head: str) -> Iterator[tuple[str, str]]:
    for tag in _META.finditer(head):
        attributes = dict(_ATTRIBUTE.findall(tag[1]))
        name = attributes.get("property") or attributes.get("name") or attributes.get("itemprop")
        if name and attributes.get("content"):
            yield name.lower(), attributes["content"]


def _canonical(head: str) -> str | None:
    for tag in _LINK.finditer(head):
        attributes = dict(_ATTRIBUTE.findall(tag[1]))
        if attributes.get("rel", "").lower() == "canonical":
            address = unescaped(attributes.get("href", "")).strip()
            return address if address.startswith(("http://", "https://")) else None
    return None


def _linked_data(html: str) -> Iterator[dict[str, Any]]:
    """The objects of a page's JSON-LD, outer before inner; what is no JSON is passed over."""
    for script in _LINKED_DATA.finditer(html):
        if len(script[1]) <= _MAX_DATA:
            try:
                yield from _objects(json.loads(script[1]), _MAX_DEPTH)
            except (ValueError, RecursionError):
                continue


def _objects(value: object, depth: int) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in inner if depth else ():
        yield from _objects(item, depth - 1)


def _author(value: object) -> str | None:
    if isinstance(value, list):
        value = value[0] if value else None
    return _name(value.get("name") if isinstance(value, dict) else value)


def _name(value: object) -> str | None:
    line = _line(value) if isinstance(value, str) else None
    return line if line and len(line) <= _MAX_NAME and "://" not in line else None


def _date(value: object) -> str | None:
    found = _DATE.match(value) if isinstance(value, str) else None
    return found[1] if found else None


def _line(text: str) -> str | None:
    return " ".join(unescaped(text).split()) or None


def _first(values: Iterator[str | None]) -> str | None:
    return next((value for value in values if value), None)
