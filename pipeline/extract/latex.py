"""The extractor "latex": the body of a paper, still LaTeX, its formulas kept; after RedPajama's arXiv cleaner.

Source of the steps: RedPajama-Data v1, data_prep/arxiv/arxiv_cleaner.py. Unlike there, appendices and abstracts stay.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from pipeline.contracts import Extracted
from pipeline.extract.decoding import clean, decode, paragraphs
from pipeline.extract.documents import Found, extracted
from pipeline.registry import extractor

#: Environments in which neither % nor \\ means anything, and those that are no text.
_OPAQUE = "verbatim verbatim* Verbatim lstlisting minted alltt"
_DROPPED = "comment tikzpicture pspicture asy asydef thebibliography filecontents filecontents*"
_OPENING = re.compile(r"\\begin\{(" + "|".join(map(re.escape, f"{_OPAQUE} {_DROPPED}".split())) + r")\}")
#: Where verbatim text waits outside; the normal form has neither character.
_HELD = re.compile("\x02([0-9]+)\x03")

_COMMENT_LINE = re.compile(r"^[ \t]*%.*\n?", re.M)
_COMMENT = re.compile(r"(?<!\\)((?:\\\\)*)%.*")
_BEGIN = re.compile(r"\\begin\s*\{document\}")
_END = re.compile(r"\\end\s*\{document\}")
_SECTION = re.compile(r"\\(?:part|chapter|section)\*?\s*[\[{]")
_ABSTRACT = (r"\begin{abstract}", r"\end{abstract}")
_DROPPED_COMMANDS = re.compile(
    r"\\(?:bibliography|bibliographystyle|addbibresource|includegraphics|graphicspath)\*?\s*(?:\[[^\]\n]{0,300}\])?\s{0,9}\{[^{}\n]{0,300}\}"
    r"|\\(?:printbibliography(?:\[[^\]\n]{0,300}\])?|maketitle|tableofcontents|listoffigures|listoftables)\b"
)
_TITLE = re.compile(r"\\title\s{0,9}(?:\[[^\]\n]{0,300}\])?\s{0,9}\{")
_COMMAND = re.compile(r"\\[A-Za-z]+\*?\s*|[{}~]|\\\\")

_DEFINITION = re.compile(
    r"\\(?:re|provide)?(?:new)?command\*?\s*(?:\{\s*(\\[A-Za-z]+)\s*\}|(\\[A-Za-z]+))\s*(?=\{)"
    r"|\\def\s*(\\[A-Za-z]+)\s*(?=\{)|\\(DeclareMathOperator)\*?\s*\{\s*(\\[A-Za-z]+)\s*\}\s*(?=\{)"
)
_MACRO = re.compile(r"\\[A-Za-z]+")
#: Longer macros are layout, not notation; the bound also bounds how much a document can grow.
_MAX_MACRO = 60
#: A first section later than this share of the body means that what stands before it is text, not front matter.
_FRONT_MATTER = 0.3


@extractor("latex", uses=("resiliparse", "unicode"))
def latex(raw: pa.RecordBatch, *, expand_macros: bool = True, max_bytes: int = 16 << 20) -> Extracted:
    """LaTeX without comments, preamble, front matter (the abstract stays), bibliography and pictures; fact: title (in meta).

    `expand_macros` replaces argument-free macros of up to 60 characters by what they stand for. A part of a document
    (no \\begin{document}) is taken whole. Reasons: "empty", "too_large", "undecodable".
    """

    def read(content: bytes, meta: Mapping[str, Any]) -> Found:
        text, held = _hold(clean(decode(content, meta.get("charset"), "latin1")))
        text = _COMMENT.sub(r"\1", _COMMENT_LINE.sub("", text))
        macros = _macros(text) if expand_macros else {}
        body = _expanded(_DROPPED_COMMANDS.sub("", _body(text)), macros)
        return Found(paragraphs(_HELD.sub(lambda mark: held[int(mark[1])], body)), about={"title": _title(_expanded(text, macros))})

    return extracted(raw, read, max_bytes=max_bytes)


def _hold(text: str) -> tuple[str, list[str]]:
    """`text` with a mark in place of each verbatim environment and nothing in place of the dropped ones."""
    pieces: list[str] = []
    held: list[str] = []
    unclosed: set[str] = set()
    done = 0
    for opening in _OPENING.finditer(text):
        name, start = opening[1], opening.start()
        if start < done or name in unclosed or "%" in text[text.rfind("\n", 0, start) + 1 : start]:
            continue
        end = text.find(f"\\end{{{name}}}", opening.end())
        if end < 0:
            unclosed.add(name)
            continue
        pieces.append(text[done:start])
        done = end + len(name) + len("\\end{}")
        if name not in _DROPPED.split():
            pieces.append(f"\x02{len(held)}\x03")
            held.append(text[start:done])
    return "".join([*pieces, text[done:]]), held


def _body(text: str) -> str:
    """What stands in the document, from the abstract and the first section on."""
    begin = _BEGIN.search(text)
    start = begin.end() if begin else 0
    end = _END.search(text, start)
    body = text[start : end.start() if end else len(text)]
    first = _SECTION.search(body, 0, int(len(body) * _FRONT_MATTER))
    if begin is None or first is None:
        return body
    opening = body.find(_ABSTRACT[0], 0, first.start())
    closing = body.find(_ABSTRACT[1], opening, first.start())
    abstract = body[opening : closing + len(_ABSTRACT[1])] + "\n\n" if 0 <= opening < closing else ""
    return abstract + body[first.start() :]


def _macros(text: str) -> dict[str, str]:
    """Short macros without arguments by name, the last definition of each; their own macros are expanded once."""
    found: dict[str, str] = {}
    for definition in _DEFINITION.finditer(text):
        name = definition[1] or definition[2] or definition[3] or definition[5]
        body = _braced(text, definition.end())
        if body is not None and "#" not in body and "\n" not in body.strip():
            found[name] = rf"\operatorname{{{body}}}" if definition[4] else body.strip()
    return {name: longer if len(longer := _expanded(body, found)) <= _MAX_MACRO else body for name, body in found.items()}


def _braced(text: str, start: int) -> str | None:
    """The content of the braces that open at `start`, if it is short enough for a macro."""
    depth = 0
    for at in range(start, min(start + _MAX_MACRO, len(text))):
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        if depth == 0:
            return text[start + 1 : at]
    return None


def _expanded(text: str, macros: Mapping[str, str]) -> str:
    return _MACRO.sub(lambda found: macros.get(found[0], found[0]), text) if macros else text


def _title(text: str) -> str | None:
    found = _TITLE.search(text)
    title = text[found.end() : found.end() + 500] if found else ""
    depth, end = 1, 0
    while end < len(title) and depth:
        depth += {"{": 1, "}": -1}.get(title[end], 0)
        end += 1
    plain = " ".join(_COMMAND.sub(" ", title[: end - 1]).split())
    return plain if plain and not depth else None
