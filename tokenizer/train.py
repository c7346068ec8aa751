"""Training of a byte-level BPE: counted pieces to the bytes of a tokenizer.json.

The merges are those that the `tokenizers` library makes of the same texts (tests hold us to that), but the library wants the texts in
memory and counts pairs in 32 bits. Here only the different pieces are held, with counts of 64 bits. Training takes up to
500 bytes of memory for each of them; the result depends on how often each occurs and on nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from tokenizers import Tokenizer, decoders, models

from pipeline.errors import StorageError
from pipeline.kernels.learning import Merges, Words, learn
from pipeline.kernels.strings import Strings, gathered, listed
from tokenizer.counts import Counted, count
from tokenizer.special import Specials
from tokenizer.splits import Split, pre_tokenizer
from tokenizer.vocabulary import BYTE_OF


def train(
    texts: Iterable[str],
    *,
    vocab_size: int,
    split: Split = "gpt4",
    digits: int = 2,
    specials: Specials | None = None,
    min_frequency: int = 2,
) -> bytes:
    """Train on `texts`; returns the content of a tokenizer.json. See `train_on_counts`."""
    counted = count(texts, split, digits)
    return train_on_counts(counted, vocab_size=vocab_size, split=split, digits=digits, specials=specials, min_frequency=min_frequency)


def train_on_counts(
    counted: Counted,
    *,
    vocab_size: int,
    split: Split = "gpt4",
    digits: int = 2,
    specials: Specials | None = None,
    min_frequency: int = 2,
) -> bytes:
    """Train on pieces that were counted behind `split`; returns the content of a tokenizer.json.

    `vocab_size` counts special tokens and the 256 bytes; fewer come out when the texts hold no more pairs that occur
    `min_frequency` times. Raises StorageError when it is too small for the bytes.
    """
    special = tokens_within(vocab_size, specials or Specials())
    tokens = gathered([token.encode() for token in (*special, *sorted(BYTE_OF))])
    tokens, merges = learn(_words(counted, tokens), tokens, vocab_size, min_frequency)
    made = Tokenizer(_model(tokens, merges))
    made.pre_tokenizer = pre_tokenizer(split, digits)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens(special)
    return (str(made.to_str(pretty=True)) + "\n").encode()


def tokens_within(vocab_size: int, specials: Specials) -> list[str]:
    """The special tokens; StorageError when two are the same, or `vocab_size` has no room for them beside the bytes."""
    special = specials.tokens()
    if vocab_size < 256 + len(special):
        least = 256 + len(special)
        raise StorageError(f"vocab_size {vocab_size} has no room for 256 bytes and {len(special)} special tokens: set {least} or more")
    return special


def _words(counted: Counted, tokens: Strings) -> Words:
    """The pieces as ids of their bytes."""
    numbers = {token: number for number, token in enumerate(listed(tokens))}
    spelled = {byte: char for char, byte in BYTE_OF.items()}
    byte_ids = np.array([numbers[spelled[byte].encode()] for byte in range(256)], np.int32)
    lengths = np.diff(counted.bounds).astype(np.int32)
    return Words(byte_ids[counted.data], counted.bounds[:-1], lengths, counted.counts)


def _model(tokens: Strings, merges: Merges) -> models.BPE:
    names = [token.decode() for token in listed(tokens)]
    pairs = [(names[left], names[right]) for left, right in merges.tolist()]
    return models.BPE({name: number for number, name in enumerate(names)}, pairs)
