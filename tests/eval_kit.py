"""A byte-level tokenizer of a few merges, and a tiny model with its run's files, for tests of evaluations."""

from __future__ import annotations

import json
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

TEXT = [
    "Question: How many apples are in the basket? Answer: there are 12 apples.", "A. red B. blue C. green D. yellow",
    "Q: What do ducks eat? A: Ducks eat many things.", "def add(a, b):\n    return a + b\n",
]  # fmt: skip


def write_tokenizer(folder: Path, vocab_size: int = 400) -> Path:
    """tokenizer.json and tokenizer_config.json in a folder; the path of the first."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size, special_tokens=[AddedToken("<|end|>", special=True)], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(TEXT * 4, trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|end|>"}), "utf-8")
    return folder / "tokenizer.json"
