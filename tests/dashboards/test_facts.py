"""The facts of a run are what its manifests and files hold, for whole runs and for those that stopped midway."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from synthetic_documents import READ, SHARES, Document, duplicate, fate, low, parts, survivors
from synthetic_run import QUOTA, make_run

from dashboards import evidence
from dashboards.checks import checks
from dashboards.facts import gather
from dashboards.model import Check, RunFacts
from pipeline.errors import StorageError
from pipeline.storage import Folder


def every(source: str) -> list[Document]:
    return [document for _, documents in parts(source) for document in documents]


def test_sources_stand_by_share(facts: RunFacts) -> None:
    assert [(source.name, source.share) for source in facts.sources] == sorted(SHARES.items(), key=lambda item: -item[1])


def test_funnels_count_documents_bytes_and_tokens(facts: RunFacts) -> None:
    web = next(funnel for funnel in facts.funnels if funnel.source == "web")
    found = {step.name: step for step in web.steps}
    assert list(found) == ["read", "extracted", "filtered", "deduped", "quality", "tokenized", "packed"]
    extracted = [d for d in every("web") if not d.empty]
    filtered = [d for d in extracted if not fate(d)]
    assert found["read"].documents == 2 * READ["web"]
    assert found["read"].bytes == 9000 * 2 * READ["web"]
    assert found["extracted"].documents == len(extracted)
    assert found["extracted"].bytes == sum(len(d.text.encode()) for d in extracted)
    assert found["filtered"].documents == len(filtered)
    assert found["deduped"].documents == sum(not duplicate(d) for d in filtered)
    assert found["quality"].documents == found["packed"].documents == len(survivors("web"))
    assert found["tokenized"].tokens == 2000 * len(survivors("web"))
    assert found["packed"].tokens == QUOTA["web"] + 900


def test_a_source_that_is_not_scored_has_no_quality_step(facts: RunFacts) -> None:
    books = next(funnel for funnel in facts.funnels if funnel.source == "books")
    assert "quality" not in [step.name for step in books.steps]


def test_drops_are_counted_by_reason(facts: RunFacts) -> None:
    counted = facts.counted("filter", "web")
    assert counted is not None
    expected = Counter(reason for d in every("web") if not d.empty and (reason := fate(d)))
    assert {drop.reason: drop.documents for drop in counted.drops} == expected


def test_samples_are_those_of_the_smallest_ids(facts: RunFacts) -> None:
    counted = facts.counted("filter", "web")
    assert counted is not None
    for drop in counted.drops:
        given = sorted(d.id for d in every("web") if not d.empty and fate(d) == drop.reason)
        assert [sample.id for sample in drop.samples] == given[:3]
        by_id = {d.id: d for d in every("web")}
        assert all(sample.signals == by_id[sample.id].signals for sample in drop.samples)  # not those of the steps before


def test_samples_of_decisions_carry_the_text_of_the_document(facts: RunFacts) -> None:
    by_id = {d.id: d for d in every("web")}
    for stage, chosen in (("dedupe", duplicate), ("quality", low)):
        counted = facts.counted(stage, "web")
        assert counted is not None
        (drop,) = counted.drops
        assert len(drop.samples) == 3
        assert all(chosen(by_id[sample.id]) and sample.excerpt == by_id[sample.id].text[:300] for sample in drop.samples)


def test_histograms_hold_every_value_once(facts: RunFacts) -> None:
    found = {(histogram.source, histogram.name): histogram for histogram in facts.thresholds}
    words = found["web", "gopher_quality.words"]
    reached = [d for d in every("web") if not d.empty]
    assert sum(words.kept) == sum(fate(d) is None for d in reached)
    assert sum(words.dropped) == sum(fate(d) is not None for d in reached)
    assert words.documents == words.of == len(reached)
    assert len(words.edges) == len(words.kept) + 1 == len(words.dropped) + 1
    assert list(words.edges) == sorted(words.edges)


def test_bounds_that_refuse_nothing_do_not_stretch_the_axis(facts: RunFacts) -> None:
    words = next(found for found in facts.thresholds if (found.source, found.name) == ("web", "gopher_quality.words"))
    assert words.bounds == (("min_words", 50.0),)  # max_words is 100,000, and no document comes near it


def test_a_bound_that_dropped_nothing_is_not_drawn(facts: RunFacts) -> None:
    assert {found.name for found in facts.thresholds} == {"gopher_quality.words", "gopher_quality.stop_words"}


def test_bounds_that_refuse_few_are_not_drawn(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too few words: 14 % of the documents; too few stop words as well: more than twice as many."""
    monkeypatch.setattr(evidence, "TELLING", 0.18)
    assert {found.name for found in gather(folder).thresholds if found.source == "web"} == {"gopher_quality.stop_words"}


def test_the_tokenizer_is_judged_by_source_and_language(facts: RunFacts) -> None:
    assert facts.tokenizer is not None
    web = next(row for row in facts.tokenizer.sources if row.name == "web")
    assert (web.bytes, web.tokens, web.numbers) == (400_000, 100_000, {"documents": 9, "not_restored": 0})
    assert [row.name for row in facts.tokenizer.languages] == ["en", "fr"]
    assert facts.tokenizer.about == {"kind": "byte-level BPE", "vocab_size": 16384}


def test_kept_documents_lie_beyond_their_bound(facts: RunFacts) -> None:
    for found in facts.thresholds:
        bound = dict(found.bounds)[f"min_{found.name.split('.')[1]}"]
        below = [kept for kept, upper in zip(found.kept, found.edges[1:], strict=True) if upper <= bound]
        assert below
        assert not sum(below)


def test_scores_are_drawn_for_scored_sources(facts: RunFacts) -> None:
    (scores,) = facts.quality
    assert scores.source == "web"
    assert sum(scores.dropped) == sum(low(d) for d in every("web") if not d.empty and not fate(d) and not duplicate(d))


def test_clusters(facts: RunFacts) -> None:
    assert facts.dedupe is not None
    removed = [d for d in every("web") if not d.empty and not fate(d) and duplicate(d)]
    assert facts.dedupe.sizes == {2: len(removed) - 5, 6: 1}
    largest = facts.dedupe.largest[0]
    assert (largest.size, len(largest.members)) == (6, evidence.MEMBERS)
    assert [member.kept for member in largest.members] == [True, False, False]


def test_clusters_are_not_counted_from_some_of_the_files(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "MAX_FILES", 5)  # of six
    dedupe = gather(folder).dedupe
    assert dedupe is not None
    assert not dedupe.sizes
    assert dedupe.largest


def test_large_stages_are_sampled_and_say_so(folder: Folder, facts: RunFacts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "MAX_FILES", 1)
    sampled = gather(folder)
    words = next(found for found in sampled.thresholds if found.source == "web")
    assert 0 < words.documents < words.of
    assert sampled.counted("filter", "web").dropped == facts.counted("filter", "web").dropped  # type: ignore[union-attr]


def test_shards_and_mix(facts: RunFacts) -> None:
    assert [found.split for found in facts.shards] == ["train", "validation"]
    train = facts.shards[0]
    assert train.by_source == dict(sorted(QUOTA.items()))
    assert train.fill == pytest.approx(100_000 / (98 * 1024))
    assert {row.source: row.quota for row in facts.mix} == QUOTA
    assert train.about["documents_split"] == 12


def test_inputs_come_from_the_lock(facts: RunFacts) -> None:
    assert len(facts.inputs) == 9
    assert facts.inputs[0].name == "deb:web-doc-0"
    assert facts.inputs[1].licence == "CC-BY-4.0"


def test_every_sum_of_a_sound_run_agrees(facts: RunFacts) -> None:
    assert len(facts.checks) > 30
    assert not facts.wrong


def test_gathering_twice_gives_the_same_facts(folder: Folder, facts: RunFacts) -> None:
    assert gather(folder) == facts
    assert json.dumps(facts.to_json()) == json.dumps(gather(folder).to_json())


@pytest.mark.parametrize("until", ["extract", "filter", "dedupe", "tokenizer", "mix"])
def test_a_run_that_stopped_shows_what_it_did(tmp_path: Path, until: str) -> None:
    make_run(Folder(str(tmp_path)), until)
    facts = gather(Folder(str(tmp_path)))
    assert not facts.wrong
    assert not facts.shards
    assert [step.documents for step in facts.funnels[0].steps if step.name == "packed"] == [None]
    assert any(not stage.done for stage in facts.stages)
    assert facts.counted("extract", "web")


def test_a_run_without_any_stage(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    make_run(folder, "nothing")  # an unknown name: every stage is made
    run = folder.read_json("run.json")
    folder.write_json("run.json", {**run, "stages": []})
    facts = gather(folder)
    assert facts.checks == ()
    assert facts.funnels[0].steps == ()


def test_no_run_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="run the recipe first"):
        gather(Folder(str(tmp_path)))


def wrong(facts: RunFacts) -> list[Check]:
    found = checks(facts.sources, facts.stages, facts.mix, facts.shards)
    return [check for check in found if not check.holds]


def test_a_lost_document_is_seen_everywhere(facts: RunFacts) -> None:
    """Where it was lost, in the files, and where the next stage reads one less."""
    filtered = next(stage for stage in facts.stages if stage.key == "filter-web")
    counted = replace(filtered.counted[0], kept=filtered.counted[0].kept - 1)
    stages = tuple(replace(stage, counted=(counted,)) if stage is filtered else stage for stage in facts.stages)
    assert [check.name for check in wrong(replace(facts, stages=stages))] == [
        "filter-web, web: documents read = kept + dropped",
        "filter-web: documents kept = rows in its files",
        "web: documents kept by filter = read by dedupe",
    ]


def test_a_reject_that_was_not_written_is_seen(facts: RunFacts) -> None:
    stages = tuple(replace(stage, rows={**stage.rows, "rejects": 0}) if stage.key == "filter-web" else stage for stage in facts.stages)
    assert [check.name for check in wrong(replace(facts, stages=stages))] == ["filter-web: documents dropped = rejects"]


def test_a_missing_token_is_seen(facts: RunFacts) -> None:
    train = facts.shards[0]
    shard = replace(train.shards[0], by_source={**train.shards[0].by_source, "web": 29_999})
    found = wrong(replace(facts, shards=(replace(train, shards=(shard, train.shards[1])),)))
    assert [(check.left - check.right) for check in found] == [1, 1]
    assert "web: tokens that the recipe asks for = packed" in [check.name for check in found]
