"""Deduplication as a whole: what may be removed and for whom, whatever way the work is divided."""

from __future__ import annotations

import random
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from dedupe_kit import FREE, PHRASES, Dedupe, Doc, check, crowd, dedupe, divide, edited, text
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.dedupe import clusters, lots
from pipeline.errors import GuardTripped
from pipeline.stages import candidates, components, verify


def test_planted_clusters_are_found(tmp_path: Path) -> None:
    """Ten families of a text, a copy with other punctuation, a near copy and half a copy: one, and the half, stays of each."""
    parts: dict[str, list[Doc]] = {"web-00000": [], "web-00001": [], "books-00000": []}
    for family in range(10):
        original = text(300, f"family {family}")
        half = " ".join(original.split()[:150] + text(150, f"other {family}").split())
        near = edited(original, 40, 200)
        members = [("original", original), ("copy", original.upper().replace(" ", ", ")), ("near", near), ("half", half)]
        for place, (name, content) in enumerate(members):
            parts[sorted(parts)[(place + family) % 3]].append((f"{name} {family}", content))
    run = dedupe(tmp_path, parts, **FREE)
    check(run)
    for family in range(10):
        kept = {name.split()[0] for name in run.kept if name.endswith(f" {family}")}
        assert len(kept - {"half"}) == 1
        assert "half" in kept


def test_who_is_similar_to_a_removed_one_alone_stays(tmp_path: Path) -> None:
    """A ~ B ~ C but not A ~ C: A is longest and removes B; C has lost nothing but a neighbour and stays."""
    base = text(400, "chain")
    a, b, c = base + " " + text(6, "more"), edited(base, 20, 60), edited(base, 20, 60, 110, 160)
    for threshold, expected in ((0.92, {"a", "c"}), (0.8, {"a"})):
        run = dedupe(tmp_path / str(threshold), {"web-00000": [("c", c), ("b", b), ("a", a)]}, threshold=threshold, **FREE)
        check(run, threshold)
        assert run.kept == expected
        assert run.decisions["b"][1] == "a"


def test_survivors_follow_source_date_length_and_id(tmp_path: Path) -> None:
    base = text(300, "one")
    longer = base + " end."
    parts = {
        "web-00000": [("old", base, "2020-01-01"), ("new", base, "2024-05-01"), ("undated", longer)],
        "curated-00000": [("curated", base)],
        "books-00000": [("book", longer)],
    }
    assert dedupe(tmp_path / "dates", parts, **FREE).kept == {"new"}
    assert dedupe(tmp_path / "sources", parts, priority=["curated"], **FREE).kept == {"curated"}
    undated = {"web-00000": [("short", base), ("long", longer), ("long too", longer)], "books-00000": [("book", base)]}
    first = min(("long", "long too"), key=lambda name: _id("web", name))
    assert dedupe(tmp_path / "length", undated, **FREE).kept == {first}


def _id(source: str, name: str) -> str:
    from pipeline.schema import document_id

    return document_id(source, name)


def mixed_corpus(seed: str, families: int = 25) -> list[tuple[str, Doc]]:
    """(source, document) of families whose members differ in a few words, with dates, short texts and empty ones among them."""
    draw = random.Random(seed)
    out: list[tuple[str, Doc]] = []
    for family in range(families):
        base = text(draw.choice((0, 3, 40, 120)), f"{seed} {family}")
        for member in range(draw.randint(1, 6)):
            places = draw.sample(range(len(base.split())), min(len(base.split()), draw.choice((0, 0, 1, 2, 5))))
            date = draw.choice(("2021", "2022-03-01", "2024-01-01T00:00:00Z"))
            out.append((draw.choice(("web", "books", "code")), (f"{family}/{member}", edited(base, *places), date)))
    return out


def arranged(documents: Sequence[tuple[str, Doc]], parts: int, seed: str) -> dict[str, list[Doc]]:
    """The documents dealt to parts of their source, in an order of the seed's; some parts stay empty."""
    draw = random.Random(seed)
    out: dict[str, list[Doc]] = {f"{source}-{n:05d}": [] for source in ("web", "books", "code") for n in range(parts)}
    for source, document in draw.sample(documents, len(documents)):
        out[f"{source}-{draw.randrange(parts):05d}"].append(document)
    return out


def test_the_same_decisions_however_the_work_is_divided(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    documents = mixed_corpus("divided")
    runs = []
    for tasks, parts in ((1, 1), (3, 4), (16, 2)):
        divide(monkeypatch, tasks, 14 * len(documents))
        run = dedupe(tmp_path / f"{tasks}", arranged(documents, parts, f"{tasks}"), seed=f"{tasks}", priority=["books", "web"], **FREE)
        assert len(run.stages.committed["candidates"].results) == tasks
        check(run)
        runs.append(run)
    assert runs[0].decisions == runs[1].decisions == runs[2].decisions
    assert {reason for reason, _, _ in runs[0].decisions.values()} == {None, "exact_duplicate", "near_duplicate"}


def test_the_same_bytes_for_any_number_and_order_of_tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    equals: list[tuple[str, Doc]] = [("web", (f"equal {n}/{copy}", text(30, f"equal {n}"))) for n in range(20) for copy in range(7)]
    documents = mixed_corpus("bytes") + equals
    parts = arranged(documents, 2, "bytes")
    monkeypatch.setattr(clusters, "LARGEST", 4)
    monkeypatch.setattr(clusters, "MEMBERS", 3)
    files = []
    for tasks in (1, 16):
        divide(monkeypatch, tasks, 14 * len(documents))
        files.append(dedupe(tmp_path / str(tasks), parts, seed=str(tasks), **FREE).files)
    assert files[0] == files[1]
    assert "dedupe.clusters.parquet" in files[0]
    assert sum(name.endswith(".decisions.parquet") for name in files[0]) == len(parts)


def dealt(documents: Sequence[Doc], parts: int, seed: str) -> dict[str, list[Doc]]:
    """The documents of one source, shuffled and dealt to some parts."""
    draw = random.Random(seed)
    shuffled = draw.sample(documents, len(documents))
    return {f"web-{part:05d}": shuffled[part::parts] for part in range(parts)}


@settings(max_examples=4, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.lists(st.sampled_from(PHRASES), max_size=7).map(" ".join), max_size=30), st.integers(1, 3), st.integers(4, 40))
def test_one_two_or_seven_parts_and_any_number_of_tasks_decide_the_same(
    tmp_path_factory: pytest.TempPathFactory, contents: list[str], tasks: int, most: int
) -> None:
    documents = [(f"{n}", content) for n, content in enumerate(contents)]
    runs = []
    for parts in (1, 2, 7):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(lots, "MOST_DOCUMENTS", most)
            if parts > 1:
                crowd(patch, tasks)
            run = dedupe(tmp_path_factory.mktemp("dealt"), dealt(documents, parts, f"{parts}"), seed=f"{parts}", **FREE)
            check(run)
        runs.append(run.decisions)
    assert runs[0] == runs[1] == runs[2]


def test_rounds_come_to_what_one_task_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Long chains, in which each text is like its neighbours alone, in an order that follows nothing: links take rounds to meet."""
    chains = [(f"{chain}/{n}", edited(text(60, f"{chain}"), *range(n, n + 40))) for chain in range(2) for n in range(20)]
    parts = dealt(chains, 7, "chains")
    monkeypatch.setattr(candidates, "KEYS_PER_TASK", 100)
    whole = dedupe(tmp_path / "whole", parts, threshold=0.6, **FREE)
    crowd(monkeypatch, 8)
    monkeypatch.setattr(verify, "BYTES_PER_TASK", 1000)
    rounds = dedupe(tmp_path / "rounds", parts, threshold=0.6, **FREE)
    assert whole.stages.rounds["components"] == whole.stages.rounds["dedupe"] == 0
    assert rounds.stages.rounds["components"] >= 4
    assert [rounds.stages.rounds[name] for name in ("candidates", "verify", "dedupe")] == [1, 1, 2]
    assert len(rounds.stages.committed["components"].results) == 2
    assert _members(rounds) == _members(whole)
    assert max(_members(whole).count(component) for _, component in _members(whole)) < 20
    assert rounds.decisions == whole.decisions
    assert not list((tmp_path / "rounds").glob("*/rounds"))


def _members(run: Dedupe) -> list[tuple[int, int]]:
    """(document, component) of those who hang together."""
    joined = run.stages.committed["components"]
    rows = [row for entry in joined.files("components") for row in joined.folder.table(entry.name).to_pylist()]
    return [(row["document"], row["component"]) for row in rows]


def test_a_crowded_bucket_is_linked_portion_by_portion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thirty copies under each key where a task holds eleven: still one component, and one stays."""
    monkeypatch.setattr(candidates, "KEYS_PER_TASK", 11)
    monkeypatch.setattr(components, "LINKS_PER_TASK", 90)
    run = dedupe(tmp_path, dealt([(f"{n}", text(20, "same")) for n in range(30)], 7, "crowd"), **FREE)
    check(run)
    assert len(run.kept) == 1
    assert {component for _, component in _members(run)} == {0}


def test_one_document_with_one_word_changed_many_times(tmp_path: Path) -> None:
    base = text(200, "base")
    docs = [(f"{n}", edited(base, n % 200) + f" {n}") for n in range(400)]
    run = dedupe(tmp_path, dealt(docs, 3, "words"), **FREE)
    check(run)
    assert len(run.kept) == 1
    assert run.stages.committed["dedupe"].report.dropped["web", "near_duplicate"] == 399


def test_empty_documents_are_one_text(tmp_path: Path) -> None:
    blank = [(f"{n}", ("", " ", "…", "\n\n")[n % 4]) for n in range(500)]
    run = dedupe(tmp_path, dealt([*blank, ("a", "word"), ("b", "Word!")], 3, "blank"), **FREE)
    check(run)
    assert len(run.kept) == 2
    assert run.stages.committed["dedupe"].report.dropped["web", "exact_duplicate"] == 500


@st.composite
def corpora(draw: st.DrawFn) -> dict[str, list[Doc]]:
    """Texts of few words in few orders, so that likeness of every degree turns up, in up to four parts."""
    phrases = st.sampled_from([text(8, "p"), text(8, "q"), text(5, "r"), "one", "", "Two, three."])
    contents = st.lists(phrases, max_size=7).map(" ".join)
    names = iter(range(1000))
    docs = st.lists(contents.map(lambda content: (str(next(names)), content)), max_size=8)
    return {part: draw(docs) for part in ("web-00000", "web-00001", "books-00000", "code-00000")}


@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow])
@given(corpora(), st.sampled_from([0.5, 0.8, 1.0]), st.sampled_from([(), ("code", "web")]))
def test_the_invariant_holds_on_any_corpus(
    tmp_path_factory: pytest.TempPathFactory, parts: Mapping[str, list[Doc]], threshold: float, priority: Sequence[str]
) -> None:
    check(dedupe(tmp_path_factory.mktemp("any"), parts, threshold=threshold, priority=priority, **FREE), threshold)


def test_a_drifting_text_keeps_one_of_each_neighbourhood(tmp_path: Path) -> None:
    """Forty editions, each a word from the next: what is kept differs, and whatever is not is like something kept."""
    base = text(300, "drift")
    editions = [(f"v{n:02d}", edited(base, *range(0, 7 * n, 7)), f"20{n:02d}") for n in range(40)]
    run = dedupe(tmp_path, {"books-00000": editions}, max_removed=1.0)
    check(run)
    assert "v39" in run.kept
    assert 4 <= len(run.kept) <= 12


def test_the_guard_stops_a_run_and_shows_why(tmp_path: Path) -> None:
    twins = [(f"copy {n}", text(120, "template") + f" {n % 3}") for n in range(40)]
    others = [(f"page {n}", text(120, f"page {n}")) for n in range(10)]
    parts = {"web-00000": twins + others, "books-00000": [("book", text(500, "book"))]}
    with pytest.raises(GuardTripped) as tripped:
        dedupe(tmp_path / "trips", parts)
    message = str(tripped.value)
    assert "web: 39 of 50 documents (78.0%)" in message
    assert "books: 0 of 1 documents (0.0%)" in message
    assert "40 documents, kept" in message
    assert text(120, "template")[:50] in message
    assert "override_guard" in message
    assert not (tmp_path / "trips" / "dedupe").exists()
    for name, args in {"override": {"override_guard": True}, "named": {"max_removed": {"web": 0.8}}, "all": {"max_removed": 0.8}}.items():
        run = dedupe(tmp_path / name, parts, **args)
        check(run)
        assert len(run.kept) == 12
    with pytest.raises(GuardTripped):
        dedupe(tmp_path / "other", parts, max_removed={"books": 0.8})


def test_the_guard_weighs_characters_too(tmp_path: Path) -> None:
    """One long copy is a small share of the documents and a large one of the characters."""
    book = text(5000, "book")
    parts = {"books-00000": [("one", book), ("other", book), *((f"{n}", text(50, f"{n}")) for n in range(8))]}
    with pytest.raises(GuardTripped, match="books: 1 of 10 documents"):
        dedupe(tmp_path, parts, max_removed=0.4)


def long_words(seed: str) -> str:
    """62 words that take a token each."""
    draw = random.Random(seed)
    return " ".join("".join(draw.choices("abcdefgh", k=6)) for _ in range(62))


def test_the_guard_weighs_tokens_too(tmp_path: Path) -> None:
    """A short copy in marks and digits is a small share of documents and characters, and a large one of the tokens."""
    dense = " ".join(f"{n} ; {n} ," for n in range(400))
    parts = {"code-00000": [("one", dense), ("other", dense), *((f"{n}", long_words(f"{n}")) for n in range(8))]}
    with pytest.raises(GuardTripped, match=r"code: 1 of 10 documents .* tokens, estimated \(4\d\.\d%\); allowed 40\.0%  <- too much"):
        dedupe(tmp_path, parts, max_removed=0.4)


def test_a_source_of_one_text_keeps_one(tmp_path: Path) -> None:
    same = text(40, "same")
    run = dedupe(tmp_path, {"web-00000": [(f"{n}", same) for n in range(300)], "web-00001": [(f"b{n}", same) for n in range(300)]}, **FREE)
    check(run)
    assert len(run.kept) == 1
    shown = _clusters(run)
    assert set(shown.column("size").to_pylist()) == {600}
    assert shown.column("kept").to_pylist() == [True] + [False] * (clusters.MEMBERS - 1)
    assert shown.column("excerpt").to_pylist() == [same[: clusters.EXCERPT]] * clusters.MEMBERS


def _clusters(run: Dedupe) -> pa.Table:
    (entry,) = run.stages.committed["dedupe"].files("clusters")
    return run.stages.committed["dedupe"].folder.table(entry.name)


def test_the_largest_clusters_come_first_with_their_kept_document(tmp_path: Path) -> None:
    parts = {"web-00000": [(f"{size}/{n}", text(100, f"{size}")) for size in (2, 5, 3, 1) for n in range(size)]}
    run = dedupe(tmp_path, parts, **FREE)
    rows = _clusters(run).to_pylist()
    assert [row["size"] for row in rows] == [5] * 5 + [3] * 3 + [2] * 2
    for row in rows:
        assert row["kept"] == (row["id"] == row["cluster"])
        assert row["twin"] == (None if row["kept"] else row["cluster"])
        assert row["jaccard"] == (None if row["kept"] else 1.0)
        assert (row["source"], row["part"]) == ("web", "web-00000")


def test_every_source_sees_its_own_largest_clusters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten clusters of the web don't hide the one of the books, nor twenty pages the one book removed with them."""
    monkeypatch.setattr(clusters, "LARGEST", 2)
    monkeypatch.setattr(clusters, "MEMBERS", 3)
    web = [(f"{n}/{copy}", text(50, f"web {n}"), "2024") for n in range(10) for copy in range(10 + n)]
    books = [(f"b{copy}", text(50, "book")) for copy in range(2)] + [("quoted", text(50, "web 9"))]
    rows = _clusters(dedupe(tmp_path, {"web-00000": web, "books-00000": books}, **FREE)).to_pylist()
    assert [row["size"] for row in rows] == [20] * 3 + [18] * 3 + [2] * 2
    assert {row["source"] for row in rows[1:3]} == {"web", "books"}


def test_empty_parts_and_an_empty_corpus(tmp_path: Path) -> None:
    run = dedupe(tmp_path / "one", {"web-00000": [], "web-00001": [("a", "alone")], "web-00002": []})
    assert run.kept == {"a"}
    assert set(run.files) == {f"web-{n:05d}.decisions.parquet" for n in range(3)} | {"dedupe.clusters.parquet"}
    assert dedupe(tmp_path / "none", {"web-00000": []}).decisions == {}


def test_short_texts_are_compared_whole(tmp_path: Path) -> None:
    docs = [("a", "Yes."), ("b", "yes"), ("c", "no"), ("d", ""), ("e", "…"), ("f", "one two three four"), ("g", "one two three five")]
    run = dedupe(tmp_path, {"web-00000": docs}, **FREE)
    check(run)
    assert len(run.kept & {"a", "b"}) == len(run.kept & {"d", "e"}) == 1
    assert {"c", "f", "g"} <= run.kept


def test_editions_of_a_book(corpus: Path, tmp_path: Path) -> None:
    """Real near-copies: chapters of the Rust book that its editions share."""
    with tarfile.open(corpus / "curated" / "rust-book.tar.gz") as archive:
        files = [member for member in archive if member.isfile() and member.name.endswith(".md")]
        docs = [(member.name, archive.extractfile(member).read().decode("utf-8", "replace")) for member in files]
    run = dedupe(tmp_path, {"curated-00000": docs[::2], "curated-00001": docs[1::2]})
    check(run)
    assert sum(reason == "near_duplicate" for reason, _, _ in run.decisions.values()) >= 10
