"""Training: the same bytes whatever the order and the threads, special tokens where they belong, files that others can load."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from bpe_kit import MANY_TONGUES, ids_of, trained
from kit import program, prose
from tokenizers import AddedToken, Tokenizer

from pipeline.errors import StorageError
from tokenizer.encode import Encoder
from tokenizer.sandbox import Refused
from tokenizer.special import CONFIG, Specials, config, special_id
from tokenizer.templates import ChatTemplate
from tokenizer.train import train
from tokenizer.vocabulary import Vocabulary, fingerprint

TRAIN = """
import random, sys
from kit import program, prose
from tokenizer.train import train
texts = [prose(f"book {n}", 20) for n in range(8)] + [program(f"program {n}") for n in range(8)]
random.Random(sys.argv[1]).shuffle(texts)
sys.stdout.buffer.write(train(texts, vocab_size=1500))
"""


def train_in_a_process(order: str, **environment: str) -> bytes:
    path = os.pathsep.join([str(Path(__file__).parents[1]), str(Path(__file__).parents[2])])
    done = subprocess.run(
        [sys.executable, "-c", TRAIN, order], env={**os.environ, "PYTHONPATH": path, **environment}, capture_output=True, check=True
    )
    return done.stdout


def test_order_threads_and_hash_seeds_leave_no_trace() -> None:
    one = train_in_a_process("first", RAYON_NUM_THREADS="1", PYTHONHASHSEED="1")
    assert Vocabulary.parse(one).size == 1500
    assert one == train_in_a_process("second", RAYON_NUM_THREADS="3", PYTHONHASHSEED="2")
    assert one == train_in_a_process("third", TOKENIZERS_PARALLELISM="false")


def test_one_text_more_leaves_a_trace() -> None:
    assert train([*MANY_TONGUES], vocab_size=300) != train([*MANY_TONGUES, "zzzz zzzz zzzz"], vocab_size=300)


def test_special_tokens_come_first_and_a_larger_vocabulary_begins_with_a_smaller_one() -> None:
    texts = [prose("a book", 20)]
    small, large = (Vocabulary.parse(train(texts, vocab_size=size)) for size in (400, 500))
    assert (small.size, large.size) == (400, 500)
    assert list(small.added) == Specials().tokens()
    assert list(small.added.values()) == list(range(16))
    assert {token: number for token, number in large.ids.items() if number < 400} == small.ids


@pytest.mark.parametrize(("digits", "expected"), [(1, [1] * 7), (2, [2, 2, 2, 1]), (3, [3, 3, 1])])
def test_digits_in_a_piece(digits: int, expected: list[int]) -> None:
    content = train(["1234567 " * 100, "2024 1999 555"], vocab_size=300, digits=digits)
    tokenizer = Tokenizer.from_str(content.decode())
    assert [last - first for _, (first, last) in tokenizer.pre_tokenizer.pre_tokenize_str("1234567")] == expected


def test_every_byte_has_a_token_and_every_text_comes_back() -> None:
    content = train(["only plain words here"], vocab_size=280)
    vocabulary = Vocabulary.parse(content)
    assert sorted(vocabulary.token_bytes[number] for number in vocabulary.byte_ids()) == [bytes([byte]) for byte in range(256)]
    for text, ids in zip(MANY_TONGUES, ids_of(Encoder(content), list(MANY_TONGUES)), strict=True):
        assert b"".join(vocabulary.token_bytes[number] for number in ids).decode() == text
        assert Tokenizer.from_str(content.decode()).decode(ids) == text


def test_no_merge_for_what_is_seen_once() -> None:
    assert Vocabulary.parse(train(["abcdefgh"], vocab_size=300)).size == 272
    assert Vocabulary.parse(train(["abcdefgh"], vocab_size=300, min_frequency=1)).size > 272


def test_a_vocabulary_without_room_for_bytes_is_refused() -> None:
    with pytest.raises(StorageError, match="vocab_size 260 has no room for 256 bytes and 16 special tokens"):
        train(["text"], vocab_size=260)


@pytest.mark.parametrize("specials", [Specials(pad="<|end|>"), Specials(roles=["user", "user"]), Specials(bos="")])
def test_special_tokens_that_clash_are_refused(specials: Specials) -> None:
    with pytest.raises(StorageError, match="special tokens must differ"):
        specials.tokens()


def test_fingerprint_is_the_hash_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes(trained())
    assert fingerprint(str(tmp_path / "tokenizer.json")) == hashlib.sha256(trained()).hexdigest()


def test_config_has_what_transformers_reads() -> None:
    vocabulary = Vocabulary.parse(trained())
    settings = json.loads(config(Specials(), vocabulary))
    assert settings["tokenizer_class"] == "PreTrainedTokenizerFast"
    assert (settings["eos_token"], settings["bos_token"], settings["pad_token"]) == ("<|endoftext|>", "<|begin|>", "<|pad|>")
    assert settings["clean_up_tokenization_spaces"] is False
    added = {int(number): AddedToken(**token) for number, token in settings["added_tokens_decoder"].items()}
    assert {str(token.content): number for number, token in added.items()} == vocabulary.added
    assert all(token.special for token in added.values())


@pytest.mark.parametrize(
    ("chat", "due"),
    [
        ("roles", "<|system|>Be brief.<|end|><|user|> {{ Hi }} <|end|><|assistant|>"),
        ("chatml", "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n {{ Hi }} <|im_end|>\n<|im_start|>assistant\n"),
    ],
)
def test_chat_template_writes_a_chat(chat: str, due: str) -> None:
    specials = Specials(chat=chat)
    vocabulary = Vocabulary.parse(train(MANY_TONGUES, vocab_size=400, specials=specials))
    template = ChatTemplate(json.loads(config(specials, vocabulary))["chat_template"], chat, list(vocabulary.added), {})
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": " {{ Hi }} "}]
    assert template.render(messages, add_generation_prompt=True) == due
    assert {token for token in specials.speaking() if token in due} <= vocabulary.added.keys()
    with pytest.raises(Refused, match="unknown role robot"):
        template.render([{"role": "robot", "content": ""}])


def test_a_template_needs_its_tokens() -> None:
    """A tokenizer of someone else's gets no template for tokens that it doesn't have."""
    settings = json.loads(config(Specials(roles=("human",), eos="<|endoftext|>"), Vocabulary.parse(trained())))
    assert "chat_template" not in settings
    assert settings["eos_token"] == "<|endoftext|>"


@pytest.mark.parametrize("token", ["<|endoftext|>", {"content": "<|endoftext|>", "special": True}])
def test_special_id_as_transformers_writes_it(token: object) -> None:
    vocabulary = Vocabulary.parse(trained())
    assert special_id(json.dumps({"eos_token": token}).encode(), vocabulary, "eos_token") == 0
    assert special_id(b'{"bos_token": null}', vocabulary, "bos_token") is None
    with pytest.raises(StorageError, match=f"{CONFIG} names '</s>' as eos_token"):
        special_id(b'{"eos_token": "</s>"}', vocabulary, "eos_token")


@pytest.mark.parametrize("content", [b"not JSON", b"[]", b"{}", b'{"model": {"type": "Unigram", "vocab": []}}'])
def test_what_is_no_bpe_is_refused(content: bytes) -> None:
    with pytest.raises(StorageError, match=r"mine\.json"):
        Vocabulary.parse(content, "mine.json")


def test_words_of_the_texts_become_tokens() -> None:
    words = Vocabulary.parse(train([program("p"), prose("b", 30)], vocab_size=900)).token_bytes
    assert {b" the", b" return", b"def"} <= set(words)
