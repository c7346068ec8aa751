"""The fetcher "debian": packages of the distribution this machine runs, fetched without root and kept in the cache.

Debian 11 to 13 and Ubuntu carry most of the same packages, in versions of their own: names are asked for, and the lock
file says which versions came. A second run reads the cache and leaves the network alone.
"""

from __future__ import annotations

import os
import re
import shutil
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.contracts import InputFile
from pipeline.errors import MissingInput, SourceError
from pipeline.fetching.locking import exclusive
from pipeline.registry import fetcher, fingerprint
from pipeline.sources.apt import Apt, Stanza, check
from pipeline.sources.archives import members
from pipeline.storage import Folder, sha256_of

#: In the store: what was asked for, and which package came.
INDEX = "packages.json"

_DECLARATION = re.compile(r"^(Files|License):[ \t]*(.*)$", re.MULTILINE)

#: How a copyright file for humans names its licence: by the text that every Debian system has.
_COMMON_LICENCE = re.compile(r"/usr/share/common-licenses/([A-Za-z0-9.+-]*[A-Za-z0-9+])")


def together(cache: Path, calls: Sequence[Mapping[str, Any]]) -> None:
    """Fetch what several calls of `debian` ask for, as one: apt takes as long for one package as for forty."""
    asked: dict[tuple[str, ...], list[str]] = {}
    for call in calls:
        asked.setdefault(tuple(call["apt_options"]), []).extend(call["packages"])
    for apt_options, packages in asked.items():
        _held(cache, packages, apt_options)


@fetcher("debian", together=together)
def debian(cache: Path, *, packages: Sequence[str], apt_options: Sequence[str] = ()) -> list[InputFile]:
    """One InputFile "deb:PACKAGE" per package. A metapackage that depends on NAME-<number> stands for that package.

    A name that apt doesn't know is left out with a MissingInput warning. `apt_options` are passed on as `apt-get -o`: sources,
    proxies, timeouts and retries only. Raises SourceError for other options and for what is no package's name, when there is
    no apt, no package list, or a known package can't be downloaded.
    """
    store, held = _held(cache, packages, apt_options)
    for name in packages:
        if name not in held:
            doubt = f", or it was not seen ({store.complaint})" if store.complaint else ""
            warnings.warn(MissingInput(f"deb:{name}: this distribution has no such package{doubt}"), stacklevel=2)
    files = [store.input_file(held[name]) for name in packages if name in held]
    return list({file.name: file for file in files}.values())


def _held(cache: Path, packages: Sequence[str], apt_options: Sequence[str]) -> tuple[_Store, dict[str, _Package]]:
    """The store and what is in it of `packages`, by the name asked for, after fetching what was not."""
    check(packages, apt_options)
    names = list(dict.fromkeys(packages))
    store = _Store(cache / ("debian" if not apt_options else f"debian-{fingerprint(list(apt_options))[:8]}"))
    held = store.held(names)
    if len(held) < len(names):
        with exclusive(store.path / "lock") as lock:
            held = store.held(names)  # another process may have fetched them meanwhile
            store.fetch([name for name in names if name not in held], Apt(store.path / "apt", apt_options, lock))
        held = store.held(names)
    return store, held


@dataclass(frozen=True)
class _Package:
    """A downloaded package: its name (not the metapackage it was asked for by), and its file in the store."""

    name: str
    version: str
    sha256: str
    size: int
    file: str
    licence: str


class _Store:
    """The cache folder: package files, an index of what was asked for, apt's state, and downloads on their way in.

    A file is moved in when its hash is right, and the index is replaced as a whole, so a run that was killed leaves
    nothing to trip over; what is in `incoming` is resumed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.complaint = ""
        self._incoming = path / "incoming"

    def held(self, names: Sequence[str]) -> dict[str, _Package]:
        """What is there and sound, by the name it was asked for; every file is hashed again."""
        known = {name: _Package(**facts) for name, facts in self._index().items() if name in names}
        return {name: package for name, package in known.items() if _is(self.path / package.file, package.size, package.sha256)}

    def input_file(self, package: _Package) -> InputFile:
        path = str((self.path / package.file).resolve())
        return InputFile(f"deb:{package.name}", path, package.sha256, package.size, package.version, package.licence, "debian")

    def fetch(self, names: Sequence[str], apt: Apt) -> None:
        """Fetch what apt knows of `names`. Lists of yesterday may name versions that are gone: try twice."""
        self.complaint = apt.update()
        found = _resolve(apt, names)
        if not found and self.complaint:
            raise SourceError(f"no package lists: {self.complaint}; check /etc/apt/sources.list.d and the network, then run again")
        if self._download(apt, found):
            apt.update(force=True)
            found = _resolve(apt, names)
            if complaint := self._download(apt, found):
                raise SourceError(f"packages can't be downloaded: {complaint}; what came is kept, run again")
        shutil.rmtree(self._incoming, ignore_errors=True)

    def _download(self, apt: Apt, wanted: Mapping[str, Stanza]) -> str:
        """Download and move in; returns the complaint if something is left. A file that fails its check is dropped."""
        self._incoming.mkdir(parents=True, exist_ok=True)
        left = self._move_in(wanted)
        if not left:
            return ""
        complaint = apt.download(sorted({stanza["Package"] for stanza in left.values()}), self._incoming)
        left = self._move_in(left)
        if left:
            shutil.rmtree(self._incoming)
        return complaint or ", ".join(sorted(left)) if left else ""

    def _move_in(self, wanted: Mapping[str, Stanza]) -> dict[str, Stanza]:
        """Move complete files from `incoming` into the store and index them; returns what isn't there."""
        moved: dict[str, _Package] = {}
        for name, stanza in wanted.items():
            package, size, sha256 = stanza["Package"], int(stanza["Size"]), stanza["SHA256"]
            file = os.path.basename(stanza["Filename"])
            for path in self._incoming.glob(f"{package}_*.deb"):
                if _is(path, size, sha256):
                    os.replace(path, self.path / file)
            if _is(self.path / file, size, sha256):
                licence = _licence(InputFile(f"deb:{package}", str(self.path / file), sha256, size), package)
                moved[name] = _Package(package, stanza["Version"], sha256, size, file, licence)
        if moved:
            Folder(str(self.path)).write_json(INDEX, self._index() | {name: asdict(package) for name, package in moved.items()})
        return {name: stanza for name, stanza in wanted.items() if name not in moved}

    def _index(self) -> dict[str, dict[str, Any]]:
        folder = Folder(str(self.path))
        found: dict[str, dict[str, Any]] = folder.read_json(INDEX) if folder.exists(INDEX) else {}
        return found


def _is(path: Path, size: int, sha256: str) -> bool:
    return path.is_file() and path.stat().st_size == size and sha256_of(str(path)) == sha256


def _resolve(apt: Apt, names: Sequence[str]) -> dict[str, Stanza]:
    """The package behind each name that apt knows."""
    found = apt.show(names)
    versioned = {name: target for name, stanza in found.items() if (target := _versioned(stanza))}
    behind = apt.show(sorted(versioned.values()))
    return {name: behind.get(versioned.get(name, ""), stanza) for name, stanza in found.items()}


def _versioned(stanza: Stanza) -> str | None:
    """The package NAME-<number> that the metapackage NAME depends on, if it does."""
    pattern = re.compile(rf"(?:^|[,|])\s*({re.escape(stanza['Package'])}-\d[\d.]*)(?=[\s,|(:]|$)")
    match = pattern.search(stanza.get("Depends", ""))
    return match[1] if match else None


def _licence(file: InputFile, package: str) -> str:
    """A short label from the package's own copyright file: the first three licences that it names."""
    path = f"usr/share/doc/{package}/copyright"
    text = next((member.data for member in members(file, [path])), b"").decode("utf-8", "replace")
    names = _declared(text) if text.lstrip().startswith("Format:") else _COMMON_LICENCE.findall(text)
    names = list(dict.fromkeys(names))
    if not names:
        return f"see {path} in the package" if text else "see the copyright file of its source package"
    return ", ".join(names[:3]) + (" and others" if len(names) > 3 else "")


def _declared(text: str) -> list[str]:
    """Licences of a machine-readable file (Debian's copyright-format 1.0), that of `Files: *` first, the packaging's left out."""
    found: list[str] = []
    for stanza in re.split(r"\n\s*\n", text):
        fields = dict(_DECLARATION.findall(stanza))
        if fields.get("License") and not fields.get("Files", "debian/").startswith("debian/"):
            found.insert(0 if fields["Files"] == "*" else len(found), fields["License"])
    return found
