"""7z archives: what 7-Zip wrote is read as it was packed; what is damaged or packed otherwise says so."""

from __future__ import annotations

import base64
import bz2
import io
import random
import struct
import zlib
from pathlib import Path

import pytest

from pipeline.contracts import InputFile
from pipeline.errors import SourceError
from pipeline.sources import sevenzip
from pipeline.sources.stackexchange import stackexchange
from pipeline.sources.streams import DAMAGE

POSTS = (
    b'<posts><row Id="1" PostTypeId="1" Title="One" Body="&lt;p&gt;Why?&lt;/p&gt;"/>'
    b'<row Id="2" PostTypeId="2" ParentId="1" Score="3" Body="&lt;p&gt;Because.&lt;/p&gt;"/></posts>'
)

#: Badges.xml and Posts.xml in one stream, as 7-Zip 26.01 packs them (7zz a -m0=... -mtm-).
BZIP2 = base64.b64decode(
    "N3q8ryccAATWGvCI+AAAAAAAAAAhAAAAAAAAAGb9VOpCWmg5MUFZJlNZtTJeYgAAH5+AUQG4D5AgzIA+5d6gIACUCURJo9R6gaeNUaNB6ZQSigMmgAAAAp6ioMya1VJRXDwH"
    "IOoaMVJ4xXkTwClE+NRNpkWBcIZJuxcqwVB5h6O+kOMM/Amhqa9LWY9vqUPgVrR4V6wJTIkUmMZjmlNycoqt9gdiQopShdTfijF2P4u5IpwoSFqZLzEAAACBMweuD9UwOu+W"
    "bCkfR0u/Q5UINLOAcTiR4zq+zAkOt9y6xULKdUBuxr6Ha9OYrPLGU9f5N4Sk5+4oWbh3lRsP6IqP62wI+gagnI7GKkMeFVrmwCt1Qq17ZsQAABcGgJoBCV4ABwsBAAEjAwEB"
    "BV0AEAAADGoKAZKcvuYAAA=="
)
LZMA2 = base64.b64decode(
    "N3q8ryccAATTucq+2gAAAAAAAAAgAAAAAAAAAC6l8SbgAMkAdF0AHhiIJl9cqZk6Jd1D6Q7eFxPyinjRm5i/8myI+Z4JSzgkOnFw00ap57yJhy4n/INzg90y06pSFGPh4F0B"
    "jlN9CGiQC1pfpCz/CSvCX6yMXJ4AK6UcN8M4BPS6QMdSxWiE2zsslrMu6ILllW/yIdVOpOSsHgAAAACBMweuD9T5MyFCFfazRX1pTY8ar7pmsLe4uEH0gSWH6mqGTFwtQYkr"
    "ytxMiaLnojBvhdsQA0F54BPX24Kw51btCi0VBDzHGa8r6M1hgWW6d4viyRpHj+CbuIwAABcGfAEJXgAHCwEAASMDAQEFXQAQAAAMagoBcdMp6gAA"
)


def read(data: bytes, name: str = "Posts.xml") -> bytes:
    return b"".join(sevenzip.member(io.BytesIO(data), name))


@pytest.mark.parametrize("data", [BZIP2, LZMA2], ids=["bzip2", "lzma2"])
def test_what_7zip_packed(data: bytes) -> None:
    assert read(data) == POSTS
    assert read(data, "badges.xml") == b'<badges><row Id="1"/></badges>'
    with pytest.raises(OSError, match=r"has no Users\.xml; it has Badges\.xml, Posts\.xml"):
        read(data, "Users.xml")


def test_a_site_is_read_from_its_archive(tmp_path: Path) -> None:
    path = tmp_path / "small.7z"
    path.write_bytes(LZMA2)
    (thread,) = stackexchange(InputFile("se:small.7z", str(path), "", len(LZMA2)), site="small.example")
    assert thread.content == b"<h1>One</h1>\n<p>Why?</p>\n<h2>Answer</h2>\n<p>Because.</p>"
    path.write_bytes(LZMA2[:100])
    with pytest.raises(SourceError, match=r"se:small\.7z .*cut short"):
        list(stackexchange(InputFile("se:small.7z", str(path), "", 100)))


@pytest.mark.parametrize("data", [BZIP2, LZMA2], ids=["bzip2", "lzma2"])
def test_damage_is_damage(data: bytes) -> None:
    """Cut anywhere, or changed anywhere: the text as it was packed, or an error that the callers know."""
    draw = random.Random(7)
    changed = [data[:length] for length in range(0, len(data), 5)]
    for _ in range(400):
        broken = bytearray(data)
        broken[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        changed.append(bytes(broken))
    wrong = 0
    for broken_data in changed:
        try:
            assert read(broken_data) == POSTS
        except DAMAGE:
            wrong += 1
    assert wrong > 400


def rewritten(data: bytes, header: bytes) -> bytes:
    """An archive of the packed bytes of `data` with another header."""
    offset = struct.unpack("<Q", data[12:20])[0]
    return data[:8] + _crc_first(struct.pack("<QQI", offset, len(header), zlib.crc32(header))) + data[32 : 32 + offset] + header


def _crc_first(start: bytes) -> bytes:
    return struct.pack("<I", zlib.crc32(start)) + start


HOSTILE = [
    b"",
    b"\x01",
    b"\x17",
    b"\x01\x02\x00",
    b"\x01\x04\x06\x00\xff" + b"\xff" * 8,
    b"\x01\x05\xff" + b"\xff" * 8,
    b"\x17\x06\x00\x01\x09\x01\x00\x07\x0b\x01\x00\x01\x21",
    b"\x01\x04\x07\x0b\x01\x00\x01\x24\x06\xf1\x07\x01\x02\x00\x00",
]


@pytest.mark.parametrize("header", HOSTILE)
def test_headers_of_a_hostile_hand(header: bytes) -> None:
    with pytest.raises((OSError, EOFError)):
        read(rewritten(BZIP2, header))


def test_random_headers() -> None:
    draw, kinds = random.Random(3), (0, 1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 17, 33, 255)
    for _ in range(2000):
        header = bytes([draw.choice((1, 23)), *draw.choices(kinds, k=draw.randrange(40))])
        try:
            read(rewritten(BZIP2, header))
        except DAMAGE:
            continue
        raise AssertionError(header)


def test_a_header_that_leads_to_itself() -> None:
    """A packed header in a copied stream, which is that very header: unpacked once more each time it is read."""
    size = 14
    encoded = bytes([23, 6, 0, 1, 9, size, 0, 7, 11, 1, 0, 1, 1, 0, 12, size, 0, 0])
    encoded = encoded.replace(bytes([9, size]), bytes([9, len(encoded)])).replace(bytes([12, size]), bytes([12, len(encoded)]))
    start = struct.pack("<QQI", 0, len(encoded), zlib.crc32(encoded))
    with pytest.raises(sevenzip.Bad7z):
        read(sevenzip.MAGIC + b"\x00\x04" + struct.pack("<I", zlib.crc32(start)) + start + encoded)


def test_bzip2_streams_that_end_where_a_piece_does(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = bz2.compress(b"one "), bz2.compress(b"two")
    folder = sevenzip._Folder(b"\x04\x02\x02", b"")
    assert b"".join(sevenzip._decoded(iter([first, second]), folder)) == b"one two"
