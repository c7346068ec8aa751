"""The numbers of an evaluation, counted by hand on texts small enough for it."""

from __future__ import annotations

import pyarrow as pa
import pytest
from bpe_kit import MANY_TONGUES, trained
from tokenizers import Tokenizer, models, pre_tokenizers

from tokenizer.encode import Encoder
from tokenizer.evaluate import Measure, Measured, table, train_reference, unused
from tokenizer.special import Specials
from tokenizer.vocabulary import BYTE_OF, Vocabulary


@pytest.fixture
def measure() -> Measure:
    """Tokens: the bytes, "ab", and "abab", which is made of them."""
    vocabulary = {char: number for number, char in enumerate(sorted(BYTE_OF))} | {"ab": 256, "abab": 257, "ba": 258}
    tokenizer = Tokenizer(models.BPE(vocabulary, [("a", "b"), ("ab", "ab"), ("b", "a")]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return Measure(Encoder(tokenizer.to_str().encode()))


def rows(*documents: tuple[str, str | None, str]) -> pa.Table:
    source, lang, text = zip(*documents, strict=True)
    return pa.table({"source": pa.array(source), "lang": pa.array(lang, pa.string()), "text": pa.array(text, pa.large_string())})


def test_counts(measure: Measure) -> None:
    measure.add(rows(("web", "en", "abab ab b"), ("web", None, ""), ("code", "en", "ababab\né")), "source")
    assert measure.groups == {
        "web": Measured(documents=2, bytes=9, words=3, tokens=5, single_bytes=3, not_restored=0),  # abab| |ab| |b
        "code": Measured(documents=1, bytes=9, words=2, tokens=5, single_bytes=3, not_restored=0),  # abab|ab|\n|c3|a9
    }
    assert measure.groups["web"].to_json() == {
        "documents": 2, "bytes": 9, "tokens": 5, "bytes_per_token": 1.8, "tokens_per_word": 1.6667, "single_byte_share": 0.6,
        "not_restored": 0,
    }  # fmt: skip
    assert unused(measure.encoder.vocabulary, measure.used > 0) == 1  # "ba"


def test_groups_may_be_languages_and_unknown(measure: Measure) -> None:
    measure.add(rows(("web", "en", "ab"), ("web", None, "ba"), ("code", "de", "b"), ("code", "en", "a")), "lang")
    assert {name: found.documents for name, found in measure.groups.items()} == {"en": 2, "de": 1}
    assert measure.used.sum() == 4


def test_batches_make_no_difference(measure: Measure, monkeypatch: pytest.MonkeyPatch) -> None:
    documents = rows(*[(f"source {n % 3}", None, text) for n, text in enumerate(MANY_TONGUES * 2)])
    measure.add(documents, "source")
    monkeypatch.setattr("tokenizer.evaluate._BATCH_ROWS", 3)
    again = Measure(measure.encoder)
    again.add(documents, "source")
    assert again.groups == measure.groups
    assert (again.used == measure.used).all()


def test_every_text_comes_back(measure: Measure) -> None:
    measure.add(rows(*[("web", None, text) for text in ("", *MANY_TONGUES, "\x00<|end|>")]), "source")
    assert measure.groups["web"].not_restored == 0


def test_texts_that_do_not_come_back_are_counted(measure: Measure) -> None:
    """One token says another byte than it is encoded from."""
    measure._bytes = measure._bytes.copy()
    measure._bytes[measure._starts[measure.encoder.vocabulary.ids["z"]]] = ord("y")
    measure.add(
        rows(("web", None, "plain"), ("web", None, "a zoo"), ("code", None, ""), ("code", None, "zz"), ("code", None, "y")), "source"
    )
    assert {name: found.not_restored for name, found in measure.groups.items()} == {"web": 1, "code": 1}


def test_reference_has_the_size_and_the_special_tokens() -> None:
    vocabulary = Vocabulary.parse(train_reference(list(MANY_TONGUES) * 3, 400, Specials().tokens()))
    assert vocabulary.size == 400
    assert list(vocabulary.added) == Specials().tokens()


def test_table_sets_the_reference_beside_each_group(measure: Measure) -> None:
    other = Measure(Encoder(trained()))
    documents = rows(("web", None, "abab ab"), ("code", None, "the b"))
    measure.add(documents, "source")
    other.add(documents, "source")
    found = table(measure, other)
    assert list(found) == ["code", "web"]
    assert found["web"]["reference_bytes_per_token"] == other.groups["web"].to_json()["bytes_per_token"]
    assert "reference_bytes_per_token" not in table(measure, None)["web"]
    assert {name: numbers["unused_tokens"] for name, numbers in found.items()} == {"code": 3, "web": 1}
