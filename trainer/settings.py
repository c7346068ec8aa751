"""What stands beside a tokenizer.json and a model: tokenizer_config.json (or chat_template.jinja) and generation_config.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trainer.errors import DataError

CONFIG, TEMPLATE, GENERATION = "tokenizer_config.json", "chat_template.jinja", "generation_config.json"


@dataclass(frozen=True)
class Settings:
    """The chat template (None: there is none), the special tokens that have a use, and the ids that end what a model says."""

    template: str | None = None
    eos: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    eos_ids: tuple[int, ...] = ()

    @classmethod
    def read(cls, tokenizer: Path, model: Path) -> Settings:
        """Those of a tokenizer's folder and a model's; files that aren't there say nothing, DataError on one that can't be read."""
        told, generation = _json(tokenizer / CONFIG), _json(model / GENERATION)
        path = tokenizer / TEMPLATE
        template = path.read_text("utf-8") if path.is_file() else told.get("chat_template")
        if isinstance(template, list):  # several, by name: the default one is for conversations
            template = next((entry.get("template") for entry in template if entry.get("name") == "default"), None)
        named = {key: _text(value) for key, value in told.items() if key.endswith("_token")}
        ids = generation.get("eos_token_id")
        return cls(
            template, named.get("eos_token"), {key: text for key, text in named.items() if text is not None},
            tuple(ids if isinstance(ids, list) else [] if ids is None else [ids]),
        )  # fmt: skip


def _text(token: Any) -> str | None:
    """`transformers` writes a token as text or as an object with `content`."""
    found = token.get("content") if isinstance(token, dict) else token
    return found if isinstance(found, str) else None


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        return dict(json.loads(path.read_text("utf-8")))
    except (ValueError, TypeError) as error:
        raise DataError(f"{path} can't be read: {error}") from error
