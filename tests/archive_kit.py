"""Tiny archives made on the spot: tar, zip and Debian packages, and a package repository on disk."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import tarfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pyarrow as pa

from pipeline.contracts import InputFile

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": lambda data: gzip.compress(data, mtime=0),
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": lambda data: pa.Codec("zstd").compress(data, asbytes=True),
}


def input_file(path: Path, name: str = "") -> InputFile:
    data = path.read_bytes()
    return InputFile(name or path.name, str(path), hashlib.sha256(data).hexdigest(), len(data))


def tar(files: Mapping[str, bytes], more: Iterable[tarfile.TarInfo] = ()) -> bytes:
    """A tar of `files`, and members without content such as links."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for info in more:
            archive.addfile(info)
    return out.getvalue()


def sparse(name: str, size: int) -> bytes:
    """A tar of one file that is a hole of `size` bytes, as GNU tar writes it in pax headers (GNU.sparse, version 0.1)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo(name)
        info.pax_headers = {"GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.size": str(size), "GNU.sparse.map": f"{size},0"}
        archive.addfile(info)
    return out.getvalue()


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def ar(files: Mapping[str, bytes]) -> bytes:
    out = b"!<arch>\n"
    for name, data in files.items():
        out += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n".encode() + data + b"\n" * (len(data) % 2)
    return out


def deb(files: Mapping[str, bytes], suffix: str = ".xz", control: str = "") -> bytes:
    """A Debian package whose data.tar is compressed as `suffix` says; names get "./" before them, as dpkg writes them."""
    data = tar({f"./{name}": content for name, content in files.items()})
    return ar(
        {
            "debian-binary": b"2.0\n",
            "control.tar.xz": lzma.compress(tar({"./control": control.encode()})),
            f"data.tar{suffix}": COMPRESS[suffix](data),
        }
    )


class Repository:
    """A flat package repository in a folder, and the options that make it apt's only source."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        (folder / "sources.list").write_text(f"deb [trusted=yes] file:{folder} ./\n")
        (folder / "Packages").write_text("")

    @property
    def options(self) -> list[str]:
        return [f"Dir::Etc::sourcelist={self.folder}/sources.list", "Dir::Etc::sourceparts=/dev/null"]

    def add(self, name: str, files: Mapping[str, bytes], version: str = "1.0-1", depends: str = "") -> Path:
        control = f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: nobody <nobody@localhost>\n"
        control += f"Depends: {depends}\n" if depends else ""
        path = self.folder / f"{name}_{version.partition(':')[2] or version}_all.deb"
        path.write_bytes(deb(files, control=control))
        data = path.read_bytes()
        with open(self.folder / "Packages", "a") as packages:
            packages.write(
                f"{control}Filename: ./{path.name}\nSize: {len(data)}\nSHA256: {hashlib.sha256(data).hexdigest()}\n"
                "Description: a package made for a test\n\n"
            )
        return path
