"""Lines that a domain repeats: counted per domain over all parts, cut everywhere, whatever way the work is divided."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from dedupe_kit import text

from pipeline.dedupe import keyed, merging
from pipeline.errors import GuardTripped, SourceError
from pipeline.job import MANIFEST, Committed, Inputs, TaskResult
from pipeline.report import Report
from pipeline.schema import DOC, document_id
from pipeline.stages import lines as stage
from pipeline.storage import Folder
from pipeline.survivors import survivors
from pipeline.worker import LocalStage

#: A document: its name, its address or none, its text.
Doc = tuple[str, str | None, str]
FREE = {"max_removed": 1.0, "min_left": 0}


def committed_docs(folder: Folder, parts: Mapping[str, Sequence[Doc]]) -> Committed:
    results = []
    for part, docs in parts.items():
        source = part.rpartition("-")[0]
        rows = [{"id": document_id(source, name), "text": content, "source": source, "url": url} for name, url, content in docs]
        with folder.parquet(f"{part}.docs.parquet", DOC) as sink:
            sink.write(pa.RecordBatch.from_pylist(rows, schema=DOC))
        results.append(TaskResult(part, (sink.entry(),), Report()))
    manifest = {"stage": "filter", "fingerprint": "local", "tasks": [result.to_json() for result in results]}
    folder.write_json(MANIFEST, manifest)
    return Committed(folder, manifest)


def lines(out: Path, parts: Mapping[str, Sequence[Doc]], seed: str = "", **args: Any) -> tuple[dict[str, str], LocalStage]:
    """The texts that later stages read, by the name of the document; and the stages."""
    stages = LocalStage(Folder(str(out)), order=lambda task: random.Random(f"{seed} {task.name}").random())
    docs = committed_docs(stages.out.sub("filter"), parts)
    signed = stages.run("signatures", {"filter": docs})
    done = stages.run("lines", {"filter": docs, "signatures": signed}, **{"sources": ["web"], **FREE, **args})
    roles = Inputs({"filter": (docs,), "lines": (done,)})
    names = {document_id(part.rpartition("-")[0], doc[0]): doc[0] for part, found in parts.items() for doc in found}
    batches = [batch for file in roles.files("filter", "docs") for batch in survivors(roles, file, ["id", "text"])]
    return {names[row["id"]]: row["text"] for batch in batches for row in batch.to_pylist()}, stages


def expected(docs: Sequence[Doc], min_documents: int, min_share: float, min_words: int) -> dict[str, str]:
    """The texts without the lines of enough documents of their domain, in plain Python."""
    hosts = {name: url.split("/")[2] if url else None for name, url, _ in docs}
    there = Counter(hosts.values())
    met = Counter((hosts[name], line) for name, _, content in docs for line in {line.strip() for line in content.split("\n")})

    def stays(host: str | None, line: str) -> bool:
        number = met[host, line.strip()]
        return len(line.split()) < max(min_words, 1) or number < min_documents or number < min_share * there[host]

    return {name: "".join(line for line in content.splitlines(keepends=True) if stays(hosts[name], line)) for name, _, content in docs}


def made_up(number: int = 120) -> list[Doc]:
    """Pages of three hosts and of none, of lines that many, some or no others of their host have."""
    draw = random.Random("lines")
    shared = [text(count, f"line {count}") for count in (1, 2, 3, 5, 8, 12)] + ["", "   ", "\u00a0"]
    out: list[Doc] = []
    for n in range(number):
        host = draw.choice(["a.org", "a.org", "b.org", "c.org", None])
        found = [draw.choice(shared) if draw.random() < 0.5 else text(6, f"{n} {k}") for k in range(draw.randint(0, 8))]
        found = [f"{draw.choice(['', '', ' ', '  '])}{line}{draw.choice(['', ' '])}" for line in found]
        out.append((f"{n}", f"https://{host}/{n}" if host else None, "\n".join(found) + draw.choice(["", "\n"])))
    return out


@pytest.mark.parametrize(("documents", "share", "words"), [(2, 0.05, 1), (9, 0.2, 2), (8, 0.25, 4)])
def test_lines_of_enough_documents_are_cut(tmp_path: Path, documents: int, share: float, words: int) -> None:
    docs = made_up()
    left, stages = lines(tmp_path, {"web-00000": docs}, min_documents=documents, min_share=share, min_words=words)
    assert left == expected(docs, documents, share, words)
    report = stages.committed["lines"].report.check()
    assert report.counts["web", "characters_removed"] == sum(len(doc[2]) - len(left[doc[0]]) for doc in docs)
    assert 0 < report.counts["web", "documents cut"] == sum(left[doc[0]] != doc[2] for doc in docs)


@pytest.mark.parametrize(("copies", "cut"), [(3, False), (4, True)])
def test_the_bounds_are_least_numbers(tmp_path: Path, copies: int, cut: bool) -> None:
    """Four documents, and two in five of ten."""
    docs: list[Doc] = [(f"{n}", f"http://a.org/{n}", ("the same line\n" if n < copies else "") + text(5, f"{n}")) for n in range(10)]
    assert ("the same" not in lines(tmp_path / "a", {"web-00000": docs}, min_documents=4, min_share=0.1)[0]["0"]) == cut
    assert ("the same" not in lines(tmp_path / "b", {"web-00000": docs}, min_documents=2, min_share=0.4)[0]["0"]) == cut


def test_the_same_for_any_division(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docs = made_up()
    other: list[Doc] = [(f"book {n}", None, "the same line\n" * 3) for n in range(20)]
    runs = []
    for parts, rows in ((1, 1 << 24), (2, 50), (7, 9)):
        with monkeypatch.context() as patch:
            if parts > 1:
                patch.setattr(stage, "ROWS_PER_TASK", rows)
                patch.setattr(stage, "HELD", max(1, rows // 3))
                patch.setattr(keyed, "GROUP_BYTES", 1)
                patch.setattr(merging, "MOST_OPENS", 3)
            shuffled = random.Random(str(parts)).sample(docs, len(docs))
            dealt = {f"web-{part:05d}": shuffled[part::parts] for part in range(parts)}
            runs.append(lines(tmp_path / str(parts), {**dealt, "books-00000": other}, str(parts), min_documents=9)[0])
    assert runs[0] == runs[1] == runs[2] == {**expected(docs, 9, 0.2, 2), **{name: content for name, _, content in other}}


def test_guard_unknown_sources_and_what_is_left_too_short(tmp_path: Path) -> None:
    docs: list[Doc] = [(f"{n}", f"http://a.org/{n}", "the same line for all of them\n" + text(n // 2, f"{n}")) for n in range(12)]
    with pytest.raises(GuardTripped, match="lines would remove more of web"):
        lines(tmp_path / "guard", {"web-00000": docs}, max_removed=0.1)
    with pytest.raises(SourceError, match="no source is called wbe"):
        lines(tmp_path / "unknown", {"web-00000": docs}, sources=["wbe"])
    with pytest.raises(SourceError, match="say whose lines"):
        lines(tmp_path / "none", {"web-00000": docs}, sources=[])
    left, stages = lines(tmp_path / "short", {"web-00000": docs}, min_left=1)
    assert set(left) == {f"{n}" for n in range(2, 12)}
    assert +stages.committed["lines"].report.dropped == {("web", "lines:short"): 2}
