"""The fetcher "python_stdlib": the standard library of the Python that runs this, which is on every machine already.

It is code of high quality under one licence, at no download. What it holds depends on the Python version and on who
built it: the lock file says both, by version and content.
"""

from __future__ import annotations

import io
import platform
import sys
import sysconfig
import tarfile
from collections.abc import Iterator
from pathlib import Path

from pipeline.contracts import InputFile
from pipeline.errors import SourceError
from pipeline.registry import fetcher
from pipeline.storage import Folder
from pipeline.writing import HashingFile

#: Folders left out: tests, what was installed on top, tables of data written as modules, demonstrations.
LEFT_OUT = {"test", "tests", "idlelib", "turtledemo", "encodings", "pydoc_data", "site-packages", "dist-packages", "__pycache__"}

#: Modules that the build writes about itself, paths of its machine included.
WRITTEN_BY_THE_BUILD = ("_sysconfigdata", "config-")


@fetcher("python_stdlib")
def python_stdlib(cache: Path) -> list[InputFile]:
    """One InputFile "python:stdlib": a tar of the library's modules, the same bytes whenever the modules are the same."""
    library = Path(sysconfig.get_path("stdlib"))
    modules = list(_modules(library))
    if not modules:
        raise SourceError(f"{library} holds no modules: this Python has no standard library in source form; leave out python_stdlib")
    name = f"python-{platform.python_version()}-stdlib.tar"
    folder = Folder(str(cache / "python_stdlib"))
    with folder.create(name) as file:
        _write(file, library, modules)
    entry = file.entry(name)
    origin = f"{platform.python_implementation()} on {sys.platform}"
    return [InputFile("python:stdlib", folder.path(name), entry.sha256, entry.bytes, platform.python_version(), "PSF-2.0", origin)]


def _modules(library: Path) -> Iterator[Path]:
    """Paths of the modules relative to the library, sorted; no links."""
    for path in sorted(library.rglob("*.py")):
        module = path.relative_to(library)
        if not (LEFT_OUT & set(module.parts) or module.parts[0].startswith(WRITTEN_BY_THE_BUILD) or path.is_symlink()):
            yield module


def _write(file: HashingFile, library: Path, modules: list[Path]) -> None:
    """A tar with nothing in it but names and contents: no times, owners or modes of this machine."""
    with tarfile.open(fileobj=file, mode="w|", format=tarfile.PAX_FORMAT) as tar:  # type: ignore[call-overload]
        for module in modules:
            content = (library / module).read_bytes()
            info = tarfile.TarInfo(f"Lib/{module.as_posix()}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
