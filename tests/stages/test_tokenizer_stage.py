"""The tokenizer stage: the same bytes from the same documents, in the recipe's proportions, evaluated on others."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from bpe_kit import trained
from tokenizer_kit import SHARES, Line, documents, parts
from tokenizers import Tokenizer

from pipeline.errors import SourceError, StorageError
from pipeline.job import Committed
from pipeline.registry import bind
from tokenizer.sandbox import BadTemplate
from tokenizer.special import Specials, config
from tokenizer.templates import chatml
from tokenizer.vocabulary import Vocabulary

FILES = ["tokenizer.evaluation.json", "tokenizer.json", "tokenizer_config.json"]


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Line:
    return Line(tmp_path_factory.mktemp("tokenizer"))


@pytest.fixture(scope="module")
def made(line: Line) -> Committed:
    return line.tokenizer()


def counts(line: Line) -> dict[str, Any]:
    """What was counted of each source."""
    return line.counted.report.to_json()["counts"]  # type: ignore[return-value]


def hashes(stage: Committed) -> dict[str, str]:
    return {entry.name: entry.sha256 for entry in stage.files()}


def evaluation(stage: Committed) -> dict[str, Any]:
    return stage.folder.read_json("tokenizer.evaluation.json")  # type: ignore[no-any-return]


def test_files(made: Committed) -> None:
    assert sorted(hashes(made)) == FILES
    assert Vocabulary.parse(made.folder.read("tokenizer.json")).size == 500
    assert json.loads(made.folder.read("tokenizer_config.json"))["eos_token"] == "<|endoftext|>"


def test_the_same_documents_in_other_parts_make_the_same_bytes(made: Committed, tmp_path: Path) -> None:
    draw = random.Random(1)
    moved = {source: draw.sample(rows, len(rows)) for source, rows in documents().items()}
    for number in (1, 7):
        assert hashes(Line(tmp_path / str(number), parts(moved, number)).tokenizer()) == hashes(made)
    line = Line(tmp_path / "seed")
    line.stages.seed = 1
    assert hashes(line.tokenizer())["tokenizer.json"] != hashes(made)["tokenizer.json"]


def test_bytes_are_drawn_in_the_proportions_of_the_recipe(made: Committed, line: Line) -> None:
    trained_on = {source: found["bytes to train on"] for source, found in counts(line).items()}
    held_out = {source: found["bytes held out"] for source, found in counts(line).items()}
    largest = max(len(row["text"].encode()) for rows in documents().values() for row in rows)
    assert largest < 60_000 * 0.6
    for source, share in SHARES.items():
        assert 600 * share <= trained_on[source] < 600 * share + 16_384
    found = evaluation(made)
    assert found["sampled_bytes"] == found["shown_bytes"] == sum(trained_on.values())
    assert {source: numbers["trained_on_bytes"] for source, numbers in found["sources"].items()} == trained_on
    judged = {source: found["bytes"] for source, found in evaluation(made)["sources"].items()}
    assert judged == {source: held_out[source] or trained_on[source] for source in SHARES}
    assert judged["web"] == held_out["web"] > 0


def test_every_document_is_accounted_for(line: Line, made: Committed) -> None:
    report = line.counted.report
    assert dict(report.read) == dict(report.kept) == {source: len(rows) for source, rows in documents().items()}


def test_dropped_documents_are_not_drawn(tmp_path: Path) -> None:
    """A word that only dropped documents hold is no token; kept, it is one."""
    tables: dict[str, Any] = parts({"web": [{**row, "text": row["text"] + "zwxqj " * 300} for row in documents()["web"]]})
    ids = {row["id"] for rows in tables.values() for row in rows}
    clean = documents()["books"]
    tables |= parts({"books": clean})
    kept = Line(tmp_path / "kept", tables, dropped=set()).tokenizer()
    line = Line(tmp_path / "dropped", tables, dropped=ids)
    dropped = line.tokenizer()
    assert any("zwxqj" in token for token in Vocabulary.parse(kept.folder.read("tokenizer.json")).ids)
    assert not any("zwxqj" in token for token in Vocabulary.parse(dropped.folder.read("tokenizer.json")).ids)
    assert line.counted.report.read.total() == len(clean)


def test_evaluation_has_every_source(made: Committed) -> None:
    found = evaluation(made)
    assert found["kind"] == "byte-level BPE, gpt4 with 2 digits"
    assert found["sha256"] == hashes(made)["tokenizer.json"]
    assert (found["vocab_size"], found["vocab_size_asked"], found["not_restored"]) == (500, 500, 0)
    assert set(found["sources"]) == set(SHARES)
    for numbers in found["sources"].values():
        assert numbers["not_restored"] == 0
        assert numbers["bytes_per_token"] == pytest.approx(numbers["bytes"] / numbers["tokens"], abs=1e-4)
        assert numbers["bytes_per_token"] > 1
        assert numbers["reference_bytes_per_token"] > 1
    assert 0 <= found["unused_tokens"] < 100


def test_evaluation_has_every_language_that_is_known(tmp_path: Path) -> None:
    found = evaluation(Line(tmp_path).tokenizer(shares={"curated": 1, "code": 1}))
    languages = [row["language"] for row in found["languages"]]
    assert languages == sorted(languages)
    assert len(languages) > 1
    assert set(languages) <= {"de", "fr", "ru", "ja", "hi", "ar", "ko", "en"}
    assert sum(row["bytes"] for row in found["languages"]) == found["sources"]["curated"]["bytes"]


def test_no_document_is_both_trained_on_and_evaluated_on(tmp_path: Path) -> None:
    """Each document has a word of its own: none of those of the held-out documents is in the tokens."""
    rows = [{**row, "text": f"{chr(0x4E00 + n)} " * 200} for n, row in enumerate(documents()["web"])]
    line = Line(tmp_path, parts({"web": rows}))
    stage = line.tokenizer(shares={"web": 1}, vocab_size=400)
    tokenizer = Tokenizer.from_str(stage.folder.read("tokenizer.json").decode())
    unknown = [row for row in rows if len(tokenizer.encode(" " + row["text"][0]).ids) > 1]
    found = counts(line)["web"]
    assert len(unknown) * 800 == found["bytes held out"] > 0
    assert found["bytes held out"] + found["bytes to train on"] == len(rows) * 800


def test_a_source_without_held_out_documents_is_measured_on_what_was_trained_on(tmp_path: Path) -> None:
    tables: Mapping[str, Any] = {"web-00000": documents()["web"], "code-00000": documents()["code"][:1]}
    found = evaluation(Line(tmp_path, tables).tokenizer())
    assert found["sources"]["code"]["documents"] == 1


def test_reference_can_be_left_out(tmp_path: Path) -> None:
    found = evaluation(Line(tmp_path).tokenizer(reference=False))
    assert "reference_bytes_per_token" not in found["sources"]["web"]


def test_nothing_left_to_train_on(tmp_path: Path) -> None:
    everything = {row["id"] for rows in documents().values() for row in rows}
    with pytest.raises(SourceError, match=r"none of the sources academic, .* has text left"):
        Line(tmp_path, dropped=everything).tokenizer()


def test_the_users_own_tokenizer_is_taken_as_it_is(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "tokenizer.json").write_bytes(trained())
    line = Line(tmp_path / "out")
    stage = line.tokenizer(file=[str(own / "tokenizer.json")])
    assert stage.folder.read("tokenizer.json") == trained()
    assert stage.folder.read("tokenizer_config.json") == config(Specials(), Vocabulary.parse(trained()))
    assert evaluation(stage)["kind"] == "the user's own"
    assert evaluation(stage)["sources"]["web"]["bytes_per_token"] > 1
    (own / "tokenizer_config.json").write_text('{"eos_token": "<|end|>"}')
    assert line.tokenizer(file=[str(own)]).folder.read("tokenizer_config.json") == b'{"eos_token": "<|end|>"}'


def test_the_users_own_tokenizer_must_have_an_end(tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_bytes(trained())
    line = Line(tmp_path / "out")
    with pytest.raises(SourceError, match=r"mine\.json has no special token '</s>'; set eos_token to one of its own: .*<\|end\|>"):
        line.tokenizer(file=[str(tmp_path / "mine.json")], eos_token="</s>")
    assert line.tokenizer(file=[str(tmp_path / "mine.json")], eos_token="<|end|>").folder.exists("tokenizer.json")
    (tmp_path / "mine.json").write_text("{}")
    with pytest.raises(StorageError, match=r"mine\.json can't be read"):
        line.tokenizer(file=[str(tmp_path / "mine.json")])
    broken = json.loads(trained())
    broken["model"]["merges"] = [["zz", "qq"]]
    (tmp_path / "mine.json").write_text(json.dumps(broken))
    with pytest.raises(StorageError, match=r"mine\.json can't be loaded by `tokenizers`"):
        line.tokenizer(file=[str(tmp_path / "mine.json")])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("{", "can't be read"),
        ("[]", "can't be read"),
        ('{"eos_token": {}}', "can't be read"),
        ('{"eos_token": "</s>"}', "'</s>' as eos_token"),
    ],
)
def test_the_users_own_settings_fit_the_tokenizer(settings: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes(trained())
    (tmp_path / "tokenizer_config.json").write_text(settings)
    with pytest.raises(StorageError, match=rf"tokenizer_config\.json .*{message}"):
        Line(tmp_path / "out").tokenizer(file=[str(tmp_path)])


@pytest.mark.parametrize(
    "wrong", [{"vocab_size": 100}, {"digits": 4}, {"digits": 0}, {"sample_bytes": 0}, {"split": "gpt5"}, {"reserved": 20_000}]
)
def test_keys_are_checked_with_the_recipe(wrong: dict[str, Any]) -> None:
    assert bind("stage", "tokenizer", {"shares": SHARES, **wrong})[1]


def test_own_files_are_known_by_content(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes(trained())
    step, _ = bind("stage", "tokenizer", {"shares": SHARES, "file": [str(tmp_path / "tokenizer.json")]})
    assert step.identity(lambda paths: f"digest of {len(paths)}")["args"]["file"] == "digest of 1"


def chat_template_of(stage: Committed) -> str:
    return str(json.loads(stage.folder.read("tokenizer_config.json"))["chat_template"])


def test_chats_by_a_template_that_is_built_in(line: Line) -> None:
    stage = line.tokenizer(chat="chatml", reference=False)
    added = Vocabulary.parse(stage.folder.read("tokenizer.json")).added
    assert chat_template_of(stage) == chatml()
    assert {"<|im_start|>", "<|im_end|>", "<|assistant|>"} <= added.keys()


def test_chats_by_a_file(line: Line, tmp_path: Path) -> None:
    (tmp_path / "own.jinja").write_text("{{ messages }}")
    assert chat_template_of(line.tokenizer(chat_template=[str(tmp_path / "own.jinja")], reference=False)) == "{{ messages }}"
    (tmp_path / "own.jinja").write_text("{{ messages.__class__ }}")
    with pytest.raises(BadTemplate, match=r"own\.jinja reaches"):
        line.tokenizer(chat_template=[str(tmp_path / "own.jinja")], reference=False)


def test_a_tokenizer_of_someone_elses_keeps_its_template_or_has_what_another_needs(line: Line, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes(trained())
    settings = {"eos_token": "<|endoftext|>", "chat_template": "{{ 1 }}"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    assert chat_template_of(line.tokenizer(file=[str(tmp_path)])) == "{{ 1 }}"
    assert chat_template_of(line.tokenizer(file=[str(tmp_path)], chat="roles")) == Specials().chat_template()
    with pytest.raises(SourceError, match=r"'chatml' needs special tokens .*<\|im_start\|>, <\|im_end\|>"):
        line.tokenizer(file=[str(tmp_path)], chat="chatml")
    (tmp_path / "chat_template.jinja").write_text("{{ 2 }}")
    assert chat_template_of(line.tokenizer(file=[str(tmp_path)])) == "{{ 2 }}"
