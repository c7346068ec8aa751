"""Typed reading of a located YAML document: a value of another kind is noted as a mistake, with its line, and a default taken."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Sequence
from typing import Any

from pipeline.located import Located, Path
from pipeline.registry import did_you_mean


class Fields:
    """Values of a document by their paths, as the kinds they should be of."""

    def __init__(self, doc: Located) -> None:
        self.doc = doc

    def known(self, path: Path, keys: Sequence[str]) -> None:
        """Note every key of a mapping that is none of `keys`."""
        for key in self.mapping(path):
            if key not in keys:
                self.doc.mistake((*path, key), f"unknown key{did_you_mean(key, list(keys))}")

    def mapping(self, path: Path) -> dict[str, Any]:
        """A mapping; empty where there is none."""
        value = self.at(path)
        if value is not None and not isinstance(value, dict):
            self.doc.mistake(path, f"expected a mapping of keys (got {value!r})")
        return value if isinstance(value, dict) else {}

    def sequence(self, path: Path) -> list[Any]:
        """A list; empty where there is none."""
        value = self.at(path)
        if value is not None and not isinstance(value, list):
            self.doc.mistake(path, f"expected a list (got {value!r})")
        return value if isinstance(value, list) else []

    def number(self, path: Path, default: float, quiet: bool = False) -> float:
        """A finite number; with `quiet` another kind is no mistake."""
        value = self.at(path)
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return value
        if value is not None and not quiet:
            self.doc.mistake(path, f"expected a number (got {value!r})")
        return default

    def whole(self, path: Path, default: int, least: int = 0) -> int:
        """A whole number of at least `least`, 1e9 and 10.0 among them."""
        value = self.number(path, default)
        if not math.isfinite(value) or value != int(value) or value < least:
            self.doc.mistake(path, f"expected a whole number of at least {least} (got {value!r})")
            return default
        return int(value)

    def name(self, path: Path) -> str:
        """A text that may name a folder."""
        value = self.text(path, required=True)
        if value and not re.fullmatch(r"[A-Za-z0-9][\w.-]*", value):
            self.doc.mistake(path, f"{value!r} names a folder: letters, digits, _, - and . alone")
        return value

    def text(self, path: Path, required: bool = False) -> str:
        """A text, its indentation taken off; empty where there is none."""
        value = self.at(path)
        if value is None and required:
            self.doc.mistake(path, "the key is missing")
        elif value is not None and not isinstance(value, str):
            self.doc.mistake(path, f"expected a text (got {value!r})")
        return inspect.cleandoc(value) if isinstance(value, str) else ""

    def at(self, path: Path) -> Any:
        """Whatever stands at a path, None where nothing does."""
        value = self.doc.value
        for key in path:
            if isinstance(value, list):
                value = value[int(key)]
            else:
                value = value.get(key) if isinstance(value, dict) else None
        return value
