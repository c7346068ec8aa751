"""The mix stage: a plan from histograms alone, refused before anything is written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from packing_kit import Line, lognormal, rows_of

from pipeline import registry
from pipeline.errors import InfeasibleMix
from pipeline.mixing import BEYOND_QUOTA
from pipeline.tokens import bucket_of

SOURCES = {"web": lognormal(600), "books": lognormal(30, 800, 1), "code": lognormal(200, 80, 2)}
SHARES = {"web": 0.6, "books": 0.25, "code": 0.15}


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Line:
    return Line(tmp_path_factory.mktemp("mix"), SOURCES)


def test_the_plan_holds_pools_quotas_and_what_binds(line: Line) -> None:
    line.mix(SHARES, {"books": 0.5}, shard_tokens=5000)
    train = line.plan()["train"]
    books = next(source for source in train["sources"] if source["source"] == "books")
    assert train["bound_by"] == "books"
    assert books == {
        "source": "books",
        "share": 0.25,
        "documents": 30,
        "tokens": sum(SOURCES["books"]),
        "max_epochs": 0.5,
        "quota": books["quota"],
        "epochs": books["quota"] / books["tokens"],
    }
    assert abs(books["quota"] - 0.5 * sum(SOURCES["books"])) <= 1
    assert sum(source["quota"] for source in train["sources"]) == train["tokens"]
    assert len(train["shards"]) == -(-train["tokens"] // 5000)
    for source in train["sources"]:
        assert abs(source["quota"] - train["tokens"] * SHARES[source["source"]]) < 1
        taken = [span for shard in train["shards"] for span in shard if span["source"] == source["source"]]
        assert sum(span["last"] - span["first"] for span in taken) == source["quota"]


def test_the_report_counts_documents_and_tokens(line: Line) -> None:
    done = line.mix(SHARES, tokens=1000)
    assert done.report.read["web"] == 600
    assert done.report.counts["web", "tokens"] == sum(SOURCES["web"])
    assert done.report.counts["web", "tokens_taken"] == 600


def stream(source: str) -> pa.Table:
    return rows_of(source, SOURCES[source]).sort_by([("key", "ascending"), ("id", "ascending")])


def reached(source: str, quota: int) -> int:
    """How many documents of a source begin before its quota ends, in the order of all its documents."""
    lengths = stream(source)["n_tokens"].to_numpy()
    return int((np.cumsum(lengths) - lengths < quota).sum())


@pytest.mark.parametrize(("beyond", "more"), [(0, 0), (1, 1), (-1, 0)])
def test_a_quota_may_end_between_two_documents_of_one_bucket(line: Line, beyond: int, more: int) -> None:
    web = stream("web")
    buckets = [bucket_of(key) for key in web["key"].to_pylist()]
    first = next(number for number in range(len(buckets)) if buckets[number] == buckets[number + 1])
    ends = np.cumsum(web["n_tokens"].to_numpy())
    report = line.mix({"web": 1}, tokens=int(ends[first]) + beyond).report
    assert report.kept["web"] == first + 1 + more


@pytest.mark.parametrize("tokens", [1, 3, 1000, 9973, 20_011])
def test_documents_beyond_the_quota_are_dropped_and_counted(line: Line, tokens: int) -> None:
    report = line.mix(SHARES, tokens=tokens).report
    for source in line.plan()["train"]["sources"]:
        name, documents = source["source"], len(SOURCES[source["source"]])
        assert report.kept[name] == reached(name, source["quota"])
        assert report.dropped[name, BEYOND_QUOTA] == documents - report.kept[name]
    assert report.dropped["web", BEYOND_QUOTA] > 0


def test_no_document_of_a_source_used_whole_is_dropped(line: Line) -> None:
    report = line.mix(SHARES, {"books": 1, "code": 1}, holdout=0.1).report
    bound_by = line.plan()["train"]["bound_by"]
    assert report.kept[bound_by] == len(SOURCES[bound_by])
    assert not report.dropped[bound_by, BEYOND_QUOTA]
    held = {source["source"]: source["documents"] for source in line.plan()["validation"]["sources"]}
    assert {name: report.counts[name, "documents_held_out"] for name in SOURCES} == held


@pytest.mark.parametrize("total", [1, 9973])
def test_any_total_that_fits_is_met_exactly(line: Line, total: int) -> None:
    line.mix(SHARES, tokens=total)
    assert line.plan()["train"]["tokens"] == sum(source["quota"] for source in line.plan()["train"]["sources"]) == total


def test_an_infeasible_mix_writes_nothing(line: Line) -> None:
    line.out.sub("mix").remove()
    with pytest.raises(InfeasibleMix, match=r"books needs 250,000 tokens and has [\d,]+ in 30 documents"):
        line.mix(SHARES, tokens=1_000_000)
    assert line.out.sub("mix").names() == []


def test_held_out_documents_are_apart_from_the_others_and_the_same_for_any_shares(line: Line) -> None:
    line.mix(SHARES, holdout=0.1)
    train, held = line.plan()["train"], line.plan()["validation"]
    line.mix({"web": 1, "books": 1, "code": 8}, holdout=0.1, tokens=2000)
    assert line.plan()["validation"] == held
    for source, lengths in SOURCES.items():
        both = [next(s for s in pool["sources"] if s["source"] == source) for pool in (train, held)]
        assert sum(s["documents"] for s in both) == len(lengths)
        assert sum(s["tokens"] for s in both) == sum(lengths)
        assert both[1]["quota"] == both[1]["tokens"]
    last_held = max(span["buckets"][1] for shard in held["shards"] for span in shard)
    first_trained = min(span["buckets"][0] for shard in train["shards"] for span in shard)
    assert last_held <= first_trained
    web = next(source for source in held["sources"] if source["source"] == "web")
    assert 0.05 < web["documents"] / len(SOURCES["web"]) < 0.15


def test_without_a_holdout_validation_is_one_empty_shard(line: Line) -> None:
    line.mix(SHARES)
    held = line.plan()["validation"]
    assert (held["tokens"], held["shards"]) == (0, [[]])


def test_a_source_with_no_share_gives_nothing(line: Line) -> None:
    line.mix({"web": 1, "books": 0, "code": 0})
    assert {span["source"] for shard in line.plan()["train"]["shards"] for span in shard} == {"web"}


def test_the_plan_does_not_depend_on_how_documents_are_dealt_over_parts(tmp_path: Path, line: Line) -> None:
    other = Line(tmp_path, SOURCES, parts=1)
    line.mix(SHARES)
    other.mix(SHARES)
    assert line.plan() == other.plan()


def test_wrong_keys_are_mistakes_in_the_recipe() -> None:
    wrong = {"shares": {"web": 1}, "max_epochs": {}, "holdout": 1.0, "tokens": -1, "shard_tokens": 0}
    assert [key for key, _ in registry.bind("stage", "mix", wrong)[1]] == ["tokens", "holdout", "shard_tokens"]
