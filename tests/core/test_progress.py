"""One line per wave when not a terminal: what ran, how fast, and what was done already."""

from __future__ import annotations

import io

from rich.console import Console

from pipeline.progress import Lines
from pipeline.report import Report


def lines(ran: list[str], reused: list[str], documents: int = 0) -> str:
    out = io.StringIO()
    report = Report()
    report.read["web"] = documents
    with Lines(Console(file=out, width=200)) as watch:
        watch.begin("filter", 1, 0)
        watch.task(report, 1.0)
        watch.end(ran, reused)
    return out.getvalue()


def test_a_wave_that_ran_is_one_line() -> None:
    text = lines(["filter-web", "filter-books"], [], documents=5)
    assert text.count("\n") == 1
    assert "filter" in text
    assert "1 tasks" in text
    assert "docs/s" in text


def test_a_wave_that_was_done_says_so() -> None:
    assert "done    nothing to do" in lines([], ["filter-web"])


def test_what_ran_again_is_named() -> None:
    assert "ran filter-web; 5 as they were" in lines(["filter-web"], ["filter-books"] * 5)
