"""The standard library as one file: the same bytes wherever and whenever the same modules lie."""

from __future__ import annotations

import os
import sysconfig
from pathlib import Path

import pytest

from pipeline.errors import SourceError
from pipeline.sources.archives import members
from pipeline.sources.pages import pages
from pipeline.sources.stdlib import python_stdlib


def library(folder: Path) -> Path:
    modules = ["json/__init__.py", "abc.py", "test/test_abc.py", "json/tests/x.py", "site-packages/numpy.py", "_sysconfigdata_x.py"]
    modules += ["config-3.11/python-config.py", "encodings/cp037.py", "idlelib/a.py"]
    for module in reversed(modules):
        (folder / module).parent.mkdir(parents=True, exist_ok=True)
        (folder / module).write_text(f"name = {module!r}\n")
    (folder / "json" / "scanner.so").write_bytes(b"\x7fELF")
    (folder / "sitecustomize.py").symlink_to("/etc/python/sitecustomize.py")
    return folder


def test_modules_without_tests_and_what_is_installed_on_top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(library(tmp_path / "lib")))
    (file,) = python_stdlib(tmp_path / "cache")
    assert [member.name for member in members(file)] == ["Lib/abc.py", "Lib/json/__init__.py"]
    assert (file.name, file.licence) == ("python:stdlib", "PSF-2.0")


def test_the_bytes_depend_on_the_modules_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hashes = []
    for place in ("here", "there"):
        found = library(tmp_path / place)
        if place == "there":
            os.utime(found / "abc.py", (1, 1))
            (found / "abc.py").chmod(0o600)
        monkeypatch.setattr(sysconfig, "get_path", lambda name, found=found: str(found))
        hashes.append(python_stdlib(tmp_path / "cache" / place)[0].sha256)
    assert hashes[0] == hashes[1]
    (tmp_path / "there" / "abc.py").write_text("name = 'changed'\n")
    assert python_stdlib(tmp_path / "cache")[0].sha256 != hashes[0]


def test_a_python_without_source_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    with pytest.raises(SourceError, match="no standard library in source form"):
        python_stdlib(tmp_path / "cache")


def test_the_library_that_runs_this(tmp_path: Path) -> None:
    (file,) = python_stdlib(tmp_path)
    documents = list(pages(file))
    assert len(documents) > 300
    names = [document.locator.split("/") for document in documents]
    assert names == sorted(names)
    assert {document.format for document in documents} == {"code"}
    assert sum(len(document.content) for document in documents) > 5_000_000
    assert Path(file.path).stat().st_size == file.size
