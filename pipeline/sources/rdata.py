"""The reader "rdata": texts in the lazy-load databases of R packages (.rdx and .rdb), such as novels as lines.

The format is R's serialisation (R Internals, section 1.8) in XDR: an item is a word of flags, whose low byte is its
type, and a body. Only what texts and their index need is read.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

from pipeline.contracts import InputFile, RawDocument
from pipeline.errors import SourceError
from pipeline.registry import reader
from pipeline.sources.archives import members

_SYMBOL, _PAIRLIST, _CHAR, _LOGICAL, _INTEGER, _STRINGS, _LIST, _NULL, _REFERENCE = 1, 2, 9, 10, 13, 16, 19, 254, 255
_HAS_ATTRIBUTES, _HAS_TAG, _LATIN1 = 1 << 9, 1 << 10, 1 << 14

#: What reading nonsense raises: it may point anywhere, and say that anything stands there.
_DAMAGE = (struct.error, zlib.error, EOFError, OSError, LookupError, TypeError, ValueError, AttributeError, RecursionError)

#: What tells zlib that a stream is gzip's.
_GZIP = zlib.MAX_WBITS | 16


@reader("rdata")
def rdata(
    file: InputFile,
    *,
    select: Sequence[str] = ("*/data/*",),
    format: str = "text",  # noqa: A002 - the recipe's word for it
    lang: str | None = None,
    min_lines: int = 100,
    max_bytes: int = 256 << 20,
) -> Iterator[RawDocument]:
    """One document for each character vector of at least `min_lines` strings: its strings as lines of UTF-8.

    `select` is a list of globs on the paths of the databases; objects of other types are passed over. `format` names
    the extractor. Raises SourceError when a database can't be read, or comes to more than `max_bytes`, decompressed.
    """
    found = {member.name: member.data for member in members(file, select) if member.name.endswith((".rdx", ".rdb"))}
    for name in [name for name in found if name.endswith(".rdx")]:
        stem = name.removesuffix(".rdx")
        try:
            vectors = list(_vectors(found[name], found[f"{stem}.rdb"], max_bytes))
        except _DAMAGE as error:
            raise SourceError(f"{file.name} ({file.path}): {stem} is no R database that can be read: {error!r}") from error
        for variable, lines in vectors:
            if len(lines) >= min_lines:
                yield RawDocument(f"{stem}/{variable}", "\n".join(lines).encode(), format, lang=lang, meta={"title": variable})


def _vectors(index: bytes, data: bytes, max_bytes: int) -> Iterator[tuple[str, list[str]]]:
    """Name and strings of each character vector. The index maps names to (offset, length) in `data`."""
    content = _inflated("its index", index, _GZIP, max_bytes, 0)
    total = len(content)
    for name, (offset, length) in _Item(content).read()["variables"].items():
        chunk = data[offset : offset + length]
        if chunk[4:5] in (b"2", b"Z"):
            raise OSError(f"{name} is compressed with bzip2 or xz; only zlib is read")
        content = _inflated(name, chunk[4:], zlib.MAX_WBITS, max_bytes, total)
        total += len(content)
        item = _Item(content)
        if item.type == _STRINGS:
            lines = item.read(attributes=False)
            if not all(isinstance(line, str) for line in (name, *lines)):
                raise TypeError(f"{name!r} holds what is no string")
            yield name, lines


def _inflated(name: str, data: bytes, wbits: int, max_bytes: int, before: int) -> bytes:
    """`data` decompressed, never more of it than what brings the database from `before` to `max_bytes`."""
    stream = zlib.decompressobj(wbits)
    content = stream.decompress(data, max_bytes - before + 1)
    if before + len(content) > max_bytes:
        raise OSError(f"{name} brings it to more than max_bytes={max_bytes}, decompressed")
    if not stream.eof:
        raise EOFError(f"{name} is cut short")
    return content


class _Item:
    """A cursor over one serialised object."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 2
        self._symbols: list[str] = []
        version = self._word() if data[:2] == b"X\n" else 0
        if version not in (2, 3):
            raise OSError(f"not serialised as XDR of version 2 or 3 ({data[:6]!r})")
        self._take(8)  # versions of R that wrote it and that can read it
        if version == 3:
            self._take(self._word())  # the native encoding
        self.type = data[self._at + 3]

    def read(self, attributes: bool = True) -> Any:
        """Strings and numbers as lists, a list with names as a dict, anything not needed as None."""
        flags = self._word()
        kind = flags & 0xFF
        if kind == _CHAR:
            return self._char(flags)
        if kind == _SYMBOL:
            self._symbols.append(self.read())
            return self._symbols[-1]
        if kind == _REFERENCE:
            return self._symbols[(flags >> 8 or self._word()) - 1]
        if kind == _PAIRLIST:
            return self._pairlist(flags)
        if kind == _NULL:
            return None
        values = self._vector(kind)
        names = (self.read() or {}).get("names") if flags & _HAS_ATTRIBUTES and attributes else None
        return dict(zip(names, values, strict=True)) if names else values

    def _vector(self, kind: int) -> list[Any]:
        length = self._word() if kind in (_LOGICAL, _INTEGER, _STRINGS, _LIST) else -1
        if length < 0:
            raise OSError(f"an object of type {kind} where names and positions are expected")
        if kind in (_LOGICAL, _INTEGER):
            return list(struct.unpack(f">{length}i", self._take(4 * length)))
        return [self.read() for _ in range(length)]

    def _pairlist(self, flags: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while flags & 0xFF == _PAIRLIST:
            if flags & _HAS_ATTRIBUTES:
                self.read()
            tag = self.read() if flags & _HAS_TAG else ""
            found[tag] = self.read()
            flags = self._word()
        return found

    def _char(self, flags: int) -> str:
        length = self._word()
        return self._take(length).decode("latin-1" if flags & _LATIN1 else "utf-8", "replace") if length >= 0 else ""

    def _word(self) -> int:
        (value,) = struct.unpack(">i", self._take(4))
        return int(value)

    def _take(self, number: int) -> bytes:
        piece = self._data[self._at : self._at + number]
        if number < 0 or len(piece) < number:
            raise EOFError("an object is cut short")
        self._at += number
        return piece
