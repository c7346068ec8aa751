"""The user's own files: their names, their hashes, and what is refused."""

from __future__ import annotations

import json
import os
from pathlib import Path

import fsspec
import pytest

from pipeline.contracts import InputFile
from pipeline.errors import SourceError
from pipeline.sources import files as module
from pipeline.sources.files import files
from pipeline.storage import sha256_of


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name in ("books/b.txt", "books/a.txt", "books/more/c.txt", "books/.hidden/d.txt", "books/.DS_Store", "notes/a.txt"):
        (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / name).write_text(f"This is {name}.")
    return tmp_path / "data"


def names(tmp_path: Path, *paths: object, **keys: str) -> list[str]:
    return [file.name for file in files(tmp_path / "cache", paths=[str(path) for path in paths], **keys)]


def age(folder: Path) -> None:
    """Make all files old enough that their time stamps are trusted."""
    for path in folder.rglob("*"):
        os.utime(path, (1e9, 1e9))


def test_a_folder_gives_its_files_but_the_hidden_ones(tmp_path: Path, data: Path) -> None:
    assert names(tmp_path, data / "books") == ["books/a.txt", "books/b.txt", "books/more/c.txt"]
    assert names(tmp_path, f"{data}/books/") == ["books/a.txt", "books/b.txt", "books/more/c.txt"]


def test_a_glob_gives_the_same_names(tmp_path: Path, data: Path) -> None:
    assert names(tmp_path, data / "books" / "*.txt") == ["books/a.txt", "books/b.txt"]
    assert names(tmp_path, data / "books" / "**" / "?.txt") == ["books/a.txt", "books/b.txt", "books/more/c.txt"]
    assert names(tmp_path, data / "books" / ".h*" / "?.txt") == ["books/.hidden/d.txt"]


def test_a_file_is_called_by_its_last_part(tmp_path: Path, data: Path) -> None:
    (data / "odd[1].txt").write_text("brackets")
    assert names(tmp_path, data / "books" / "b.txt", data / "odd[1].txt") == ["b.txt", "odd[1].txt"]


def test_names_stay_when_the_data_move(tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = names(tmp_path, data / "books")
    data.rename(tmp_path / "moved")
    monkeypatch.chdir(tmp_path / "moved")
    assert names(tmp_path, "books") == before


def test_files_carry_path_hash_size_and_licence(tmp_path: Path, data: Path) -> None:
    (file,) = files(tmp_path / "cache", paths=[str(data / "books" / "a.txt")], licence="CC0-1.0")
    path = str(data / "books" / "a.txt")
    assert file == InputFile("a.txt", path, sha256_of(path), 20, licence="CC0-1.0", origin="files")


def test_files_of_one_name_are_told_apart_and_the_same_file_comes_once(tmp_path: Path, data: Path) -> None:
    both = names(tmp_path, data / "books" / "a.txt", data / "notes" / "a.txt", data / "books" / "a.txt")
    assert len(set(both)) == 2
    assert both == [f"{sha256_of(str(data / folder / 'a.txt'))[:8]}/a.txt" for folder in ("books", "notes")]


def test_a_hash_is_taken_once_until_the_file_changes(tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[str] = []
    monkeypatch.setattr(module, "sha256_of", lambda path: hashed.append(path) or sha256_of(path))  # type: ignore[func-returns-value]
    age(data)
    first = names(tmp_path, data)
    assert len(hashed) == 4
    assert names(tmp_path, data) == first
    assert len(hashed) == 4
    (data / "books" / "a.txt").write_text("This is books/A.txt.")
    changed = files(tmp_path / "cache", paths=[str(data)])
    assert len(hashed) == 5
    assert changed[0].sha256 == sha256_of(str(data / "books" / "a.txt"))


def test_a_file_just_written_is_hashed_again(tmp_path: Path, data: Path) -> None:
    path = data / "books" / "a.txt"
    names(tmp_path, path)
    stamp = path.stat().st_mtime_ns
    path.write_text("This is books/A.txt.")
    os.utime(path, ns=(stamp, stamp))
    assert files(tmp_path / "cache", paths=[str(path)])[0].sha256 == sha256_of(str(path))


def test_a_link_stands_for_the_file_behind_it(tmp_path: Path, data: Path) -> None:
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "x.txt").symlink_to(data / "books" / "a.txt")
    age(data)
    (before,) = files(tmp_path / "cache", paths=[str(tmp_path / "linked")])
    assert (before.name, before.size) == ("linked/x.txt", 20)
    (data / "books" / "a.txt").write_text("This is books/A.txt.")
    assert files(tmp_path / "cache", paths=[str(tmp_path / "linked")])[0].sha256 != before.sha256


@pytest.mark.parametrize("target", ["nowhere", "data/books"])
def test_links_to_folders_and_nowhere_are_refused(tmp_path: Path, data: Path, target: str) -> None:
    (data / "notes" / "odd").symlink_to(tmp_path / target)
    with pytest.raises(SourceError, match=r"notes/odd is no file but a link"):
        names(tmp_path, data / "notes")


@pytest.mark.parametrize("path", ["nowhere", "books/*.pdf", "empty"])
def test_a_path_without_files_is_an_error_that_names_it(tmp_path: Path, data: Path, path: str) -> None:
    (data / "empty").mkdir()
    with pytest.raises(SourceError, match=rf"data/{path.replace('*', '[*]')}: no file there"):
        names(tmp_path, data / "books", data / path)


def test_a_file_that_cannot_be_read_is_an_error_that_names_it(tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> str:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(module, "sha256_of", refuse)
    with pytest.raises(SourceError, match=r"books/a\.txt can't be read: Permission denied"):
        names(tmp_path, data / "books" / "a.txt")


def test_other_filesystems(tmp_path: Path) -> None:
    remote = fsspec.filesystem("memory")
    for name in ("z.txt", "a.txt"):
        remote.pipe(f"/corpus/{name}", name.encode())
    found = files(tmp_path / "cache", paths=["memory://corpus"])
    assert [(file.name, file.path, file.size) for file in found] == [
        ("corpus/a.txt", "memory:///corpus/a.txt", 5),
        ("corpus/z.txt", "memory:///corpus/z.txt", 5),
    ]
    assert sha256_of(found[0].path) == found[0].sha256
    hashes = tmp_path / "cache" / "files" / "hashes.json"
    assert not hashes.exists() or not json.loads(hashes.read_text())


def test_a_name_that_is_no_text_is_spelt_out(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with open(os.path.join(os.fsencode(tmp_path / "in"), b"\xff\xfe.txt"), "wb") as file:
        file.write(b"words")
    assert [found.name for found in files(tmp_path / "cache", paths=[str(tmp_path / "in")])] == ["in/\\udcff\\udcfe.txt"]


@pytest.mark.parametrize("path", ["foo://x/y", "s3://nowhere-at-all-tokenmill/x"])
def test_a_store_that_cannot_be_opened_is_named(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(SourceError, match="can't be looked into"):
        files(tmp_path / "cache", paths=[path])
