"""What a tokenizer.json holds, as the rest of the package needs it: tokens as bytes, merges as ids, and a fingerprint.

A byte-level vocabulary spells bytes as printable characters (Radford et al. 2019): the printable ones of Latin-1 stand for
themselves, the other 68 are the characters from U+0100 on, in order.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import StorageError
from pipeline.storage import sha256_of

#: The file every library of the field reads.
FILE = "tokenizer.json"

_PRINTABLE = (*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100))
_OTHERS = (byte for byte in range(256) if byte not in _PRINTABLE)
#: The byte that each character of a spelled token stands for.
BYTE_OF = {chr(byte): byte for byte in _PRINTABLE} | {chr(0x100 + place): byte for place, byte in enumerate(_OTHERS)}

Ids = npt.NDArray[np.uint32]


def fingerprint(path: str) -> str:
    """What names a tokenizer wherever it lies: the SHA-256 of its tokenizer.json (a path or URL), as `sha256sum` gives it."""
    return sha256_of(path)


@dataclass(frozen=True)
class Vocabulary:
    """A parsed tokenizer.json with a BPE model."""

    spec: Mapping[str, Any]

    @classmethod
    def parse(cls, content: bytes, name: str = FILE) -> Vocabulary:
        """Raises StorageError when `content` is not a tokenizer with a BPE model."""
        try:
            spec = json.loads(content)
            kind = spec["model"].get("type", "BPE")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise StorageError(f"{name} can't be read as a tokenizer.json ({error!r}): give one that `tokenizers` has saved") from error
        if kind != "BPE":
            raise StorageError(f"{name} holds a {kind} model: only BPE is known")
        return cls(spec)

    @property
    def ids(self) -> Mapping[str, int]:
        """The id of every token of the model, by its spelling."""
        return self.spec["model"]["vocab"]  # type: ignore[no-any-return]

    @cached_property
    def added(self) -> Mapping[str, int]:
        """The ids of added tokens (special ones, and others matched before the model sees a text), by their text."""
        return {token["content"]: int(token["id"]) for token in self.spec.get("added_tokens") or ()}

    @cached_property
    def size(self) -> int:
        """One more than the largest id."""
        return max((*self.ids.values(), *self.added.values()), default=-1) + 1

    def merges(self) -> tuple[Ids, Ids, Ids]:
        """The ids of (left, right, merged) for each merge in order of rank."""
        pairs = list(self._pairs())
        ids = self.ids
        left, right = (np.array([ids[pair[side]] for pair in pairs], np.uint32) for side in (0, 1))
        return left, right, np.array([ids["".join(pair)] for pair in pairs], np.uint32)

    def _pairs(self) -> Iterator[tuple[str, str]]:
        for merge in self.spec["model"]["merges"]:
            left, right = merge.split(" ") if isinstance(merge, str) else merge
            yield left, right

    def byte_ids(self) -> Ids | None:
        """uint32[256]: the id of each byte, or None when one has none."""
        spelled = {byte: self.ids.get(char) for char, byte in BYTE_OF.items()}
        return None if None in spelled.values() else np.array([spelled[byte] for byte in range(256)], np.uint32)

    @cached_property
    def token_bytes(self) -> list[bytes]:
        """What each id stands for: bytes of text, or the text of an added token; empty where no token has the id."""
        out = [b""] * self.size
        for token, number in self.ids.items():
            out[number] = bytes(BYTE_OF[char] for char in token) if all(char in BYTE_OF for char in token) else token.encode()
        for text, number in self.added.items():
            out[number] = text.encode()
        return out
