"""What a text is split into before anything is merged: the patterns, and what the scanner of pieces needs to know of them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

import numpy as np
from tokenizers import Regex, pre_tokenizers

from pipeline.kernels.arrow import Bytes
from pipeline.kernels.pieces import CLASSES_END, LETTER, NEWLINE, NUMBER, SPACE

Split = Literal["gpt4", "gpt2"]

#: GPT-4's and Llama 3's regular expression, with at most this many digits in a piece.
GPT4 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,%d}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
MAX_DIGITS = 3


def gpt4_pattern(digits: int) -> str:
    """GPT-4's and Llama 3's regular expression with up to `digits` digits in a piece, spelled as the field does: \\p{N} for one."""
    return GPT4 % digits if digits > 1 else GPT4.replace("{1,%d}", "")


def pre_tokenizer(split: Split, digits: int) -> pre_tokenizers.PreTokenizer:
    """The library's way of splitting, as a tokenizer.json names it."""
    if split == "gpt2":
        return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    pieces = pre_tokenizers.Split(Regex(gpt4_pattern(digits)), behavior="isolated")
    return pre_tokenizers.Sequence([pieces, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def scanned(split: Split, digits: int) -> int:
    """What `next_piece` is to be called with: 0 for GPT-2's split, the digits for GPT-4's."""
    return 0 if split == "gpt2" else digits


def scanned_as(spec: dict[str, Any]) -> int | None:
    """The same for the pre-tokenizer of a tokenizer.json, None for one that is neither."""
    known = {gpt4_pattern(digits): digits for digits in range(1, MAX_DIGITS + 1)}
    match spec:
        case {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}:
            return 0
        case {
            "type": "Sequence",
            "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": str(pattern)}, "behavior": "Isolated", "invert": False},
                {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False},
            ],
        }:
            return known.get(pattern)
    return None


@lru_cache(maxsize=1)
def character_classes() -> Bytes:
    r"""uint8[CLASSES_END]: what the regular expressions of `tokenizers` take each code point for (\p{L}, \p{N}, \s).

    Asked of that library itself: its Unicode tables are of another version than Python's.
    """
    table = np.zeros(CLASSES_END, np.uint8)
    step = 1 << 11
    for start in range(0, CLASSES_END, step):
        if 0xD800 <= start < 0xE000:  # surrogates are no characters
            continue
        chars = "".join(map(chr, range(start, start + step)))
        for pattern, kind in ((r"\p{L}", LETTER), (r"\p{N}", NUMBER), (r"\s", SPACE)):
            found = np.full(step, kind, np.uint8)
            for _, (first, last) in pre_tokenizers.Split(Regex(pattern), behavior="removed").pre_tokenize_str(chars):
                found[first:last] = 0
            table[start : start + step] |= found
    table[[10, 13]] = NEWLINE
    table.flags.writeable = False
    return table
