"""The plan is a value: what depends on a key changes its fingerprint, and nothing else does."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.contracts import InputFile
from pipeline.download import Lock, LockedInput, parts
from pipeline.errors import RecipeError, StorageError
from pipeline.plan import ORDER, Plan, make_plan
from pipeline.recipe import Recipe, parse_recipe
from pipeline.registry import Step
from pipeline.storage import Folder

TEXT = """\
name: tiny
sources:
  web:
    share: 60
    inputs: [{fetch: {files: {paths: [w]}}, read: any}]
    filters: [{length: {min_chars: 10}}]
    quality: {}
  books:
    share: 40
    inputs: [{fetch: {files: {paths: [b]}}, read: any}]
    filters: [{length: {min_chars: 10}}]
quality_model: {positive: [books], negative: [web]}
"""

READ = Step("reader", "any", {})


def recipe(**overrides: str) -> Recipe:
    return parse_recipe(TEXT, "tiny.yaml", overrides={key.replace("__", "."): value for key, value in overrides.items()})


def lock(web: str = "aa", path: str = "/somewhere/a.html") -> Lock:
    return Lock(
        (
            LockedInput("web", InputFile("a.html", path, web * 32, 100), READ),
            LockedInput("books", InputFile("b.txt", "/somewhere/b.txt", "bb" * 32, 100), READ),
        )
    )


def changed(one: Plan, two: Plan) -> set[str]:
    after = {stage.key: stage.fingerprint for stage in two.stages}
    return {stage.key for stage in one.stages if after[stage.key] != stage.fingerprint}


BASE = make_plan(recipe(), lock())
DEDUPE = {"candidates", "components", "gather", "verify", "dedupe"}
AFTER_DEDUPE = DEDUPE | {"quality_model", "quality-web", "excerpts", "pieces", "tokenizer", "tokenize-web", "tokenize-books", "mix", "pack"}


def test_the_stages_stand_in_their_order() -> None:
    numbers = [stage.number for stage in BASE.stages]
    assert numbers == sorted(numbers)
    assert {stage.step.name for stage in BASE.stages} == set(ORDER) - {"lines", "passages", "index"}
    known: set[str] = set()
    for stage in BASE.stages:
        assert {key for keys in stage.inputs.values() for key in keys} <= known
        known.add(stage.key)


def test_the_same_recipe_and_lock_give_the_same_plan() -> None:
    assert not changed(BASE, make_plan(recipe(), lock()))


def test_where_a_file_lies_does_not_matter_what_it_holds_does() -> None:
    assert not changed(BASE, make_plan(recipe(), lock(path="/elsewhere/a.html")))
    assert changed(BASE, make_plan(recipe(), lock(web="cc"))) == {"extract-web", "filter-web", "signatures-web"} | AFTER_DEDUPE


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("sources__web__filters__0__length__min_chars", "11", {"filter-web", "signatures-web"} | AFTER_DEDUPE),
        ("sources__books__filters__0__length__min_chars", "11", {"filter-books", "signatures-books"} | AFTER_DEDUPE),
        ("sources__web__share", "50", {"excerpts", "pieces", "tokenizer", "tokenize-web", "tokenize-books", "mix", "pack"}),
        ("sources__web__max_epochs", "2", {"mix", "pack"}),
        ("tokenizer__vocab_size", "5000", {"tokenizer", "tokenize-web", "tokenize-books", "mix", "pack"}),
        ("tokenizer__digits", "1", {"pieces", "tokenizer", "tokenize-web", "tokenize-books", "mix", "pack"}),
        ("pack__seq_len", "512", {"pack"}),
        ("dedupe__threshold", "0.7", AFTER_DEDUPE - {"candidates", "components", "gather"}),
        ("dedupe__same_url", "[web]", AFTER_DEDUPE),
        ("dedupe__prefer", "length.chars", AFTER_DEDUPE - {"candidates", "components"}),
        ("index", "{}", set()),
        ("sources__web__about", "another label", set()),
        ("sources__web__floor", "1", set()),
        ("pack__seq_len", "2048.0", set()),
    ],
)
def test_a_key_changes_what_depends_on_it_and_nothing_else(key: str, value: str, expected: set[str]) -> None:
    assert changed(BASE, make_plan(recipe(**{key: value}), lock())) == expected


def test_what_is_compared_is_the_same_for_all_who_compare() -> None:
    plan = make_plan(recipe(index="{}", signatures__of="prompts"), lock())
    found = {stage.step.name: stage.step.args["of"] for stage in plan.stages if stage.step.name in ("signatures", "gather", "index")}
    assert found == dict.fromkeys(("signatures", "gather", "index"), "prompts")
    with pytest.raises(RecipeError, match="first_prompt"):
        recipe(signatures__of="answers")


def test_an_index_is_left_where_the_recipe_asks_and_says_how_its_documents_were_signed() -> None:
    plan = make_plan(recipe(index="{}", signatures__bands="20", dedupe__prefer="length.chars"), lock())
    (stage,) = (stage for stage in plan.stages if stage.step.name == "index")
    assert stage.step.args["signed_by"]["signatures"]["args"] == {"bands": 20, "of": "text", "rows": 8, "shingle_words": 5}
    assert stage.step.args["prefer"] == "length.chars"
    with pytest.raises(RecipeError, match="set it there"):
        recipe(index="{prefer: length.chars}")


def an_index(folder: Path, **signed: str) -> Path:
    """The folder of a run that left an index, with no documents, signed as a recipe with these keys signs."""
    args = make_plan(recipe(index="{}", **signed), lock()).stage("index").step.args
    Folder(str(folder / "20-index-0")).write_json(
        "manifest.json", {"stage": "index", "args": args, "tasks": [], "fingerprint": str(folder)}
    )
    Folder(str(folder)).write_json("run.json", {"stages": [{"stage": "index", "folder": "20-index-0"}]})
    return folder


def test_indexes_are_known_by_what_they_hold(tmp_path: Path) -> None:
    one, two, copy = an_index(tmp_path / "one"), an_index(tmp_path / "two"), tmp_path / "copy"
    shutil.copytree(one, copy)
    plan = make_plan(recipe(dedupe__against=f"[{one}]"), lock())
    assert changed(BASE, plan) == AFTER_DEDUPE
    assert plan.stage("gather").step.args["against"] == [str(one / "20-index-0" / "manifest.json")]
    assert not changed(plan, make_plan(recipe(dedupe__against=f"[{copy / '20-index-0'}, {copy}]"), lock()))
    both = make_plan(recipe(dedupe__against=f"[{one}, {two}]"), lock())
    assert changed(plan, both) == AFTER_DEDUPE
    other = make_plan(recipe(dedupe__against=f"[{two}, {copy}]"), lock())
    assert not changed(both, other)
    named = [path.replace(str(copy), str(one)) for path in other.stage("gather").step.args["against"]]
    assert named == both.stage("gather").step.args["against"], "documents are numbered alike, too"


def test_an_index_that_is_none_or_was_signed_otherwise_is_refused_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="bands is 20 there and 14 here"):
        make_plan(recipe(dedupe__against=f"[{an_index(tmp_path / 'other', signatures__bands='20')}]"), lock())
    with pytest.raises(StorageError, match="no index there"):
        make_plan(recipe(dedupe__against=f"[{tmp_path}]"), lock())


def test_with_a_tokenizer_of_its_own_shares_a_change_of_weights_packs_again_and_nothing_else() -> None:
    pinned = {"tokenizer__shares": "{web: 60, books: 40}"}
    before, after = (make_plan(recipe(**pinned, **more), lock()) for more in ({}, {"sources__web__share": "50"}))
    assert changed(before, after) == {"mix", "pack"}
    assert changed(before, make_plan(recipe(tokenizer__shares="{web: 1, books: 1}"), lock())) >= {"tokenizer", "tokenize-web"}


def test_the_same_mix_may_be_packed_in_rows_of_several_lengths() -> None:
    several = make_plan(recipe(pack__also="[512, 2048, 4096, 512]"), lock())
    assert not changed(BASE, several)
    added = {stage.key: stage.step.args for stage in several.stages if stage.key.startswith("pack")}
    assert {key: args["seq_len"] for key, args in added.items()} == {"pack": 2048, "pack-512": 512, "pack-4096": 4096}
    alone = make_plan(recipe(pack__seq_len="512"), lock()).stage("pack")
    assert several.stage("pack-512").fingerprint == alone.fingerprint


def test_a_source_is_infilled_without_touching_the_others() -> None:
    plan = make_plan(recipe(tokenize__infill="{books: .5}"), lock())
    assert changed(BASE, plan) == {"tokenize-books", "mix", "pack"}


def test_small_neighbours_share_a_part_and_large_files_stand_alone() -> None:
    sizes = (4, 5, 100, 3, 3, 3)
    inputs = [LockedInput("web", InputFile(f"{n}", f"/{n}", "00", size), READ) for n, size in enumerate(sizes)]
    tasks = parts("web", inputs, 10)
    assert [[file["name"] for file in task.payload["files"]] for task in tasks] == [["0", "1"], ["2"], ["3", "4", "5"]]
    assert [task.name for task in tasks] == ["web-00000", "web-00001", "web-00002"]


def test_files_of_different_readers_never_share_a_part() -> None:
    other = Step("reader", "any", {"lang": "fr"})
    inputs = [LockedInput("web", InputFile("a", "/a", "00", 1), READ), LockedInput("web", InputFile("b", "/b", "00", 1), other)]
    assert len(parts("web", inputs, 10)) == 2


def test_without_good_or_ordinary_texts_there_is_no_quality_score() -> None:
    alone = parse_recipe(TEXT, "tiny.yaml", user_sources={"web": ["w"]})
    plan = make_plan(alone, Lock(lock().inputs[:1]))
    assert not [stage.key for stage in plan.stages if stage.key.startswith("quality")]
    assert plan.left_out == ("quality of web: this run has no source that its model could learn good texts from",)
    assert make_plan(recipe(), lock()).left_out == ()


def test_licence_and_version_of_an_input_are_part_of_what_is_extracted() -> None:
    item = lock().inputs[0]
    for name, value in (("licence", "MIT"), ("version", "2")):
        other = Lock((replace(item, file=replace(item.file, **{name: value})), lock().inputs[1]))
        assert "extract-web" in changed(BASE, make_plan(recipe(), other))
    moved = Lock((replace(item, file=replace(item.file, origin="elsewhere")), lock().inputs[1]))
    assert not changed(BASE, make_plan(recipe(), moved))


def test_the_seed_changes_only_what_draws() -> None:
    drawing = {"quality_model", "quality-web", "excerpts", "pieces", "tokenizer", "tokenize-web", "tokenize-books", "mix", "pack"}
    assert changed(BASE, make_plan(recipe(seed="5"), lock())) == drawing


def test_passages_are_cut_where_the_recipe_asks_for_it() -> None:
    plan = make_plan(recipe(passages__min_words="30", lines__sources="[web]", dedupe__priority="[books]"), lock())
    assert plan.stage("passages").step.args["priority"] == ["books"]
    readers = [stage for stage in plan.stages if "dedupe" in stage.inputs and stage.key not in ("lines", "passages")]
    assert {stage.step.name for stage in readers} == {"quality_model", "quality", "excerpts", "pieces", "tokenize"}
    assert all((stage.inputs["lines"], stage.inputs["passages"]) == (("lines",), ("passages",)) for stage in readers)
    assert plan.stage("passages").inputs["lines"] == ("lines",)
    assert make_plan(recipe(passages__priority="[web]"), lock()).stage("passages").step.args["priority"] == ["web"]


def test_lines_are_cut_of_the_sources_that_the_run_has() -> None:
    def plan(asked: str) -> Plan:
        return make_plan(parse_recipe(TEXT, "tiny.yaml", overrides={"lines.sources": asked}, user_sources={"web": ["a.html"]}), lock())

    assert plan("[books, web]").stage("lines").step.args["sources"] == ["web"]
    assert "lines: this run has none of its sources (books)" in plan("[books]").left_out
