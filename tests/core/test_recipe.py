"""A recipe's mistakes are all found, each with its line, before anything runs."""

from __future__ import annotations

import pytest

from pipeline.errors import RecipeError
from pipeline.recipe import Recipe, parse_recipe

GOOD = """\
name: tiny
seed: 7
sources:
  web:
    share: 60
    inputs:
      - fetch: {files: {paths: [web]}}
        read: any
    filters:
      - length: {min_chars: 10}
  books:
    share: 40
    max_epochs: 2
    inputs:
      - fetch: {files: {paths: [books]}}
        read: any
profiles:
  sample:
    sources:
      books: {floor: 1_000}
  large:
    sources:
      books: {floor: 2e6}
default_profile: sample
"""


def parse(text: str, **how: object) -> Recipe:
    return parse_recipe(text, "tiny.yaml", **how)  # type: ignore[arg-type]


def mistakes(text: str, **how: object) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        parse(text, **how)
    return [str(mistake) for mistake in caught.value.mistakes]


def test_a_good_recipe() -> None:
    recipe = parse(GOOD)
    assert [(s.name, s.share, s.max_epochs, s.floor) for s in recipe.sources] == [("web", 0.6, 1, 0), ("books", 0.4, 2, 1000)]
    assert recipe.sources[0].filters[0].args["min_chars"] == 10
    assert recipe.profile == "sample"


def test_a_profile_lies_over_the_recipe() -> None:
    assert parse(GOOD, profile="large").source("books").floor == 2_000_000


def test_an_unknown_profile_is_suggested() -> None:
    assert "did you mean 'large'" in mistakes(GOOD, profile="larg")[0]


def test_every_mistake_is_found_with_its_line() -> None:
    text = (
        GOOD.replace("share: 60", "shar: 60")
        .replace("length: {min_chars", "lenght: {min_chars")
        .replace("max_epochs: 2", "max_epochs: lots")
    )
    found = mistakes(text)
    assert any(line.startswith("line 5: sources.web.shar: unknown key; did you mean 'share'") for line in found)
    assert any(line.startswith("line 10:") and "did you mean 'length'" in line for line in found)
    assert any(line.startswith("line 13: sources.books.max_epochs: expected a number (got 'lots')") for line in found)


def test_a_wrong_value_names_key_and_value() -> None:
    found = mistakes(GOOD.replace("min_chars: 10", "min_chars: ten"))
    assert found[0].startswith("line 10: sources.web.filters.0.length.min_chars:")
    assert "'ten'" in found[0]


def test_a_mistake_in_a_profile_has_the_profiles_line() -> None:
    found = mistakes(GOOD.replace("books: {floor: 1_000}", "books: {flor: 1_000}"))
    assert found[0].startswith("line 20: sources.books.flor")


def test_yaml_that_does_not_parse_has_a_line() -> None:
    assert mistakes("name: [1, 2\nsources: x")[0].startswith("line 2: YAML")


def test_a_key_given_twice_is_a_mistake() -> None:
    assert any("given twice" in line for line in mistakes(GOOD + "seed: 8\n"))


def test_no_is_a_word_and_1e3_a_number() -> None:
    text = GOOD.replace("length: {min_chars: 10}", "language: {allow: [en, no]}").replace("1_000", "1e3")
    recipe = parse(text)
    assert "no" in recipe.sources[0].filters[0].args["allow"]
    assert recipe.source("books").floor == 1000


def test_ten_and_ten_point_nought_are_one_identity() -> None:
    one, two = (parse(GOOD.replace("min_chars: 10", f"min_chars: {n}")).sources[0].filters[0] for n in ("10", "10.0"))
    assert one == two


def test_set_changes_one_key() -> None:
    assert parse(GOOD, overrides={"sources.web.share": "20"}).source("books").share == pytest.approx(2 / 3)


def test_own_sources_replace_inputs_and_leave_the_others_out() -> None:
    recipe = parse(GOOD, user_sources={"books": ["/data/books"]})
    assert [(s.name, s.share) for s in recipe.sources] == [("books", 1.0)]
    assert recipe.sources[0].inputs[0].fetch.args["paths"] == ["/data/books"]


def test_an_unknown_own_source_is_suggested() -> None:
    assert any("did you mean 'books'" in line for line in mistakes(GOOD, user_sources={"boks": ["/data"]}))


def test_a_source_without_inputs_says_what_to_do() -> None:
    text = GOOD.replace("    inputs:\n      - fetch: {files: {paths: [web]}}\n        read: any\n    filters", "    filters")
    assert "choose a profile" in mistakes(text)[0]


@pytest.mark.parametrize("text", ["", "just text", "[1, 2]", "sources: 3", "name: x\nsources: {}", "name: x\nsources: {web: 3}"])
def test_nonsense_is_a_recipe_error(text: str) -> None:
    assert mistakes(text)


def test_a_setting_that_names_an_unknown_source_is_suggested() -> None:
    found = mistakes(GOOD + "dedupe: {priority: [boks]}\nquality_model: {positive: [books], negative: [wep]}\n")
    assert ["did you mean 'books'" in found[0], "did you mean 'web'" in found[1]] == [True, True]
    found = mistakes(GOOD + "dedupe: {same_url: [wep]}\nlines: {sources: [wep]}\npassages: {priority: [wep], max_removed: {wep: .1}}\n")
    assert ["did you mean 'web'" in line for line in found] == [True] * 4


@pytest.mark.parametrize("stage", ["dedupe", "lines", "passages"])
@pytest.mark.parametrize("share", ["1.5", "-1", "{web: 50}"])
def test_a_share_that_may_be_removed_is_between_none_and_all(stage: str, share: str) -> None:
    assert f"{stage}.max_removed" in mistakes(f"{GOOD}{stage}: {{max_removed: {share}}}\n")[0]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("name: tiny", "name: ../../elsewhere", "names a folder"),
        ("seed: 7", "seed: 1.9", "whole number"),
        ("seed: 7", "seed: -1", "whole number of at least 0"),
        ("seed: 7", "part_bytes: 0", "whole number of at least 1"),
        ("seed: 7", "seed: 1e999", "expected a number (got inf)"),
    ],
)
def test_values_that_cannot_be_are_refused(old: str, new: str, message: str) -> None:
    assert any(message in line for line in mistakes(GOOD.replace(old, new)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: &n [*n]", "an alias"),
        ("sources: &s {a: *s}", "an alias"),
        ("a: " + "[" * 5000, "nested too deep"),
        ("<<: {name: x}", "unknown key"),
    ],
)
def test_yaml_that_turns_in_circles_is_refused(text: str, message: str) -> None:
    assert any(message in line for line in mistakes(text))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("quality_model.positive", "[nope]", "no source 'nope'"),
        ("mix.shares", "{web: 1}", "follows from the sources"),
        ("tokenizer.shares", "{webb: 1}", "did you mean 'web'"),
        ("tokenizer.shares", "{web: 0}", "add up to nothing"),
        ("tokenizer.reserved", "20000", "vocab_size 16384 has no room for 256 bytes and 20011 special tokens: set 20267 or more"),
        ("tokenizer.eos_token", "<|pad|>", "must differ"),
        ("tokenize.infill", "{webb: 1}", "did you mean 'web'"),
        ("tokenize.infill", "{web: 2}", "less than or equal to 1"),
        ("sources.webb.share", "3", "did you mean 'web'"),
        ("default_profile", "large", "--profile"),
        ("sources", "1", "expected a mapping"),
        ("sources.web.filters.²", "code", "no '²' to go into"),
        ("dedupe", "{threshold: .8, threshold: .1}", "given twice"),
    ],
)
def test_set_is_checked_like_the_recipe(key: str, value: str, message: str) -> None:
    assert any(message in line for line in mistakes(GOOD, overrides={key: value}))


def test_set_to_nothing_is_the_default() -> None:
    assert parse(GOOD, overrides={"seed": ""}).seed == 0


def test_own_sources_choose_their_profile_and_refuse_another() -> None:
    text = GOOD.replace("profiles:\n", "profiles:\n  local: {}\n")
    assert parse(text, user_sources={"books": ["/data"]}).profile == "local"
    assert "go with the profile 'local'" in mistakes(text, user_sources={"books": ["/data"]}, profile="large")[0]


def test_a_profile_leaves_out_a_source_and_names_the_reader_of_own_files() -> None:
    text = """
name: x
own_reader: conversations
sources:
  a: {share: 1, inputs: [{fetch: {files: {paths: [x]}}, read: jsonl}]}
  b: {share: 3}
profiles: {p: {sources: {b: null}}, local: {sources: {}}}
"""
    assert [(source.name, source.share) for source in parse_recipe(text, "x", "p").sources] == [("a", 1.0)]
    (own,) = parse_recipe(text, "x", None, None, {"b": ["y"]}).sources
    assert (own.name, own.inputs[0].read.name) == ("b", "conversations")


def test_the_tokenizer_of_another_run_is_named_not_bound() -> None:
    text = """
name: x
tokenizer: {from: mix-v1, vocab_size: 300}
sources: {a: {share: 1, inputs: [{fetch: {files: {paths: [x]}}, read: jsonl}]}}
"""
    recipe = parse_recipe(text, "x")
    assert recipe.tokenizer_from == "mix-v1"
    assert recipe.with_tokenizer_of(["t.json"]).settings["tokenizer"].args["file"] == ["t.json"]
    for wrong in ("{from: ../x}", "{from: mix-v1, file: [a]}", "{form: mix-v1}"):
        with pytest.raises(RecipeError):
            parse_recipe(text.replace("{from: mix-v1, vocab_size: 300}", wrong), "x")
