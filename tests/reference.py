"""Plain Python twins of the kernels: the slow, obvious way to the same numbers, for any Unicode text.

They follow the rules' published sources, not the kernels, and the kernels must equal them. Other families of kernels
have their twins in files of their own, `reference_*.py`.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

# ---- words and lines ------------------------------------------------------------------------------------------------


def is_symbol(char: str) -> bool:
    """Punctuation, symbols, and what is neither letter nor mark nor number: categories P*, S* and C*."""
    return ord(char) < 0x33000 and unicodedata.category(char)[0] in "PSC"


def word_counts(text: str, stop_words: Sequence[str]) -> list[int]:
    words, lines = text.split(), text.splitlines()
    plain = [word for word in words if any(not is_symbol(char) for char in word)]
    return [
        len(words),
        len(plain),
        sum(map(len, plain)),
        sum(any(char.isalpha() for char in word) for word in words),
        len(set(stop_words) & set(words)),
        text.count("#"),
        text.count("...") + text.count("…"),
        len(lines),
        sum(line.lstrip().startswith(("•", "-")) for line in lines),
        sum(line.rstrip().endswith(("...", "…")) for line in lines),
    ]


def line_counts(text: str) -> list[int]:
    lengths = [len(line) for line in text.splitlines()]
    alnum, letters, spaces = (sum(map(kind, text)) for kind in (str.isalnum, str.isalpha, str.isspace))
    return [len(text), alnum, len(lengths), sum(lengths), max(lengths, default=0), letters, spaces]


# ---- repetition (Gopher, table A1) ----------------------------------------------------------------------------------


def duplicates(pieces: Sequence[str]) -> tuple[int, int]:
    """How many pieces occurred before, and their characters."""
    seen: set[str] = set()
    again = [piece for piece in pieces if piece in seen or seen.add(piece)]
    return len(again), sum(map(len, again))


def top_ngram_chars(words: Sequence[str], size: int) -> int:
    grams = Counter(" ".join(words[i : i + size]) for i in range(len(words) - size + 1))
    gram, count = grams.most_common(1)[0] if grams else ("", 0)
    return len(gram) * count


def duplicate_ngram_chars(words: Sequence[str], size: int) -> int:
    seen: set[str] = set()
    chars, at = 0, 0
    while at + size <= len(words):
        gram = "".join(words[at : at + size])
        if gram in seen:
            chars, at = chars + len(gram), at + size
        else:
            seen.add(gram)
            at += 1
    return chars


def repetition_counts(text: str) -> list[int]:
    words, lines, paragraphs = text.split(), re.split(r"\n+", text), re.split(r"\n{2,}", text.strip())
    return [
        len(text),
        len(lines),
        *duplicates(lines),
        len(paragraphs),
        *duplicates(paragraphs),
        *(top_ngram_chars(words, size) for size in (2, 3, 4)),
        *(duplicate_ngram_chars(words, size) for size in (5, 6, 7, 8, 9, 10)),
    ]


# ---- FineWeb --------------------------------------------------------------------------------------------------------


def line_shapes(text: str, short_chars: int, sentence_ends: frozenset[str]) -> list[int]:
    lines = [line for line in text.split("\n") if line.strip()]
    return [
        len(lines),
        sum(line[-1] in sentence_ends for line in lines),
        sum(len(line) <= short_chars for line in lines),
        duplicates(lines)[1],
        len(text.replace("\n", "")),
        text.count("\n"),
        len(text.split()),
    ]


# ---- C4 (the clean_page function of TensorFlow Datasets, told again) ------------------------------------------------

CITATION = re.compile(r"\[\d*\]|\[edit\]|\[citation needed\]")
POLICY = ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")
C4_COUNTS = ("kept", "sentences", "long_word", "no_end_mark", "few_words", "javascript", "policy", "citations", "page")


def ascii_lower(text: str) -> str:
    return "".join(char.lower() if char.isascii() else char for char in text)


def number_of_sentences(line: str) -> int:
    """Pieces of text up to a run of . ? ! and closing marks before white space, and the piece after the last."""
    found, text, ended = 0, False, False
    for char in line:
        if char in ".?!":
            ended = text
        elif char.isspace():
            found, text, ended = found + ended, text and not ended, False
        elif not (ended and char in "\"')]}’”"):
            text, ended = True, False
    return found + text


def clean_page(
    text: str,
    end_mark: bool = True,
    min_words: int = 5,
    max_word_chars: int = 1000,
    citations: bool = True,
    bad_words: Sequence[str] = (),
) -> tuple[str, dict[str, int]]:
    """The cleaned text ("" when the page is condemned) and what was counted; `page` is 1, 4 or 16 as in the kernel."""
    counts, kept = dict.fromkeys(C4_COUNTS, 0), []
    bad = re.compile("(?<![a-z])(?:" + "|".join(re.escape(ascii_lower(word)) for word in bad_words) + ")(?![a-z])") if bad_words else None
    for line in map(str.strip, text.splitlines()):
        verdict, line = _clean_line(line, end_mark, min_words, max_word_chars, citations, bad, counts)
        if isinstance(verdict, int):
            counts["page"] = verdict
            return "", counts
        counts[verdict] += 1
        if verdict == "kept":
            counts["sentences"] += number_of_sentences(line)
            kept.append(line)
    return "\n".join(kept).strip(), counts


def _clean_line(line, end_mark, min_words, max_word_chars, citations, bad, counts):  # type: ignore[no-untyped-def]
    if max_word_chars and any(len(word) > max_word_chars for word in line.split()):
        return "long_word", line
    if citations:
        line, removed = CITATION.subn("", line)
        counts["citations"] += removed
    lowered = ascii_lower(line)
    rules = (
        (end_mark and (not line.endswith((".", "?", "!", '"')) or line.endswith("...")), "no_end_mark"),
        (len(line.split()) < min_words, "few_words"),
        ("lorem ipsum" in lowered, 1),
        ("javascript" in lowered, "javascript"),
        ("{" in line, 4),
        (any(phrase in lowered for phrase in POLICY), "policy"),
        (bad is not None and bad.search(lowered) is not None, 16),
    )
    return next((verdict for broken, verdict in rules if broken), "kept"), line


# ---- n-grams of normalised words ------------------------------------------------------------------------------------


ALONE = re.compile("[々-〇ぁ-ヿㇰ-ㇿ㐀-䶿一-\u9fff\uf900-\ufaffｦ-ﾟ\U0001aff0-\U0001b16f\U00020000-\U00032fff]")


def stands_alone(char: str) -> bool:
    """Kana and Han."""
    return ALONE.match(char) is not None


def terms(text: str) -> list[str]:
    """Longest runs of letters, marks and numbers, in simple lower case; kana and Han one by one."""
    words, word = [], ""
    for char in text:
        inside = ord(char) < 0x33000 and unicodedata.category(char)[0] in "LMN"
        if word and (not inside or stands_alone(char) or stands_alone(word)):
            words.append(word)
            word = ""
        if inside:
            word += char.lower() if len(char.lower()) == 1 else char
    return [*words, word] if word else words


def ngrams(text: str, size: int) -> list[tuple[str, ...]]:
    words = terms(text)
    return [tuple(words[i : i + size]) for i in range(len(words) - size + 1)]
