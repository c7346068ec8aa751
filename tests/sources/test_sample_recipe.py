"""The recipe mix-v1: its sample profile names fetchers and readers that take the keys it gives them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.located import Located
from pipeline.registry import bind

RECIPE = Path(__file__).resolve().parents[2] / "recipes" / "mix-v1.yaml"


@pytest.fixture(scope="module")
def recipe() -> dict[str, Any]:
    located = Located(RECIPE.read_text("utf-8"), RECIPE.name)
    assert not located.mistakes
    value: dict[str, Any] = located.value
    return value


def step(item: str | dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return (item, {}) if isinstance(item, str) else next(iter(item.items()))


def test_the_classic_shares(recipe: dict[str, Any]) -> None:
    shares = {name: source["share"] for name, source in recipe["sources"].items()}
    assert shares == {"web": 60, "books": 15, "wikipedia": 5, "code": 10, "academic": 5, "curated": 5}


def test_every_sample_input_binds(recipe: dict[str, Any]) -> None:
    sources = recipe["profiles"]["sample"]["sources"]
    assert sources.keys() == recipe["sources"].keys()
    for source in sources.values():
        for given in source["inputs"]:
            for kind, key in (("fetcher", "fetch"), ("reader", "read")):
                _, mistakes = bind(kind, *step(given[key]))
                assert mistakes == []


def test_the_sample_says_what_it_stands_in_for(recipe: dict[str, Any]) -> None:
    sources = recipe["profiles"]["sample"]["sources"]
    assert all("stand" in source["about"].lower() for source in sources.values())
    assert sources["wikipedia"]["about"].startswith("Not Wikipedia: dictionaries and manual pages of Debian")


def test_no_package_is_asked_for_twice(recipe: dict[str, Any]) -> None:
    given = [step(given["fetch"]) for source in recipe["profiles"]["sample"]["sources"].values() for given in source["inputs"]]
    packages = [package for name, args in given if name == "debian" for package in args["packages"]]
    assert len(packages) == len(set(packages)) == 21
