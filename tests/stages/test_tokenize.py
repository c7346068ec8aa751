"""The tokenize stage: every kept document, its ids those of `tokenizers`, in the order of the mix, wherever it lay."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from bpe_kit import reference_ids
from tokenizer_kit import Line, documents, parts

from pipeline.contracts import Task
from pipeline.errors import StorageError
from pipeline.job import Committed, Inputs
from pipeline.kernels.arrow import texts
from pipeline.schema import DOC_FACTS, TOKENIZED
from pipeline.stages.tokenize import _open
from pipeline.tokens import order_keys, read_histogram, read_token_range
from tokenizer.encode import Encoder, SlowEncoding
from tokenizer.special import INFILLING
from tokenizer.vocabulary import Vocabulary

DROPPED = {row["id"] for row in documents()["web"][::3]}
EOS, BOS = 0, 1


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Line:
    return Line(tmp_path_factory.mktemp("tokenize"), dropped=DROPPED)


@pytest.fixture(scope="module")
def tokenizer(line: Line) -> Committed:
    return line.tokenizer(reference=False)


@pytest.fixture(scope="module")
def done(line: Line, tokenizer: Committed) -> Committed:
    return line.tokenize(tokenizer)


def rows(stage: Committed) -> pa.Table:
    files = Inputs({"tokenize": (stage,)}).files("tokenize", "tokens")
    return pa.concat_tables([read_token_range(file) for file in files])


def by_id(stage: Committed) -> dict[str, dict]:
    return {row["id"]: row for row in rows(stage).to_pylist()}


def test_every_kept_document_with_the_ids_of_the_library(done: Committed, tokenizer: Committed) -> None:
    kept = {row["id"]: row["text"] for found in documents().values() for row in found if row["id"] not in DROPPED}
    expected = dict(zip(kept, reference_ids(tokenizer.folder.read("tokenizer.json"), list(kept.values())), strict=True))
    found = by_id(done)
    assert {name: row["ids"] for name, row in found.items()} == {name: [*ids, EOS] for name, ids in expected.items()}
    assert all(row["n_tokens"] == len(row["ids"]) for row in found.values())


def test_facts_go_along(done: Committed) -> None:
    given = {row["id"]: row for found in documents().values() for row in found}
    for name, row in by_id(done).items():
        assert {fact: row[fact] for fact in DOC_FACTS} == {fact: given[name][fact] for fact in DOC_FACTS}


def test_parts_are_sorted_by_keys_that_follow_from_seed_and_id(done: Committed) -> None:
    for file in Inputs({"tokenize": (done,)}).files("tokenize", "tokens"):
        table = read_token_range(file)
        assert table.schema == TOKENIZED
        keys = table.column("key").to_numpy()
        assert (np.sort(keys) == keys).all()
        assert (keys == order_keys(table.column("id").combine_chunks(), 0, "mix")).all()


def test_histograms_agree_with_the_report(done: Committed) -> None:
    files = Inputs({"tokenize": (done,)}).files("tokenize", "histogram")
    for source in documents():
        found = [read_histogram(file) for file in files if file.source == source]
        assert sum(int(one.documents.sum()) for one in found) == done.report.read[source] == done.report.kept[source]
        assert sum(int(one.tokens.sum()) for one in found) == done.report.counts[source, "tokens"]


def test_report_counts_bytes_of_text(done: Committed) -> None:
    contents = [row["text"] for row in documents()["web"] if row["id"] not in DROPPED]
    assert done.report.counts["web", "bytes"] == sum(len(text.encode()) for text in contents)
    assert ("web", "documents encoded the slow way") not in done.report.counts


def test_documents_are_the_same_in_other_parts(done: Committed, tokenizer: Committed, tmp_path: Path) -> None:
    again = Line(tmp_path, parts(documents(), 5), dropped=DROPPED).tokenize(tokenizer)
    order = [("key", "ascending")]
    assert rows(again).sort_by(order).equals(rows(done).sort_by(order))


def test_marks_are_a_choice(line: Line, tokenizer: Committed) -> None:
    plain = {name: row["ids"] for name, row in by_id(line.tokenize(tokenizer, add_eos=False)).items()}
    both = {name: row["ids"] for name, row in by_id(line.tokenize(tokenizer, add_bos=True)).items()}
    assert not any({EOS, BOS} & set(ids) for ids in plain.values())
    assert both == {name: [BOS, *ids, EOS] for name, ids in plain.items()}


def test_special_tokens_in_a_text_are_text(tokenizer: Committed, tmp_path: Path) -> None:
    row = {**documents()["web"][0], "text": "a<|endoftext|>b <|user|>\x00"}
    ids = by_id(Line(tmp_path, {"web-00000": [row]}).tokenize(tokenizer))[row["id"]]["ids"]
    assert ids[-1] == EOS
    assert min(ids[:-1]) >= 16


def test_parts_without_documents_and_documents_without_text(tokenizer: Committed, tmp_path: Path) -> None:
    empty = {**documents()["web"][0], "text": ""}
    stage = Line(tmp_path, {"web-00000": [], "web-00001": [empty]}).tokenize(tokenizer)
    assert [row["ids"] for row in rows(stage).to_pylist()] == [[EOS]]


def altered(tokenizer: Committed, tmp_path: Path, **changes: object) -> Path:
    """The tokenizer's files with changes to tokenizer.json, or to its configuration where a key is called `config`."""
    spec, settings = (tokenizer.folder.read_json(name) for name in ("tokenizer.json", "tokenizer_config.json"))
    settings.update(changes.pop("config", {}))  # type: ignore[call-overload]
    (tmp_path / "tokenizer.json").write_text(json.dumps({**spec, **changes}))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    return tmp_path


def test_a_tokenizer_the_kernel_does_not_know_is_loud_and_right(line: Line, tokenizer: Committed, tmp_path: Path) -> None:
    own = altered(tokenizer, tmp_path, normalizer={"type": "NFC"})
    with pytest.warns(SlowEncoding, match="NFC"):
        stage = line.tokenizer(file=[str(own)])
    with pytest.warns(SlowEncoding, match="NFC"):
        done = line.tokenize(stage)
    contents = [row["text"] for row in documents()["curated"]]
    expected = reference_ids(stage.folder.read("tokenizer.json"), contents)
    found = by_id(done)
    assert [found[row["id"]]["ids"] for row in documents()["curated"]] == [[*ids, EOS] for ids in expected]
    assert done.report.counts["curated", "documents encoded the slow way"] == len(contents)


@pytest.mark.filterwarnings("ignore::tokenizer.encode.SlowEncoding")
def test_what_is_counted_does_not_depend_on_the_order_of_the_parts(
    tokenizer: Committed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker keeps its tokenizer from part to part: a text on which the kernel errs is of no consequence for the other parts."""
    right = Encoder._quick
    wrong = right(Encoder(tokenizer.folder.read("tokenizer.json")), texts(pa.array(["x"], pa.large_string())))
    monkeypatch.setattr(Encoder, "_quick", lambda self, views: wrong if b"\xc3\xa9" in views.data.tobytes() else right(self, views))
    row = documents()["web"][0]
    tables = [{"web-00000": [{**row, "text": text}]} for text in ("plain", "caf\xe9")]
    tables[1] = {"web-00001": tables[1]["web-00000"]}
    counted = []
    for order in (tables, tables[::-1]):
        _open.cache_clear()
        stages = [Line(tmp_path / f"{len(counted)}-{n}", table).tokenize(tokenizer) for n, table in enumerate(order)]
        counted.append({name: count for stage in stages for name, count in reports(stage).items()})
    assert counted[0] == counted[1] == {"web-00000": 0, "web-00001": 1}


def reports(stage: Committed) -> dict[str, int]:
    """How many documents of each part were encoded the slow way."""
    return {result.task: result.report.counts["web", "documents encoded the slow way"] for result in stage.results}


def test_a_tokenizer_without_an_end_is_refused_unless_none_is_added(line: Line, tokenizer: Committed, tmp_path: Path) -> None:
    stage = line.tokenizer(file=[str(altered(tokenizer, tmp_path, config={"eos_token": None}))])
    with pytest.raises(StorageError, match="names no eos_token: name one there, or set add_eos to false"):
        line.tokenize(stage)
    assert line.tokenize(stage, add_eos=False).report.kept


def test_a_part_that_filter_never_wrote_is_named(line: Line, tokenizer: Committed) -> None:
    inputs = {**line.inputs, "tokenizer": tokenizer}
    with pytest.raises(StorageError, match="web-00007: the role 'filter' has no 'docs' file of it"):
        line.stages.run("tokenize", inputs, key="tokenize-web", tasks=[Task("web-00007")])


def test_without_a_tokenizer(line: Line) -> None:
    with pytest.raises(StorageError, match=r"left no tokenizer\.json"):
        line.tokenize(line.inputs["filter"])


def test_a_source_is_infilled_by_its_own_share(line: Line, tokenizer: Committed, done: Committed) -> None:
    infilled = line.tokenize(tokenizer, infill={"code": 1.0})
    marks = [Vocabulary.parse(tokenizer.folder.read("tokenizer.json")).added[token] for token in INFILLING]
    before = by_id(done)
    for name, row in by_id(infilled).items():
        ids = np.array(row["ids"])
        if row["source"] != "code":
            assert row == before[name]
            continue
        assert [int((ids == mark).sum()) for mark in marks] == [1, 1, 1]
        assert (int(ids[0]), int(ids[-1])) == (marks[0], EOS)
        text = line_texts()[name]
        assert sum(len(part) for part in decoded(tokenizer, ids[:-1], marks)) == len(text.encode())
    assert infilled.report.counts["code", "documents infilled"] == infilled.report.read["code"] > 0
    assert ("web", "documents infilled") not in infilled.report.counts


def line_texts() -> dict[str, str]:
    return {row["id"]: row["text"] for found in documents().values() for row in found}


def decoded(tokenizer: Committed, ids: np.ndarray, marks: list[int]) -> list[bytes]:
    """The bytes of each part between marks."""
    spelled = Vocabulary.parse(tokenizer.folder.read("tokenizer.json")).token_bytes
    edges = np.flatnonzero(np.isin(ids, marks))
    return [b"".join(spelled[id_] for id_ in part.tolist()) for part in np.split(ids[~np.isin(ids, marks)], edges - np.arange(len(edges)))]


def test_a_tokenizer_without_the_marks_cannot_infill(line: Line, tokenizer: Committed, tmp_path: Path) -> None:
    known = tokenizer.folder.read_json("tokenizer.json")["added_tokens"]
    own = altered(tokenizer, tmp_path, added_tokens=[token for token in known if token["content"] not in INFILLING])
    stage = line.tokenizer(file=[str(own)])
    with pytest.raises(StorageError, match="fim_prefix"):
        line.tokenize(stage, infill={"code": 0.5})
