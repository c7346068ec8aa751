"""The reader "gutenberg": books as Project Gutenberg distributes them (.txt, .txt.gz, .zip, or an archive of those)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pipeline.contracts import InputFile, RawDocument
from pipeline.registry import reader
from pipeline.sources.archives import members

#: The header stands at the top; it is ASCII but for names, which a wrong charset can only blur.
_HEADER_BYTES = 8192
_NUMBER = re.compile(r"\[?e-?(?:book|text)[ ]*(?:#|no\.?)[ ]*(\d+)\]?", re.I)
_FIELD = re.compile(r"^(Title|Author|Language|Release Date|Character set encoding):[ ]*(\S.*)$", re.M | re.I)
_DATE = re.compile(r"(?P<month>[A-Z][a-z]+)(?: (?P<day>\d{1,2}))?,? (?P<year>\d{4})")
_MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december")

_LANGUAGES = {
    "english": "en", "french": "fr", "german": "de", "spanish": "es", "italian": "it", "portuguese": "pt", "dutch": "nl",
    "finnish": "fi", "swedish": "sv", "danish": "da", "norwegian": "no", "latin": "la", "greek": "el", "chinese": "zh",
    "japanese": "ja", "esperanto": "eo", "hungarian": "hu", "polish": "pl", "catalan": "ca", "tagalog": "tl", "russian": "ru",
    "czech": "cs", "welsh": "cy", "icelandic": "is", "irish": "ga", "hebrew": "he", "ukrainian": "uk",
}  # fmt: skip


@reader("gutenberg")
def gutenberg(
    file: InputFile, *, select: Sequence[str] = ("*.txt",), skip: Sequence[str] = ("*readme.txt",), max_member_bytes: int = 64 << 20
) -> Iterator[RawDocument]:
    """One document for each text file; number, title, author, language and date from its header.

    `select` and `skip` are globs on paths inside an archive. The locator is the path, and "" for a single file. Edition
    0 of a book in an archive (UTF-8) is read in place of its others ("1342-8.txt", "1342.txt") only if `select` says so.
    """
    for member in members(file, select, skip, max_member_bytes=max_member_bytes):
        header = member.data[:_HEADER_BYTES].decode("latin-1")
        fields = {name.lower(): value.strip() for name, value in reversed(_FIELD.findall(header))}
        number = _NUMBER.search(header)
        meta = {
            "title": _mended(fields.get("title")),
            "author": _mended(fields.get("author")),
            "ebook": number[1] if number else None,
            "charset": fields.get("character set encoding"),
            "unreadable": member.broken or None,
        }
        yield RawDocument(
            locator=member.name if member.inside else "",
            content=member.data,
            format="gutenberg",
            url=f"https://www.gutenberg.org/ebooks/{number[1]}" if number else None,
            lang=_LANGUAGES.get(fields.get("language", "").lower()),
            date=_iso(fields.get("release date", "")),
            meta={key: value for key, value in meta.items() if value is not None},
        )


def _iso(date: str) -> str | None:
    """ "June 25, 2008 [EBook #16]" as 2008-06-25; "July, 1991" as 1991-07."""
    found = _DATE.search(date)
    if not found or found["month"].lower() not in _MONTHS:
        return None
    month = f"{found['year']}-{_MONTHS.index(found['month'].lower()) + 1:02}"
    return f"{month}-{int(found['day']):02}" if found["day"] else month


def _mended(text: str | None) -> str | None:
    """A header's text, which was read as Latin-1, as UTF-8 where it is that."""
    if text is None:
        return None
    try:
        return text.encode("latin-1").decode()
    except UnicodeDecodeError:
        return text
