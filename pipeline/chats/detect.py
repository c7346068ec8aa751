"""Which format a file of conversations is in, told by its first rows."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.chats.rows import ChatFormat, Row
from pipeline.chats.single import ALPACA, ANSWERS, COMPLETIONS, DOLLY, PROMPTS, QA, SELF_INSTRUCT
from pipeline.chats.turns import DIALOGUE, MESSAGES, OASST, PREFERENCE, SHAREGPT

#: The more keys a format asks for, the earlier it is tried: a preference pair looks like ShareGPT, Dolly like Alpaca.
FORMATS: tuple[ChatFormat, ...] = (
    PREFERENCE, OASST, DIALOGUE, MESSAGES, SHAREGPT, SELF_INSTRUCT, DOLLY, ALPACA, *COMPLETIONS, ANSWERS, QA, PROMPTS,
)  # fmt: skip

#: Rows that are looked at.
LOOKED_AT = 20


def by_name(name: str) -> ChatFormat | None:
    return next((known for known in FORMATS if known.name == name), None)


def detect(rows: Sequence[Row]) -> ChatFormat | None:
    """The format that most rows look like, the earlier one of two; None when it isn't more than half of them."""
    looks = [sum(map(known.fits, rows)) for known in FORMATS]
    best = max(looks)
    return FORMATS[looks.index(best)] if 2 * best > len(rows) else None
