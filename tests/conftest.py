"""What tests share: where the development corpus lies (tests that need it skip when it is absent)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from kit import write_sources
from mill import Mill

# No deadlines: the first example of a test may compile a kernel, and other work may share the machine.
settings.register_profile("tokenmill", deadline=None)
settings.load_profile("tokenmill")

CORPUS = Path(__file__).resolve().parents[2] / "shared" / "corpus"


@pytest.fixture(scope="session", autouse=True)
def no_waiting_for_the_disk() -> Iterator[None]:
    """Files are not flushed to the disk within this process: no test cuts the power. Those that kill run processes of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The development corpus beside the checkout; the test is skipped where there is none."""
    if not CORPUS.is_dir():
        pytest.skip(f"no development corpus at {CORPUS.name}/: tests on it are left out")
    return CORPUS


@pytest.fixture(scope="session")
def mill(tmp_path_factory: pytest.TempPathFactory) -> Mill:
    return Mill(write_sources(tmp_path_factory.mktemp("sources")))


@pytest.fixture(scope="session")
def tiny(mill: Mill, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of a finished run on two workers; tests may read it, never change it."""
    out = tmp_path_factory.mktemp("tiny") / "out"
    mill.run(out, "--workers", "2")
    return out


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all-documents", action="store_true", help="Compare with datatrove on every document of the corpus (minutes).")
