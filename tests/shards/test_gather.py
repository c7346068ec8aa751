"""Gathering: documents of a shard in the order of the mix, with all that is known of them, and no part read whole."""

from __future__ import annotations

import numpy as np
import pytest
from packing_kit import Line, ids_of, lognormal

from pipeline import tokens
from pipeline.mixing import Span, Stream
from pipeline.shards import gather as module
from pipeline.shards.gather import FACTS, Documents, gather


def gathered(line: Line, shard: int = 0, seq_len: int = 64) -> Documents:
    train = line.plan()["train"]
    streams = {source["source"]: Stream.from_json(source) for source in train["sources"]}
    parts = {name: [file for file in line.pack_inputs().files("tokenize", "tokens") if file.source == name] for name in streams}
    return gather(parts, streams, [Span.from_json(span) for span in train["shards"][shard]], seq_len)


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Line:
    made = Line(tmp_path_factory.mktemp("gather"), {"web": lognormal(500), "code": lognormal(300, 50, 2)})
    made.mix({"web": 0.75, "code": 0.25}, shard_tokens=6000)
    return made


def test_documents_come_with_their_facts_and_tokens(line: Line) -> None:
    documents = gathered(line)
    assert documents.facts.schema == FACTS
    for number, facts in enumerate(documents.facts.to_pylist()):
        first = facts["first_token"]
        found = documents.ids[documents.starts[number] :][: facts["tokens"]]
        assert found.tolist() == ids_of(facts["id"], facts["n_tokens"])[first : first + facts["tokens"]].tolist()
        assert (facts["licence"], facts["url"].split(".")[0]) == ("CC0", f"https://{facts['source']}")


def test_sources_are_interleaved_by_how_much_of_their_quota_has_gone(line: Line) -> None:
    facts = gathered(line, 1).facts
    web = np.where(np.array(facts["source"].to_pylist()) == "web", facts["tokens"].to_numpy(), 0)
    shares = np.cumsum(web) / np.cumsum(facts["tokens"].to_numpy())
    assert np.abs(shares[20:] - 0.75).max() < 0.12
    assert abs(shares[-1] - 0.75) < 0.02


def test_only_the_wanted_keys_are_read_in_full(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    plain = tokens.read_token_range

    def spy(part: object, first: int, last: int, columns: list[str]) -> object:
        table = plain(part, first, last, columns)
        if "ids" in columns:
            read.append(table.num_rows)
        return table

    monkeypatch.setattr(module, "read_token_range", spy)
    assert sum(read) == 0
    documents = gathered(line, 2)
    assert sum(read) <= documents.facts.num_rows + 2
