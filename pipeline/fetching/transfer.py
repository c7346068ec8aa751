"""One file from a publisher to the disk: gone on with where it was cut, checked, and only then given its name.

Beside the file that is coming lies what was said of it (`part.json`). A partial file is only gone on with when the server still
has the same version of it, by ETag or date (If-Range, RFC 9110, 13.1.5); without either it begins anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import fsspec
import urllib3
from urllib3.response import BaseHTTPResponse

from pipeline.contracts import RemoteFile
from pipeline.errors import SourceError
from pipeline.fetching.addresses import SCHEMES, STORES, Forbidden
from pipeline.fetching.client import Again, Client, Patience, whole_number

PIECE = 1 << 18

_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")

#: How a store that fsspec knows is opened, by protocol: arXiv's bucket lets whoever reads it pay.
STORE_OPTIONS: Mapping[str, Mapping[str, Any]] = {"s3": {"requester_pays": True, "anon": False}}

Tick = Callable[[int], None]


@dataclass(frozen=True)
class Said:
    """What a server says of the version of a file that it gives: whole size in bytes (-1: not said), ETag, date of change."""

    size: int = -1
    etag: str = ""
    modified: str = ""

    @property
    def validator(self) -> str:
        """What a request for the rest of it is bound to; "" when nothing tells versions apart for sure."""
        return self.etag if self.etag and not self.etag.startswith("W/") else self.modified


def transfer(client: Client, file: RemoteFile, folder: Path, tick: Tick, most: int) -> tuple[Path, Said]:
    """Fetch `file` into `folder` as "part", at most `most` bytes; returns that path and what the server said.

    `tick` is told of bytes as they come, and of those that were there, and of fewer where it begins anew. Raises SourceError for
    what can't be had, a wrong size, a wrong checksum.
    """
    part = folder / "part"
    folder.mkdir(parents=True, exist_ok=True)
    fetch = _way_to(file.url)
    tick(_size(part))
    wrong = ""
    for _ in range(2):  # pieces of two versions that looked like one are mended by a second attempt
        said = client.trying(file.url, lambda: fetch(client, file.url, folder, tick, most), lambda: _size(part))
        wrong = _wrong(file, said, part)
        if not wrong:
            return part, said
        tick(-_size(part))
        forget(folder)
    raise SourceError(f"{file.url}: {wrong}: it isn't what was published, or was changed meanwhile")


def _way_to(url: str) -> Callable[[Client, str, Path, Tick, int], Said]:
    scheme = url.partition("://")[0]
    if scheme not in (*SCHEMES, *STORES):
        raise Forbidden(f"{url} is none of {', '.join(f'{name}://' for name in (*SCHEMES, *STORES))}: nothing else is fetched")
    return _over_http if scheme in SCHEMES else _from_store


def _wrong(file: RemoteFile, said: Said, part: Path) -> str:
    size = _size(part)
    if said.size not in (-1, size):
        return f"{size} bytes came where {said.size} were announced"
    if file.size not in (None, size):
        return f"{size} bytes came where the publisher's list says {file.size}"
    kind, _, expected = file.checksum.partition(":")
    if expected and (found := digest_of(part, kind)) != expected.lower():
        return f"its {kind} is {found}, where the publisher's list says {expected.lower()}"
    return ""


def digest_of(path: Path, kind: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, kind).hexdigest()


def _over_http(client: Client, url: str, folder: Path, tick: Tick, most: int) -> Said:
    part, before = folder / "part", _noted(folder, url)
    have = _size(part) if before.validator else 0
    if have and have == before.size:
        return before  # a kill came between the last byte and the name
    headers = {"Range": f"bytes={have}-", "If-Range": before.validator} if have else {}
    with client.open(url, headers=headers) as response:
        if response.status == 416:
            tick(-_size(part))
            forget(folder)
            raise Again(f"{url} has fewer bytes than came of it before: it was changed")
        start, said = _answered(response, have)
        if start and _another(before, said):
            tick(-_size(part))
            forget(folder)
            raise Again(f"{url} was changed while it came, and the server gave the rest of what it is now")
        _check_size(url, said.size, most)
        with _writing(part, start, tick) as sink:
            _note(folder, url, said)
            _copy(url, lambda: _read(url, response), sink, tick, client.patience, most)
    return said


def _read(url: str, response: BaseHTTPResponse) -> bytes:
    """What has come, without waiting for more: a slow drip must be seen while it drips."""
    try:
        return response.read1(PIECE)
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise Again(f"{url} was cut: {error}") from error


def _answered(response: BaseHTTPResponse, have: int) -> tuple[int, Said]:
    """At which byte the body begins, and what is said of the whole file."""
    found = _RANGE.fullmatch(response.headers.get("Content-Range", "")) if response.status == 206 else None
    if response.status == 206:
        if found is None or int(found[1]) != have:
            raise Again(f"the server gives {response.headers.get('Content-Range')!r} where bytes from {have} on were asked for")
        return have, replace(said_of(response), size=int(found[2]) if found[2] != "*" else -1)
    return 0, said_of(response)


def _another(before: Said, now: Said) -> bool:
    """Whether what is said of two parts differs: a server that doesn't know If-Range gives the rest of any version."""
    told = ((before.etag, now.etag), (before.modified, now.modified))
    return any(old and new and old != new for old, new in told) or (-1 not in (before.size, now.size) and before.size != now.size)


def said_of(response: BaseHTTPResponse) -> Said:
    """What an answer says of the file that it holds as a whole."""
    size = whole_number(response.headers.get("Content-Length", ""))
    return Said(-1 if size is None else size, response.headers.get("ETag", ""), response.headers.get("Last-Modified", ""))


def _from_store(client: Client, url: str, folder: Path, tick: Tick, most: int) -> Said:
    """A file of a store that fsspec knows (s3://, gs://), by ranges."""
    part, before = folder / "part", _noted(folder, url)
    try:
        fs, path = fsspec.core.url_to_fs(url, **STORE_OPTIONS.get(url.partition("://")[0], {}))
        info = fs.info(path)
        said = Said(
            int(info["size"]), str(info.get("ETag") or info.get("etag") or ""), str(info.get("LastModified") or info.get("mtime") or "")
        )
        _check_size(url, said.size, most)
        have = _size(part) if said == before and said.validator else 0
        _note(folder, url, said)
        with fs.open(path, "rb", cache_type="none") as source, _writing(part, have, tick) as sink:
            _note(folder, url, said)
            source.seek(have)
            _copy(url, lambda: source.read(PIECE), sink, tick, client.patience, most)
    except FileNotFoundError as error:
        raise SourceError(f"{url}: no file there") from error
    except (OSError, ValueError, ImportError) as error:
        raise SourceError(f"{url} can't be read: {error}") from error
    return said


def _check_size(url: str, size: int, most: int) -> None:
    if size > most:
        raise SourceError(f"{url} has {size:,} bytes, more than the {most:,} allowed: `download: {{max_file_bytes: ...}}` allows more")


def _copy(url: str, read: Callable[[], bytes], sink: IO[bytes], tick: Tick, patience: Patience, most: int) -> None:
    """Write what `read` gives until it gives nothing; raises Again when that is too slow, SourceError above `most` bytes."""
    since, came = time.monotonic(), 0
    while piece := read():
        _write(sink, piece)
        tick(len(piece))
        came += len(piece)
        _check_size(url, sink.tell(), most)
        took = time.monotonic() - since
        if took > patience.stall:
            if came < patience.min_rate * took:
                raise Again(f"{url} came at {came / took:,.0f} bytes/s, below {patience.min_rate:,.0f}")
            since, came = time.monotonic(), 0


def _write(sink: IO[bytes], piece: bytes) -> None:
    try:
        sink.write(piece)
    except OSError as error:
        raise SourceError(f"{sink.name} can't be written: {error.strerror}; what came is kept, make room and run again") from error


@contextmanager
def _writing(part: Path, start: int, tick: Tick) -> Iterator[IO[bytes]]:
    """The partial file, cut to its first `start` bytes, to write behind them; unbuffered, so that a kill loses little."""
    with open(part, "ab", buffering=0) as sink:
        if sink.tell() > start:
            tick(start - sink.tell())
        sink.truncate(start)
        sink.seek(0, os.SEEK_END)
        yield sink
        os.fsync(sink.fileno())


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _noted(folder: Path, url: str) -> Said:
    try:
        found = json.loads((folder / "part.json").read_text("utf-8"))
        return Said(**found["said"]) if found["url"] == url else Said()
    except (OSError, ValueError, KeyError, TypeError):  # none, or cut by a kill: the file begins anew
        return Said()


def _note(folder: Path, url: str, said: Said) -> None:
    (folder / "part.json").write_text(json.dumps({"url": url, "said": vars(said)}), "utf-8")


def forget(folder: Path) -> None:
    for name in ("part", "part.json"):
        (folder / name).unlink(missing_ok=True)
