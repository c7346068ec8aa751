"""The extractor "html": a page's main text and what it says of itself, over the tree that Resiliparse's parser (Lexbor) makes of it."""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any, Literal, NamedTuple

import numpy as np
import pyarrow as pa
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLParserException, HTMLTree

from pipeline.contracts import Extracted
from pipeline.errors import SourceError
from pipeline.extract.decoding import decode, paragraphs
from pipeline.extract.documents import Found, NoText, extracted
from pipeline.extract.dom import focus, sink_lists
from pipeline.extract.html_blocks import main_blocks
from pipeline.extract.html_facts import facts
from pipeline.extract.html_names import vocabulary
from pipeline.extract.html_text import Style, text_of
from pipeline.kernels.pages import number_of_tags, read_page
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

#: Tables of a page take some hundred bytes a tag: the highest of 7,467 real pages has 70,535 tags.
_MAX_TAGS = 300_000

#: Keys that only Resiliparse knows.
_RESILIPARSE_ONLY = ("alt_texts", "links")

_INSTALL = "pip install trafilatura lxml_html_clean"

Engine = Literal["tokenmill", "resiliparse", "trafilatura"]


class Form(NamedTuple):
    """The keys that say what of a page's form, and what beside its main content, is kept."""

    preserve_formatting: bool
    list_bullets: bool
    alt_texts: bool
    links: bool
    comments: bool


def _mistakes(args: Mapping[str, Any]) -> list[str]:
    engine = args["engine"]
    wrong = [f"{key} asks for engine resiliparse (it is {engine})" for key in _RESILIPARSE_ONLY if args[key] and engine != "resiliparse"]
    if engine == "trafilatura" and importlib.util.find_spec("trafilatura") is None:
        wrong.append(f"engine trafilatura isn't installed: {_INSTALL}")
    return wrong


@extractor("html", version=2, uses=("resiliparse", "unicode"), check=_mistakes)
def html(
    raw: pa.RecordBatch,
    *,
    engine: Engine = "tokenmill",
    main_content: bool = True,
    preserve_formatting: bool = True,
    list_bullets: bool = True,
    alt_texts: bool = False,
    links: bool = False,
    comments: bool = False,
    skip_elements: Sequence[str] = (),
    max_bytes: int = 10 << 20,
) -> Extracted:
    """Text of HTML pages, without boilerplate when `main_content`; facts: date, lang, and in meta title, author, canonical.

    `engine` says whose main content: ours (blocks scored, text in the way of Markdown with code, tables and formulas), Resiliparse's
    (with its keys `alt_texts` and `links`) or trafilatura's, which has to be installed. `skip_elements` are CSS selectors.
    A document whose meta says `fragment` is taken whole. Charset: see `decode`; the HTTP header (meta `charset`) goes before the
    page's own word. Reasons: "empty", "too_large" (above `max_bytes`), "undecodable", "binary", "tangled" (nested so deeply, or of
    so many tags, that reading it would take minutes).
    """
    form = Form(preserve_formatting, list_bullets, alt_texts, links, comments)

    def read(content: bytes, meta: Mapping[str, Any]) -> Found:
        if _tangled(content):
            raise NoText("tangled")
        tree = HTMLTree.parse(decode(content, meta.get("charset"), _declared(content)))
        if tree.document is None:
            raise NoText("empty")
        _skip(tree, skip_elements)
        source = str(tree.document.html)
        stated = facts(source)
        text = _ENGINES[engine](tree, source, main_content and not meta.get("fragment"), form)
        about = {"title": stated.title, "author": stated.author, "canonical": stated.canonical}
        return Found(paragraphs(text), lang=stated.lang, date=stated.date, about=about)

    return extracted(raw, read, max_bytes=max_bytes, errors=(HTMLParserException,))


def _skip(tree: HTMLTree, selectors: Sequence[str]) -> None:
    for node in [node for selector in selectors for node in tree.document.query_selector_all(selector)] if tree.document else ():
        if node.parent is not None:
            node.parent.remove_child(node)


def _tokenmill(_: HTMLTree, source: str, main: bool, form: Form) -> str:
    page = read_page(source.encode(), *vocabulary())
    kept = np.flatnonzero(main_blocks(page, comments=form.comments)) if main else np.arange(len(page.blocks))
    text = text_of(page, kept.tolist(), Style(form.preserve_formatting, form.list_bullets))
    return text if form.preserve_formatting else " ".join(text.split())


def _resiliparse(tree: HTMLTree, source: str, main: bool, form: Form) -> str:
    if main:
        focus(tree, source)
        sink_lists(tree)
    options: dict[str, Any] = form._asdict()
    return str(extract_plain_text(tree, main_content=main, **options))


def _trafilatura(tree: HTMLTree, source: str, main: bool, form: Form) -> str:
    if not main:
        return _tokenmill(tree, source, main, form)
    try:
        trafilatura = importlib.import_module("trafilatura")
    except ImportError as error:
        raise SourceError(f"engine trafilatura can't be loaded ({error}): {_INSTALL}") from error
    written = "markdown" if form.preserve_formatting else "txt"
    return trafilatura.extract(source, include_comments=form.comments, include_tables=True, output_format=written) or ""


_ENGINES: Mapping[str, Callable[[HTMLTree, str, bool, Form], str]] = {
    "tokenmill": _tokenmill,
    "resiliparse": _resiliparse,
    "trafilatura": _trafilatura,
}


def _declared(content: bytes) -> str | None:
    found = _DECLARED.search(content, 0, _DECLARED_BYTES)
    return (found[1] or found[2]).decode("ascii") if found else None


def _tangled(content: bytes) -> bool:
    """Whether parsing would take more than about a second, told from counts of tags alone."""
    tags = number_of_tags(content)
    if tags > _MAX_TAGS:
        return True
    if tags * tags > _MAX_WORK:
        depth = max(accumulate(-1 if closing else 1 for closing in _NESTING.findall(content)), default=0)
        if depth * tags > _MAX_WORK:
            return True
    return any(_attributes(piece) > _MAX_ATTRIBUTES for piece in _long_pieces(content))


def _long_pieces(content: bytes) -> Iterator[bytes]:
    """What stands between one ">" and the next, where it is long enough for too many attributes; the others are leapt over."""
    start, long = 0, 2 * _MAX_ATTRIBUTES
    while len(content) - start > long:
        end = content.rfind(b">", start, start + long)
        if end < 0:
            end = content.find(b">", start + long)
            end = len(content) if end < 0 else end
            yield content[start:end]
        start = end + 1


def _attributes(piece: bytes) -> int:
    """Words in the tag that ends a piece of markup before a ">"."""
    _, opened, tag = piece.rpartition(b"<")
    return len(tag.split()) if opened and tag[:1].isalpha() else 0
