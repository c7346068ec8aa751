"""What flows between the stages: Arrow schemas, and the one function that holds a batch to its schema.

RAW   what a source reads: undecoded bytes of one document, and what is known of it
DOC   what extraction makes of it: text, one row per document; conversations say beside it who says what
Signal columns (what a filter measured) are appended to DOC as `filter.signal`; the field's metadata hold the rules' bounds.
Texts are `large_string`: one offset width everywhere, so that a part may hold more than 2 GiB.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

import pyarrow as pa

from pipeline.contracts import Bound
from pipeline.errors import StorageError

#: What is known of a document beside its content: any of it may be null. `meta` is a JSON object.
_FACTS = [pa.field(name, pa.string()) for name in ("url", "lang", "licence", "date", "meta")]


def _text(name: str) -> pa.Field:
    return pa.field(name, pa.string(), nullable=False)


#: One undecoded document. `format` names the extractor that can read `content`.
RAW = pa.schema([_text("id"), pa.field("content", pa.large_binary(), nullable=False), _text("format"), _text("source"), *_FACTS])

#: Who says each piece of a conversation's text (see conversations.py): a role; what the piece is, "content" or "tool_calls"; and
#: where there is one, the name and the call's id of a message.
TURNS = pa.list_(pa.struct([_text("role"), _text("part"), pa.field("name", pa.string()), pa.field("call", pa.string())]))

#: One document of text. `id` is 32 hex digits, a stable hash of source and locator (see `document_id`). A conversation is a
#: document with `turns`, and `tools`: the JSON of the tools that its assistant has; other documents have null there.
DOC = pa.schema(
    [
        _text("id"), pa.field("text", pa.large_string(), nullable=False), _text("source"), *_FACTS,
        pa.field("turns", TURNS), pa.field("tools", pa.string()),
    ]
)  # fmt: skip

#: What is kept of a dropped document: why, by which step, what was measured (JSON), and the first characters.
REJECT = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("url", pa.string()),
        pa.field("step", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("signals", pa.string()),
        pa.field("excerpt", pa.string()),
    ]
)

#: A decision about each document of a part, in the part's row order: `reason` null means keep.
#: `twin` names the kept document a duplicate was removed for; `value` is the number that was compared.
DECISION = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("reason", pa.string()),
        pa.field("twin", pa.string()),
        pa.field("value", pa.float64()),
    ]
)

#: One document of a tokenized part, rows sorted by (key, id). `key` is a hash of seed and id (`tokens.order_keys`): the order
#: in which a mix takes documents. `n_tokens` is the length of `ids`, with the EOS or BOS that was added. `mask` says of each which
#: are learnt, null where all are; `n_trained` how many: the first of a document, which none precedes, is never one of them.
TOKENIZED = pa.schema(
    [
        pa.field("key", pa.uint64(), nullable=False),
        _text("id"),
        _text("source"),
        *_FACTS,
        pa.field("n_tokens", pa.int64(), nullable=False),
        pa.field("n_trained", pa.int64(), nullable=False),
        pa.field("ids", pa.large_list(pa.field("element", pa.uint32(), nullable=False)), nullable=False),
        pa.field("mask", pa.large_list(pa.field("element", pa.bool_(), nullable=False))),
    ]
)

#: The columns of DOC that make a conversation of a text.
CONVERSATION = ("turns", "tools")

#: The descriptive columns of DOC, without its text: what later stages carry so that a token can be traced.
DOC_FACTS = ("id", "source", "url", "lang", "licence", "date", "meta")

_BOUNDS = b"bounds"

#: Length in characters of the excerpt kept of a dropped document.
EXCERPT_CHARS = 500


def conform(batch: pa.RecordBatch, schema: pa.Schema, *, extra: bool = False) -> pa.RecordBatch:
    """Cast `batch` to `schema` (columns in schema order), or raise StorageError naming the column that doesn't fit.

    With `extra`, columns beyond the schema (signals) are kept after it in sorted order; without, they are an error.
    Missing nullable columns are filled with nulls.
    """
    names = batch.schema.names
    unknown = sorted(set(names) - set(schema.names))
    if unknown and not extra:
        raise StorageError(f"unexpected columns {unknown}: the schema has {schema.names}")
    columns = [_column(batch, field) for field in schema] + [batch.column(name) for name in unknown]
    fields = list(schema) + [batch.schema.field(name) for name in unknown]
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields))


def _column(batch: pa.RecordBatch, field: pa.Field) -> pa.Array:
    index = batch.schema.get_field_index(field.name)
    if index < 0:
        if not field.nullable:
            raise StorageError(f"column {field.name!r} is missing: the batch has {batch.schema.names}")
        return pa.nulls(batch.num_rows, field.type)
    column = batch.column(index)
    try:
        column = column if column.type == field.type else column.cast(field.type)
    except pa.ArrowInvalid as error:
        raise StorageError(f"column {field.name!r}: {column.type} can't become {field.type}: {error}") from error
    if not field.nullable and column.null_count:
        raise StorageError(f"column {field.name!r} holds {column.null_count} nulls: every row needs a value")
    return column


def signal_field(name: str, kind: pa.DataType, bounds: Iterable[Bound] = ()) -> pa.Field:
    """The field of a signal column, with the bounds on it in its metadata: a docs file says what its numbers were held to."""
    listed = [[bound.rule, bound.op, bound.value] for bound in bounds]
    return pa.field(name, kind, metadata={_BOUNDS: json.dumps(listed)} if listed else None)


def bounds_on(field: pa.Field) -> list[tuple[str, str, float | str]]:
    """The (rule, op, value) of every bound on a signal column that `signal_field` made."""
    return [(rule, op, value) for rule, op, value in json.loads((field.metadata or {}).get(_BOUNDS, b"[]"))]


def decided_by(*bounds: Bound) -> pa.Schema:
    """DECISION as a stage writes it that holds its `value` to bounds: they stand in the field's metadata."""
    return DECISION.set(DECISION.get_field_index("value"), signal_field("value", pa.float64(), bounds))


def document_id(source: str, locator: str) -> str:
    """The stable id of a document: 128 bits of BLAKE2b over source and locator, as 32 hex digits.

    A locator says where a document stands in its source ("deb:git-doc/usr/share/doc/git/html/git-add.html"),
    never where the file lies on this machine, so the same document has the same id everywhere.
    """
    return hashlib.blake2b(f"{source}\0{locator}".encode(), digest_size=16).hexdigest()


def sound(text: str) -> str:
    """`text` with U+FFFD in place of lone surrogates, which JSON can spell and UTF-8 can't."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
