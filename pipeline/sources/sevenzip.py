"""One member of a 7z archive as a stream: what is needed of the format to read dumps that are published in it.

By the description that comes with 7-Zip (7zFormat.txt). An archive ends with a header that says which packed streams there are, how
each is coded, and which files lie in it one behind the other. Coders: copy, LZMA, LZMA2, bzip2; one for a stream, as
7-Zip packs texts. Encryption, filters for programs and archives in volumes are refused.
"""

from __future__ import annotations

import bz2
import io
import lzma
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

MAGIC = b"7z\xbc\xaf\x27\x1c"

#: A header lists names; the largest dumps have a few hundred.
_MAX_HEADER = 64 << 20
_PIECE = 1 << 20
#: A header is packed once; one that leads to itself would be unpacked for ever.
_MAX_ENCODED = 4

_END, _HEADER, _STREAMS, _FILES, _PACKED, _FOLDERS, _SUBSTREAMS, _SIZES, _DIGESTS = 0, 1, 4, 5, 6, 7, 8, 9, 10
_FOLDER, _UNPACKED, _NUMBERS, _EMPTY, _NAMES, _ENCODED = 11, 12, 13, 14, 17, 23


class Bad7z(OSError):
    """An archive that is damaged, or packed in a way that isn't read here."""


class _Decoder(Protocol):
    """A decompressor of the standard library, for the raw stream of a coder."""

    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


@dataclass
class _Folder:
    """A packed stream: its coder, where its bytes lie, and the sizes and CRCs of the files in it."""

    coder: bytes
    properties: bytes
    start: int = 0
    packed: int = 0
    unpacked: int = 0
    sizes: list[int] = field(default_factory=list)
    crcs: list[int | None] = field(default_factory=list)
    crc: int | None = None


class Seekable(Protocol):
    """All that is asked of an archive's file."""

    def seek(self, offset: int, /) -> int: ...

    def read(self, size: int, /) -> bytes: ...


def member(raw: Seekable, wanted: str) -> Iterator[bytes]:
    """The bytes of the file `wanted` (a path's last part, letters' case aside), piece by piece, its CRC checked at the end.

    Raises Bad7z (an OSError) for damage, for what isn't read here, and when there is no such file; EOFError when bytes are missing.
    """
    folders, names = _opened(raw)
    places = [(folder, place) for folder in folders for place in range(len(folder.sizes))]
    named = dict(zip(names, places, strict=False))
    chosen = next((name for name in names if name.rpartition("/")[2].lower() == wanted.lower()), None)
    if chosen is None or len(named) != len(places):
        raise Bad7z(f"the archive has no {wanted}; it has {', '.join(names[:10]) or 'nothing'}")
    folder, place = named[chosen]
    return _piece_of(_unpacked(raw, folder), sum(folder.sizes[:place]), folder.sizes[place], folder.crcs[place])


def _piece_of(pieces: Iterator[bytes], skip: int, size: int, expected: int | None) -> Iterator[bytes]:
    crc, left = 0, size
    for piece in pieces:
        if skip >= len(piece):
            skip -= len(piece)
            continue
        part, skip = piece[skip : skip + left], 0
        left -= len(part)
        crc = zlib.crc32(part, crc)
        yield part
        if not left:
            break
    if left:
        raise EOFError(f"{left} bytes are missing of the archive's file")
    if expected is not None and crc != expected:
        raise Bad7z("the CRC of the archive's file is another: it is damaged")


def _opened(raw: Seekable) -> tuple[list[_Folder], list[str]]:
    """The streams of an archive, and the names of the files in them."""
    raw.seek(0)
    start = raw.read(32)
    if len(start) < 32 or not start.startswith(MAGIC):
        raise Bad7z("no 7z archive")
    offset, size, crc = struct.unpack("<QQI", start[12:32])
    if size > _MAX_HEADER:
        raise Bad7z(f"its header has {size} bytes")
    raw.seek(32 + offset)
    header = raw.read(size)
    if len(header) < size or zlib.crc32(header) != crc:
        raise EOFError("the archive is cut short, or its header is damaged")
    try:
        for _ in range(_MAX_ENCODED):
            if header[:1] != bytes([_ENCODED]):
                break
            folder = _streams(io.BytesIO(header[1:]))[0]
            if folder.unpacked > _MAX_HEADER:
                raise Bad7z(f"its header has {folder.unpacked} bytes")
            header = b"".join(_unpacked(raw, folder))
        return _header(io.BytesIO(header))
    except (IndexError, struct.error, ValueError) as error:
        raise Bad7z(f"its header is damaged ({error})") from error


def _header(data: io.BytesIO) -> tuple[list[_Folder], list[str]]:
    folders: list[_Folder] = []
    names: list[str] = []
    if _byte(data) != _HEADER:
        raise Bad7z("its header is damaged")
    while (kind := _byte(data)) != _END:
        if kind == _STREAMS:
            folders = _streams(data)
        elif kind == _FILES:
            names = _file_names(data)
        else:
            raise Bad7z(f"its header holds a part of kind {kind}, which isn't read here")
    return folders, names


def _streams(data: io.BytesIO) -> list[_Folder]:
    position, packed, folders = 0, list[int](), list[_Folder]()
    while (kind := _byte(data)) != _END:
        if kind == _PACKED:
            position, packed = _packed_sizes(data)
        elif kind == _FOLDERS:
            folders = _folders(data)
        elif kind == _SUBSTREAMS:
            _substreams(data, folders)
        else:
            raise Bad7z(f"its header holds streams of kind {kind}, which aren't read here")
    if len(packed) != len(folders):
        raise Bad7z("its streams are joined in a way that isn't read here")
    for folder, size in zip(folders, packed, strict=True):
        folder.start, folder.packed = 32 + position, size
        position += size
        folder.sizes = folder.sizes or [folder.unpacked]
        folder.crcs = folder.crcs or [folder.crc]
    return folders


def _packed_sizes(data: io.BytesIO) -> tuple[int, list[int]]:
    position, count, sizes = _number(data), _count(data), list[int]()
    while (kind := _byte(data)) != _END:
        if kind == _SIZES:
            sizes = [_number(data) for _ in range(count)]
        elif kind == _DIGESTS:
            _digests(data, count)
        else:
            raise Bad7z("its header is damaged")
    return position, sizes


def _folders(data: io.BytesIO) -> list[_Folder]:
    folders: list[_Folder] = []
    while (kind := _byte(data)) != _END:
        if kind == _FOLDER:
            count, external = _count(data), _byte(data)
            if external:
                raise Bad7z("its header lies elsewhere, which isn't read here")
            folders = [_folder(data) for _ in range(count)]
        elif kind == _UNPACKED:
            for folder in folders:
                folder.unpacked = _number(data)
        elif kind == _DIGESTS:
            for folder, crc in zip(folders, _digests(data, len(folders)), strict=True):
                folder.crc = crc
        else:
            raise Bad7z("its header is damaged")
    return folders


def _folder(data: io.BytesIO) -> _Folder:
    coders, flags = _number(data), _byte(data)
    if coders != 1 or flags & 0x10:
        raise Bad7z("it is encrypted or filtered, which isn't read here: unpack it and compress what it holds")
    coder = data.read(flags & 0x0F)
    properties = data.read(_number(data)) if flags & 0x20 else b""
    if coder not in _CODERS:
        raise Bad7z(f"it is packed by the method {coder.hex()}, which isn't read here: unpack it and compress what it holds")
    return _Folder(coder, properties)


def _substreams(data: io.BytesIO, folders: list[_Folder]) -> None:
    counts = [1] * len(folders)
    kind = _byte(data)
    if kind == _NUMBERS:
        counts = [_count(data) for _ in folders]
        kind = _byte(data)
    for folder, count in zip(folders, counts, strict=True):
        given = [_number(data) for _ in range(count - 1)] if kind == _SIZES and count > 1 else []
        folder.sizes = [*given, folder.unpacked - sum(given)] if count else []
        if count and min(folder.sizes) < 0:
            raise Bad7z("its header is damaged: files larger than the stream they are in")
        folder.crcs = [folder.crc] if count == 1 else [None] * count
    kind = _byte(data) if kind == _SIZES else kind
    if kind == _DIGESTS:
        unknown = [folder for folder in folders if not (len(folder.sizes) == 1 and folder.crc is not None)]
        found = iter(_digests(data, sum(len(folder.sizes) for folder in unknown)))
        for folder in unknown:
            folder.crcs = [next(found) for _ in folder.sizes]
        kind = _byte(data)
    if kind != _END:
        raise Bad7z("its header is damaged")


def _file_names(data: io.BytesIO) -> list[str]:
    """The names of the files that have content, in the order of their streams."""
    count, names, empty = _count(data), list[str](), list[bool]()
    while (kind := _byte(data)) != _END:
        size = _number(data)
        body = data.read(size)
        if kind == _EMPTY:
            empty = _bits(io.BytesIO(body), count)
        elif kind == _NAMES:
            if body[:1] != b"\0":
                raise Bad7z("its names lie elsewhere, which isn't read here")
            names = body[1:].decode("utf-16-le").split("\0")[:count]
    return [name for name, nothing in zip(names, empty or [False] * count, strict=True) if not nothing]


def _unpacked(raw: Seekable, folder: _Folder) -> Iterator[bytes]:
    """The content of a stream in pieces that are never large, exactly as much as the header says."""
    raw.seek(folder.start)
    left = folder.unpacked
    try:
        for piece in _decoded(_packed(raw, folder.packed), folder):
            yield piece[:left]
            left = max(left - len(piece), 0)
            if not left:
                return
    except (lzma.LZMAError, struct.error, ValueError) as error:
        raise Bad7z(f"it is damaged: {error}") from error


def _packed(raw: Seekable, left: int) -> Iterator[bytes]:
    while left:
        taken = raw.read(min(_PIECE, left))
        if not taken:
            raise EOFError("the archive is cut short")
        left -= len(taken)
        yield taken


def _decoded(packed: Iterator[bytes], folder: _Folder) -> Iterator[bytes]:
    """What the coder makes of the packed bytes; bzip2 streams may follow one another, as several threads write them."""
    new = _CODERS[folder.coder]
    if new is None:
        yield from packed
        return
    decoder = new(folder)
    for data in packed:
        if decoder.eof:  # a stream ended just where the piece did
            decoder = new(folder)
        yield decoder.decompress(data, _PIECE)
        while (decoder.eof and decoder.unused_data) or not (decoder.needs_input or decoder.eof):
            rest = decoder.unused_data if decoder.eof else b""
            decoder = new(folder) if decoder.eof else decoder
            yield decoder.decompress(rest, _PIECE)


def _lzma(folder: _Folder) -> _Decoder:
    lclppb, size = struct.unpack("<BI", folder.properties)
    filters: list[dict[str, Any]] = [
        {"id": lzma.FILTER_LZMA1, "dict_size": max(size, 4096), "lc": lclppb % 9, "lp": lclppb // 9 % 5, "pb": lclppb // 45}
    ]
    return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=filters)


def _lzma2(folder: _Folder) -> _Decoder:
    (bits,) = struct.unpack("<B", folder.properties)
    size = 0xFFFFFFFF if bits >= 40 else (2 | (bits & 1)) << (bits // 2 + 11)
    return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": min(size, 1536 << 20)}])


#: By their ids in 7zFormat.txt; None: the bytes are as they are.
_CODERS: dict[bytes, Callable[[_Folder], _Decoder] | None] = {
    b"\x00": None,
    b"\x03\x01\x01": _lzma,
    b"\x21": _lzma2,
    b"\x04\x02\x02": lambda _: bz2.BZ2Decompressor(),
}


def _byte(data: io.BytesIO) -> int:
    return data.read(1)[0]


def _number(data: io.BytesIO) -> int:
    """A number as 7z writes it: the first byte's leading ones say how many bytes follow, lowest first; what is left of it is on top."""
    first = _byte(data)
    mask, value = 0x80, 0
    for place in range(8):
        if not first & mask:
            return value + ((first & (mask - 1)) << (8 * place))
        value |= _byte(data) << (8 * place)
        mask >>= 1
    return value


def _count(data: io.BytesIO) -> int:
    """A number of things that the header then describes: never more than it has bytes, or a small archive could fill memory."""
    value = _number(data)
    if value > len(data.getbuffer()) * 8:
        raise Bad7z(f"its header speaks of {value} things, more than it has room for")
    return value


def _bits(data: io.BytesIO, count: int) -> list[bool]:
    body = data.read((count + 7) // 8)
    return [bool(body[place // 8] & (0x80 >> place % 8)) for place in range(count)]


def _digests(data: io.BytesIO, count: int) -> list[int | None]:
    defined = [True] * count if _byte(data) else _bits(data, count)
    return [struct.unpack("<I", data.read(4))[0] if known else None for known in defined]
