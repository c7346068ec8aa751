"""Which of like documents stays where the recipe says more than the order of sources: one of each URL, the best by a score."""

from __future__ import annotations

from pathlib import Path

import pytest
from dedupe_kit import FREE, SCORE, check, dedupe, edited, text

from pipeline.errors import GuardTripped, StorageError

PAGE = "https://example.org/page"


def test_of_one_url_the_newest_stays_across_sources(tmp_path: Path) -> None:
    parts = {
        "web-00000": [("old", text(50, "old"), "2020", PAGE), ("other", text(50, "other"), "2020", f"{PAGE}s")],
        "web-00001": [("new", text(50, "new"), "2024", "http://www.EXAMPLE.org:80/page?utm_source=mail#top")],
        "books-00000": [
            ("undated", text(50, "undated"), None, PAGE),
            ("nowhere", text(50, "nowhere")),
            ("path", text(50, "p"), None, "page"),
        ],
    }
    for same_url, gone in ((False, set()), (True, {"old", "undated"}), (["web"], {"old"}), (["books"], set())):
        run = dedupe(tmp_path / str(same_url), parts, same_url=same_url, **FREE)
        check(run)
        assert {name: decision for name, decision in run.decisions.items() if decision[0]} == dict.fromkeys(gone, ("same_url", "new", None))
        assert run.stages.committed["dedupe"].report.check().dropped["web", "same_url"] == int("old" in gone)
    assert dedupe(tmp_path / "first", parts, same_url=True, priority=["books"], **FREE).kept == {"undated", "other", "nowhere", "path"}


def test_the_address_of_a_source_left_out_does_not_count_among_suspects_either(tmp_path: Path) -> None:
    """The two are judged together, for they share bands; but they are not alike enough."""
    base = text(100, "base")
    parts = {"web-00000": [("page", base, "2024", PAGE)], "books-00000": [("book", edited(base, 50), "2020", PAGE)]}
    assert dedupe(tmp_path / "web", parts, threshold=1.0, same_url=["web"], **FREE).kept == {"page", "book"}
    assert dedupe(tmp_path / "both", parts, threshold=1.0, same_url=["web", "books"], **FREE).kept == {"page"}


def test_a_url_s_document_goes_for_one_that_stays_alone(tmp_path: Path) -> None:
    """The newest of the page is a copy of a page elsewhere, which stays; so the older one of the page has nothing to go for."""
    copied = text(60, "copied")
    parts = {
        "web-00000": [
            ("elsewhere", copied, "2025", "https://a.org/"),
            ("newest", copied + " x", "2024", PAGE),
            ("older", text(60, "older"), "2023", PAGE),
            ("oldest", text(60, "oldest"), "2022", PAGE),
        ]
    }
    run = dedupe(tmp_path, parts, same_url=True, **FREE)
    check(run)
    assert run.kept == {"elsewhere", "older"}
    assert run.decisions["newest"][:2] == ("near_duplicate", "elsewhere")
    assert run.decisions["oldest"] == ("same_url", "older", None)


def test_the_words_of_who_went_for_its_url_may_stay_elsewhere(tmp_path: Path) -> None:
    words = text(60, "words")
    docs = [("new", text(60, "new"), "2025", PAGE), ("old", words, "2024", PAGE), ("copy", words, "2023", "https://b.org"), ("last", words)]
    run = dedupe(tmp_path, {"web-00000": docs}, same_url=True, **FREE)
    check(run)
    assert run.decisions == {
        "new": (None, None, None),
        "old": ("same_url", "new", None),
        "copy": (None, None, None),
        "last": ("exact_duplicate", "copy", 1.0),
    }


def test_the_guard_weighs_addresses_and_says_so(tmp_path: Path) -> None:
    parts = {"web-00000": [(f"{n}", text(40, f"{n}"), f"20{n:02d}", PAGE) for n in range(10)]}
    with pytest.raises(GuardTripped, match="web: 9 of 10 documents") as tripped:
        dedupe(tmp_path, parts, same_url=True)
    assert "of web-00000, the same URL: " in str(tripped.value)


def test_the_best_by_the_score_stays_within_the_order_of_sources(tmp_path: Path) -> None:
    base = text(300, "one")
    parts = {
        "web-00000": [("newest", base, "2025"), ("best", edited(base, 7), "2020"), ("unscored", base + " and more", "2026")],
        "books-00000": [("book", base)],
    }
    scores = {"newest": 0.4, "best": 0.9, "book": 0.1}
    run = dedupe(tmp_path / "score", parts, scores=scores, **FREE)
    check(run)
    assert run.kept == {"best"}
    assert dedupe(tmp_path / "source", parts, scores=scores, priority=["books"], **FREE).kept == {"book"}
    assert dedupe(tmp_path / "equal", parts, scores=dict.fromkeys(scores, 0.5), **FREE).kept == {"newest"}
    assert dedupe(tmp_path / "none", parts, **FREE).kept == {"unscored"}


def test_a_score_that_no_filter_measures_is_named_with_those_there_are(tmp_path: Path) -> None:
    run = dedupe(tmp_path, {"web-00000": [("a", "a")]}, scores={"a": 1.0}, **FREE)
    inputs = {"filter": run.docs, **{role: run.stages.committed[role] for role in ("signatures", "components")}}
    with pytest.raises(StorageError, match=rf"prefers edu.score, and no filter measures it; there are {SCORE}"):
        run.stages.run("gather", inputs, key="again", prefer="edu.score")
    with pytest.raises(StorageError, match="prefers text, which is not a number"):
        run.stages.run("gather", inputs, key="again", prefer="text")
