"""Text to token ids and back, through the `tokenizers` library: evaluation needs the encoder that decode.py does without."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path

from trainer.errors import DataError, TrainerError


class Coder:
    """A tokenizer.json. `first` stands before a text that nothing precedes (BOS, or EOS where there is no BOS); `end` ends a text."""

    def __init__(self, path: str | Path) -> None:
        """Raises TrainerError where `tokenizers` is not installed, DataError when the file is no tokenizer."""
        if importlib.util.find_spec("tokenizers") is None:
            raise TrainerError("tokenizers is not installed: pip install tokenizers")
        from tokenizers import Tokenizer

        try:
            content = Path(path).read_bytes()
            self._tokenizer = Tokenizer.from_buffer(content)
        except (OSError, ValueError) as error:
            raise DataError(f"{path} can't be read as a tokenizer.json: {error}") from error
        self._tokenizer.encode_special_tokens = True  # in a text, their names are text
        self.sha256 = hashlib.sha256(content).hexdigest()
        names = _special(Path(path).with_name("tokenizer_config.json"))
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


def _special(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    told = json.loads(path.read_text("utf-8"))
    found = {name: told.get(name) for name in ("bos_token", "eos_token")}
    return {name: token["content"] if isinstance(token, dict) else token for name, token in found.items() if token}
