"""The reader "dictd": dictionaries of the DICT protocol (dictfmt(1)): an index of headwords, and one text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from pipeline.contracts import InputFile, RawDocument
from pipeline.errors import SourceError
from pipeline.registry import reader
from pipeline.sources.dictionaries import databases, entry

_DIGITS = {char: value for value, char in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")}

#: `{word}` refers to another entry.
_REFERENCE = re.compile(r"\{([^{}]*)\}")

_INDENT = re.compile(r"^ +(?=\S)", re.MULTILINE)
_BLANK = re.compile(r"\n(?:[ \t]*\n)+")


@reader("dictd")
def dictd(file: InputFile, *, lang: str | None = None) -> Iterator[RawDocument]:
    """One document per entry of each dictionary in the archive, in the order of its text, as UTF-8 of format "text".

    Headwords that share an entry make one document; entries about the database itself ("00-database-...") are left
    out. The layout is undone: braces around references, the indent of the body, and line breaks within paragraphs.
    """
    for name, (index, text) in databases(file, (".index", ".dict")):
        label = f"{file.name}: {name}"
        seen: Counter[str] = Counter()
        for (offset, length), headword in sorted(_entries(index.decode("utf-8", "replace"), label).items()):
            seen[headword] += 1
            again = f"#{seen[headword]}" if seen[headword] > 1 else ""
            raw = entry(text, offset, length, label).decode("utf-8", "replace")
            yield RawDocument(f"{name}/{headword}{again}", _flow(raw).encode(), "text", lang=lang, meta={"title": headword})


def _entries(index: str, name: str) -> dict[tuple[int, int], str]:
    """First headword by (offset, length)."""
    found: dict[tuple[int, int], str] = {}
    for line in index.splitlines():
        try:
            headword, offset, length = line.split("\t")[:3]
            place = _number(offset), _number(length)
        except (ValueError, KeyError) as error:
            raise SourceError(f"{name}: a line of the index is no headword, offset and length: {line[:80]!r}") from error
        if not headword.startswith(("00-database", "00database")):
            found.setdefault(place, headword)
    return found


def _number(digits: str) -> int:
    if len(digits) > 10:  # 64 ** 10 bytes are more than any file has
        raise ValueError("a number of too many digits")
    value = 0
    for digit in digits:
        value = value * 64 + _DIGITS[digit]
    return value


def _flow(raw: str) -> str:
    """An entry with each paragraph of its body on one line; headwords and lines indented further keep theirs."""
    text = _REFERENCE.sub(r"\1", raw).strip()
    margin = " " * min((len(indent) for indent in _INDENT.findall(text)), default=0)
    return "\n\n".join(_paragraph(part.split("\n"), margin) for part in _BLANK.split(text))


def _paragraph(lines: list[str], margin: str) -> str:
    bare = [line.removeprefix(margin).rstrip() for line in lines]
    wrapped = all(line.startswith(margin) and not rest.startswith((" ", "\t")) for line, rest in zip(lines, bare, strict=True))
    return (" " if wrapped else "\n").join(bare)
