"""Lists of files as publishers write them: read with care, since somebody else wrote them."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import TypeVar
from urllib.parse import urljoin, urlsplit
from xml.etree import ElementTree

from pipeline.contracts import Listing
from pipeline.errors import SourceError

T = TypeVar("T")

#: A list of paths, decompressed: Common Crawl's longest has 20 MB.
MAX_TEXT = 1 << 30


def text_of(data: bytes, url: str) -> str:
    """The text of a list, gzipped or not."""
    if data.startswith(b"\x1f\x8b"):
        try:
            with gzip.open(io.BytesIO(data)) as stream:
                data = stream.read(MAX_TEXT + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise SourceError(f"{url} is damaged: {error}") from error
    if len(data) > MAX_TEXT:
        raise SourceError(f"{url} holds more than {MAX_TEXT} bytes: that is no list of files")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(f"{url} is no text in UTF-8 ({error}): that is no list of files") from error


def lines_of(data: bytes, url: str) -> list[str]:
    """The lines of a list, without empty ones and those that begin with "#"."""
    lines = [line.strip() for line in text_of(data, url).splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def given_and_listed(listing: Listing, given: Sequence[str], index: str, asked: str) -> tuple[list[str], list[str]]:
    """What a recipe names itself, and what the list at the address `index` ("": none) does, each of them once.

    SourceError when that is nothing; `asked` says of which keys.
    """
    listed = lines_of(listing(index), index) if index else []
    nothing_if(not given and not listed, index or "the recipe", asked)
    return list(dict.fromkeys(given)), list(dict.fromkeys(listed))


def xml_of(data: bytes, url: str) -> ElementTree.Element:
    """The root of a list in XML. One that declares a document type is refused: entities are how XML explodes."""
    text = text_of(data, url)
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise SourceError(f"{url} declares a document type: no list of files needs one")
    try:
        return ElementTree.fromstring(text.encode())
    except ElementTree.ParseError as error:
        raise SourceError(f"{url} is no XML ({error})") from error


def within(base: str, path: str) -> str:
    """The address of `path` below `base`; SourceError where it leads elsewhere."""
    root = base.rstrip("/") + "/"
    if "://" in path or path.startswith("/") or ".." in path.split("/"):
        raise SourceError(f"{base}: its list names {path!r}, which isn't below it")
    return urljoin(root, path) if urlsplit(root).scheme in ("http", "https") else root + path


def some(items: Sequence[T], number: int | None, key: Callable[[T], str]) -> list[T]:
    """`number` of the items (all when None), in their order, chosen by a hash of `key`: more of them hold all of fewer."""
    if number is None or number >= len(items):
        return list(items)
    ranked = sorted(range(len(items)), key=lambda place: blake2b(key(items[place]).encode(), digest_size=16).digest())
    return [items[place] for place in sorted(ranked[:number])]


def nothing_if(empty: bool, url: str, asked: str) -> None:
    """Raise SourceError when a list names nothing of what was asked for."""
    if empty:
        raise SourceError(f"{url} names no file for {asked}: look at it, and at what the recipe asks for")
