"""A small tokenizer, trained once, and texts that are hard on those who split them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st
from kit import program, prose
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from tokenizer.encode import Encoder
from tokenizer.special import Specials
from tokenizer.splits import pre_tokenizer
from tokenizer.train import train

MANY_TONGUES = (
    "Der Fluß fließt schnell durch die Straßen der alten Stadt, und niemand weiß, woher er kommt.",
    "Le garçon n'a pas aimé l'été; l'hiver, c'était déjà mieux, d'après ce qu'il m'a dit.",
    "Быстрая река течёт мимо старого дома, где живёт слепой кузнец.",
    "速い川が古い町を流れている。誰もその源を知らない。",
    "नदी पुराने शहर से होकर बहती है और कोई नहीं जानता।",
    "نهر سريع يجري عبر المدينة القديمة ولا أحد يعرف من أين يأتي.",
    "빠른 강이 오래된 도시를 지나 흐른다. ๑๒๓ ๔๕๖ ½ ² Ⅷ 1234567 0x1F 3.14159",
    "I'll say it's WE'RE and they'Ve, don'T you'd: 'tis 'twas O'Clock's\r\n\r\n\tend\n \n  x",
)

#: Characters at which splits change their mind: white space of all kinds, apostrophes, marks, digits of scripts, signs.
EDGES = (
    " \t\n\r\x0b\x0c\x1c\x85\u00a0\u1680\u2028\u2029\u3000\u200b\ufeff\x00'’sStTlLvVeErRmMdD\u017f\u0301\u0308\u0345ßéжяक्षि語か한ǅªºʰ"
    '1²½٣๓Ⅷ〇𝟙𐒠!?.,-_<|>/\\"()[]{}#$€©😀👩\u200d🚀\ue000\U000e0041\U0010ffff'
)
TEXTS = st.lists(
    st.one_of(st.sampled_from(EDGES), st.characters(codec="utf-8"), st.sampled_from(["<|endoftext|>", "<|user|>", "'ll", "  ", "the"])),
    max_size=60,
).map("".join)


@lru_cache
def trained(**settings: object) -> bytes:
    """The tokenizer.json of a vocabulary of 900, trained in a moment."""
    texts = [*(prose(f"book {n}", 20) for n in range(6)), *(program(f"program {n}") for n in range(3)), *MANY_TONGUES * 3]
    return train(texts, **{"vocab_size": 900, **settings})  # type: ignore[arg-type]


def reference_ids(content: bytes, texts: list[str]) -> list[list[int]]:
    """The ids that the `tokenizers` library gives, special tokens in a text taken for ordinary text."""
    tokenizer = Tokenizer.from_str(content.decode())
    tokenizer.encode_special_tokens = True
    return [encoding.ids for encoding in tokenizer.encode_batch(texts, add_special_tokens=False)]


def ids_of(encoder: Encoder, texts: list[str | None]) -> list[list[int]]:
    ids, offsets = encoder.encode(pa.array(texts, pa.large_string()))
    assert ids.dtype == np.uint32
    return [part.tolist() for part in np.split(ids, offsets[1:-1])]


def library_trained(
    texts: Iterable[str], *, vocab_size: int, digits: int = 2, specials: Specials | None = None, min_frequency: int = 2
) -> bytes:
    """What the trainer of the `tokenizers` library makes of texts behind GPT-4's split, or behind GPT-2's with 0 digits."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizer("gpt4" if digits else "gpt2", digits)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=min_frequency,
        special_tokens=(specials or Specials()).tokens(),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    made.train_from_iterator(texts, trainer)
    return (made.to_str(pretty=True) + "\n").encode()
