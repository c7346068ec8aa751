"""What a step takes and gives back: the shapes that let a rule be a plain function.

fetcher    (cache, **keys) -> [InputFile]            where bytes come from
publisher  (Listing, **keys) -> [RemoteFile]         a fetcher that names the files; the store fetches them
reader     (InputFile, **keys) -> RawDocument ...    how a file's records are read
extractor  (RAW batch, **keys) -> Extracted          bytes to text
filter     (DOC batch, **keys) -> Verdicts           measure, then decide; the worker drops and counts
stage      (Job, **keys) -> Report                   reads committed stages, writes its own part
export     (dataset folder, target, **keys) -> None  packed shards to another trainer's format
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import pyarrow as pa


@dataclass(frozen=True, order=True)
class InputFile:
    """One file to read, as the lock file pins it.

    `name` is its stable locator ("deb:git-doc"), `path` where its bytes lie now (a path or URL), `sha256` of its
    content, `size` in bytes. `version`, `licence`, `origin` (where it was fetched from, by name) and `url` (by address) may
    be empty.
    """

    name: str
    path: str
    sha256: str
    size: int
    version: str = ""
    licence: str = ""
    origin: str = ""
    url: str = ""


@dataclass(frozen=True, order=True)
class RemoteFile:
    """One file that a publisher offers: fetched, it becomes the InputFile of that name.

    `url` is http(s) or of a store that fsspec knows (s3://). `size` in bytes (None: not said) and `checksum` ("sha1:0a4d...",
    "" for none) as the publisher states them. `optional`: a catalogue names it, and it may all the same not be there.
    """

    name: str
    url: str
    size: int | None = None
    checksum: str = ""
    version: str = ""
    licence: str = ""
    optional: bool = False


#: How a fetcher reads a publisher's list: the content of what is at an address.
Listing = Callable[[str], bytes]


class RawDocument(NamedTuple):
    """One record as a reader finds it. `locator` is unique within its InputFile; `format` names an extractor."""

    locator: str
    content: bytes
    format: str
    url: str | None = None
    lang: str | None = None
    licence: str | None = None
    date: str | None = None
    meta: Mapping[str, str | int | float | None] | None = None


@dataclass(frozen=True)
class Extracted:
    """Texts of a RAW batch, row by row: `text` is null exactly where `reasons` says why there is none.

    `facts` replaces descriptive columns of DOC (lang, date, url, licence, meta) by what was found in the document;
    a null there leaves what the reader said.
    """

    text: pa.Array
    reasons: pa.Array
    facts: Mapping[str, pa.Array] = field(default_factory=dict)


class Bound(NamedTuple):
    """What `rule` asks of a signal: that it be `op` `value`; a rule with several values says them in words."""

    rule: str
    signal: str
    op: Literal[">=", "<=", "<"]
    value: float | str


@dataclass(frozen=True)
class Verdicts:
    """What a filter says of a DOC batch, row by row.

    `reasons`: string array, null = keep. `signals`: the measured columns by short name, for kept and dropped rows alike.
    `text`: the edited texts (large_string) of a filter that edits; null array = unchanged.
    `evidence`: the texts that excerpts of dropped documents are cut from; null array = the texts as the filter saw them.
    `edits`: how many edits of each kind were made, for the report.
    `facts` replaces descriptive columns of DOC (lang, date, url, licence) by what was found; a null there leaves them.
    `bounds`: what the rules asked of the signals, the same for every batch, an empty one too.
    """

    reasons: pa.Array
    signals: Mapping[str, pa.Array] = field(default_factory=dict)
    text: pa.Array | None = None
    evidence: pa.Array | None = None
    edits: Mapping[str, int] = field(default_factory=dict)
    facts: Mapping[str, pa.Array] = field(default_factory=dict)
    bounds: tuple[Bound, ...] = ()


@dataclass(frozen=True, order=True)
class Task:
    """One unit of a stage: a name that is also its part's name ("web-00042"), and JSON values that say what to do."""

    name: str
    payload: Mapping[str, Any] = field(default_factory=dict, compare=False)
