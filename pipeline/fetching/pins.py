"""recipes/NAME.lock: what every published file of a recipe was, so that another day and another machine get the same, or are told.

It is made by the first run and meant to be kept beside the recipe. It only holds files that have an address; those of a
machine's own package mirror differ from one release of its system to the next, and stand in the run's lock alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.contracts import InputFile
from pipeline.errors import SourceError
from pipeline.fetching.locking import alone
from pipeline.storage import Folder


def pin(recipe: str, files: Sequence[InputFile], date: Callable[[InputFile], str], *, update: bool) -> None:
    """Hold fetched files to the lock beside the recipe's file, and add those that it doesn't name yet.

    Raises SourceError naming the files that are others than it says; with `update` they take their place in it.
    """
    published = {file.url: file for file in files if file.url}
    if not published or not recipe:
        return
    path = Path(recipe).with_suffix(".lock")
    with alone(path.parent):  # runs of two profiles at once each add their own
        _pin(path, published, date, update)


def _pin(path: Path, published: Mapping[str, InputFile], date: Callable[[InputFile], str], update: bool) -> None:
    folder = Folder(str(path.parent))
    known: dict[str, Mapping[str, Any]] = folder.read_json(path.name)["files"] if path.is_file() else {}
    changed = [url for url, file in published.items() if url in known and known[url]["sha256"] != file.sha256]
    if changed and not update:
        lines = (
            f"{url}: {published[url].sha256[:12]}... where {path.name} has {known[url]['sha256'][:12]}... of {known[url]['date']}"
            for url in changed
        )
        raise SourceError("\n  ".join(["published files that aren't what the lock says (--update takes them as they are now):", *lines]))
    fresh = {
        url: {"size": file.size, "sha256": file.sha256, "date": date(file)}
        for url, file in published.items()
        if url not in known or url in changed
    }
    if fresh:
        folder.write_json(path.name, {"files": {**known, **fresh}})
