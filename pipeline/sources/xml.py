"""Large XML files as a stream of the elements that matter, in memory bounded by the largest of them."""

from __future__ import annotations

from collections.abc import Iterator, Set
from typing import NoReturn
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from pipeline.contracts import InputFile
from pipeline.errors import SourceError
from pipeline.sources.streams import CHUNK
from pipeline.sources.uncompressed import uncompressed

#: No dump nests its records deeper than a few levels.
_MAX_DEPTH = 100


class _Refused(Exception):
    """Well-formed XML that is not read, and why."""


def elements(
    file: InputFile, root: str, *, whole: Set[str], starts: Set[str] = frozenset(), max_bytes: int = 64 << 20, member: str = ""
) -> Iterator[Element]:
    """The elements called one of `whole` with all they hold, and those of `starts` with their attributes alone, in order.

    `member` is the file read of a 7z archive. `root` is the name the outermost element must have. Raises SourceError naming the
    file and the place: not well-formed, another root, an element above `max_bytes` of text, or entity declarations, which can
    blow up and no dump needs.
    """
    collector = _Collector(root, whole, starts, max_bytes)
    parser = expat.ParserCreate()
    parser.buffer_text, parser.buffer_size = True, CHUNK
    parser.StartElementHandler, parser.EndElementHandler = collector.start, collector.end
    parser.CharacterDataHandler = collector.data
    parser.EntityDeclHandler = _refuse_entities
    with uncompressed(file, member) as stream:
        more = True
        while more:
            piece = stream.read(CHUNK)
            more = bool(piece)
            try:
                parser.Parse(piece, not more)
            except (expat.ExpatError, ValueError, LookupError) as error:  # the last two for encodings that Python lacks
                raise SourceError(f"{file.name} ({file.path}) is not well-formed XML: {error}; fetch it again or leave it out") from error
            except _Refused as refused:
                where = f"line {parser.CurrentLineNumber}, byte {parser.CurrentByteIndex} uncompressed"
                raise SourceError(f"{file.name} ({file.path}): {refused} ({where})") from refused
            yield from collector.take()


def _refuse_entities(*_: object) -> NoReturn:
    raise _Refused("it declares entities, which no dump needs; remove its DTD if you trust it")


class _Collector:
    """Expat's callbacks: builds the wanted elements and drops all else."""

    def __init__(self, root: str, whole: Set[str], starts: Set[str], max_bytes: int) -> None:
        self._root: str | None = root
        self._whole = whole
        self._starts = starts
        self._max_bytes = max_bytes
        self._builder: TreeBuilder | None = None
        self._depth = 0
        self._size = 0
        self._ready: list[Element] = []

    def take(self) -> list[Element]:
        """The elements finished since the last call."""
        ready, self._ready = self._ready, []
        return ready

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if self._root is not None and tag != self._root:
            raise _Refused(f"its outermost element is <{tag}>, not <{self._root}>: another reader must read it")
        self._root = None
        if self._builder is None:
            if tag in self._starts:
                self._ready.append(Element(tag, attributes))
            if tag not in self._whole:
                return
            self._builder = TreeBuilder()
            self._size = 0
        self._depth += 1
        self._grow(sum(map(len, attributes.values())))
        if self._depth > _MAX_DEPTH:
            raise _Refused(f"elements are nested deeper than {_MAX_DEPTH}")
        self._builder.start(tag, attributes)

    def end(self, tag: str) -> None:
        if self._builder is None:
            return
        self._builder.end(tag)
        self._depth -= 1
        if self._depth == 0:
            self._ready.append(self._builder.close())
            self._builder = None

    def data(self, text: str) -> None:
        if self._builder is not None:
            self._grow(len(text))
            self._builder.data(text)

    def _grow(self, number: int) -> None:
        self._size += number
        if self._size > self._max_bytes:
            raise _Refused(f"one element holds more than {self._max_bytes} characters (a dump of all revisions? take the current ones)")
