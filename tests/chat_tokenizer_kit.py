"""A tokenizer of bytes and one merge, with the special tokens of chats, made by the `tokenizers` library."""

from __future__ import annotations

import json
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

SPECIALS = [
    *("<|endoftext|>", "<|system|>", "<|user|>", "<|assistant|>", "<|tool|>", "<|end|>", "<|im_start|>", "<|im_end|>"),
    *("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
]


def write_tokenizer(folder: Path, template: str | None) -> Tokenizer:
    """Bytes, a merge, and special tokens."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    coder = Tokenizer(models.BPE({**{c: n for n, c in enumerate(alphabet)}, "th": 256}, [("t", "h")]))
    coder.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    coder.decoder = decoders.ByteLevel()
    coder.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in SPECIALS])
    folder.mkdir(parents=True, exist_ok=True)
    coder.save(str(folder / "tokenizer.json"))
    told = {"eos_token": {"content": "<|endoftext|>"}, "bos_token": "<|endoftext|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(told | ({"chat_template": template} if template else {})), "utf-8")
    return coder
