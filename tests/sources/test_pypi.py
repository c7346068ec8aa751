"""Wheels by pip, from an index on disk: what comes, what is kept, what there is none of."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from pipeline.errors import MissingInput, SourceError
from pipeline.sources.pypi import pypi


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One wheel, where pip is told to look and nowhere else."""
    folder = tmp_path / "index"
    folder.mkdir()
    with zipfile.ZipFile(folder / "rivers-1.2-py3-none-any.whl", "w") as wheel:
        wheel.writestr("rivers/data.yml", "conversations: []")
        wheel.writestr("rivers-1.2.dist-info/METADATA", "Metadata-Version: 2.1\nName: rivers\nVersion: 1.2\nLicense-Expression: MIT\n")
        wheel.writestr("rivers-1.2.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("rivers-1.2.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_a_wheel_comes_with_its_licence_and_is_kept(tmp_path: Path, index: Path) -> None:
    (file,) = pypi(tmp_path / "cache", packages=["rivers"])
    assert (file.name, file.version, file.licence, file.origin) == ("pypi:rivers", "1.2", "MIT", "pypi")
    assert zipfile.ZipFile(file.path).read("rivers/data.yml") == b"conversations: []"
    (index / "rivers-1.2-py3-none-any.whl").unlink()
    assert pypi(tmp_path / "cache", packages=["rivers"]) == [file]


def test_a_package_that_is_not_there_is_left_out_and_said(tmp_path: Path, index: Path) -> None:
    with pytest.warns(MissingInput, match="pypi:lakes: pip can't download it"):
        assert pypi(tmp_path / "cache", packages=["lakes"]) == []
    assert not (tmp_path / "cache" / "pypi" / "lakes").exists()


@pytest.mark.parametrize("package", ["--index-url=x", "a b", "git+https://x/y", "../x", ""])
def test_what_is_no_package(tmp_path: Path, package: str) -> None:
    with pytest.raises(SourceError, match="is no package"):
        pypi(tmp_path, packages=[package])
