"""The members of an archive, one after the other: .deb, tar and zip, single compressed files, and plain files.

An archive is told by its first bytes and read as a stream in its own order; nothing is unpacked to disk, no link is
followed, and limits stand between a hostile archive and this machine's memory. `dpkg` is not needed.

Globs are matched against a member's whole path ("usr/share/doc/git/html/git-add.html", no "./" before it, the suffix
of its own compression taken off) as `fnmatch.fnmatchcase` does: `*` also matches "/", letters' case counts.
"""

from __future__ import annotations

import fnmatch
import io
import posixpath
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from tarfile import EOFHeaderError, HeaderError, ReadError  # type: ignore[attr-defined]
from typing import IO, NamedTuple, Self

from pipeline.contracts import InputFile
from pipeline.sources.streams import CHUNK, DAMAGE, Limits, Meter, counted, decompressed, opened

#: Suffixes of compressed single files; inside an archive such a member is opened and loses the suffix.
COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".dz")

#: Suffixes of what `members` looks into.
ARCHIVES = (".deb", ".zip", ".tar", ".tgz", ".tbz2", ".txz", ".tzst", *(f".tar{suffix}" for suffix in COMPRESSED))


class Member(NamedTuple):
    """A file found in an input file. `inside` is False for an input that is no archive: the member is all of it.

    `broken` says why a member's own compression can't be undone; its `data` is empty then.
    """

    name: str
    data: bytes
    inside: bool = True
    broken: str = ""


class _Entry(NamedTuple):
    """A member before it is read: its size as the archive states it (None: unknown) and how to get its bytes."""

    name: str
    size: int | None
    read: Callable[[], bytes]
    inside: bool = True


def members(
    file: InputFile,
    select: Sequence[str] = ("*",),
    skip: Sequence[str] = (),
    *,
    known: Callable[[str], bool] | None = None,
    max_members: int = 2_000_000,
    max_member_bytes: int = 256 << 20,
    max_total_bytes: int = 1 << 40,
    max_ratio: int = 250,
) -> Iterator[Member]:
    """The regular files in `file` whose names match a glob of `select`, none of `skip`, and `known`; others aren't read.

    Sizes are in bytes; `max_total_bytes` and `max_ratio` bound what all of it comes to, decompressed. A name met again gets "#2",
    "#3" after it. Raises SourceError naming the file (damaged, truncated) or its member (a limit, a path outside).
    """
    meter = Meter(file, Limits(max_members, max_member_bytes, max_total_bytes, max_ratio))
    wanted = _matcher(select, skip)
    seen: Counter[str] = Counter()
    with opened(file) as raw:
        for entry in _entries(file, raw, meter):
            meter.enter(entry.name)
            name = uncompressed_name(_clean(entry.name, meter)) if entry.inside else entry.name
            if not wanted(name) or (known and not known(name)):
                continue
            meter.check_size(entry.size or 0)
            data, broken = entry.read(), ""
            if name != entry.name and entry.name.endswith(COMPRESSED):
                data, broken = _undo_compression(data, meter)
            seen[name] += 1
            yield Member(f"{name}#{seen[name]}" if seen[name] > 1 else name, data, entry.inside, broken)


def uncompressed_name(name: str) -> str:
    """A file's name without the suffix of its compression ("a.html" of "a.html.gz"); archives keep theirs."""
    stem, suffix = posixpath.splitext(name)
    return stem if suffix in COMPRESSED and not stem.endswith(".tar") else name


def _matcher(select: Sequence[str], skip: Sequence[str]) -> Callable[[str], bool]:
    chosen, refused = (re.compile("|".join(map(fnmatch.translate, globs)) or r"(?!)") for globs in (select, skip))
    return lambda name: bool(chosen.match(name)) and not refused.match(name)


def _clean(name: str, meter: Meter) -> str:
    path = posixpath.normpath(name.lstrip("/"))
    if path == ".." or path.startswith("../"):
        meter.refuse("its path leads out of the archive")
    return path


def _entries(file: InputFile, raw: IO[bytes], meter: Meter) -> Iterator[_Entry]:
    stream = counted(raw, meter.take)
    head = stream.peek(8)
    if head.startswith(b"!<arch>\n"):
        return _deb(stream, meter)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip(raw, meter)
    content = decompressed(stream, meter) or counted(stream, meter.give)
    if content.peek(262)[257:262] == b"ustar" or file.name.endswith(ARCHIVES):
        return _tar(content, meter)
    return iter([_Entry(uncompressed_name(file.name), None, lambda: _all_of(content, meter), inside=False)])


def _all_of(content: IO[bytes], meter: Meter) -> bytes:
    data = content.read(meter.limits.member_bytes + 1)
    meter.check_size(len(data))
    return data


def _undo_compression(data: bytes, meter: Meter) -> tuple[bytes, str]:
    """A member's bytes behind its own compression, and why they can't be had: one bad member is one bad document."""
    try:
        content = decompressed(counted(io.BytesIO(data)), meter)
        return (_all_of(content, meter) if content else data), ""
    except DAMAGE as error:
        return b"", str(error) or type(error).__name__


class _StrictHeader(tarfile.TarInfo):
    """tarfile takes a broken header behind the first member for the end of the archive; here it is an error."""

    @classmethod
    def fromtarfile(cls, tarfile: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(tarfile)
        except HeaderError as error:
            if isinstance(error, EOFHeaderError):  # the zero block that ends a sound archive
                raise
            raise ReadError(f"broken tar header at byte {tarfile.offset} ({error})") from error


def _tar(content: IO[bytes], meter: Meter) -> Iterator[_Entry]:
    with tarfile.open(fileobj=content, mode="r|", bufsize=CHUNK, tarinfo=_StrictHeader, encoding="utf-8", errors="replace") as tar:
        while (info := tar.next()) is not None:
            tar.members = []  # type: ignore[attr-defined]  # tarfile keeps every header; an archive may have millions
            if info.isreg():
                yield _Entry(info.name, info.size, lambda info=info: _tar_data(tar, info, meter))  # type: ignore[misc]
    while content.read(CHUNK):  # the checksum of the compressed stream stands behind the end of the archive
        pass


def _tar_data(tar: tarfile.TarFile, info: tarfile.TarInfo, meter: Meter) -> bytes:
    if info.issparse():
        meter.refuse(f"a sparse file, of {info.size} bytes that mostly aren't there: pack it without --sparse")
    file = tar.extractfile(info)
    return file.read() if file else b""


def _zip(raw: IO[bytes], meter: Meter) -> Iterator[_Entry]:
    raw.seek(0)
    with _directory(raw) as archive:
        meter.take(raw.seek(0, 2))
        for info in archive.infolist():
            if not info.filename.endswith("/") and not stat.S_ISLNK(info.external_attr >> 16):
                yield _Entry(info.filename, info.file_size, lambda info=info: _zip_data(archive, info, meter))  # type: ignore[misc]


def _directory(raw: IO[bytes]) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(raw)
    except (ValueError, LookupError, NotImplementedError, struct.error) as error:  # damage that zipfile doesn't look for
        raise zipfile.BadZipFile(f"damaged list of members: {error}") from error


def _zip_data(archive: zipfile.ZipFile, info: zipfile.ZipInfo, meter: Meter) -> bytes:
    meter.give(info.file_size)
    try:
        return archive.read(info)
    except (RuntimeError, NotImplementedError) as error:  # encrypted, or compressed in a way Python doesn't know
        meter.refuse(str(error))
    except (zlib.error, ValueError, LookupError, struct.error) as error:
        raise zipfile.BadZipFile(f"{info.filename}: {error}") from error


def _deb(stream: io.BufferedReader, meter: Meter) -> Iterator[_Entry]:
    """The members of data.tar in a Debian package: an ar archive of three files (deb(5))."""
    stream.read(8)
    while header := stream.read(60):
        if header[58:] != b"`\n" or not header[48:58].strip().isdigit():
            raise EOFError("broken ar header")
        name, size = header[:16].rstrip(b" /"), int(header[48:58])
        if name.startswith(b"data.tar"):
            data = counted(stream, left=size)
            return _tar(decompressed(data, meter) or counted(data, meter.give), meter)
        _skip(stream, size + size % 2)
    raise EOFError("a Debian package without data.tar")


def _skip(stream: IO[bytes], number: int) -> None:
    while number > 0:
        piece = stream.read(min(number, CHUNK))
        if not piece:
            raise EOFError("cut short")
        number -= len(piece)
