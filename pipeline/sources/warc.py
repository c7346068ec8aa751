"""The reader "warc": pages of a web archive (WARC 1.0 and 1.1: crawls, and Common Crawl's WET texts), by FastWARC."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import IO, Literal

from fastwarc.warc import ArchiveIterator, WarcRecord, WarcRecordType

from pipeline.contracts import InputFile, RawDocument
from pipeline.registry import reader
from pipeline.sources.http import BadBody, decoded_body
from pipeline.sources.streams import DAMAGE
from pipeline.sources.uncompressed import uncompressed

#: The extractor of each media type that is read; records of other types are passed over.
FORMATS = {"text/html": "html", "application/xhtml+xml": "html", "text/plain": "text"}

#: What a whole archive ends with: each record is followed by two line ends.
_END = b"\r\n\r\n"


@reader("warc", uses=("fastwarc",))
def warc(
    file: InputFile,
    *,
    records: Sequence[Literal["response", "resource", "conversion"]] = ("response", "conversion"),
    max_bytes: int = 32 << 20,
) -> Iterator[RawDocument]:
    """HTML and plain text of the kinds of record in `records`; of HTTP responses, those with status 200.

    The locator is the record's WARC-Record-ID; the HTTP header's charset is in the meta. Transfer and content encodings
    are undone; a body that can't be, or is larger than `max_bytes`, is a document of the format "invalid". A file that is
    damaged or cut short raises SourceError with the place.
    """
    wanted = WarcRecordType.no_type
    for name in records:
        wanted |= getattr(WarcRecordType, name)
    place = 0
    with uncompressed(file) as stream:
        tail = _Tail(stream)
        try:
            for record in ArchiveIterator(tail, record_types=wanted, parse_http=False):  # type: ignore[arg-type]
                place = record.stream_pos
                document = _document(record, max_bytes)
                if document:
                    yield document
            if tail.last != _END:
                raise EOFError("the archive is cut short")
        except DAMAGE as error:
            raise EOFError(f"{error or 'cut short'}, in or after the record at uncompressed byte {place}") from error


class _Tail:
    """A stream that remembers its last bytes, because FastWARC takes any end of data for the end of the archive."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._seen = 0
        self.last = b""

    def read(self, size: int = -1) -> bytes:
        piece = self._stream.read(size)
        self._seen += len(piece)
        self.last = (self.last + piece[-len(_END) :])[-len(_END) :]
        return piece

    def tell(self) -> int:
        return self._seen


def _document(record: WarcRecord, max_bytes: int) -> RawDocument | None:
    """The page in a record, or None where there is none that is asked for."""
    headers = record.headers
    found = RawDocument(
        locator=(record.record_id or f"@{record.stream_pos}").strip("<>").removeprefix("urn:uuid:"),
        content=b"",
        format="invalid",
        url=(headers.get("WARC-Target-URI") or "").strip("<>") or None,
        date=headers.get("WARC-Date"),
    )
    if record.record_type == WarcRecordType.response:
        try:
            record.parse_http()
        except OSError:
            return found._replace(meta={"reason": "bad_http_header"})
        if record.http_headers is None or record.http_headers.status_code != 200:
            return None
    extractor = FORMATS.get(_media_type(record))
    return _with_body(record, found._replace(format=extractor), max_bytes) if extractor else None


def _media_type(record: WarcRecord) -> str:
    if record.record_type == WarcRecordType.conversion:
        return "text/plain"
    stated = record.http_content_type if record.record_type == WarcRecordType.response else record.headers.get("Content-Type")
    return (stated or record.headers.get("WARC-Identified-Payload-Type") or "").partition(";")[0].strip().lower()


def _with_body(record: WarcRecord, page: RawDocument, max_bytes: int) -> RawDocument:
    expected = record.content_length
    body = record.reader.read(max_bytes + 1)
    if len(body) < min(expected, max_bytes + 1):
        raise EOFError(f"{expected - len(body)} bytes of a record are missing")
    http = record.http_headers
    transfer, content = (http.get("Transfer-Encoding"), http.get("Content-Encoding")) if http else (None, None)
    try:
        body = decoded_body(body, transfer, content, max_bytes)
    except BadBody as bad:
        return page._replace(format="invalid", meta={"reason": str(bad)})
    meta = {"charset": record.http_charset if http else None, "cut": record.headers.get("WARC-Truncated")}
    return page._replace(content=body, meta={key: value for key, value in meta.items() if value})
