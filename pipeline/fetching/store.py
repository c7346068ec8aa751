"""The cache of what was fetched: a folder for each address, holding the file, and what is known of it.

A file that is there is used as long as it is what it was (its hash, read again when its size or time of change say otherwise)
and its publisher still says the same of it, asked at most once a day. A listing that was read is kept like a file:
what a run reads stays the same until it is told to look again.
"""

from __future__ import annotations

import os
import shutil
import threading
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
from pipeline.fetching.client import Absent, Again, Client, GivenUp
from pipeline.fetching.locking import exclusive
from pipeline.fetching.tally import Quiet, Tally
from pipeline.fetching.transfer import Said, digest_of, forget, said_of, transfer
from pipeline.storage import Folder

NOTES = "fetched.json"
#: A listing is read into memory.
LISTING_BYTES = 1 << 30
#: Room that is left on the disk beyond what is fetched.
RESERVE_BYTES = 1 << 30
#: Sizes that a list doesn't give are asked for, file by file: of so many files, which stand for the others.
ASKED_FOR_SIZE = 100
#: Files that are held and asked about in one run; the others' turn comes in the next: a crawl has 90,000.
ASKED_FOR_CHANGE = 500
#: Files of one host, one after the other, that are given up before the rest of its files are.
GIVEN_UP = 8
#: Complaints that an error repeats.
MOST_COMPLAINTS = 20

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
        self._lock = threading.Lock()
        self._looks = ASKED_FOR_CHANGE
        self._silent: set[str] = set()  # hosts that didn't answer a question aside: not asked another one in this run
        self._given_up: dict[str, int] = {}

    def listing(self, url: str) -> bytes:
        """The content of a listing at `url`: fetched once, and once more in each run that updates."""
        place, held = self._place(url), self._held(url)
        if held is None or (self.rules.update and url not in self._listed):
            held = self._fetch(RemoteFile(url, url), LISTING_BYTES)
        self._listed.add(url)
        return (place / held.file).read_bytes()

    def fetch(self, files: Sequence[RemoteFile]) -> list[InputFile]:
        """The files in the store, in the order asked for, without optional ones that aren't there.

        Raises SourceError naming those that can't be had (the first of very many); what came is kept.
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
        unsaid = [file.url for file in missing if file.size is None]
        found = [size for size in pool.map(self._size_of, unsaid[:: 1 + len(unsaid) // ASKED_FOR_SIZE]) if size >= 0]
        rest = sum(found) * len(unsaid) // len(found) if found else 0
        total = sum(file.size for file in missing if file.size is not None) + rest
        about = "" if len(found) == len(unsaid) else "about "
        here = sum(self._part_size(file.url) for file in missing)
        self.folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.folder).free - RESERVE_BYTES
        if total - here > free:
            raise SourceError(
                f"{len(missing)} files need {about}{(total - here) / 1e9:,.1f} GB,"
                f" and {self.folder} has room for {max(free, 0) / 1e9:,.1f} GB:"
                " ask for fewer files, or name another --cache"
            )
        if self.rules.max_bytes is not None and total > self.rules.max_bytes:
            raise SourceError(f"{len(missing)} files have {about}{total:,} bytes, above `download: {{max_bytes: {self.rules.max_bytes}}}`")
        self.tally.begin(len(missing), total if found or not unsaid else None)

    def _size_of(self, url: str) -> int:
        said = self._said(url)
        return said.size if said else -1

    def _fetch_or_say(self, file: RemoteFile) -> Fetched | str | None:
        host = urlsplit(file.url).netloc
        if self._given_up.get(host, 0) >= GIVEN_UP:
            return f"{file.url}: not asked for, since {GIVEN_UP} files of {host} were given up; what came is kept, run again to go on"
        try:
            found = self._fetch(file, self.rules.max_file_bytes)
        except Absent as error:
            return None if file.optional else str(error)
        except GivenUp as error:
            with self._lock:
                self._given_up[host] = self._given_up.get(host, 0) + 1
            return str(error)
        except SourceError as error:
            return str(error)
        self._given_up[host] = 0
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
        if held is None:
            return None
        if self.rules.update:
            return None if self._listed_otherwise(held, file) or _another(held.said, self._said(file.url)) else held
        if time.time() - held.checked > self.rules.recheck:
            now = None
            why = self._listed_otherwise(held, file)
            if not why and self._may_look():
                now = self._said(file.url)
                why = _another(held.said, now)
            if why:
                return f"{file.url} has changed since it was fetched on {held.date} ({why}): run with --update to take what is there now"
            if now is not None:
                self._note(replace(held, checked=time.time()))
        return held

    def _may_look(self) -> bool:
        with self._lock:
            self._looks -= 1
            return self._looks >= 0

    def _listed_otherwise(self, held: Fetched, file: RemoteFile) -> str:
        """How the file that a list names differs from the one held; "" when it doesn't."""
        if file.size not in (None, held.size):
            return f"{held.size} bytes, now {file.size}"
        kind, _, expected = file.checksum.partition(":")
        if not file.checksum or file.checksum == held.checksum or digest_of(self._place(file.url) / held.file, kind) == expected.lower():
            return ""
        return f"another {kind}"

    def _said(self, url: str) -> Said | None:
        """What a server says of a file now; None when it doesn't answer, or not to that question."""
        host = urlsplit(url).netloc
        if url.partition("://")[0] not in SCHEMES or host in self._silent:
            return None
        try:
            with self.client.open(url, "HEAD") as response:
                return said_of(response)
        except Again:
            self._silent.add(host)
        except SourceError:
            pass  # a server may refuse HEAD; what is wrong with the file shows when it is fetched
        return None

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
    """What was found, by address; raises SourceError with the complaints."""
    pairs = list(zip(files, found, strict=True))
    complaints = [item for _, item in pairs if isinstance(item, str)]
    if complaints:
        more = len(complaints) - MOST_COMPLAINTS
        raise SourceError("\n  ".join([*complaints[:MOST_COMPLAINTS], *([f"and {more:,} more files"] if more > 0 else [])]))
    return {file.url: item for file, item in pairs if isinstance(item, Fetched)}


def _another(held: Said, now: Said | None) -> str:
    """How what a server gives now differs from what is held; "" when it doesn't, or when nobody answers."""
    if now is None:
        return ""
    if held.etag and now.etag:  # alone: the mirrors of a file may differ in its date
        return "" if held.etag == now.etag else f"ETag {held.etag}, now {now.etag}"
    if -1 not in (held.size, now.size) and held.size != now.size:
        return f"{held.size} bytes, now {now.size}"
    dated = held.modified and now.modified and held.modified != now.modified
    return f"of {held.modified}, now of {now.modified}" if dated else ""


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _basename(url: str) -> str:
    """A name for the file on disk, from its address: readers tell formats by suffixes."""
    name = unquote(urlsplit(url).path.rstrip("/").rpartition("/")[2])
    clean = "".join(letter if (letter.isascii() and letter.isalnum()) or letter in "._-+" else "_" for letter in name).lstrip(".")
    return f"_{clean}" if clean in ("part", "part.json", "lock", NOTES) else clean[-120:] or "file"
