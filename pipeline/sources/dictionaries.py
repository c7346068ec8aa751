"""What dictionaries of both kinds (dictd, StarDict) share: the files of one archive, put together by base name."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.contracts import InputFile
from pipeline.errors import SourceError
from pipeline.sources.archives import members


def databases(file: InputFile, suffixes: tuple[str, ...]) -> Iterator[tuple[str, list[bytes]]]:
    """Base name and contents of each set of files that has all `suffixes`; SourceError when there is none."""
    found: dict[str, dict[str, bytes]] = {}
    for member in members(file, [f"*{suffix}" for suffix in suffixes]):
        stem, _, suffix = member.name.rpartition("/")[2].rpartition(".")
        found.setdefault(stem, {})[f".{suffix}"] = member.data
    whole = {stem: parts for stem, parts in found.items() if parts.keys() == set(suffixes)}
    if not whole:
        raise SourceError(f"{file.name} ({file.path}) holds no dictionary: it needs files {', '.join(suffixes)} of one name")
    for stem, parts in sorted(whole.items()):
        yield stem, [parts[suffix] for suffix in suffixes]


def entry(data: bytes, offset: int, length: int, name: str) -> bytes:
    """A slice of a dictionary's text, or SourceError when its index points outside."""
    if not 0 <= offset <= offset + length <= len(data):
        raise SourceError(f"{name}: the index points to bytes {offset}-{offset + length} of {len(data)}: the files don't belong together")
    return data[offset : offset + length]
