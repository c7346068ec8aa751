"""Token ids to text, from a tokenizer.json alone: all that a text sample needs of a byte-level BPE.

The vocabulary spells bytes as printable characters (Radford et al. 2019): the printable ones of Latin-1 as themselves, the
other 68 as the characters from U+0100 on, in order. Decoding is looking up, joining and spelling back.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from trainer.errors import DataError

NAME = "tokenizer.json"


class TextDecoder:
    """The texts of a byte-level tokenizer's ids. Those in `special` show as their names, and spell nothing of a document."""

    def __init__(self, pieces: Mapping[int, bytes], sha256: str = "", special: Collection[int] = ()) -> None:
        self.pieces = pieces
        self.sha256 = sha256
        self.special = frozenset(special)

    @classmethod
    def read(cls, path: str | Path) -> TextDecoder:
        """Read a tokenizer.json; DataError when it isn't one, or not of byte-level tokens."""
        try:
            content = Path(path).read_bytes()
            data = json.loads(content)
            spelled = {token: int(number) for token, number in data["model"]["vocab"].items()}
            added = {int(token["id"]): token["content"].encode() for token in data["added_tokens"]}
            special = [int(token["id"]) for token in data["added_tokens"] if token.get("special")]
            byte_of = _byte_of_character()
            pieces = {number: bytes(byte_of[c] for c in token) for token, number in spelled.items() if number not in added}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f"{path} can't be read as the tokenizer.json of a byte-level tokenizer: {error!r}") from error
        return cls({**pieces, **added}, hashlib.sha256(content).hexdigest(), special)

    def __call__(self, ids: Iterable[int]) -> str:
        """The text; bytes that are not UTF-8 (a character cut at the end) show as U+FFFD, unknown ids as nothing."""
        return b"".join(self.pieces.get(number, b"") for number in ids).decode("utf-8", errors="replace")

    def spelled(self, number: int) -> int:
        """How many bytes of a document's text a token spells: none, if it is special."""
        return 0 if number in self.special else len(self.pieces.get(number, b""))


def find_decoder(given: str | None, dataset: Path, sha256: str) -> TextDecoder | None:
    """The decoder of the tokenizer with this hash: the file given, or the first that fits in the folders around the dataset.

    Raises DataError when the file given is another tokenizer, or what is found can't be decoded; None when nothing is found.
    """
    if given is not None:
        decoder = TextDecoder.read(given)
        if decoder.sha256 != sha256:
            raise DataError(f"{given} is not the tokenizer of {dataset}: its SHA-256 is {decoder.sha256[:12]}..., not {sha256[:12]}...")
        return decoder
    folder = dataset.resolve()
    around = [folder / NAME, folder.parent / NAME, *sorted(folder.parent.parent.glob(f"*/{NAME}"))]
    fitting = (path for path in around if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256)
    path = next(fitting, None)
    return TextDecoder.read(path) if path else None


def _byte_of_character() -> dict[str, int]:
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(0x100 + place): byte for place, byte in enumerate(others)}
