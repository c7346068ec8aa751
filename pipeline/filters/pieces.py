"""The messages of a batch of conversations as flat columns, so that rules about messages are rules about columns."""

from __future__ import annotations

from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.conversations import CONTENT, ROLES, split

SYSTEM, USER, ASSISTANT, TOOL = range(len(ROLES))

Mask = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Number = TypeVar("Number", np.int64, np.float64)


class Pieces(NamedTuple):
    """The messages of all conversations, in order; documents that are no conversation have none.

    `rows` is the document of each message, `roles` an index into ROLES, `text` its content, `calls` whether it calls tools.
    """

    documents: int
    rows: Ints
    roles: Ints
    text: pa.LargeStringArray
    calls: Mask

    @property
    def first(self) -> Mask:
        """The first message of each conversation."""
        return np.diff(self.rows, prepend=-1) > 0

    @property
    def last(self) -> Mask:
        return np.diff(self.rows, append=self.documents) > 0

    def previous(self, values: npt.NDArray[np.generic], none: int) -> npt.NDArray[np.generic]:
        """A value of the message before each, within its conversation; `none` for the first."""
        shifted = np.roll(values, 1)
        shifted[self.first] = none
        return shifted

    def per_document(self, mask: Mask) -> Ints:
        """How many messages of a mask each document has."""
        return np.bincount(self.rows[mask], minlength=self.documents).astype(np.int64)

    def largest(self, values: npt.NDArray[Number]) -> npt.NDArray[Number]:
        """The largest value, of one for each message and none below 0, that a message of each document has; 0 where it has none."""
        found = np.zeros(self.documents, values.dtype)
        np.maximum.at(found, self.rows, values)
        return found

    def only(self, mask: Mask) -> Pieces:
        return Pieces(self.documents, self.rows[mask], self.roles[mask], self.text.filter(pa.array(mask)), self.calls[mask])


def pieces_of(docs: pa.RecordBatch) -> Pieces:
    """The messages of a DOC batch; StorageError where a text has other pieces than turns."""
    rows, said, text = split(docs.column("text"), docs.column("turns"))
    content = np.asarray(pc.equal(pc.struct_field(said, "part"), CONTENT), np.bool_)
    roles = np.asarray(pc.index_in(pc.struct_field(said, "role"), pa.array(ROLES, pa.string())), np.int64)
    calls = np.append(~content, False)[1:]  # the piece behind a message is its calls
    return Pieces(docs.num_rows, rows[content], roles[content], text.filter(pa.array(content)), calls[content])
