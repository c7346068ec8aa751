"""The mix stage: a plan from histograms alone, refused before anything is written."""

from __future__ import annotations

from pathlib import Path

import pytest
from packing_kit import Line, lognormal

from pipeline import registry
from pipeline.errors import InfeasibleMix

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
    assert done.report.read["web"] == done.report.kept["web"] == 600
    assert done.report.counts["web", "tokens"] == sum(SOURCES["web"])
    assert done.report.counts["web", "tokens_taken"] == 600


@pytest.mark.parametrize("total", [0, 1, 9973])
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
