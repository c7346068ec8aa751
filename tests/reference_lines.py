"""Plain Python twin of RefinedWeb's corrections of lines, with regular expressions and string methods."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from reference import ascii_lower

COUNTS = ("words", "removed", "uppercase", "numeric", "counter", "few_words", "cut", "newlines")


@dataclass(frozen=True)
class Asked:
    """The bounds and phrases, None where nothing is asked; phrases in lower case, in the order they are tried."""

    max_uppercase: float | None = 0.5
    max_numeric: float | None = 0.999999
    min_words: int = 2
    max_cut_words: int | None = 10
    max_newlines: int | None = 2
    counters: Sequence[str] = ("likes",)
    anywhere: Sequence[str] = ("items in cart",)
    at_end: Sequence[str] = ("read more...",)
    at_start: Sequence[str] = ("sign-in",)


def correct_page(text: str, asked: Asked) -> tuple[str, dict[str, int]]:
    """The corrected text and what was counted."""
    counts, kept = dict.fromkeys(COUNTS, 0), []
    for line in text.split("\n"):
        words = len(line.split())
        counts["words"] += words
        verdict, left = _correct_line(line, asked)
        counts["removed"] += words - len(left.split())
        if verdict:
            counts[verdict] += 1
        if left or not line.strip():
            kept.append(left)
    page = "\n".join(kept).strip("\n")
    if asked.max_newlines:
        page, counts["newlines"] = re.subn("\n" * asked.max_newlines + "\n+", "\n" * asked.max_newlines, page)
    return page, counts


def _correct_line(line: str, asked: Asked) -> tuple[str, str]:
    """(what was done, what is left)"""
    core = line.strip()
    if not core:
        return "", ""
    if asked.max_uppercase is not None and sum(map(str.isupper, core)) > asked.max_uppercase * len(core):
        return "uppercase", ""
    if asked.max_numeric is not None and sum(map(str.isdigit, core)) > asked.max_numeric * len(core):
        return "numeric", ""
    nouns = "|".join(map(re.escape, asked.counters))
    if nouns and re.fullmatch(rf"\W*\d[\d.,]*[kmb]?\s+(?:{nouns})\W*", ascii_lower(core)):
        return "counter", ""
    if len(core.split()) < asked.min_words:
        return "few_words", ""
    if asked.max_cut_words is not None and len(core.split()) <= asked.max_cut_words:
        left = _cut(core, asked)
        if left != core:
            return "cut", left
    return "", line


def _cut(line: str, asked: Asked) -> str:
    if asked.anywhere:
        pattern = r"\s?(?:" + "|".join(map(re.escape, asked.anywhere)) + ")"
        spans = [match.span() for match in re.finditer(pattern, ascii_lower(line))]
        for start, end in reversed(spans):
            line = line[:start] + line[end:]
        line = line.strip()
    ending = next((phrase for phrase in asked.at_end if ascii_lower(line).endswith(phrase)), "")
    line = line[: len(line) - len(ending)].rstrip()
    beginning = next((phrase for phrase in asked.at_start if ascii_lower(line).startswith(phrase)), "")
    return line[len(beginning) :].lstrip()
