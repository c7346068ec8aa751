"""The body of an archived HTTP response behind its transfer and content encodings, and behind the lies about them."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable

import pyarrow as pa
from fastwarc.stream_io import BrotliReader

#: Archives and servers often keep a header whose encoding has been undone; markup and text are then near the start.
_LOOKS_PLAIN = 1024


class BadBody(Exception):
    """A body that can't be decoded; the message is the reason it is counted under."""


def decoded_body(body: bytes, transfer: str | None, content: str | None, max_bytes: int) -> bytes:
    """`body` behind the encodings that the headers Transfer-Encoding and Content-Encoding name, last applied first.

    A body cut short gives what came before the cut. Raises BadBody: "bad_http_encoding", or "too_large" above `max_bytes`.
    """
    if "chunked" in (transfer or "").lower():
        body = _dechunked(body)
    for name in reversed((content or "").lower().split(",")):
        decoder = _DECODERS.get(name.strip())
        if decoder:
            body = decoder(body, max_bytes + 1)
    if len(body) > max_bytes:
        raise BadBody("too_large")
    return body


def _dechunked(body: bytes) -> bytes:
    """The chunks of a body joined (RFC 9112, 7.1), or the body itself where no chunks are."""
    pieces: list[bytes] = []
    start = 0
    while (end := body.find(b"\r\n", start, start + 1024)) >= 0:
        size = _hexadecimal(body[start:end].partition(b";")[0])
        if not size:
            break
        pieces.append(body[end + 2 : end + 2 + size])
        start = end + 2 + size + 2
    return b"".join(pieces) if pieces else body


def _hexadecimal(digits: bytes) -> int:
    try:
        return max(int(digits, 16), 0)
    except ValueError:
        return 0


def _gunzip(body: bytes, limit: int) -> bytes:
    return _inflate(body, limit, 31) if body.startswith(b"\x1f\x8b") else body


def _deflate(body: bytes, limit: int) -> bytes:
    """zlib, or the bare deflate stream that some servers send under the same name."""
    if _plain(body):
        return body
    return _inflate(body, limit, 15 if body[:1] == b"\x78" else -15)


def _inflate(body: bytes, limit: int, window: int) -> bytes:
    try:
        return zlib.decompressobj(window).decompress(body, limit)
    except zlib.error as error:
        raise BadBody("bad_http_encoding") from error


def _brotli(body: bytes, limit: int) -> bytes:
    try:
        return BrotliReader(io.BytesIO(body)).read(limit)
    except OSError as error:
        if _plain(body):
            return body
        raise BadBody("bad_http_encoding") from error


def _zstd(body: bytes, limit: int) -> bytes:
    if not body.startswith(b"\x28\xb5\x2f\xfd"):
        return body
    try:
        return pa.CompressedInputStream(pa.BufferReader(body), "zstd").read(limit)  # type: ignore[no-any-return]
    except OSError as error:
        raise BadBody("bad_http_encoding") from error


def _plain(body: bytes) -> bool:
    head = body[:_LOOKS_PLAIN]
    return head.lstrip()[:1] == b"<" or not head.translate(None, bytes(range(32, 127)) + b"\t\r\n")


_DECODERS: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": _gunzip,
    "x-gzip": _gunzip,
    "deflate": _deflate,
    "br": _brotli,
    "zstd": _zstd,
}
