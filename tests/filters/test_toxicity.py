"""Toxicity: words of a list and their share, a classifier's score, nulls for what isn't asked, and mistakes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipeline.classifying import NEGATIVE, POSITIVE, excerpts, lines, model_of, scores
from pipeline.contracts import Bound, Verdicts
from pipeline.errors import SourceError, StorageError
from pipeline.filters.toxicity import toxicity
from pipeline.registry import bind
from pipeline.schema import DOC
from pipeline.scoring.classifier import train

NICE, RUDE = "the weather is fine and the garden blooms again", "you rotten gubbins go and boil your grumbling head"


def judged(*texts: str, **keys: Any) -> Verdicts:
    rows = [{"id": str(n), "text": text, "source": "web"} for n, text in enumerate(texts)]
    return toxicity(pa.RecordBatch.from_pylist(rows, schema=DOC), **keys)


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    path = tmp_path_factory.mktemp("words") / "words.txt"
    path.write_text("Gubbins\n\nrotten egg\n Über \n愚か\n", "utf-8")
    return [str(path)]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A classifier whose positive label is what is rude."""
    shown = lines(pa.array([NICE, RUDE]))
    examples = [(label, line) for _ in range(60) for label, line in zip((NEGATIVE, POSITIVE), shown, strict=True)]
    path = tmp_path_factory.mktemp("model") / "rude.bin"
    path.write_bytes(train(examples, {"dim": 4, "epoch": 20, "lr": 1.0, "bucket": 100, "minCount": 1}))
    return [str(path)]


def test_words_stand_alone_in_any_case_and_script(words: list[str]) -> None:
    found = judged("GUBBINS, gubbins.", "gubbinses", "a Rotten EGG", "ÜBER über", "彼は愚かだ", "", words=words)
    assert found.signals["word_hits"].to_pylist() == [2, 0, 1, 2, 1, 0]
    assert found.signals["word_share"].to_pylist() == [1.0, 0.0, 1 / 3, 1.0, 1.0, 0.0]


def test_the_share_of_words_is_bounded(words: list[str]) -> None:
    texts = ("gubbins " + "fine " * 99, "gubbins " + "fine " * 98, "fine")
    assert judged(*texts, words=words).reasons.to_pylist() == [None, "toxicity:words", None]
    assert judged(*texts, words=words, max_words_share=None).reasons.to_pylist() == [None, None, None]
    assert judged(*texts, words=words, max_words_share=0.0).reasons.to_pylist() == ["toxicity:words", "toxicity:words", None]


def test_the_number_of_words_is_bounded(words: list[str]) -> None:
    texts = ("gubbins " * 2, "gubbins " * 3, "fine")
    keys = {"words": words, "max_words_share": None}
    assert judged(*texts, **keys, max_words=2).reasons.to_pylist() == [None, "toxicity:many_words", None]
    assert judged(*texts, **keys, max_words=0).reasons.to_pylist() == ["toxicity:many_words", "toxicity:many_words", None]


def test_a_classifier_scores_texts_as_it_was_shown_them_in_training(model: list[str]) -> None:
    found = judged(NICE, RUDE.upper(), model=model)
    expected = scores(model_of(Path(model[0]).read_bytes()), lines(excerpts(pa.array([NICE, RUDE.upper()]), 4000)))
    assert found.signals["score"].to_pylist() == expected.tolist()
    assert expected[0] < 0.1 < 0.9 < expected[1]
    assert found.reasons.to_pylist() == [None, "toxicity:score"]
    assert judged(NICE, RUDE, model=model, label=NEGATIVE).reasons.to_pylist() == ["toxicity:score", None]


def test_the_score_is_bounded(model: list[str]) -> None:
    score = judged(RUDE, model=model).signals["score"][0].as_py()
    for bound, reason in ((score, None), (np.nextafter(score, 0), "toxicity:score"), (None, None)):
        assert judged(RUDE, model=model, max_score=bound).reasons.to_pylist() == [reason]


def test_only_the_beginning_is_read(model: list[str]) -> None:
    found = judged(f"{NICE} {RUDE * 20}", NICE, model=model, excerpt_chars=len(NICE))
    assert found.signals["score"][0] == found.signals["score"][1]


def test_what_is_not_given_is_null_and_bounds_nothing(words: list[str], model: list[str]) -> None:
    by_words, by_model, by_both = judged(RUDE, words=words), judged(RUDE, model=model), judged(RUDE, words=words, model=model)
    assert by_words.signals["score"].to_pylist() == [None]
    assert by_model.signals["word_hits"].to_pylist() == by_model.signals["word_share"].to_pylist() == [None]
    assert {name: column.type for name, column in by_words.signals.items()} == {name: c.type for name, c in by_model.signals.items()}
    assert by_words.bounds == (Bound("words", "word_share", "<=", 0.01),)
    assert by_model.bounds == (Bound("score", "score", "<=", 0.4),)
    assert all(column.null_count == 0 for column in by_both.signals.values())


def test_no_documents(words: list[str], model: list[str]) -> None:
    assert len(judged(words=words, model=model).reasons) == 0


def test_a_filter_that_would_do_nothing_is_a_mistake() -> None:
    assert bind("filter", "toxicity", {})[1] == [
        ("", "filter 'toxicity': name a list of words (`words`), a classifier (`model`), or both to look for")
    ]
    assert bind("filter", "toxicity", {"words": ["list.txt"]})[1] == []
    with pytest.raises(SourceError, match=r"toxicity: name a list of words"):
        judged("a")


def test_files_that_cannot_be_used_are_named(tmp_path: Path, model: list[str]) -> None:
    empty, broken = tmp_path / "empty.txt", tmp_path / "model.bin"
    empty.write_text("\n \n")
    broken.write_bytes(b"no model")
    with pytest.raises(SourceError, match=r"empty\.txt: one a line"):
        judged("a", words=[str(empty)])
    with pytest.raises(StorageError, match=r"none\.txt"):
        judged("a", words=[str(tmp_path / "none.txt")])
    with pytest.raises(SourceError, match=r"model\.bin is no fastText model"):
        judged("a", model=[str(broken)])
    with pytest.raises(SourceError, match="names 2 files"):
        judged("a", model=[*model, str(broken)])
    with pytest.raises(SourceError, match="no label 'toxic'; it has negative, positive"):
        judged("a", model=model, label="toxic")
