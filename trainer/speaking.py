"""A model with its tokenizer: texts continued as they are made, and nothing shown that may still change."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from trainer.coder import read_tokenizer
from trainer.generate import Sampling, stream_rows
from trainer.model import Decoder
from trainer.runs import ready, tokenizer_for
from trainer.settings import Settings

if TYPE_CHECKING:
    from tokenizers import Tokenizer

#: What bytes that are no UTF-8, or not yet, are shown as.
UNKNOWN = "\ufffd"


class TextStream:
    """The text of one row, piece by piece: whole characters only, and nothing of a stop sequence or after it."""

    def __init__(self, decode: Callable[[list[int]], str], stops: Sequence[str] = ()) -> None:
        self.ended = False
        self._decode, self._stops = decode, stops
        self._ids: list[int] = []
        self._shown = 0

    def add(self, number: int) -> str:
        """What can be shown now that this id is made."""
        self._ids.append(number)
        text = self._decode(self._ids).rstrip(UNKNOWN)  # a character's bytes may lie in several tokens
        found = [place for stop in self._stops if (place := text.find(stop)) >= 0]
        self.ended = bool(found)
        return self._show(text[: min(found)] if found else text[: len(text) - self._begun(text)])

    def close(self) -> str:
        """What was held back because a stop sequence might have begun with it."""
        return "" if self.ended else self._show(self._decode(self._ids).rstrip(UNKNOWN))

    def _begun(self, text: str) -> int:
        """Length of the longest end of the text that a stop sequence begins with."""
        lengths = (size for stop in self._stops for size in range(len(stop) - 1, 0, -1) if text.endswith(stop[:size]))
        return max(lengths, default=0)

    def _show(self, text: str) -> str:
        new, self._shown = text[self._shown :], max(self._shown, len(text))
        return new


@dataclass(frozen=True)
class Speaker:
    """A model, its tokenizer, and what tokenizer_config.json says of that; an id of `ends` ends a text and isn't shown."""

    model: Decoder
    coder: Tokenizer
    settings: Settings
    ends: frozenset[int] = field(default=frozenset())

    def continued(
        self, prompts: Sequence[Sequence[int]], tokens: int, how: Sampling, stops: Sequence[str] = (), ends: Collection[int] = ()
    ) -> Iterator[list[str]]:
        """What each prompt is continued with, as it is made: a list of pieces (most of them short, some empty), one per prompt."""
        texts = [TextStream(lambda ids: self.coder.decode(ids, skip_special_tokens=False), stops) for _ in prompts]
        ends = self.ends | set(ends)
        with closing(stream_rows(self.model, prompts, tokens, how, ends)) as steps:
            for ids in steps:
                yield [
                    "" if number is None or number in ends or text.ended else text.add(number)
                    for number, text in zip(ids, texts, strict=True)
                ]
                if all(text.ended for text in texts):
                    break
        yield [text.close() for text in texts]

    def encode(self, text: str) -> list[int]:
        """The ids of a prompt, as the tokenizer has them: with special tokens where the text spells one."""
        return list(self.coder.encode(text).ids)


def read(folder: str, adapter: str | None, tokenizer: str | None, device: str = "auto") -> Speaker:
    """The model of a run, or of a folder in the Hugging Face format, with an adapter added in. DataError on what doesn't fit."""
    path = tokenizer_for(folder, tokenizer)
    coder, _ = read_tokenizer(path)
    settings = Settings.read(path.parent, Path(folder))
    model = ready(folder, adapter, device)
    ids = {coder.token_to_id(settings.eos)} if settings.eos else set()
    return Speaker(model, coder, settings, frozenset(settings.eos_ids) | {number for number in ids if number is not None})
