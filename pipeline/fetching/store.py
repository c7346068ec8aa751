"""The cache of what was fetched: a folder for each address, holding the file, and what is known of it.

A file that is there is used as long as it is what it was (its hash, read again when its size or time of change say otherwise)
and its publisher still says the same of it, asked at most once a day. A listing that was read is kept like a file:
what a run reads stays the same until it is told to look again.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pipeline.contracts import InputFile, RemoteFile
from pipeline.errors import SourceError
from pipeline.fetching.addresses import SCHEMES
from pipeline.fetching.client import Absent, Again, Client
from pipeline.fetching.locking import exclusive
from pipeline.fetching.tally import Quiet, Tally
from pipeline.fetching.transfer import Said, digest_of, forget, said_of, transfer
from pipeline.storage import Folder

NOTES = "fetched.json"
#: A listing is read into memory.
LISTING_BYTES = 1 << 30
#: Room that is left on the disk beyond what is fetched.
RESERVE_BYTES = 1 << 30
#: Sizes that a list doesn't give are asked for, file by file, of so many files at most before the first is fetched.
ASKED_FOR_SIZE = 2000

THREADS = 16


@dataclass(frozen=True)
class Rules:
    """What a store holds to. `update`: take what has changed at its publisher; else it is an error.

    `max_file_bytes` of one file, `max_bytes` of all that is fetched now, `recheck` seconds between two looks at a publisher.
    """

    update: bool = False
    max_file_bytes: int = 1 << 40
    max_bytes: int | None = None
    recheck: float = 86400.0


@dataclass(frozen=True)
class Fetched:
    """What is known of a file in the store: as what it was published, its hash, and when it came (UTC) and was looked at last."""

    url: str
    file: str
    size: int
    sha256: str
    checksum: str
    said: Said
    date: str
    checked: float
    stamp: tuple[int, int]


class Store:
    """Files by address, in one folder. `client` fetches them, under `rules`."""

    def __init__(self, folder: Path, client: Client, rules: Rules = Rules(), tally: Tally | None = None) -> None:
        self.folder, self.client, self.rules = folder, client, rules
        self.tally: Tally = tally or Quiet()
        self._listed: set[str] = set()

    def listing(self, url: str, checksum: str = "") -> bytes:
        """The content of a listing at `url`: fetched once, and once more in each run that updates."""
        place, held = self._place(url), self._held(url)
        if held is None or (self.rules.update and url not in self._listed):
            held = self._fetch(RemoteFile(url, url, None, checksum), LISTING_BYTES)
        self._listed.add(url)
        return (place / held.file).read_bytes()

    def fetch(self, files: Sequence[RemoteFile]) -> list[InputFile]:
        """The files in the store, in the order asked for, without optional ones that aren't there.

        Raises SourceError naming each that can't be had; what came is kept.
        """
        wanted = list({file.url: file for file in files}.values())
        with ThreadPoolExecutor(THREADS) as pool:
            held = _all(wanted, pool.map(self._still_held, wanted))
            missing = [file for file in wanted if file.url not in held]
            if missing:
                self._begin(missing, pool)
                try:
                    held |= _all(missing, pool.map(self._fetch_or_say, missing))
                finally:
                    self.tally.end()
        return [self._input(file, held[file.url]) for file in files if file.url in held]

    def date(self, file: InputFile) -> str:
        """When a file of the store was fetched."""
        held = self._held(file.url)
        return held.date if held else ""

    def _input(self, file: RemoteFile, held: Fetched) -> InputFile:
        path = str(self._place(file.url) / held.file)
        return InputFile(file.name, path, held.sha256, held.size, file.version, file.licence, url=file.url)

    def _begin(self, missing: Sequence[RemoteFile], pool: ThreadPoolExecutor) -> None:
        """Say what will come, and raise SourceError where there is no room for it."""
        if len(missing) <= ASKED_FOR_SIZE:
            sizes = list(pool.map(lambda file: file.size if file.size is not None else self._size_of(file), missing))
        else:
            sizes = [file.size for file in missing]
        total = sum(size for size in sizes if size is not None)
        here = sum(self._part_size(file.url) for file in missing)
        self.folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.folder).free - RESERVE_BYTES
        if total - here > free:
            raise SourceError(
                f"{len(missing)} files need {(total - here) / 1e9:,.1f} GB, and {self.folder} has room for {max(free, 0) / 1e9:,.1f} GB:"
                " ask for fewer files, or name another --cache"
            )
        if self.rules.max_bytes is not None and total > self.rules.max_bytes:
            raise SourceError(f"{len(missing)} files have {total:,} bytes, above `download: {{max_bytes: {self.rules.max_bytes}}}`")
        self.tally.begin(len(missing), total if None not in sizes else None)

    def _size_of(self, file: RemoteFile) -> int | None:
        try:
            return self.client.size(file.url) if file.url.partition("://")[0] in SCHEMES else None
        except SourceError:
            return None  # a server may refuse HEAD; what is wrong with the file shows when it is fetched

    def _fetch_or_say(self, file: RemoteFile) -> Fetched | str | None:
        try:
            found = self._fetch(file, self.rules.max_file_bytes)
        except Absent as error:
            return None if file.optional else str(error)
        except SourceError as error:
            return str(error)
        self.tally.file(file.name)
        return found

    def _fetch(self, file: RemoteFile, most: int) -> Fetched:
        place = self._place(file.url)
        with exclusive(place / "lock"):
            held = self._held(file.url)
            if held is not None and not self.rules.update:
                return held  # another run fetched it meanwhile
            part, said = transfer(self.client, file, place, self.tally.bytes, most)
            name, now = _basename(file.url), time.time()
            stamp, digest = _stamp(part), digest_of(part, "sha256")
            os.replace(part, place / name)
            date = datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds")
            found = Fetched(file.url, name, stamp[0], digest, file.checksum, said, date, now, stamp)
            self._note(found)
            forget(place)
            return found

    def _still_held(self, file: RemoteFile) -> Fetched | str | None:
        """What is held of a file, if it is still what its publisher offers; None when it is to be fetched; or what is wrong."""
        held = self._held(file.url)
        if held is None or (self.rules.update and self._changed(held, file)):
            return None
        if time.time() - held.checked > self.rules.recheck:
            if why := self._changed(held, file):
                return f"{file.url} has changed since it was fetched on {held.date} ({why}): run with --update to take what is there now"
            self._note(replace(held, checked=time.time()))
        return held

    def _changed(self, held: Fetched, file: RemoteFile) -> str:
        """How the publisher's version differs from the one held; "" when it doesn't, or when nobody answers."""
        if file.size not in (None, held.size):
            return f"{held.size} bytes, now {file.size}"
        if file.checksum and file.checksum != held.checksum:
            kind, _, expected = file.checksum.partition(":")
            return "" if digest_of(self._place(file.url) / held.file, kind) == expected.lower() else f"another {kind}"
        now = self._said(file.url)
        if held.said.etag and now.etag:  # alone: the mirrors of a file may differ in its date
            return "" if held.said.etag == now.etag else f"ETag {held.said.etag}, now {now.etag}"
        if -1 not in (held.said.size, now.size) and held.said.size != now.size:
            return f"{held.said.size} bytes, now {now.size}"
        dated = held.said.modified and now.modified and held.said.modified != now.modified
        return f"of {held.said.modified}, now of {now.modified}" if dated else ""

    def _said(self, url: str) -> Said:
        """What a server says of a file now; nothing when it doesn't answer, or not to that question."""
        if url.partition("://")[0] not in SCHEMES:
            return Said()
        try:
            with self.client.open(url, "HEAD") as response:
                return said_of(response)
        except (Again, SourceError):
            return Said()

    def _place(self, url: str) -> Path:
        return self.folder / sha256(url.encode()).hexdigest()[:24]

    def _part_size(self, url: str) -> int:
        part = self._place(url) / "part"
        return part.stat().st_size if part.exists() else 0

    def _held(self, url: str) -> Fetched | None:
        """What the store has of an address; a file whose stamp is another is hashed again, and fetched anew when it is another."""
        place = Folder(str(self._place(url)))
        if not place.exists(NOTES):
            return None
        found = place.read_json(NOTES)
        held = Fetched(**{**found, "said": Said(**found["said"]), "stamp": tuple(found["stamp"])})
        path = self._place(url) / held.file
        if not path.is_file():
            return None
        if _stamp(path) != held.stamp:
            if digest_of(path, "sha256") != held.sha256:
                return None
            held = replace(held, stamp=_stamp(path))
            self._note(held)
        return held

    def _note(self, found: Fetched) -> None:
        Folder(str(self._place(found.url))).write_json(NOTES, asdict(found))


def _all(files: Sequence[RemoteFile], found: Iterable[Fetched | str | None]) -> dict[str, Fetched]:
    """What was found, by address; raises SourceError with every complaint."""
    pairs = list(zip(files, found, strict=True))
    complaints = [item for _, item in pairs if isinstance(item, str)]
    if complaints:
        raise SourceError("\n  ".join(complaints))
    return {file.url: item for file, item in pairs if isinstance(item, Fetched)}


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _basename(url: str) -> str:
    """A name for the file on disk, from its address: readers tell formats by suffixes."""
    name = unquote(urlsplit(url).path.rstrip("/").rpartition("/")[2])
    clean = "".join(letter if letter.isalnum() or letter in "._-+" else "_" for letter in name).lstrip(".")
    return f"_{clean}" if clean in ("part", "part.json", "lock", NOTES) else clean[-120:] or "file"
