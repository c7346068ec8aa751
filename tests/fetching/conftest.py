from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from http_kit import Server, serving

from pipeline.fetching.client import Client, Patience
from pipeline.fetching.store import Rules, Store


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as kit:
        yield kit


@pytest.fixture
def waits() -> list[float]:
    """The waits of the client, which take no time."""
    return []


@pytest.fixture
def client(waits: list[float]) -> Client:
    return Client(private=True, obey_robots=False, patience=Patience(attempts=3, stall=5.0), sleep=waits.append)


@pytest.fixture
def store(tmp_path: Path, client: Client) -> Store:
    return Store(tmp_path / "published", client, Rules(recheck=0.0))
