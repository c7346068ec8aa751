"""Which licence the folders of a tree are under, by the licence files in them (how those are told: `pipeline.licences`).

A licence file that isn't known is "NOASSERTION"; several side by side are a choice only where their names say so
(LICENSE-MIT, LICENSE-APACHE).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping

from pipeline.licences.recognise import identify

#: Names of files that state a licence for the folder they are in.
LICENCE_FILE = re.compile(r"(?:^|/)(?:un)?(?:licen[cs]es?|copying|copyright)(?:[-._][^/]*)?$", re.IGNORECASE)

_CHOICE = re.compile(r"(?:un)?licen[cs]e-[a-z]|unlicense$", re.IGNORECASE)
#: A page about licences may be called like one.
_PROSE = (".md", ".rst", ".html")


def by_folder(files: Iterable[tuple[str, bytes]]) -> dict[str, str]:
    """The licence of each folder that has a licence file, as an SPDX expression, from (path, content) of those files."""
    found: dict[str, dict[str, str]] = {}
    for path, content in files:
        folder, name = posixpath.split(path)
        if posixpath.basename(folder) == "LICENSES":  # the REUSE convention: texts for the folder above
            folder = posixpath.dirname(folder)
        licence = identify(content.decode("utf-8", "replace"))
        if licence or not name.lower().endswith(_PROSE):
            found.setdefault(folder, {})[name] = licence or "NOASSERTION"
    return {folder: _expression(licences) for folder, licences in found.items()}


def nearest(path: str, folders: Mapping[str, str]) -> str | None:
    """The licence of the nearest folder above a file that has one."""
    while path:
        path = posixpath.dirname(path)
        if path in folders:
            return folders[path]
    return None


def _expression(licences: Mapping[str, str]) -> str:
    known = sorted({licence for licence in licences.values() if licence != "NOASSERTION"})
    if not known:
        return "NOASSERTION"
    return (" OR " if any(_CHOICE.match(name) for name in licences) else " AND ").join(known)
