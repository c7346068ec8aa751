"""Errors survive the way between processes, and say each cause once."""

from __future__ import annotations

import pickle

import pytest

from pipeline.errors import Mistake, PartsFailed, RecipeError, TokenmillError

ERRORS = (
    RecipeError("mix.yaml", [Mistake(3, "sources.web", "is wrong"), Mistake(1, "name", "is missing")]),
    PartsFailed("extract", [("web-00001", "no space"), ("web-00002", "damaged"), ("web-00003", "no space")], done=4),
)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_is_the_same_after_a_journey(error: TokenmillError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again)) == (type(error), str(error))


def test_every_failed_part_is_named_and_every_cause_said_once() -> None:
    text = str(ERRORS[1])
    assert "3 of 7 parts failed (4 kept; run again to continue)" in text
    assert "  web-00001, web-00003: no space" in text
    assert "  web-00002: damaged" in text


def test_mistakes_stand_in_the_order_of_their_lines() -> None:
    assert str(ERRORS[0]) == "mix.yaml: 2 mistakes\n  line 1: name: is missing\n  line 3: sources.web: is wrong"
