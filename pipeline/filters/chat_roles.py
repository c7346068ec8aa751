"""Who speaks when: a conversation that a chat template can render, and that ends with an answer to learn."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from pipeline import registry
from pipeline.contracts import Verdicts
from pipeline.filters.pieces import ASSISTANT, SYSTEM, TOOL, USER, pieces_of
from pipeline.filters.rules import Count, Rules


@registry.filter("chat_roles")
def chat_roles(
    docs: pa.RecordBatch,
    *,
    min_answers: Count | None = 1,
    max_bad_starts: Count | None = 0,
    max_late_systems: Count | None = 0,
    max_repeats: Count | None = 0,
    max_lone_tools: Count | None = 0,
    max_open_ends: Count | None = 0,
) -> Verdicts:
    """Keep conversations in which the user begins, the two take turns, and the assistant speaks last.

    `answers`: messages of the assistant. `bad_starts`: 1 when the first message after a system's isn't the user's.
    `late_systems`: system messages that aren't the first. `repeats`: messages by who also spoke before (tools' answers may follow
    one another). `lone_tools`: tools' answers behind neither a call nor another answer. `open_ends`: 1 when the last message isn't
    the assistant's. Documents that are no conversation are kept, with zeros.
    """
    said = pieces_of(docs)
    roles, before = said.roles, said.previous(said.roles, -1)
    called = said.previous(said.calls.astype(np.int64), 0)
    opening = (roles != SYSTEM) & ((before == SYSTEM) & np.roll(said.first, 1) | said.first)
    measured = {
        "answers": said.per_document(roles == ASSISTANT),
        "bad_starts": said.per_document(opening & (roles != USER)),
        "late_systems": said.per_document((roles == SYSTEM) & ~said.first),
        "repeats": said.per_document((roles == before) & (roles != TOOL) & (roles != SYSTEM)),
        "lone_tools": said.per_document((roles == TOOL) & (before != TOOL) & (called == 0)),
        "open_ends": said.per_document(said.last & (roles != ASSISTANT)),
    }
    rules = Rules("chat_roles", docs.num_rows, measured)
    for rule, signal, bound in (
        ("bad_start", "bad_starts", max_bad_starts),
        ("late_system", "late_systems", max_late_systems),
        ("same_role_twice", "repeats", max_repeats),
        ("tool_without_call", "lone_tools", max_lone_tools),
    ):
        rules.at_most(rule, signal, bound)
    if min_answers is not None:
        rules.drop("no_answer", (measured["answers"] < min_answers) & _is_chat(docs))
    rules.at_most("no_last_answer", "open_ends", max_open_ends)
    return rules.verdicts()


def _is_chat(docs: pa.RecordBatch) -> np.ndarray:
    return np.asarray(docs.column("turns").is_valid(), np.bool_)
