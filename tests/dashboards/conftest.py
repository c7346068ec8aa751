"""One made-up run, and its facts, for all tests of the dashboards."""

from __future__ import annotations

import pytest
from synthetic_run import make_run

from dashboards.facts import gather
from dashboards.model import RunFacts
from pipeline.storage import Folder


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    folder = Folder(str(tmp_path_factory.mktemp("run")))
    make_run(folder)
    return folder


@pytest.fixture(scope="session")
def facts(folder: Folder) -> RunFacts:
    return gather(folder)
