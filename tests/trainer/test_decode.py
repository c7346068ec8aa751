"""Decoding from tokenizer.json alone, against the tokenizers library."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st

from trainer.decode import TextDecoder, find_decoder
from trainer.errors import DataError


@pytest.fixture(scope="module")
def tokenizer() -> tokenizers.Tokenizer:
    made = tokenizers.Tokenizer(tokenizers.models.BPE())
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = tokenizers.decoders.ByteLevel()
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    learner = tokenizers.trainers.BpeTrainer(vocab_size=300, special_tokens=["<|end|>"], initial_alphabet=alphabet, show_progress=False)
    made.train_from_iterator(["the mill grinds the grain, and the grain is ground"] * 3, learner)
    return made


@pytest.fixture(scope="module")
def file(tokenizer: tokenizers.Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run") / "03-tokenizer-abc" / "tokenizer.json"
    path.parent.mkdir()
    tokenizer.save(str(path))
    return path


@given(text=st.text(max_size=60))
def test_any_text_comes_back(tokenizer: tokenizers.Tokenizer, file: Path, text: str) -> None:
    assert TextDecoder.read(file)(tokenizer.encode(text).ids) == text


@given(ids=st.lists(st.integers(1, 299), max_size=30))
def test_any_ids_read_as_the_library_reads_them(tokenizer: tokenizers.Tokenizer, file: Path, ids: list[int]) -> None:
    assert TextDecoder.read(file)(ids) == tokenizer.decode(ids)


def test_special_and_unknown_ids(tokenizer: tokenizers.Tokenizer, file: Path) -> None:
    mill = tokenizer.encode("mill").ids
    assert TextDecoder.read(file)([*mill, tokenizer.token_to_id("<|end|>"), 9999]) == "mill<|end|>"


@pytest.mark.parametrize("content", ["", "[]", "{}", json.dumps({"model": {"vocab": {"▁the": 0}}, "added_tokens": []})])
def test_other_files_are_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(content, "utf-8")
    with pytest.raises(DataError, match="byte-level"):
        TextDecoder.read(path)


def test_the_tokenizer_is_found_by_its_hash(file: Path) -> None:
    dataset = file.parents[1] / "07-pack-def" / "train"
    dataset.mkdir(parents=True)
    right, wrong = hashlib.sha256(file.read_bytes()).hexdigest(), "0" * 64
    assert find_decoder(None, dataset, right)
    assert find_decoder(None, dataset, wrong) is None
    assert find_decoder(str(file), dataset, right)
    with pytest.raises(DataError, match="is not the tokenizer of"):
        find_decoder(str(file), dataset, wrong)


def test_the_command_goes_on_with_a_prompt(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch = pytest.importorskip("torch", reason="the trainer needs torch: pip install -r requirements/train.txt")
    pytest.importorskip("safetensors", reason="the trainer needs safetensors: pip install -r requirements/train.txt")
    from trainer import hf
    from trainer.__main__ import main
    from trainer.config import ModelConfig
    from trainer.model import Decoder

    shape = ModelConfig(vocab_size=300, context=32, layers=1, width=16, heads=2, kv_heads=1, ffn=16)
    hf.save(Decoder(shape).state_dict(), shape, tmp_path / "model", torch.float32, file.parent)
    told = ["generate", str(tmp_path / "model"), "--prompt", "the mill", "--tokens", "12", "--temperature", "1"]
    assert main(told) == 0
    first = capsys.readouterr().out
    assert first.startswith("the mill")
    assert len(first) > len("the mill\n")
    assert main(told) == 0
    assert capsys.readouterr().out == first
    (tmp_path / "model" / "tokenizer.json").unlink()
    assert main(told) == 1
    assert "pass --tokenizer" in capsys.readouterr().err
    assert main(["generate", str(tmp_path), "--prompt", "x"]) == 1
