"""The fetcher "pypi": wheels of Python packages, for the data that some of them carry; nothing is installed or run."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import replace
from email.parser import BytesParser
from pathlib import Path

from pipeline.contracts import InputFile
from pipeline.errors import MissingInput, SourceError
from pipeline.registry import fetcher
from pipeline.sources.archives import members
from pipeline.storage import sha256_of

#: A requirement with nothing but a name and, perhaps, a version: no URL, no option of pip's.
_REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(?:==(?P<version>[A-Za-z0-9.+!_-]+))?")
_TRIED_FOR = 300


@fetcher("pypi")
def pypi(cache: Path, *, packages: Sequence[str]) -> list[InputFile]:
    """One InputFile "pypi:NAME" per package ("name" or "name==1.2"): its wheel, by pip from the index that pip is set to use.

    What is in the cache isn't fetched again. A package that pip can't download is left out with a MissingInput warning;
    SourceError for what is no package's name.
    """
    files = []
    for package in packages:
        named = _REQUIREMENT.fullmatch(package)
        if named is None:
            raise SourceError(f"pypi: {package!r} is no package: write its name, or NAME==VERSION")
        folder = cache / "pypi" / package.replace("==", "@")
        wheel = next(iter(sorted(folder.glob("*.whl"))), None) or _download(package, folder)
        if wheel is not None:
            files.append(_described(named["name"], wheel))
    return files


def _download(package: str, folder: Path) -> Path | None:
    """Into a folder aside, moved when it is whole."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    how = ["--no-deps", "--only-binary", ":all:", "--disable-pip-version-check", "--quiet"]
    with tempfile.TemporaryDirectory(dir=folder.parent) as aside:
        command = [sys.executable, "-m", "pip", "download", *how, "--dest", aside, package]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_TRIED_FOR, check=False)
        except subprocess.TimeoutExpired:
            warnings.warn(MissingInput(f"pypi:{package}: pip had no answer in {_TRIED_FOR} seconds"), stacklevel=3)
            return None
        found = next(Path(aside).glob("*.whl"), None)
        if found is None:
            said = (done.stderr.strip().splitlines() or ["it gave no wheel"])[-1]
            warnings.warn(MissingInput(f"pypi:{package}: pip can't download it ({said})"), stacklevel=3)
            return None
        folder.mkdir(exist_ok=True)
        return found.rename(folder / found.name)


def _described(name: str, wheel: Path) -> InputFile:
    file = InputFile(f"pypi:{name}", str(wheel.resolve()), sha256_of(str(wheel)), wheel.stat().st_size, origin="pypi")
    about = BytesParser().parsebytes(next((member.data for member in members(file, ["*.dist-info/METADATA"])), b""))
    told = [line.rpartition("::")[2].strip() for line in about.get_all("Classifier", []) if line.startswith("License ::")]
    licence = about.get("License-Expression") or ", ".join(told) or str(about.get("License") or "").partition("\n")[0]
    return replace(file, version=str(about.get("Version") or ""), licence=str(licence))
