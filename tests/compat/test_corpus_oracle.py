"""Every document that our extractors find in the corpus: our verdict and reason are datatrove's, words split alike.

Where the two differ, the difference is one of DECISIONS, each told in docs/decisions.md: with that one definition put in the
place of datatrove's, datatrove says what we say. By default a share of the documents, drawn by their ids; all with --all-documents.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from corpus_kit import SOURCES
from datatrove_kit import BLOCKS, C4, FINEWEB, QUALITY, REPETITION, renamed
from reference import CITATION

from pipeline import registry
from pipeline.compat.datatrove import datatrove
from pipeline.contracts import InputFile, RawDocument, Task, Verdicts
from pipeline.filters.c4 import c4
from pipeline.filters.fineweb import fineweb
from pipeline.filters.gopher import gopher_quality
from pipeline.filters.repetition import gopher_repetition
from pipeline.job import Committed
from pipeline.kernels.unicode import END, SYMBOL, classes
from pipeline.schema import DOC, document_id
from pipeline.sources.any import any_
from pipeline.storage import Folder
from pipeline.worker import LocalStage

#: The documents of the default run, one in so many; datatrove takes a second for a megabyte.
ONE_IN = 15
#: Lists about the corpus, not documents of it.
ABOUT = ("sources.jsonl.gz", "ground_truth.jsonl.gz")


class Decision(NamedTuple):
    """A definition of ours: where it stands in datatrove's modules, and what stands there then."""

    module: str
    name: str
    value: Any


class Pair(NamedTuple):
    """A filter of ours and datatrove's block, our rules in its words, and what is decided otherwise.

    `beforehand`: what we take out before anything is counted, so that datatrove must say the same of texts without it.
    """

    ours: Callable[[pa.RecordBatch], Verdicts]
    block: str
    args: dict[str, Any]
    reasons: dict[str, str]
    decisions: tuple[Decision, ...] = ()
    beforehand: re.Pattern[str] | None = None


def marked(bit: int) -> list[str]:
    return [chr(point) for point, bits in enumerate(classes()) if bits & bit]


SWAPPED_BACK = {"min_num_sentences": 3, "min_words_per_line": 5}
NO_APOSTROPHE = Decision("c4_filters", "END_PUNCTUATION", (".", "?", "!", '"'))
PAIRS = {
    "gopher_repetition": Pair(gopher_repetition, "GopherRepetitionFilter", {}, REPETITION),
    "gopher_quality": Pair(
        gopher_quality, "GopherQualityFilter", {}, QUALITY,
        (Decision("gopher_quality_filter", "PUNCTUATION_SET", set(marked(SYMBOL))),),
    ),
    "c4": Pair(c4, "C4QualityFilter", SWAPPED_BACK, C4, (NO_APOSTROPHE,), CITATION),
    "c4 without citations": Pair(
        partial(c4, citations=False), "C4QualityFilter", {**SWAPPED_BACK, "remove_citations": False}, C4, (NO_APOSTROPHE,),
    ),
    "c4 without end marks": Pair(
        partial(c4, citations=False, end_marks=False), "C4QualityFilter",
        {**SWAPPED_BACK, "remove_citations": False, "filter_no_terminal_punct": False}, C4,
    ),
    "fineweb": Pair(
        fineweb, "FineWebQualityFilter", {}, FINEWEB,
        (Decision("fineweb_quality_filter", "TERMINAL_PUNCTUATION", set(marked(END))),),
    ),
}  # fmt: skip


def drawn(file: InputFile, *, one_in: int) -> Iterator[RawDocument]:
    """One in so many of the documents that the reader `any` finds, told by their ids."""
    for document in any_(file):
        if int(document_id(file.name, document.locator)[:8], 16) % one_in == 0:
            yield document


@pytest.fixture(scope="module")
def extracted(corpus: Path, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Committed]:
    """The documents of a source, by the extract stage."""
    everything = request.config.getoption("--all-documents")
    stages, formats = LocalStage(Folder(str(tmp_path_factory.mktemp("extracted")))), registry.names("extractor")
    extractors = [{"name": name, "args": registry.bind("extractor", name, {})[0].args} for name in formats]

    def extract(source: str) -> Committed:
        if source in stages.committed:
            return stages.committed[source]
        paths = [path for path in sorted((corpus / source).rglob("*")) if path.is_file() and path.name not in ABOUT]
        files = [asdict(InputFile(str(path.relative_to(corpus)), str(path), "", path.stat().st_size)) for path in paths]
        read = {"name": "drawn", "args": {"one_in": 1 if everything else ONE_IN}}
        task = Task(f"{source}-00000", {"files": files, "read": read})
        known = dict(registry._steps)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(registry, "_steps", known)
            registry.reader("drawn")(drawn)
            return stages.run("extract", {}, key=source, tasks=[task], extractors=extractors)

    return extract


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("source", SOURCES)
def test_every_document_gets_datatroves_verdict_and_reason(
    extracted: Callable[[str], Committed], source: str, name: str, monkeypatch: pytest.MonkeyPatch, record_property: Callable[..., None]
) -> None:
    pair, done = PAIRS[name], extracted(source)
    decided, seen, documents = 0, set(), 0
    for batch in done.folder.batches(f"{source}-00000.docs.parquet"):
        ours, theirs = pair.ours(batch), shipped(pair, batch)
        words = pa.array(renamed(ours.reasons, pair.reasons), pa.string())
        rows = different(batch, words, ours, theirs)
        with monkeypatch.context() as patch:
            for decision in pair.decisions:
                patch.setattr(f"{BLOCKS}{decision.module}.{decision.name}", decision.value)
            disputed = without(pair.beforehand, batch.take(rows))
            left = different(disputed, words.take(rows), taken(ours, rows), shipped(pair, disputed), trimmed=bool(pair.beforehand))
        assert not len(left), disputed.take(left).select(["id", "meta"]).to_pylist()
        documents, decided, seen = documents + batch.num_rows, decided + len(rows), seen | set(words.to_pylist())
    record_property(f"{source}, {name}", f"{documents} documents, {decided} by a decision of ours, {len(seen - {None})} reasons")
    assert documents == done.report.kept[source] > 0


def shipped(pair: Pair, docs: pa.RecordBatch) -> Verdicts:
    """What datatrove's block says; a block of its own for every call, for it may copy a definition when it is made."""
    from pipeline.compat.datatrove import _instance

    _instance.cache_clear()
    return datatrove(docs, block=BLOCKS + pair.block, args=pair.args, words="whitespace")


def without(pattern: re.Pattern[str] | None, docs: pa.RecordBatch) -> pa.RecordBatch:
    if pattern is None:
        return docs
    at = docs.schema.get_field_index("text")
    texts = ["\n".join(pattern.sub("", line) for line in text.splitlines()) for text in docs["text"].to_pylist()]
    return docs.set_column(at, DOC.field("text"), pa.array(texts, pa.large_string()))


def taken(verdicts: Verdicts, rows: pa.Array) -> Verdicts:
    text = None if verdicts.text is None else verdicts.text.take(rows)
    return Verdicts(verdicts.reasons.take(rows), text=text)


def different(docs: pa.RecordBatch, words: pa.Array, ours: Verdicts, theirs: Verdicts, trimmed: bool = False) -> pa.Array:
    """The rows whose reason differs, or that both keep with another text; `trimmed`: space around a line doesn't count."""
    same = pc.equal(pc.fill_null(words, ""), pc.fill_null(theirs.reasons, ""))
    texts = [docs["text"] if one.text is None else pc.coalesce(one.text, docs["text"]) for one in (ours, theirs)]
    if trimmed:
        texts = [pc.utf8_trim_whitespace(pc.replace_substring_regex(text, r"\s*\n\s*", "\n")) for text in texts]
    return pc.indices_nonzero(pc.invert(pc.and_(same, pc.or_(pc.is_valid(words), pc.equal(*texts)))))
