"""The reader "repository": a source tree in an archive, one document for each file of code or documentation."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence

from pipeline.contracts import InputFile, RawDocument
from pipeline.licences.recognise import declared
from pipeline.registry import reader
from pipeline.sources.archives import members
from pipeline.sources.formats import Kind, guess
from pipeline.sources.licences import LICENCE_FILE, by_folder, nearest

#: What is in a tree and was not written in it, or is no program: other people's packages, lock files, minified code.
SKIP = ("*/.git/*", "*/node_modules/*", "*/third_party/*", "*/vendor/*", "*.min.js", "*.min.css", "*_pb2.py", "*.pb.go")
#: Code without a suffix of its own, by name.
_NAMED = {
    "makefile": "Makefile",
    "gnumakefile": "Makefile",
    "dockerfile": "Dockerfile",
    "rakefile": "Ruby",
    "gemfile": "Ruby",
    "cmakelists.txt": "CMake",
}
_LICENCE_BYTES = 1 << 20


@reader("repository")
def repository(
    file: InputFile,
    *,
    select: Sequence[str] = ("*",),
    skip: Sequence[str] = SKIP,
    languages: Sequence[str] | None = None,
    documentation: bool = True,
    max_file_bytes: int = 4 << 20,
) -> Iterator[RawDocument]:
    """Files whose names say that they are code, or prose when `documentation`; others are passed over unread.

    `select` and `skip` are globs on paths; `languages` keeps code of those alone. HTML in a tree counts as code. The
    licence is the file's own SPDX header, else that of the nearest folder above with a licence file (licences.py); meta:
    path, language. A file above `max_file_bytes` is of the format "invalid" ("too_large"). The archive is read twice.
    """
    texts = ((member.name, member.data) for member in members(file, known=_is_licence) if len(member.data) <= _LICENCE_BYTES)
    licences = by_folder(texts)

    def wanted(name: str) -> bool:
        kind = _kind(name)
        return kind is not None and (documentation if kind.language is None else languages is None or kind.language in languages)

    for member in members(file, select, skip, known=wanted):
        kind = _kind(member.name) or Kind("code")
        found = RawDocument(
            locator=member.name,
            content=member.data,
            format=kind.format,
            licence=declared(member.data) or nearest(member.name, licences),
            meta={"path": member.name, **({"language": kind.language} if kind.language else {})},
        )
        if len(member.data) > max_file_bytes:
            found = found._replace(content=b"", format="invalid", meta={"path": member.name, "reason": "too_large"})
        yield found


def _kind(name: str) -> Kind | None:
    """What a file of a tree is; licence files aren't its documentation, and its pages are templates more often than prose."""
    language = _NAMED.get(posixpath.basename(name).lower())
    kind = Kind("code", language) if language else guess(name)
    if kind is None or _is_licence(name):
        return None
    return Kind("code", "HTML") if kind.format == "html" else kind


def _is_licence(name: str) -> bool:
    if posixpath.basename(posixpath.dirname(name)) == "LICENSES":
        return True
    kind = guess(name)
    return bool(LICENCE_FILE.search(name)) and (kind is None or kind.format != "code")
