"""The fetcher "files": the user's own files, left where they lie, named and hashed.

Paths may be files, folders, globs, or URLs of anything fsspec knows (s3://, gs://, https://). Hashes are kept in the
cache by path, size and time of change, so that large files are read for it once.
"""

from __future__ import annotations

import os
import posixpath
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

from pipeline.contracts import InputFile
from pipeline.errors import SourceError
from pipeline.registry import fetcher, fingerprint
from pipeline.storage import Folder, sha256_of

#: In the cache: SHA-256 of files seen, by path, size and stamp.
HASHES = "hashes.json"

#: What a remote filesystem may say of a file's version, best first. Without any, a file is hashed every time.
STAMPS = ("ETag", "etag", "LastModified", "last_modified", "Last-Modified", "updated", "Content-MD5")

#: A local file changed less than this before it is hashed could change again within its time stamp.
SETTLED_SECONDS = 2.0

HASHING_THREADS = 8

_MAGIC = re.compile(r"[*?\[]")

#: What fsspec says of a file.
Info = Mapping[str, Any]


@fetcher("files")
def files(cache: Path, *, paths: Sequence[str], licence: str = "") -> list[InputFile]:
    """One InputFile per file found, in the order of `paths`, sorted within each; hidden files are passed over.

    A file named by its own path is called by its last part; one found in a folder or by a glob begins with the last
    folder of that path ("books/emma.txt" for /data/books and for /data/books/*.txt). So names stay when the data move;
    different files of one name get their hash before it. Raises SourceError naming a path where nothing is, a file
    that can't be read, a link that leads nowhere or to a folder.
    """
    found = list({file.path: file for path in paths for file in _find(path)}.values())
    folder = Folder(str(cache / "files"))
    known = folder.read_json(HASHES) if folder.exists(HASHES) else {}
    with ThreadPoolExecutor(HASHING_THREADS) as pool:
        hashes = list(pool.map(lambda file: known.get(file.key) or _hash(file), found))
    fresh = {file.key: sha256 for file, sha256 in zip(found, hashes, strict=True) if file.settled}
    if not fresh.items() <= known.items():
        folder.write_json(HASHES, known | fresh)
    return _named(found, hashes, licence)


@dataclass(frozen=True)
class _Found:
    """A file before it is hashed: `key` identifies this version of it, unless it isn't `settled` yet."""

    name: str
    path: str
    size: int
    key: str
    settled: bool


def _find(path: str) -> list[_Found]:
    try:
        fs, root = fsspec.core.url_to_fs(path)
        fixed = root
        if fs.isfile(root):  # first: a web server's page may pass for a folder of links, a name may hold a bracket
            infos = [fs.info(root)]
        elif fs.isdir(root):
            infos = list(_walk(fs, root))
        else:
            fixed = posixpath.dirname(_MAGIC.split(root)[0])
            infos = [info for info in fs.glob(root, detail=True).values() if _is_file(fs, info)]
            infos = [info for info in infos if "/." in root or "/." not in info["name"][len(fixed) :]]
    except SourceError:
        raise
    except Exception as error:  # each store has errors of its own: unknown protocols, missing credentials, refused connections
        raise SourceError(f"{path} can't be looked into: {error}") from error
    if not infos:
        raise SourceError(f"{path}: no file there")
    parent = posixpath.dirname(fixed.rstrip("/"))
    return [_described(fs, info, parent) for info in sorted(infos, key=lambda info: str(info["name"]))]


def _walk(fs: AbstractFileSystem, root: str) -> Iterator[Info]:
    """The files below a folder, without those whose name, or whose folder's, begins with a dot."""
    for _, folders, found in fs.walk(root, detail=True, on_error="raise"):
        for name in [name for name in folders if name.startswith(".")]:
            del folders[name]
        yield from (info for name, info in found.items() if not name.startswith(".") and _is_file(fs, info))


def _is_file(fs: AbstractFileSystem, info: Info) -> bool:
    if info["type"] in ("file", "directory") or fs.isfile(info["name"]):
        return bool(info["type"] != "directory")
    raise SourceError(f"{info['name']} is no file but a link to a folder or to nowhere: name the folder itself, or remove it")


def _described(fs: AbstractFileSystem, info: Info, parent: str) -> _Found:
    spelt = str(info["name"]).removeprefix(parent).lstrip("/")
    name = spelt.encode("utf-8", "backslashreplace").decode()  # a name on disk may be no text; ids and lock files are
    if isinstance(fs, LocalFileSystem):
        path, status = str(info["name"]), os.stat(info["name"])  # of the file behind a link
        size, stamp, recent = status.st_size, str(status.st_mtime_ns), time.time() - status.st_mtime < SETTLED_SECONDS
    else:
        path, size, recent = fs.unstrip_protocol(info["name"]), int(info["size"] or 0), False
        stamp = next((str(info[key]) for key in STAMPS if info.get(key)), "")
    return _Found(name, path, size, fingerprint([path, size, stamp]), bool(stamp) and not recent)


def _hash(file: _Found) -> str:
    try:
        return sha256_of(file.path)
    except OSError as error:
        raise SourceError(f"{file.path} can't be read: {error.strerror or error}") from error


def _named(found: Sequence[_Found], hashes: Sequence[str], licence: str) -> list[InputFile]:
    uses = Counter(file.name for file in found)
    named: dict[str, InputFile] = {}
    for file, sha256 in zip(found, hashes, strict=True):
        name = file.name if uses[file.name] == 1 else f"{sha256[:8]}/{file.name}"
        named.setdefault(name, InputFile(name, file.path, sha256, file.size, licence=licence, origin="files"))
    return list(named.values())
