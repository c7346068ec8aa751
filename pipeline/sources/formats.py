"""What a file is, told by its name: which extractor reads it, and for code in which language it is written."""

from __future__ import annotations

import re
from typing import NamedTuple

from pipeline.languages import LANGUAGES

#: Suffixes of prose, by the extractor that reads them.
FORMATS = {
    "html": ".html .htm .xhtml",
    "text": ".txt .text",
    "markdown": ".md .markdown .mkd",
    "rst": ".rst",
    "latex": ".tex .latex .ltx .rnw",
}

_BY_SUFFIX = {
    **{suffix: (prose, None) for prose, suffixes in FORMATS.items() for suffix in suffixes.split()},
    **{suffix: ("code", language) for language, suffixes in LANGUAGES.items() for suffix in suffixes.split()},
}

#: Manual pages end in their section ("ls.1", "printf.3posix") and lie below a folder "man"; "libc.so.6" doesn't.
_MANUAL = re.compile(r"(?:^|/)man[^/]*/(?:.*/)?[^/]+\.[1-9][a-z0-9]*$")

#: Apache's content negotiation, in the languages it ships: "index.html.fr", "index.html.ja.utf8".
_NEGOTIATED = re.compile(
    r"\.x?html?\.(?P<lang>ca|cs|da|de|el|en|eo|es|et|fr|he|hr|it|ja|ko|nl|nn|no|pl|pt|pt-br|ru|sv|tr|zh-cn|zh-tw)"
    r"(?:\.(?P<charset>[a-z][a-z0-9_-]+))?$"
)


class Kind(NamedTuple):
    """The extractor for a file, the programming language of code, and the language and charset its name gives away."""

    format: str
    language: str | None = None
    lang: str | None = None
    charset: str | None = None


def guess(name: str) -> Kind | None:
    """The kind of a file by its path, without regard to case; None when nothing reads such a file."""
    name = name.lower()
    if negotiated := _NEGOTIATED.search(name):
        return Kind("html", lang=negotiated["lang"], charset=negotiated["charset"])
    base = name.rpartition("/")[2]
    stem, dot, suffix = base.rpartition(".")
    known = _BY_SUFFIX.get(dot + suffix) if stem else None
    if known:
        return Kind(*known)
    return Kind("man") if _MANUAL.search(name) else None
