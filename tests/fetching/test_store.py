"""The cache of what was fetched: nothing twice, nothing lost, nothing changed unsaid; and the lock beside the recipe."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from http_kit import Served, Server

from pipeline.contracts import InputFile, RemoteFile
from pipeline.errors import SourceError
from pipeline.fetching.client import Client, Patience
from pipeline.fetching.pins import pin
from pipeline.fetching.store import Rules, Store
from pipeline.storage import sha256_of


def files(server: Server, number: int) -> list[RemoteFile]:
    return [RemoteFile(f"f{index}", server.put(f"/f{index}.txt", f"text {index}".encode() * 100)) for index in range(number)]


def updating(store: Store) -> Store:
    return Store(store.folder, store.client, replace(store.rules, update=True))


def test_files_in_the_order_asked_for(server: Server, store: Store) -> None:
    found = store.fetch(files(server, 9))
    assert [file.name for file in found] == [f"f{index}" for index in range(9)]
    for index, file in enumerate(found):
        assert Path(file.path).read_bytes() == f"text {index}".encode() * 100
        assert (file.sha256, file.size) == (sha256_of(file.path), 600)
        assert Path(file.path).name == f"f{index}.txt"


def test_a_second_time_nothing_is_fetched(server: Server, store: Store) -> None:
    asked = files(server, 3)
    first = store.fetch(asked)
    server.asked.clear()
    assert store.fetch(asked) == first
    assert {method for method, _, _ in server.asked} == {"HEAD"}
    assert Store(store.folder, store.client, Rules(recheck=3600)).fetch(asked) == first
    assert len(server.asked) == 3


def test_one_address_under_two_names_is_fetched_once(server: Server, store: Store) -> None:
    url = server.put("/a", b"x")
    found = store.fetch([RemoteFile("one", url), RemoteFile("two", url)])
    assert [file.name for file in found] == ["one", "two"]
    assert len(server.gets("/a")) == 1


def test_addresses_that_differ_after_the_question_mark(server: Server, store: Store) -> None:
    urls = [server.put("/a?part=1", b"1"), server.put("/a?part=2", b"2")]
    assert [Path(file.path).read_bytes() for file in store.fetch([RemoteFile(url, url) for url in urls])] == [b"1", b"2"]


@pytest.mark.parametrize("path", ["/", "/part", "/fetched.json", "/lock", "/.hidden", "/" + "n" * 200, "/..%2Fup", "/a%00b"])
def test_names_that_a_disk_may_not_like(server: Server, store: Store, path: str) -> None:
    (found,) = store.fetch([RemoteFile("a", server.put(path, b"x"))])
    assert Path(found.path).read_bytes() == b"x"
    assert store.folder in Path(found.path).resolve().parents
    assert store.fetch([RemoteFile("a", server.base + path)]) == [found]


def test_a_changed_publisher_is_an_error_until_told(server: Server, store: Store) -> None:
    asked = files(server, 2)
    before = store.fetch(asked)
    server.put("/f1.txt", b"something else")
    with pytest.raises(SourceError, match=r"f1\.txt has changed since it was fetched on 20.*ETag.*--update"):
        store.fetch(asked)
    after = updating(store).fetch(asked)
    assert after[0] == before[0]
    assert Path(after[1].path).read_bytes() == b"something else"
    assert server.gets("/f0.txt") == [""]
    assert store.fetch(asked) == after


@pytest.mark.parametrize("etag", ["", None])
def test_a_change_of_size_is_seen_without_an_etag(server: Server, store: Store, etag: str | None) -> None:
    asked = [RemoteFile("a", server.put("/a", b"12345", etag=etag))]
    store.fetch(asked)
    server.put("/a", b"123456", etag=etag)
    with pytest.raises(SourceError, match="has changed"):
        store.fetch(asked)


def test_a_changed_list_is_a_changed_file(server: Server, store: Store) -> None:
    url = server.put("/a", b"12345")
    (found,) = store.fetch([RemoteFile("a", url, 5)])
    with pytest.raises(SourceError, match="5 bytes, now 6"):
        store.fetch([RemoteFile("a", url, 6)])
    assert store.fetch([RemoteFile("a", url, checksum="sha256:" + found.sha256)]) == [found]
    with pytest.raises(SourceError, match="another md5"):
        store.fetch([RemoteFile("a", url, checksum="md5:00")])


def test_a_publisher_that_is_away_stops_nothing(server: Server, store: Store) -> None:
    asked = files(server, 1)
    before = store.fetch(asked)
    server.put("/f0.txt", b"", status=503)
    assert store.fetch(asked) == before


def test_a_file_damaged_on_disk_is_fetched_again(server: Server, store: Store) -> None:
    asked = files(server, 1)
    (found,) = store.fetch(asked)
    Path(found.path).write_bytes(b"damaged")
    (again,) = store.fetch(asked)
    assert Path(again.path).read_bytes() == b"text 0" * 100
    Path(found.path).unlink()
    assert store.fetch(asked) == [again]


def test_all_that_fails_is_named_and_the_rest_kept(server: Server, store: Store) -> None:
    asked = [*files(server, 3), RemoteFile("gone", server.base + "/gone"), RemoteFile("bad", server.put("/bad", b"x"), 2)]
    with pytest.raises(SourceError) as caught:
        store.fetch(asked)
    assert "/gone: status 404" in str(caught.value)
    assert "/bad: 1 bytes came where the publisher's list says 2" in str(caught.value)
    assert len(store.fetch(asked[:3])) == 3
    assert all(len(server.gets(f"/f{index}.txt")) == 1 for index in range(3))


def test_what_a_catalogue_names_and_isnt_there(server: Server, store: Store) -> None:
    asked = [*files(server, 1), RemoteFile("gone", server.base + "/gone", optional=True)]
    assert [file.name for file in store.fetch(asked)] == ["f0"]


def test_no_room(server: Server, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    real = shutil.disk_usage(store.folder.parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: real._replace(free=(1 << 30) + 500))
    with pytest.raises(SourceError, match=r"1 files need 0\.0 GB, and .* has room for 0\.0 GB"):
        store.fetch(files(server, 1))
    assert server.gets("/f0.txt") == []


def test_a_budget(server: Server, store: Store) -> None:
    small = Store(store.folder, store.client, Rules(max_bytes=1000))
    with pytest.raises(SourceError, match=r"2 files have 1,200 bytes, above `download: \{max_bytes: 1000\}`"):
        small.fetch(files(server, 2))


def test_a_listing_is_read_once_and_anew_when_told(server: Server, store: Store) -> None:
    url = server.put("/list", b"a\nb\n")
    assert store.listing(url) == b"a\nb\n"
    server.put("/list", b"c\n")
    assert store.listing(url) == b"a\nb\n"
    fresh = updating(store)
    assert fresh.listing(url) == fresh.listing(url) == b"c\n"
    assert len(server.gets("/list")) == 2


def test_the_tally_adds_up(server: Server, tmp_path: Path, client: Client) -> None:
    told: list[tuple[str, object]] = []

    class Told:
        def begin(self, files: int, total: int | None) -> None:
            told.append(("begin", (files, total)))

        def bytes(self, number: int) -> None:
            told.append(("bytes", number))

        def file(self, name: str) -> None:
            told.append(("file", name))

        def end(self) -> None:
            told.append(("end", None))

    url = server.turn("/cut", Served(b"x" * 5000, cut=100), Served(b"x" * 5000))
    Store(tmp_path, client, Rules(), Told()).fetch([*files(server, 2), RemoteFile("cut", url)])
    assert told[0] == ("begin", (3, 6200))
    assert sum(number for kind, number in told if kind == "bytes" and isinstance(number, int)) == 6200
    assert sorted(name for kind, name in told if kind == "file") == ["cut", "f0", "f1"]  # type: ignore[type-var]
    assert told[-1] == ("end", None)


def test_two_stores_at_once(server: Server, tmp_path: Path) -> None:
    """Two runs with one cache: each file is fetched by one of them."""
    from concurrent.futures import ThreadPoolExecutor

    asked = files(server, 8)

    def run(_: int) -> list[InputFile]:
        client = Client(private=True, obey_robots=False, patience=Patience(attempts=1))
        return Store(tmp_path / "published", client, Rules(recheck=3600)).fetch(asked)

    with ThreadPoolExecutor(2) as pool:
        one, two = pool.map(run, range(2))
    assert one == two
    assert [len(server.gets(f"/f{index}.txt")) for index in range(8)] == [1] * 8


@pytest.fixture
def pinned(tmp_path: Path) -> Callable[..., None]:
    recipe = tmp_path / "mine.yaml"

    def call(*shas: str, update: bool = False) -> None:
        found = [InputFile(f"f{index}", "", sha, 3, url=f"http://e.org/{index}") for index, sha in enumerate(shas)]
        pin(str(recipe), [*found, InputFile("deb:x", "", "f", 1)], lambda _: "2026-01-02", update=update)

    return call


def test_the_lock_beside_the_recipe(pinned: Callable[..., None], tmp_path: Path) -> None:
    lock = tmp_path / "mine.lock"
    pinned("a" * 64)
    assert json.loads(lock.read_text())["files"] == {"http://e.org/0": {"size": 3, "sha256": "a" * 64, "date": "2026-01-02"}}
    before = lock.read_bytes()
    pinned("a" * 64)
    assert lock.read_bytes() == before
    pinned("a" * 64, "b" * 64)
    assert list(json.loads(lock.read_text())["files"]) == ["http://e.org/0", "http://e.org/1"]
    with pytest.raises(SourceError, match=r"http://e\.org/1: cccccccccccc\.\.\. where mine\.lock has bbbbbbbbbbbb\.\.\. of 2026-01-02"):
        pinned("a" * 64, "c" * 64)
    pinned("a" * 64, "c" * 64, update=True)
    assert json.loads(lock.read_text())["files"]["http://e.org/1"]["sha256"] == "c" * 64


def test_files_without_an_address_need_no_lock(pinned: Callable[..., None], tmp_path: Path) -> None:
    pinned()
    assert not (tmp_path / "mine.lock").exists()


def test_so_many_are_asked_about_in_one_run(server: Server, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.fetching.store.ASKED_FOR_CHANGE", 2)
    asked = files(server, 5)
    store.fetch(asked)
    for path in store.folder.glob("*/fetched.json"):
        path.write_text(json.dumps({**json.loads(path.read_text()), "checked": 0.0}))
    seen: list[list[str]] = []
    for _ in range(4):
        server.asked.clear()
        Store(store.folder, store.client, Rules(recheck=3600)).fetch(asked)
        seen.append([path for _, path, _ in server.asked])
    assert [len(paths) for paths in seen] == [2, 2, 1, 0]
    assert sorted(itertools.chain(*seen)) == [f"/f{index}.txt" for index in range(5)]


def test_sizes_of_some_stand_for_all(server: Server, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.fetching.store.ASKED_FOR_SIZE", 2)
    rich = Store(store.folder, store.client, Rules(max_bytes=5000))
    with pytest.raises(SourceError, match="9 files have about 5,400 bytes"):
        rich.fetch(files(server, 9))
    assert len(server.asked) <= 2


def test_a_host_that_is_down_is_given_up(server: Server, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.fetching.store.THREADS", 1)
    asked = [RemoteFile(f"d{number}", server.put(f"/d{number}", b"", status=503)) for number in range(40)]
    with pytest.raises(SourceError, match=r"8 files of .* were given up[^~]*and 20 more files"):
        store.fetch(asked)
    assert sum(method == "GET" for method, _, _ in server.asked) == 8 * 3
    assert sum(method == "HEAD" for method, _, _ in server.asked) == 1


def test_a_publisher_that_was_away_is_asked_again(server: Server, store: Store) -> None:
    asked = files(server, 1)
    store.fetch(asked)
    kept = dict(server.answers)
    server.put("/f0.txt", b"", status=503)
    store.fetch(asked)
    server.answers = kept
    server.asked.clear()
    Store(store.folder, store.client, Rules(recheck=0.0)).fetch(asked)
    assert len(server.asked) == 1


def test_two_profiles_at_once_both_stand_in_the_lock(tmp_path: Path) -> None:
    def add(number: int) -> None:
        file = InputFile(f"f{number}", "", "a" * 64, 3, url=f"http://e.org/{number}")
        pin(str(tmp_path / "mine.yaml"), [file], lambda _: "2026-01-02", update=False)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(40)))
    assert len(json.loads((tmp_path / "mine.lock").read_text())["files"]) == 40
