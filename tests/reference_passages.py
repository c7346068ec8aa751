"""Repeated passages in plain Python: every run of words looked up in a dictionary."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

ALONE = ((0x3041, 0x30FF), (0x31F0, 0x31FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x323AF))

Span = tuple[int, int, int]


def _alone(char: str) -> bool:
    return any(first <= ord(char) <= last for first, last in ALONE)


def words(text: str) -> list[tuple[str, int]]:
    """The words of a text, each with the bytes before it."""
    found: list[tuple[str, int]] = []
    place, is_open = 0, False
    for char in text:
        if char.isspace():
            is_open = False
        elif is_open and not _alone(char):
            found[-1] = (found[-1][0] + char, found[-1][1])
        else:
            found.append((char, place))
            is_open = not _alone(char)
        place += len(char.encode())
    return found


def repeated(texts: Sequence[str], least: int) -> list[list[Span]]:
    """Of texts, the most preferred first: the bytes [start, stop) of each in runs of `least` words that stand before them.

    They are apart from each other; the third number is the text where the first run of each stands first.
    """
    known: dict[tuple[str, ...], int] = {}
    out = []
    for number, text in enumerate(texts):
        found = words(text)
        spans: list[Span] = []
        ends = [start for _, start in found[least:]] + [len(text.encode())]
        for head in range(len(found) - least + 1):
            run = tuple(word for word, _ in found[head : head + least])
            if run in known:
                spans = _joined(spans, (found[head][1], ends[head], known[run]))
            known.setdefault(run, number)
        out.append(spans)
    return out


def _joined(spans: list[Span], span: Span) -> list[Span]:
    if spans and span[0] <= spans[-1][1]:
        return [*spans[:-1], (spans[-1][0], span[1], spans[-1][2])]
    return [*spans, span]


def without(text: str, spans: Iterable[Span]) -> str:
    """The text without some of its bytes."""
    data = text.encode()
    for start, stop, _ in sorted(spans, reverse=True):
        data = data[:start] + data[stop:]
    return data.decode()
