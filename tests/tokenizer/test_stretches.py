"""Texts encoded in stretches: cut where it changes no id, and of bounded size."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.kernels.arrow import Texts, texts
from tokenizer import encode
from tokenizer.encode import Encoder
from tokenizer.stretches import cut_long, runs
from tokenizer.train import train

TEXTS = st.lists(st.text(st.sampled_from("ab '\"19.\n\té日"), max_size=60), max_size=5)


def column(*rows: str) -> Texts:
    return texts(pa.array(["before", *rows], pa.large_string()).slice(1))


@pytest.fixture(scope="module")
def tokenizers() -> list[Encoder]:
    sample = ["a ab b'a aaa bb 19 199 1. é日 \n\n a\tb" * 30]
    return [Encoder(train(sample, vocab_size=330, split=split)) for split in ("gpt4", "gpt2")]


def test_a_long_text_is_cut_between_words() -> None:
    views, begins = cut_long(column("aa", "one two three four", "b"), 5)
    pieces = [bytes(views.data[a:b]).decode() for a, b in zip(views.offsets[:-1], views.offsets[1:], strict=True)]
    assert pieces == ["aa", "one two", " three", " four", "b"]
    assert begins.tolist() == [0, 1, 4, 5]


@pytest.mark.parametrize("text", ["a" * 50, "1 1 1 1 1 1", "é é é é é", "don't\nsplit\there.now"])
def test_a_text_without_a_place_stays_whole(text: str) -> None:
    views, begins = cut_long(column(text), 3)
    assert (views.rows, begins.tolist()) == (1, [0, 1])


@given(TEXTS, st.integers(1, 20))
def test_runs_hold_what_they_may(rows: list[str], size: int) -> None:
    views = column(*rows)
    found = list(runs(views, size))
    assert sum(run.rows for run in found) == views.rows
    assert all(int(run.offsets[-1] - run.offsets[0]) <= size or run.rows == 1 for run in found)


@given(rows=TEXTS, size=st.integers(1, 12))
def test_the_ids_are_those_of_the_whole(tokenizers: list[Encoder], rows: list[str], size: int) -> None:
    given_column = pa.array(["before", *rows, ""], pa.large_string()).slice(1)
    for encoder in tokenizers:
        whole = encoder.encode(given_column)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(encode, "STRETCH_BYTES", size)
            cut = encoder.encode(given_column)
        assert np.array_equal(cut.ids, whole.ids)
        assert np.array_equal(cut.offsets, whole.offsets)
