"""A packed dataset that holds every case: several sources, parts and epochs, documents longer than rows and than shards."""

from __future__ import annotations

import pytest
from packing_kit import Line, lognormal

from pipeline.shards.read import Dataset, open_dataset

SOURCES = {"web": lognormal(400), "books": [9000, 40, 1300, 500, 60], "code": [0, *lognormal(150, 60, 2)]}


@pytest.fixture(scope="session")
def line(tmp_path_factory: pytest.TempPathFactory) -> Line:
    made = Line(tmp_path_factory.mktemp("shards"), SOURCES)
    made.mix({"web": 0.5, "books": 0.35, "code": 0.15}, {"books": 2.3, "code": 4}, shard_tokens=8000, tokens=60_000)
    made.pack(seq_len=128, window=100)
    return made


@pytest.fixture(scope="session")
def dataset(line: Line) -> Dataset:
    return open_dataset(line.train)
