"""download: what a recipe's inputs are, byte for byte. Fetched into a cache, pinned in a lock file.

The lock is the identity of everything after it: name, version, SHA-256, size and licence of each input file. It is
written beside the run's output, because the packages that a mirror offers change with its suite.
"""

from __future__ import annotations

import json
import os
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.contracts import InputFile, RemoteFile, Task
from pipeline.errors import MissingInput, SourceError, TokenmillError
from pipeline.fetching.pins import pin
from pipeline.fetching.store import Store
from pipeline.fetching.tally import Tally
from pipeline.recipe import Input, Recipe
from pipeline.registry import Step, bind, lookup
from pipeline.storage import Folder


@dataclass(frozen=True)
class LockedInput:
    """One input file, the source it belongs to, and how it is read."""

    source: str
    file: InputFile
    read: Step


@dataclass(frozen=True)
class Lock:
    """Every input file of a run, in the recipe's order, and what was asked for and not found."""

    inputs: tuple[LockedInput, ...]
    missing: tuple[str, ...] = ()

    def of(self, source: str) -> list[LockedInput]:
        return [item for item in self.inputs if item.source == source]

    def to_json(self) -> dict[str, Any]:
        """The lock file's content: no path of this machine."""
        rows = []
        for item in self.inputs:
            facts = {key: value for key, value in asdict(item.file).items() if key != "path"}
            rows.append({"source": item.source, "reader": {item.read.name: dict(item.read.args)}, **facts})
        return {"inputs": rows, "missing": list(self.missing)}


def fetch(recipe: Recipe, cache: Path, *, update: bool = False, tally: Tally | None = None) -> Lock:
    """Fetch the inputs of every source into `cache`.

    A file that has changed since the recipe's lock named it is an error, unless `update`. A missing package is noted and
    tolerated (the floor decides later); a source that can't be fetched at all raises SourceError, after the others were
    tried, naming each.
    """
    inputs: list[LockedInput] = []
    times: Counter[tuple[str, str]] = Counter()
    missing: list[str] = []
    store = _store(recipe, cache, update, tally)
    failed = _fetch_together(recipe, cache)
    failures = list(failed.values())
    published = _published_files(recipe, store, missing, failures)
    for source in recipe.sources:
        for place, item in enumerate(source.inputs):
            if item.fetch.name in failed:
                continue
            try:
                files = published[source.name, place] if _lists(item) else _fetch_one(item, cache, missing)
            except KeyError:
                continue  # among the failures
            except TokenmillError as error:
                failures.append(f"{source.name}: {error}")
                continue
            inputs += [LockedInput(source.name, _named_apart(file, source.name, times), item.read) for file in files]
    if failures:
        raise SourceError("inputs that can't be fetched:\n  " + "\n  ".join(failures))
    _check_names(inputs)
    pin(recipe.path, [item.file for item in inputs], store.date, update=update)
    return Lock(tuple(inputs), tuple(missing))


def _store(recipe: Recipe, cache: Path, update: bool, tally: Tally | None) -> Store:
    step = recipe.download or bind("setting", "download", {})[0]
    client, rules = step()
    return Store(cache / "published", client, replace(rules, update=update), tally)


def _lists(item: Input) -> bool:
    """Whether a fetcher only names files, for the store to fetch."""
    return bool(item.fetch.type.extras.get("lists"))


def _published_files(recipe: Recipe, store: Store, missing: list[str], failures: list[str]) -> dict[tuple[str, int], list[InputFile]]:
    """The files of every input that names them, by source and place: all lists first, then all files together."""
    listed: dict[tuple[str, int], list[RemoteFile]] = {}
    origins = {(source.name, place): item for source in recipe.sources for place, item in enumerate(source.inputs) if _lists(item)}
    for (name, place), item in origins.items():
        try:
            listed[name, place] = list(item.fetch(store.listing))
        except TokenmillError as error:
            failures.append(f"{name}: {error}")
    try:
        found = {file.url: file for file in store.fetch([file for files in listed.values() for file in files])}
    except TokenmillError as error:
        failures.append(str(error))
        return {}
    missing += [f"{file.name}: {file.url} is not there" for files in listed.values() for file in files if file.url not in found]
    return {
        key: [
            replace(found[file.url], name=file.name, version=file.version, licence=file.licence, origin=origins[key].fetch.name)
            for file in files
            if file.url in found
        ]
        for key, files in listed.items()
    }


def _fetch_together(recipe: Recipe, cache: Path) -> dict[str, str]:
    """Let each fetcher that can fetch all that is asked of it in one go; what went wrong, by fetcher."""
    asked: dict[str, list[Mapping[str, Any]]] = {}
    for source in recipe.sources:
        for item in source.inputs:
            asked.setdefault(item.fetch.name, []).append(item.fetch.args)
    failed: dict[str, str] = {}
    for name, args in asked.items():
        if together := lookup("fetcher", name).extras.get("together"):
            try:
                together(cache, args)
            except TokenmillError as error:
                failed[name] = f"{name}: {error}"
    return failed


def _fetch_one(item: Input, cache: Path, missing: list[str]) -> list[InputFile]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", MissingInput)
        files: list[InputFile] = item.fetch(cache)
    for warning in caught:
        if issubclass(warning.category, MissingInput):
            missing.append(str(warning.message))
        else:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    return files


def _named_apart(file: InputFile, source: str, before: Counter[tuple[str, str]]) -> InputFile:
    """A file that a source reads in several ways has a name for each, so that no two documents have one id."""
    times = before[source, file.name]
    before[source, file.name] += 1
    return replace(file, name=f"{file.name}#{times + 1}") if times else file


def _check_names(inputs: Sequence[LockedInput]) -> None:
    seen: set[tuple[str, str, str, str]] = set()
    for item in inputs:
        name = item.file.name.partition("#")[0]
        key = (item.source, name, item.read.name, json.dumps(dict(item.read.args), sort_keys=True, default=str))
        if key in seen:
            raise SourceError(f"{item.source}: {name} is read twice in the same way: its documents would count twice")
        seen.add(key)


def publish(lock: Lock, target: Folder) -> Lock:
    """Copy the input files to a folder that every worker can read, unless the run's output is on this machine anyway."""
    if target.is_local:
        return lock
    return replace(lock, inputs=tuple(replace(item, file=_published(item.file, target)) for item in lock.inputs))


def _published(file: InputFile, target: Folder) -> InputFile:
    name = f"{file.sha256[:16]}/{os.path.basename(file.path)}"
    if "://" in file.path:
        return file
    if not target.exists(name):
        with open(file.path, "rb") as source, target.create(name) as sink:
            while piece := source.read(1 << 20):
                sink.write(piece)
    return replace(file, path=f"{target.url.rstrip('/')}/{name}")


def parts(source: str, inputs: Sequence[LockedInput], part_bytes: int) -> tuple[Task, ...]:
    """The extract tasks of one source: large files one by one, small neighbours of one reader together."""
    groups: list[list[LockedInput]] = []
    room = 0
    for item in inputs:
        if groups and item.file.size <= room and item.read == groups[-1][-1].read:
            groups[-1].append(item)
            room -= item.file.size
        else:
            groups.append([item])
            room = part_bytes - item.file.size
    return tuple(Task(f"{source}-{index:05d}", _payload(group)) for index, group in enumerate(groups))


def _payload(group: Sequence[LockedInput]) -> Mapping[str, Any]:
    read = group[0].read
    return {"files": [asdict(item.file) for item in group], "read": {"name": read.name, "args": dict(read.args)}}
