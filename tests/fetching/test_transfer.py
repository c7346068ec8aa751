"""One file: cut and gone on with, changed, wrong, too slow, too large; nothing half is taken for whole."""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys
import time
from pathlib import Path

import fsspec
import pytest
from http_kit import Served, Server

from pipeline.contracts import RemoteFile
from pipeline.errors import SourceError
from pipeline.fetching.client import Client, Patience
from pipeline.fetching.transfer import Said, transfer

BODY = random.Random(1).randbytes(200_000)
LIMIT = 1 << 30


def fetched(client: Client, file: RemoteFile, folder: Path, most: int = LIMIT) -> tuple[bytes, int]:
    """What came, and the sum of what was told while it did."""
    ticks: list[int] = []
    path, _ = transfer(client, file, folder, ticks.append, most)
    return path.read_bytes(), sum(ticks)


def test_a_file(server: Server, client: Client, tmp_path: Path) -> None:
    url = server.put("/a", BODY)
    assert fetched(client, RemoteFile("a", url), tmp_path) == (BODY, len(BODY))


def test_an_empty_file(server: Server, client: Client, tmp_path: Path) -> None:
    assert fetched(client, RemoteFile("a", server.put("/a", b"")), tmp_path) == (b"", 0)


def test_a_cut_connection_is_gone_on_with(server: Server, client: Client, tmp_path: Path) -> None:
    url = server.turn("/a", Served(BODY, cut=70_000), Served(BODY, cut=50_000), Served(BODY))
    assert fetched(client, RemoteFile("a", url, len(BODY)), tmp_path) == (BODY, len(BODY))
    assert server.gets("/a") == ["", "bytes=70000-", "bytes=120000-"]


def test_cuts_that_gain_something_are_no_end(server: Server, client: Client, tmp_path: Path) -> None:
    url = server.turn("/a", *[Served(BODY, cut=20_000)] * 9, Served(BODY))
    assert fetched(client, RemoteFile("a", url), tmp_path)[0] == BODY


def test_a_server_without_ranges_begins_anew(server: Server, client: Client, tmp_path: Path) -> None:
    url = server.turn("/a", Served(BODY, cut=70_000, ranges=False), Served(BODY, ranges=False))
    assert fetched(client, RemoteFile("a", url), tmp_path) == (BODY, len(BODY))


def test_without_a_version_nothing_is_joined(server: Server, client: Client, tmp_path: Path) -> None:
    url = server.turn("/a", Served(BODY, cut=70_000, etag=""), Served(BODY, etag=""))
    assert fetched(client, RemoteFile("a", url), tmp_path)[0] == BODY
    assert server.gets("/a") == ["", ""]


def test_a_weak_etag_doesnt_join_bytes(server: Server, client: Client, tmp_path: Path) -> None:
    url = server.turn("/a", Served(BODY, cut=70_000, etag='W/"1"'), Served(BODY, etag='W/"1"'))
    assert fetched(client, RemoteFile("a", url), tmp_path)[0] == BODY
    assert server.gets("/a") == ["", ""]


def test_a_file_that_changes_between_attempts(server: Server, client: Client, tmp_path: Path) -> None:
    other = BODY[::-1]
    url = server.turn("/a", Served(BODY, cut=70_000), Served(other))
    assert fetched(client, RemoteFile("a", url), tmp_path) == (other, len(other))


def test_a_file_that_changes_under_one_etag_is_found_by_its_checksum(server: Server, client: Client, tmp_path: Path) -> None:
    other = BODY[::-1]
    url = server.turn("/a", Served(BODY, cut=70_000, etag='"1"'), Served(other, etag='"1"'))
    checksum = "sha1:" + hashlib.sha1(other).hexdigest()
    assert fetched(client, RemoteFile("a", url, checksum=checksum), tmp_path) == (other, len(other))


def test_a_file_that_shrinks(server: Server, client: Client, tmp_path: Path) -> None:
    url = server.turn("/a", Served(BODY, cut=70_000, etag='"1"'), Served(BODY[:100], etag='"1"'))
    assert fetched(client, RemoteFile("a", url), tmp_path) == (BODY[:100], 100)


def test_a_length_that_lies(server: Server, client: Client, tmp_path: Path) -> None:
    more = server.put("/more", BODY, length=len(BODY) + 5, ranges=False)
    with pytest.raises(SourceError, match="was cut"):
        fetched(client, RemoteFile("a", more), tmp_path / "more")
    less = server.put("/less", BODY, length=1000)
    with pytest.raises(SourceError, match="1000 bytes came where the publisher's list says 200000"):
        fetched(client, RemoteFile("a", less, len(BODY)), tmp_path / "less")


def test_a_wrong_checksum(server: Server, client: Client, tmp_path: Path) -> None:
    url = server.put("/a", BODY)
    with pytest.raises(SourceError, match=r"its md5 is .* where the publisher's list says 00ff"):
        fetched(client, RemoteFile("a", url, checksum="md5:00ff"), tmp_path)
    assert not (tmp_path / "part").exists()
    assert len(server.gets("/a")) == 2


def test_too_large(server: Server, client: Client, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="200,000 bytes, more than the 1,000 allowed"):
        fetched(client, RemoteFile("a", server.put("/a", BODY)), tmp_path, most=1000)
    assert not (tmp_path / "part").exists()


def test_a_drip(server: Server, tmp_path: Path) -> None:
    url = server.put("/a", BODY[:400], drip=0.02)
    client = Client(private=True, obey_robots=False, patience=Patience(attempts=2, stall=0.1, min_rate=1000), sleep=lambda _: None)
    with pytest.raises(SourceError, match="bytes/s, below 1,000"):
        fetched(client, RemoteFile("a", url), tmp_path)


def test_silence(server: Server, tmp_path: Path) -> None:
    url = server.put("/a", BODY[:2], drip=5.0)
    client = Client(private=True, obey_robots=False, patience=Patience(attempts=1, stall=0.2), sleep=lambda _: None)
    with pytest.raises(SourceError, match="timed out"):
        fetched(client, RemoteFile("a", url), tmp_path)


def test_a_kill_in_the_middle(server: Server, client: Client, tmp_path: Path) -> None:
    """Killed without a warning while bytes come; the next process asks for the rest and has the file whole."""
    url = server.turn("/a", Served(BODY, drip=0.0002), Served(BODY))
    program = (
        "from pathlib import Path; from pipeline.contracts import RemoteFile; from pipeline.fetching.client import Client;"
        "from pipeline.fetching.transfer import transfer;"
        f"transfer(Client(private=True, obey_robots=False), RemoteFile('a', {url!r}), Path({str(tmp_path)!r}), lambda n: None, 1 << 30)"
    )
    process = subprocess.Popen([sys.executable, "-c", program])
    part = tmp_path / "part"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (part.exists() and part.stat().st_size > 1000):
        time.sleep(0.01)
    process.kill()
    process.wait()
    have = part.stat().st_size
    assert 0 < have < len(BODY)
    assert fetched(client, RemoteFile("a", url), tmp_path) == (BODY, len(BODY))
    assert server.gets("/a") == ["", f"bytes={have}-"]


def test_whole_before_the_kill(server: Server, client: Client, tmp_path: Path) -> None:
    url = server.put("/a", BODY)
    fetched(client, RemoteFile("a", url), tmp_path)
    assert fetched(client, RemoteFile("a", url), tmp_path)[0] == BODY
    assert len(server.asked) == 1


def test_notes_that_were_cut(server: Server, client: Client, tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(b"rubbish")
    (tmp_path / "part.json").write_text('{"url": ')
    assert fetched(client, RemoteFile("a", server.put("/a", BODY)), tmp_path) == (BODY, len(BODY))


def test_a_store_of_objects(client: Client, tmp_path: Path) -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe("/bucket/a.bin", BODY)
    path, said = transfer(client, RemoteFile("a", "memory://bucket/a.bin"), tmp_path, lambda _: None, LIMIT)
    assert path.read_bytes() == BODY
    assert isinstance(said, Said)
    assert said.size == len(BODY)
    with pytest.raises(SourceError, match="no file there"):
        transfer(client, RemoteFile("a", "memory://bucket/none"), tmp_path / "b", lambda _: None, LIMIT)


def test_a_server_that_gives_the_rest_of_another_version(server: Server, client: Client, tmp_path: Path) -> None:
    """Without If-Range; only the ETag tells, no checksum."""
    other = BODY[::-1]
    rest = {"Content-Range": f"bytes 70000-{len(BODY) - 1}/{len(BODY)}"}
    url = server.turn("/a", Served(BODY, cut=70_000, etag='"1"'), Served(other[70_000:], 206, rest, etag='"2"'), Served(other, etag='"2"'))
    assert fetched(client, RemoteFile("a", url), tmp_path) == (other, len(other))


@pytest.mark.parametrize("scheme", ["file", "local", "HTTP", "simplecache::file", "ftp", "github"])
def test_other_ways_are_not_gone(client: Client, tmp_path: Path, scheme: str) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    with pytest.raises(SourceError, match="nothing else is fetched"):
        transfer(client, RemoteFile("a", f"{scheme}://{secret}"), tmp_path / "there", lambda _: None, LIMIT)
