"""One small run of mix-v1 over made-up texts, shared by the tests of the whole line."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from kit import write_sources
from mill import ROOT, Mill, environment


@pytest.fixture(scope="session")
def mill(tmp_path_factory: pytest.TempPathFactory) -> Mill:
    return Mill(write_sources(tmp_path_factory.mktemp("sources")))


@pytest.fixture(scope="session")
def tiny(mill: Mill, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of a finished run on two workers; tests may read it, never change it."""
    out = tmp_path_factory.mktemp("tiny") / "out"
    mill.run(out, "--workers", "2")
    return out


@pytest.fixture
def tokenmill() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs any other command; its output is captured."""

    def command(*argv: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "pipeline", *argv], cwd=cwd, capture_output=True, text=True, timeout=120, env=environment()
        )

    return command
