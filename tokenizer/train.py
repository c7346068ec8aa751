"""Training of a byte-level BPE: texts to the bytes of a tokenizer.json.

The `tokenizers` library does the work. Its result depends on how often each piece occurs and on nothing else: not on the
order of the texts nor on the number of threads (a test holds it to that). It counts pairs in 32 bits, which a sample
of less than 2^31 bytes can't overflow; a larger one is refused, for the vocabulary would be silently bad.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from pipeline.errors import StorageError
from tokenizer.special import Specials

Split = Literal["gpt4", "gpt2"]

#: What a text is split by before it is merged; `gpt4` with at most this many digits in a piece.
GPT4 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,%d}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
MAX_DIGITS = 3
MAX_BYTES = (1 << 31) - 1


def gpt4_pattern(digits: int) -> str:
    """GPT-4's and Llama 3's regular expression with up to `digits` digits in a piece, spelled as the field does: \\p{N} for one."""
    return GPT4 % digits if digits > 1 else GPT4.replace("{1,%d}", "")


def train(
    texts: Iterable[str],
    *,
    vocab_size: int,
    split: Split = "gpt4",
    digits: int = 2,
    specials: Specials | None = None,
    min_frequency: int = 2,
) -> bytes:
    """Train on `texts`; returns the content of a tokenizer.json.

    `vocab_size` counts special tokens and the 256 bytes; fewer come out when the texts hold no more pairs that occur
    `min_frequency` times. Raises StorageError for a sample beyond 32-bit counts, or a vocabulary too small for the bytes.
    """
    tokens = (specials or Specials()).tokens()
    if vocab_size < 256 + len(tokens):
        raise StorageError(f"vocab_size {vocab_size} has no room for 256 bytes and {len(tokens)} special tokens")
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = _pre_tokenizer(split, digits)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=min_frequency,
        special_tokens=tokens,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    made.train_from_iterator(_bounded(texts), trainer)
    return (str(made.to_str(pretty=True)) + "\n").encode()


def _pre_tokenizer(split: Split, digits: int) -> pre_tokenizers.PreTokenizer:
    if split == "gpt2":
        return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    pieces = pre_tokenizers.Split(Regex(gpt4_pattern(digits)), behavior="isolated")
    return pre_tokenizers.Sequence([pieces, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def _bounded(texts: Iterable[str]) -> Iterator[str]:
    total = 0
    for text in texts:
        total += len(text.encode())
        if total > MAX_BYTES:
            raise StorageError(f"a sample of more than {MAX_BYTES:,} bytes overflows the counts of the trainer: draw a smaller one")
        yield text
