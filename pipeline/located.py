"""YAML with line numbers, and without its surprises: `no` is a string, `1e9` is a number, a key given twice is a mistake."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from pipeline.errors import Mistake, RecipeError

Path = tuple[str, ...]

_INT = re.compile(r"[-+]?[0-9][0-9_]*$")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9]*)?)([eE][-+]?[0-9]+)?$")
_CONSTANTS = {"null": None, "~": None, "": None, "true": True, "false": False}


class Located:
    """A parsed YAML text: `value` is plain Python, `line(path)` says where a key stands, `mistakes` grows as it is read."""

    def __init__(self, text: str, name: str) -> None:
        self.name = name
        self.mistakes: list[Mistake] = []
        self._lines: dict[Path, int] = {}
        self._seen: set[int] = set()
        try:
            node = yaml.compose(text, Loader=yaml.SafeLoader)
        except RecursionError as error:
            raise RecipeError(name, [Mistake(0, "YAML", "nested too deep")]) from error
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            problem = getattr(error, "problem", None) or str(error)
            raise RecipeError(name, [Mistake(mark.line + 1 if mark else 0, "YAML", problem)]) from error
        self.value: Any = self._plain(node, ()) if node is not None else None

    def line(self, path: Path) -> int:
        """The line of a key, or of the nearest key above it."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 0)

    def mistake(self, path: Path, message: str) -> None:
        """Note a mistake at a path."""
        self.mistakes.append(Mistake(self.line(path), ".".join(path) or self.name, message))

    def merge(self, target: Path, source: Path) -> None:
        """Lay the mapping at `source` over the one at `target`: mappings merge, everything else is replaced."""
        over = _at(self.value, source)
        if isinstance(over, Mapping):
            self._lay(_at(self.value, target), over, target, source)

    def override(self, path: Path, value: str) -> None:
        """Set one key from the command line (a number counts into a list); its value is read as YAML."""
        here = self.value
        for key, after in zip(path, (*path[1:], None), strict=True):
            known = isinstance(here, dict) or (isinstance(here, list) and key.isdecimal() and int(key) < len(here))
            if not known:
                self.mistake(path, f"--set {'.'.join(path)}: there is no {key!r} to go into")
                return
            place = int(key) if isinstance(here, list) else key
            if after is None:
                given = Located(value, f"--set {'.'.join(path)}")
                self.mistakes += given.mistakes
                here[place] = given.value
            elif isinstance(here, dict):
                here = here.setdefault(place, {})
            else:
                here = here[place]

    def _lay(self, under: dict[str, Any], over: Mapping[str, Any], target: Path, source: Path) -> None:
        for key, value in over.items():
            if isinstance(value, Mapping) and isinstance(under.get(key), dict):
                self._lay(under[key], value, (*target, key), (*source, key))
            else:
                under[key] = value
                self._adopt((*target, key), (*source, key))

    def _adopt(self, target: Path, source: Path) -> None:
        """Paths below `target` now stand where those below `source` do."""
        depth = len(source)
        moved = {(*target, *path[depth:]): line for path, line in self._lines.items() if path[:depth] == source}
        self._lines.update(moved)

    def _plain(self, node: yaml.Node, path: Path) -> Any:
        self._lines.setdefault(path, node.start_mark.line + 1)
        if id(node) in self._seen:
            self.mistake(path, "an alias (*name) stands here: write the value out, a recipe is read by people")
            return None
        self._seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self._plain(item, (*path, str(index))) for index, item in enumerate(node.value)]
        return node.value if getattr(node, "style", None) else _scalar(node.value)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            here = (*path, key)
            if key in out:
                self._lines[here] = key_node.start_mark.line + 1
                self.mistake(here, "the key is given twice")
            self._lines[here] = key_node.start_mark.line + 1
            out[key] = self._plain(value_node, here)
        return out


def _scalar(text: str) -> Any:
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INT.match(text) and len(text) < 40:
        return int(text)
    if _FLOAT.match(text):
        return float(text)
    return text


def _at(value: Any, path: Path) -> Any:
    for key in path:
        value = value[key]
    return value
