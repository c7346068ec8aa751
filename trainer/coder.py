"""Text to token ids and back, through the `tokenizers` library: evaluation needs the encoder that decode.py does without."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trainer.errors import DataError, TrainerError
from trainer.settings import Settings

if TYPE_CHECKING:
    from tokenizers import Tokenizer


class Coder:
    """A tokenizer.json. `first` stands before a text that nothing precedes (BOS, or EOS where there is no BOS); `end` ends a text."""

    def __init__(self, path: str | Path) -> None:
        """Raises TrainerError where `tokenizers` is not installed, DataError when the file is no tokenizer."""
        self._tokenizer, self.sha256 = read_tokenizer(Path(path))
        self._tokenizer.encode_special_tokens = True  # in a text, their names are text
        names = Settings.read(Path(path).parent, Path(path).parent).variables
        known = {name: self._tokenizer.token_to_id(token) for name, token in names.items()}
        self.end: int | None = known.get("eos_token")
        first = known.get("bos_token")
        self.first: int = next((number for number in (first, self.end) if number is not None), 0)

    @property
    def vocab_size(self) -> int:
        return int(self._tokenizer.get_vocab_size(with_added_tokens=True))

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of each text."""
        return [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]

    def text(self, ids: Sequence[int]) -> str:
        """The text of ids, special tokens left out."""
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=True))


def read_tokenizer(path: Path) -> tuple[Tokenizer, str]:
    """The tokenizer of a tokenizer.json, and the file's SHA-256; errors as of Coder."""
    if importlib.util.find_spec("tokenizers") is None:
        raise TrainerError("tokenizers is not installed: pip install tokenizers")
    from tokenizers import Tokenizer  # here alone: to train, and to show samples, decode.py is enough

    try:
        content = path.read_bytes()
        return Tokenizer.from_buffer(content), hashlib.sha256(content).hexdigest()
    except (OSError, ValueError) as error:
        raise DataError(f"{path} can't be read as a tokenizer.json: {error}") from error
