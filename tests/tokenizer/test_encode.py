"""Encoding: the ids of the `tokenizers` library, on any text and with any merges; and a loud way back to that library."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from bpe_kit import MANY_TONGUES, TEXTS, ids_of, reference_ids, trained
from corpus_kit import SOURCES, read_texts
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import ByteLevelBPETokenizer, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

from pipeline.kernels import bpe
from tokenizer.encode import Encoded, Encoder, SlowEncoding, _strings, framed, obstacle
from tokenizer.splits import gpt4_pattern
from tokenizer.vocabulary import BYTE_OF, Vocabulary


@pytest.fixture(scope="module")
def content() -> bytes:
    return trained()


@pytest.fixture(scope="module")
def encoder(content: bytes) -> Encoder:
    made = Encoder(content)
    assert made.slow_because is None
    return made


@settings(max_examples=150, deadline=None)
@given(st.lists(TEXTS, max_size=4))
def test_any_text(encoder: Encoder, content: bytes, texts: list[str]) -> None:
    assert ids_of(encoder, texts) == (reference_ids(content, texts) if texts else [[]])


@pytest.mark.parametrize("source", SOURCES)
def test_real_texts(encoder: Encoder, content: bytes, corpus: Path, source: str) -> None:
    texts = [text[:60_000] for text in islice(read_texts(corpus, source), 12)]
    assert sum(map(len, texts)) > 20_000
    assert ids_of(encoder, texts) == reference_ids(content, texts)


@pytest.mark.parametrize("settings", [{"split": "gpt2"}, {"digits": 1}, {"digits": 3, "vocab_size": 400}])
def test_other_splits(settings: dict[str, object]) -> None:
    content = trained(**settings)
    texts = ["12345 abc 's 'S  \n\n x", *MANY_TONGUES]
    assert Encoder(content).slow_because is None
    assert ids_of(Encoder(content), texts) == reference_ids(content, texts)


def made_up(merges: list[tuple[str, str]]) -> bytes:
    """A tokenizer with these merges, in their order; each must join tokens that are there."""
    vocabulary = {char: number for number, char in enumerate(sorted(BYTE_OF))}
    for left, right in merges:
        vocabulary.setdefault(left + right, len(vocabulary))
    tokenizer = Tokenizer(models.BPE(vocabulary, merges))
    split = pre_tokenizers.Split(Regex(gpt4_pattern(2)), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    return str(tokenizer.to_str()).encode()


@st.composite
def merge_lists(draw: st.DrawFn) -> list[tuple[str, str]]:
    """Merges of a few letters, in no sensible order: many ways to one token, tokens that no merge can reach any more."""
    tokens = ["a", "b", "c"]
    merges: list[tuple[str, str]] = []
    for _ in range(draw(st.integers(0, 14))):
        pair = (draw(st.sampled_from(tokens)), draw(st.sampled_from(tokens)))
        merges.append(pair)
        tokens.append("".join(pair))
    return draw(st.permutations(merges)) if draw(st.booleans()) else merges


@settings(max_examples=150, deadline=None)
@given(merge_lists(), st.lists(st.text("abc", max_size=120), min_size=1, max_size=4))
def test_any_merges(merges: list[tuple[str, str]], texts: list[str]) -> None:
    content = made_up(merges)
    assert ids_of(Encoder(content), texts) == reference_ids(content, texts)


@pytest.mark.parametrize("length", [15, 16, 47, 48, 49, 50, 1000, 70_000, 300_000])
def test_words_without_end(encoder: Encoder, content: bytes, length: int) -> None:
    """Pieces beyond what is remembered, beyond what is merged by search, beyond the room there is at first."""
    word = "".join(np.random.default_rng(length).choice(list("aeionrst"), length))
    texts = ["short", word, f"{word} and then", "語" * (length // 3)]
    assert ids_of(encoder, texts) == reference_ids(content, texts)


def test_pieces_that_differ_in_zero_bytes_alone(encoder: Encoder, content: bytes) -> None:
    texts = ["!" + "\0" * count for count in range(20)]
    assert ids_of(encoder, texts) == reference_ids(content, texts)


def test_a_memory_full_of_words_forgets_and_stays_right(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bpe, "_REMEMBERED", 8)
    encoder = Encoder(content)
    for _ in range(2):
        assert ids_of(encoder, list(MANY_TONGUES)) == reference_ids(content, list(MANY_TONGUES))


def test_nulls_slices_and_no_rows(encoder: Encoder, content: bytes) -> None:
    column = pa.array(["not this", "der Fluß", None, "", "река", "nor this"], pa.string()).slice(1, 4)
    ids, offsets = encoder.encode(column)
    expected = reference_ids(content, ["der Fluß", "", "", "река"])
    assert [part.tolist() for part in np.split(ids, offsets[1:-1])] == expected
    assert encoder.encode(pa.array([], pa.large_string())).offsets.tolist() == [0]
    assert encoder.encode(pa.array([None, ""], pa.large_string())).offsets.tolist() == [0, 0, 0]


def test_special_tokens_in_a_text_are_text(encoder: Encoder) -> None:
    special = set(encoder.vocabulary.added.values())
    assert len(special) == 16
    found = ids_of(encoder, ["a<|endoftext|>b<|user|> <|pad|>"])[0]
    assert not special & set(found)


def test_check_is_silent_while_both_ways_agree(encoder: Encoder) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert encoder.checked(pa.array(MANY_TONGUES, pa.large_string())) is encoder


@pytest.mark.parametrize("size", [1, 5, 6, 7, 20, 10**6])
def test_check_looks_at_the_first_bytes_alone(encoder: Encoder, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr("tokenizer.encode.CHECKED_BYTES", size)
    seen: list[str] = []
    slow = encoder._slow
    monkeypatch.setattr(encoder, "_slow", lambda views: seen.extend(*_strings(views, 10**9)) or slow(views))
    encoder.checked(pa.array(["not", "début", None, "and a long text", ""]).slice(1))
    text = "".join(seen)
    assert "débutand a long text".startswith(text)
    assert min(size, 21) <= len(text.encode()) <= size + 1


def test_a_kernel_that_errs_is_left_with_a_warning(content: bytes) -> None:
    encoder = Encoder(content)
    wrong = encoder._merges.byte_ids.copy()
    wrong[[ord("a"), ord("e")]] = wrong[[ord("e"), ord("a")]]
    encoder._merges = encoder._merges._replace(byte_ids=wrong)
    texts = ["a sea of sand", "and trees"]
    assert ids_of(encoder, texts) != reference_ids(content, texts)
    with pytest.warns(SlowEncoding, match="differ from those of `tokenizers`"):
        mended = encoder.checked(pa.array(texts))
    assert ids_of(mended, texts) == reference_ids(content, texts)
    assert encoder.checked(pa.array(["trust"])) is encoder  # texts on which the kernel is right: the others are not held against it


def foreign() -> Iterator[tuple[str, bytes]]:
    """Tokenizers that the kernel doesn't know, and what it says of them."""
    spec = json.loads(trained())
    yield (
        "are of another kind",
        json.dumps(
            {**spec, "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": True, "use_regex": True, "trim_offsets": True}}
        ).encode(),
    )
    yield "the model sets ignore_merges", json.dumps({**spec, "model": {**spec["model"], "ignore_merges": True}}).encode()
    vocabulary = {token: number for token, number in spec["model"]["vocab"].items() if token != "é"}
    merges = [pair for pair in spec["model"]["merges"] if "é" not in pair and "".join(pair) in vocabulary]
    yield "some bytes have no token", json.dumps({**spec, "model": {**spec["model"], "vocab": vocabulary, "merges": merges}}).encode()
    tokenizer = Tokenizer.from_str(trained().decode())
    tokenizer.normalizer = normalizers.NFC()
    yield r"normalised \(NFC\)", tokenizer.to_str().encode()
    tokenizer = Tokenizer.from_str(trained().decode())
    tokenizer.add_tokens(["the"])
    yield "not special", tokenizer.to_str().encode()


@pytest.mark.parametrize(("reason", "content"), list(foreign()), ids=lambda value: value if isinstance(value, str) else "")
def test_other_tokenizers_are_left_to_the_library(reason: str, content: bytes) -> None:
    encoder = Encoder(content)
    texts = ["the cafe\u0301 <|end|> 12", "", "Straßen, été"]
    with pytest.warns(SlowEncoding, match=reason):
        assert encoder.checked(pa.array(texts)) is encoder
    assert ids_of(encoder, texts) == reference_ids(content, texts)
    assert ids_of(encoder, []) == [[]]


@pytest.mark.parametrize("slow", [True, False])
@pytest.mark.parametrize("setting", ["truncation", "padding"])
def test_documents_are_neither_cut_nor_padded(content: bytes, setting: str, slow: bool) -> None:
    """A tokenizer.json may bring along the limits of a model's input: here texts of fewer and of more tokens than they allow."""
    texts = ["a", "", "many words stand here, " * 5]
    tokenizer = Tokenizer.from_str(content.decode())
    if slow:
        tokenizer.normalizer = normalizers.NFC()
    expected = reference_ids(tokenizer.to_str().encode(), texts)
    assert len(expected[0]) < 4 < len(expected[2])
    tokenizer.enable_truncation(4) if setting == "truncation" else tokenizer.enable_padding(length=4)
    encoder = Encoder(tokenizer.to_str().encode())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore" if slow else "error", SlowEncoding)
        encoder.checked(pa.array(texts, pa.large_string()))
    assert ids_of(encoder, texts) == expected


def test_a_vocabulary_of_plain_means_is_known_too() -> None:
    made = ByteLevelBPETokenizer()
    made.train_from_iterator(MANY_TONGUES, vocab_size=400, show_progress=False)
    assert obstacle(Vocabulary.parse(made.to_str().encode())) is None


def test_marks_stand_around_each_document() -> None:
    encoded = Encoded(np.array([7, 8, 9], np.uint32), np.array([0, 2, 2, 3]))
    ids, offsets = framed(encoded, bos=1, eos=2)
    assert (ids.tolist(), offsets.tolist()) == ([1, 7, 8, 2, 1, 2, 1, 9, 2], [0, 4, 6, 9])
    ids, offsets = framed(encoded, bos=None, eos=2)
    assert (ids.tolist(), offsets.tolist()) == ([7, 8, 2, 2, 9, 2], [0, 3, 4, 6])
    assert framed(encoded, bos=None, eos=None) is encoded
    assert framed(encoded, bos=1, eos=None).ids.tolist() == [1, 7, 8, 1, 1, 9]
    assert ids.dtype == np.uint32
