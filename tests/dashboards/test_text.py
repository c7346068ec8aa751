"""The text twin: aligned in a pipe, coloured on a terminal, harmless on both; and JSON for machines."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace

import pytest
from rich.cells import cell_len
from synthetic_run import HOSTILE

from dashboards.cells import columns, word
from dashboards.model import Check, RunFacts
from dashboards.text import print_facts, render_text, to_json


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def block(text: str, title: str) -> list[str]:
    """The lines of one table, its title first."""
    return next(found for found in text.split("\n\n") if found.startswith(title)).splitlines()


def test_columns_line_up(facts: RunFacts) -> None:
    title, head, rule, *rows = block(render_text(facts), "Shares of tokens")
    ends = [match.end() for match in re.finditer("─+", rule)]
    assert len(rows) == 3
    for row in [head, *rows]:
        assert all(row[end : end + 2].strip() == "" for end in ends[:-1])
        assert len(row) == ends[-1]
    assert title == "Shares of tokens, asked and packed"


def test_wide_characters_line_up_too(facts: RunFacts) -> None:
    sources = (replace(facts.sources[0], about="网页"), replace(facts.sources[1], about="books"))
    inputs = tuple(replace(row, licence="许可证" * 9) if row.source == "web" else row for row in facts.inputs)
    _, _, rule, web, books = block(render_text(replace(facts, sources=sources, inputs=inputs)), "Inputs by source")
    start = rule.rindex("  ") + 2
    assert cell_len(web[: web.index("网页")]) == books.index("books", 5) == start


def test_numbers_are_those_of_the_facts(facts: RunFacts) -> None:
    text = render_text(facts)
    assert re.search(r"^  documents read +840$", text, re.MULTILINE)
    assert re.search(r"^web +60\.0 % +60\.0 % +60,000 +60,000 +±0 ", text, re.MULTILINE)
    assert f"digest                 {facts.digest}" in text


def test_the_quality_model_is_judged_by_what_it_was_not_trained_on(facts: RunFacts) -> None:
    title, _, _, *rows = block(render_text(facts), "Quality model")
    assert title == "Quality model: 60 held out, 95.0 % right, AUC 0.987"
    assert [row.split() for row in rows] == [
        ["books", "positive", "80", "20", "0.100", "0.500", "0.900"],
        ["code", "ranked", "only", "0", "9", "0.100", "0.500", "0.900"],
        ["web", "negative", "160", "40", "0.100", "0.500", "0.900"],
    ]
    assert facts.quality_model is not None
    unjudged = replace(facts.quality_model, accuracy=None, auc=None)
    assert "not judged" in render_text(replace(facts, quality_model=unjudged))


def test_the_last_line_is_the_verdict(facts: RunFacts) -> None:
    assert render_text(facts).splitlines()[-1] == f"✓ all {len(facts.checks)} sums agree"
    broken = replace(facts, checks=(*facts.checks, Check("web: documents lost", 12_345, 12_340)))
    assert render_text(broken).splitlines()[-1] == "  web: documents lost: 12,345 is not 12,340 (+5)"
    assert f"1 of {len(broken.checks)} sums DO NOT AGREE" in render_text(broken)
    assert render_text(replace(facts, checks=())).splitlines()[-1].startswith("No stage has finished")


def test_piped_text_has_no_control_characters(facts: RunFacts) -> None:
    stream = io.StringIO()
    print_facts(replace(facts, missing=(HOSTILE,), recipe=HOSTILE), stream)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202e]", stream.getvalue())
    assert "missing input: </script>" in stream.getvalue()


def test_a_terminal_gets_colours_and_the_same_numbers(facts: RunFacts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = Terminal()
    print_facts(replace(facts, recipe=HOSTILE), stream)
    shown = stream.getvalue()
    assert "\x1b[32m" in shown
    assert "\x1b[2J" not in shown
    plain = re.sub("\x1b\\[[0-9;]*m", "", shown)
    assert re.search(r"web +60\.0 % +60\.0 % +60,000 +60,000 +±0 ", plain)


def test_json_holds_everything(facts: RunFacts) -> None:
    known = to_json(facts)
    assert json.loads(json.dumps(known)) == known
    assert set(known) == set(RunFacts.__dataclass_fields__)
    assert known["stages"][0]["counted"][0]["read"] == facts.stages[0].counted[0].read


def test_column_heads_say_what_is_a_number() -> None:
    assert [(column.head, column.number) for column in columns("Name, #Size")] == [("Name", False), ("Size", True)]
    assert word("x", "bad").tone == "bad"
