"""The extractor "html": a page's main text, its title and language, by Resiliparse (Bevendorff et al. 2018, 2021)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

import pyarrow as pa
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import ElementNode, HTMLParserException, HTMLTree

from pipeline.contracts import Extracted
from pipeline.extract.decoding import decode, paragraphs
from pipeline.extract.documents import Found, NoText, extracted
from pipeline.extract.dom import focus, sink_lists
from pipeline.registry import extractor

#: Where a page names its own charset: a <meta> or an XML declaration within the first bytes (HTML standard, 13.2.3.2).
_DECLARED = re.compile(rb"""<meta[^>]{1,500}?charset\s*=\s*["']?\s*([\w.:-]+)|<\?xml[^>]{1,200}?encoding\s*=\s*["']([\w.:-]+)""", re.I)
_DECLARED_BYTES = 4096

#: Elements that are empty, or that the parser closes by itself: left open, they don't nest.
_LEAVES = (
    "area base br col embed hr img input link meta param source track wbr p li td th tr tbody thead tfoot dd dt option optgroup rp rt"
    " html head body script style frame image path circle rect line polygon polyline ellipse use stop"
)
_NESTING = re.compile(rb"<(/?)(?!(?:%s)\b)[a-z]" % _LEAVES.replace(" ", "|").encode(), re.I)
#: Main text takes time in proportion to nodes times depth, attributes to their number squared: what real pages stay
#: far below (the highest of 7,500 were 2.6 million and 600), and what takes a second or so.
_MAX_WORK = 10_000_000
_MAX_ATTRIBUTES = 20_000

_LANGUAGE = re.compile(r"[a-z]{2,3}(?=$|[-_])")


@extractor("html", uses=("resiliparse", "unicode"))
def html(
    raw: pa.RecordBatch,
    *,
    main_content: bool = True,
    preserve_formatting: bool = True,
    list_bullets: bool = True,
    alt_texts: bool = False,
    links: bool = False,
    comments: bool = False,
    skip_elements: Sequence[str] = (),
    max_bytes: int = 10 << 20,
) -> Extracted:
    """Text of HTML pages, without navigation and other boilerplate when `main_content`; facts: title (in meta), lang.

    The keys are Resiliparse's (`skip_elements`: CSS selectors). A document whose meta says `fragment` is taken whole.
    Charset: see `decode`; the HTTP header (meta `charset`) goes before the page's own word. Reasons: "empty",
    "too_large" (above `max_bytes`), "undecodable", "binary", "tangled" (nested so deeply that parsing it would take minutes).
    """
    options: dict[str, Any] = {
        "preserve_formatting": preserve_formatting,
        "list_bullets": list_bullets,
        "alt_texts": alt_texts,
        "links": links,
        "comments": comments,
        "skip_elements": list(skip_elements) or None,
    }

    def read(content: bytes, meta: Mapping[str, Any]) -> Found:
        if _tangled(content):
            raise NoText("tangled")
        source = decode(content, meta.get("charset"), _declared(content))
        tree = HTMLTree.parse(source)
        title, lang = tree.title or None, _language(tree)
        boilerplate = main_content and not meta.get("fragment")
        if boilerplate:
            focus(tree, source)
            sink_lists(tree)
        text = extract_plain_text(tree, main_content=boilerplate, **options)
        return Found(paragraphs(text), lang=lang, about={"title": title})

    return extracted(raw, read, max_bytes=max_bytes, errors=(HTMLParserException,))


def _declared(content: bytes) -> str | None:
    found = _DECLARED.search(content, 0, _DECLARED_BYTES)
    return (found[1] or found[2]).decode("ascii") if found else None


def _language(tree: HTMLTree) -> str | None:
    """The primary subtag of <html lang>, lower case."""
    root = tree.head.parent if tree.head else None
    stated = root.getattr("lang") if isinstance(root, ElementNode) else None
    found = _LANGUAGE.match((stated or "").strip().lower())
    return found[0] if found else None


def _tangled(content: bytes) -> bool:
    """Whether parsing would take more than about a second, told from counts of tags alone."""
    tags = content.count(b"<")
    if tags * tags > _MAX_WORK:
        depth = max(accumulate(-1 if closing else 1 for closing in _NESTING.findall(content)), default=0)
        if depth * tags > _MAX_WORK:
            return True
    if len(content) <= 2 * _MAX_ATTRIBUTES:
        return False
    pieces = (piece for piece in content.split(b">") if len(piece) > 2 * _MAX_ATTRIBUTES)
    return any(_attributes(piece) > _MAX_ATTRIBUTES for piece in pieces)


def _attributes(piece: bytes) -> int:
    """Words in the tag that ends a piece of markup before a ">"."""
    _, opened, tag = piece.rpartition(b"<")
    return len(tag.split()) if opened and tag[:1].isalpha() else 0
