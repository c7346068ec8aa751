"""What documents are compared by: their texts, or of conversations what is asked in them, so that of one prompt one stays."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.conversations import SEPARATOR, split

#: The whole text; of a conversation all but the assistant's messages; or the first message of its user.
Of = Literal["text", "prompts", "first_prompt"]


def columns(of: Of) -> list[str]:
    """The columns of DOC that `compared` needs."""
    return ["text"] if of == "text" else ["text", "turns"]


def compared(docs: pa.RecordBatch, of: Of) -> pa.LargeStringArray:
    """What each document of a batch is compared by; of those that are no conversation, or in which nothing is asked, the text.

    StorageError where the text of a conversation has other pieces than turns.
    """
    text = docs.column("text")
    if of == "text":
        return text
    owners, said, pieces = split(text, docs.column("turns"))
    chosen = _asked(pc.struct_field(said, "role"), owners, first=of == "first_prompt")
    offsets = np.cumsum(np.append(0, np.bincount(owners[chosen], minlength=docs.num_rows)))
    lists = pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), pieces.take(pa.array(chosen)))
    asked = pc.binary_join(lists, pa.scalar(SEPARATOR, pa.large_string()))
    return pc.if_else(pc.match_substring_regex(asked, r"[\pL\pN]"), asked, text)


def _asked(roles: pa.Array, owners: np.ndarray, *, first: bool) -> np.ndarray:
    """The places of the pieces that ask something, among those of all conversations."""
    if not first:
        return np.flatnonzero(pc.not_equal(roles, "assistant"))
    users = np.flatnonzero(pc.equal(roles, "user"))
    return users[np.diff(owners[users], prepend=-1) > 0]
