"""apt without root: package lists and downloads in a folder of our own, the machine's apt left as it is.

Only `apt-get update`, `apt-cache show` and `apt-get download` are used; where packages come from, proxies and keys are
the machine's own settings. apt verifies signatures and hashes.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.errors import SourceError

#: Lists older than this are asked for again: mirrors drop old versions, and a missing package may have come.
FRESH_SECONDS = 24 * 3600

#: What may be set by `-o`: where packages come from, proxies and patience. Others can run programs (APT::Update::Pre-Invoke).
_HARMLESS = re.compile(r"(?:Dir::Etc::source(?:list|parts)|Acquire::(?:(?:https?|ftp)::)?(?:Proxy|Timeout|Retries))=.*", re.IGNORECASE)

#: Names of packages as Debian's policy has them (5.6.1).
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+")

#: The control fields of a package, by name.
Stanza = Mapping[str, str]

_FIELD = re.compile(r"^([!-9;-~]+):[ \t]*(.*)$", re.MULTILINE)


def check(names: Sequence[str], options: Sequence[str]) -> None:
    """Refuse, by a SourceError, what is no name of a package and options that could do more than say where packages come from."""
    for option in options:
        if not _HARMLESS.fullmatch(option):
            raise SourceError(
                f"apt_options: {option!r} is not allowed; allowed are Dir::Etc::sourcelist=, Dir::Etc::sourceparts=, and Proxy=, "
                "Timeout= and Retries= of Acquire::, Acquire::http::, Acquire::https:: and Acquire::ftp::"
            )
    for name in names:
        if not _PACKAGE.fullmatch(name):
            raise SourceError(f"packages: {name!r} is no name of a Debian package (small letters, digits, and + . - after the first)")


class Apt:
    """apt with its state below `folder`. `options` are apt's own ("Dir::Etc::sourceparts=/dev/null"), as after `-o`.

    `lock` is the descriptor of a lock that apt inherits, so that it holds as long as apt runs, even if we are killed.
    """

    def __init__(self, folder: Path, options: Sequence[str] = (), lock: int | None = None) -> None:
        if not (shutil.which("apt-get") and shutil.which("apt-cache")):
            raise SourceError(
                "this machine has no apt-get, through which Debian packages are fetched; "
                "use files of your own: make recipe=mix-v1 profile=local sources=PATHS"
            )
        self.folder = folder.resolve()
        self._options = [part for option in (*self._private_state(), *options) for part in ("-o", option)]
        self._lock = () if lock is None else (lock,)
        self._stamp = self.folder / "updated"
        for name in ("lists/partial", "cache/archives/partial"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "status").touch()

    def _private_state(self) -> list[str]:
        """Options given on the command line win over all of the machine's configuration files."""
        return [
            f"Dir::State={self.folder}",
            f"Dir::State::lists={self.folder}/lists",
            f"Dir::State::status={self.folder}/status",  # nothing installed: what is offered doesn't depend on the machine
            f"Dir::Cache={self.folder}/cache",
            "Dir::Cache::pkgcache=pkgcache.bin",
            "Dir::Cache::srcpkgcache=",
            "APT::Sandbox::User=root",  # root may not be able to hand files in this folder to the user _apt
            "APT::Update::Error-Mode=any",
            "Acquire::Languages=none",
            "Acquire::Retries=3",
            "Acquire::http::Timeout=30",
            "Acquire::https::Timeout=30",
            "Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false",
            "Acquire::IndexTargets::deb::CNF::DefaultEnabled=false",
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false",
            "Acquire::IndexTargets::deb-src::Sources::DefaultEnabled=false",
        ]

    def update(self, force: bool = False) -> str:
        """Bring the package lists up to date unless they are; returns what apt complained of ("" when all went well).

        A repository that doesn't answer is no error here: what is needed may lie in the others.
        """
        if not force and self._stamp.exists() and time.time() - self._stamp.stat().st_mtime < FRESH_SECONDS:
            return ""
        done = self._run("apt-get", "-q", "update")
        if done.returncode:
            return _complaint(done)
        if not any((self.folder / "lists").glob("*_Packages*")):
            return "apt has no repository to ask"
        self._stamp.touch()
        return ""

    def show(self, names: Sequence[str]) -> dict[str, Stanza]:
        """The packages of these names that apt knows, in one call (each costs a second)."""
        listing = self._run("apt-cache", "show", "--no-all-versions", "--", *names).stdout if names else ""
        stanzas = [dict(_FIELD.findall(text)) for text in listing.split("\n\n")]
        return {stanza["Package"]: stanza for stanza in reversed(stanzas) if {"Package", "SHA256"} <= stanza.keys()}

    def download(self, names: Sequence[str], target: Path) -> str:
        """Download known packages into `target`, resuming what lies there half done; returns what apt complained of."""
        done = self._run("apt-get", "-q", "download", "--", *names, cwd=target)
        return _complaint(done) if done.returncode else ""

    def _run(self, program: str, *args: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program, *self._options, *args],
            cwd=cwd,
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            pass_fds=self._lock,
        )


def _complaint(done: subprocess.CompletedProcess[str]) -> str:
    lines = done.stderr.splitlines()
    return "; ".join([line for line in lines if line.startswith("E:")] or lines) or f"exit status {done.returncode}"
