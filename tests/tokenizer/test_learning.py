"""The trainer from counts against that of the `tokenizers` library: the same tokenizer.json, byte for byte."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from bpe_kit import MANY_TONGUES, TEXTS, library_trained
from corpus_kit import SOURCES, read_texts
from hypothesis import given, settings
from hypothesis import strategies as st
from kit import program, prose

from pipeline.kernels import learning
from tokenizer.counts import Counted, count
from tokenizer.special import Specials
from tokenizer.train import train, train_on_counts
from tokenizer.vocabulary import Vocabulary

#: Bytes of each source of the corpus.
CORPUS_BYTES = 400_000

#: Words of few letters: many pairs are equally frequent, overlap with themselves and go away before their turn.
FEW_LETTERS = st.one_of(
    *(st.text(alphabet=letters, min_size=1, max_size=size) for letters in ("a", "ab", "abc ", "aé") for size in (9, 70))
)


@settings(max_examples=150)
@given(st.lists(FEW_LETTERS, max_size=25), st.sampled_from([1, 2, 3]), st.sampled_from([280, 300, 400]))
def test_ties_and_overlaps(texts: list[str], min_frequency: int, vocab_size: int) -> None:
    settings = {"vocab_size": vocab_size, "min_frequency": min_frequency}
    assert train(texts, **settings) == library_trained(texts, **settings)  # type: ignore[arg-type]


@settings(max_examples=50)
@given(st.lists(TEXTS, max_size=8))
def test_any_text(texts: list[str]) -> None:
    assert train(texts, vocab_size=400, min_frequency=1, digits=3) == library_trained(texts, vocab_size=400, min_frequency=1, digits=3)


@pytest.mark.parametrize("split", ["gpt4", "gpt2"])
def test_prose_and_programs(split: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With hardly any room at first, so that each table grows again and again, also in the middle of a merge."""
    monkeypatch.setattr(learning, "_ROOM", 64)
    texts = [*(prose(f"book {n}", 20) for n in range(6)), *(program(f"program {n}") for n in range(6)), *MANY_TONGUES]
    digits = 2 if split == "gpt4" else 0
    assert train(texts, vocab_size=2500, split=split) == library_trained(texts, vocab_size=2500, digits=digits)  # type: ignore[arg-type]


def test_a_long_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "_ROOM", 64)
    letters = np.random.default_rng(1).integers(0, 4, 20_000)
    text = "".join("abcd"[n] for n in letters) + "a" * 5000
    assert train([text], vocab_size=600) == library_trained([text], vocab_size=600)


def test_the_corpus(corpus: Path) -> None:
    texts = [text for source in SOURCES for text in _some(read_texts(corpus, source))]
    made = train(texts, vocab_size=16_384)
    assert Vocabulary.parse(made).size == 16_384
    assert made == library_trained(texts, vocab_size=16_384)


def _some(texts: object) -> Sequence[str]:
    cut = [text[:20_000] for text in islice(texts, 400)]  # type: ignore[call-overload]
    filled = np.cumsum([len(text) for text in cut])
    return cut[: int(np.searchsorted(filled, CORPUS_BYTES)) + 1]


@pytest.mark.parametrize(
    "specials",
    [Specials(eos="ab"), Specials(eos="Ġthe", bos="the", pad="th"), Specials(eos="a", bos="<|b c|>"), Specials(roles=(), reserved=0)],
)
def test_a_special_token_that_a_merge_makes_or_that_is_a_byte(specials: Specials) -> None:
    texts = [prose("a book", 10), "ab abab the then"]
    assert train(texts, vocab_size=500, specials=specials) == library_trained(texts, vocab_size=500, specials=specials)


def test_counts_that_32_bits_cannot_hold() -> None:
    """2^33 times the counts are the same merges, and a merge that only the top 32 bits ask for is made."""
    counted = count([prose("a book", 20)])
    many = counted._replace(counts=counted.counts << 33)
    assert train_on_counts(many, vocab_size=700, min_frequency=2 << 33) == train_on_counts(counted, vocab_size=700)
    two = Counted(np.frombuffer(b"abcd", np.uint8), np.array([0, 2, 4]), np.array([5, 1 << 32]))
    assert Vocabulary.parse(train_on_counts(two, vocab_size=400)).spec["model"]["merges"] == [["c", "d"], ["a", "b"]]


def test_the_order_of_pieces_leaves_no_trace() -> None:
    counted = count([prose("a book", 20), program("a program")])
    order = np.random.default_rng(2).permutation(len(counted.counts))
    pieces = [counted.data[counted.bounds[n] : counted.bounds[n + 1]] for n in order]
    moved = Counted(np.concatenate(pieces), np.cumsum([0, *map(len, pieces)]), counted.counts[order])
    assert train_on_counts(moved, vocab_size=900) == train_on_counts(counted, vocab_size=900)


def test_nothing_to_train_on() -> None:
    assert train([], vocab_size=300) == library_trained([], vocab_size=300)
    assert train(["", "a", "b c"], vocab_size=300) == library_trained(["", "a", "b c"], vocab_size=300)
