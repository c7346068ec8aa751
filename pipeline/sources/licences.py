"""Which licence a text is: told by phrases that only it has, as an SPDX id (spdx.org/licenses).

A first, honest level: it knows the licences below, says "NOASSERTION" of any other licence file, and takes several files
side by side as a choice only where their names say so (LICENSE-MIT, LICENSE-APACHE).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping

#: Names of files that state a licence for the folder they are in.
LICENCE_FILE = re.compile(r"(?:^|/)(?:un)?(?:licen[cs]es?|copying|copyright)(?:[-._][^/]*)?$", re.IGNORECASE)

#: Phrases in one spelling (lower case, single spaces), the more particular licences first; all of a row must occur, and the
#: licence whose first phrase stands first is the text's: licences quote and name each other.
_PHRASES = (
    ("AGPL-3.0", ("gnu affero general public license", "version 3")),
    ("LGPL-3.0", ("gnu lesser general public license", "version 3")),
    ("LGPL-2.1", ("gnu lesser general public license", "version 2.1")),
    ("LGPL-2.0", ("gnu library general public license", "version 2")),
    ("GPL-3.0", ("gnu general public license", "version 3")),
    ("GPL-2.0", ("gnu general public license", "version 2")),
    ("GFDL-1.3", ("gnu free documentation license", "version 1.3")),
    ("GFDL-1.2", ("gnu free documentation license", "version 1.2")),
    ("MPL-2.0", ("mozilla public license", "2.0")),
    ("EPL-2.0", ("eclipse public license", "2.0")),
    ("Apache-2.0", ("apache license", "version 2.0")),
    ("BSL-1.0", ("boost software license", "version 1.0")),
    ("Unlicense", ("this is free and unencumbered software released into the public domain",)),
    ("CC0-1.0", ("cc0 1.0 universal",)),
    ("CC-BY-NC-SA-4.0", ("attribution-noncommercial-sharealike 4.0",)),
    ("CC-BY-NC-4.0", ("attribution-noncommercial 4.0",)),
    ("CC-BY-SA-4.0", ("attribution-sharealike 4.0",)),
    ("CC-BY-4.0", ("attribution 4.0 international",)),
    ("CC-BY-SA-3.0", ("attribution-sharealike 3.0",)),
    ("PSF-2.0", ("python software foundation license version 2",)),
    ("Artistic-2.0", ("the artistic license 2.0",)),
    ("WTFPL", ("do what the fuck you want to public license",)),
    ("ISC", ("permission to use, copy, modify, and/or distribute this software for any purpose with or without fee",)),
    ("ISC", ("permission to use, copy, modify, and distribute this software for any purpose with or without fee",)),
    (
        "Zlib",
        ("this software is provided 'as-is', without any express or implied warranty", "altered source versions must be plainly marked"),
    ),
    ("BSD-3-Clause", ("redistribution and use in source and binary forms", "endorse or promote products")),
    ("BSD-2-Clause", ("redistribution and use in source and binary forms",)),
    ("MIT-0", ("permission is hereby granted, free of charge, to any person obtaining a copy", "mit no attribution")),
    ("MIT", ("permission is hereby granted, free of charge, to any person obtaining a copy",)),
    ("MIT", ("the mit license",)),
)
_SPACES = re.compile(r"\s+")
_DECLARED = re.compile(rb"SPDX-License-Identifier:[ \t]*([A-Za-z0-9.+\- ()]{2,80}?)[ \t]*(?:\*/|-->|\r?$)", re.MULTILINE)
_CHOICE = re.compile(r"(?:un)?licen[cs]e-[a-z]|unlicense$", re.IGNORECASE)
#: A page about licences may be called like one.
_PROSE = (".md", ".rst", ".html")
#: A licence names itself at its top; a text that quotes it further down doesn't count as it.
_READ_CHARS = 20_000
_HEADER_BYTES = 2048


def identify(text: str) -> str | None:
    """The SPDX id of a licence text, or None when it is none of those known."""
    told = _SPACES.sub(" ", text[:_READ_CHARS]).lower()
    found = [(told.find(phrases[0]), name) for name, phrases in _PHRASES if all(phrase in told for phrase in phrases)]
    return min(found, key=lambda place: place[0])[1] if found else None


def declared(content: bytes) -> str | None:
    """The licence that a source file declares in its header (SPDX-License-Identifier), or None."""
    found = _DECLARED.search(content, 0, _HEADER_BYTES)
    return found[1].decode("ascii").strip() if found else None


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
