"""Chat templates in Jinja's sandbox: rendered as `transformers` renders them, within bounds, and the same way every time.

What `transformers` gives a template is what it gets here: blocks trimmed, loop controls, `tojson` without HTML escapes,
`raise_exception`, `strftime_now`, and `{% generation %}` around what the assistant says. What would make two renderings differ
is not: the date is a fixed one, chance is taken away. A template is somebody else's program: it sees plain data, reaches no
attribute that begins with an underscore, and may write, count and join no more than `MAX_CHARS` and `MAX_STEPS` allow.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from functools import wraps
from typing import Any, NamedTuple

from jinja2 import TemplateError, TemplateSyntaxError, Undefined, nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.runtime import Context, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment

from pipeline.errors import TokenmillError

#: Characters that a rendering, or any text on the way to it, may have.
MAX_CHARS = 1 << 26
#: Numbers that the ranges of one rendering may have together.
MAX_STEPS = 1_000_000
#: The day on which every template is rendered: the one that Llama 3's own falls back to where it can't ask.
TODAY = date(2024, 7, 26)
#: Noncharacters of Unicode, which no text is to hold: around what the assistant says, and within a text that reads like a special token.
OPENS, CLOSES, APART = "\ufdd0", "\ufdd1", "\ufdd2"

#: Filters that make a text as long as a number says.
_SIZED = ("center", "indent", "batch", "slice", "format")
_WIDE = re.compile(r"\d{7}|\*")


class BadTemplate(TokenmillError):
    """A template can't be compiled, or does what none may do; the text names it."""


class Refused(Exception):
    """A template won't render these messages; the text says why, in its own words where it raised them."""


class Rendered(NamedTuple):
    """A conversation as a template writes it, and the characters (start, stop) of each `{% generation %}`, in order."""

    text: str
    spans: list[tuple[int, int]]


class Sandbox:
    """One compiled template."""

    def __init__(self, source: str, name: str) -> None:
        """`name` is what messages call it; BadTemplate when it is no Jinja, or reaches for Python's internals."""
        self.name = name
        self._environment = _Environment(trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols])
        try:
            tree = self._environment.parse(source)
            self._template = self._environment.from_string(source)
        except TemplateSyntaxError as error:
            raise BadTemplate(f"{name}, line {error.lineno}: {error.message}: this is no Jinja template that can be compiled") from error
        except RecursionError as error:
            raise BadTemplate(f"{name} is nested too deeply to be compiled") from error
        if private := sorted(set(_private(tree))):
            raise BadTemplate(f"{name} reaches for Python's internals ({', '.join(private)}): no template may")
        if any(tree.find_all((nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends))):
            raise BadTemplate(f"{name} is made of other files: give one that is whole")
        #: Whether the template marks what the assistant says.
        self.marks_turns = any(isinstance(node.call, nodes.Call) and _marks(node.call) for node in tree.find_all(nodes.CallBlock))

    def render(self, values: Mapping[str, Any]) -> Rendered:
        """Raises Refused when the template raises an exception of its own or misses something, BadTemplate when it leaves its bounds."""
        self._environment.steps = 0
        try:
            return _found(self._written(values))
        except SecurityError as error:
            raise BadTemplate(f"{self.name} reaches for what no template may: {error}") from error
        except (MemoryError, RecursionError, OverflowError) as error:
            raise BadTemplate(f"{self.name} asks for more than any conversation needs ({type(error).__name__})") from error
        except (TemplateError, TypeError, ValueError, LookupError, AttributeError, ArithmeticError) as error:
            raise Refused(str(error) or type(error).__name__) from error

    def _written(self, values: Mapping[str, Any]) -> str:
        pieces: list[str] = []
        size = 0
        for piece in self._template.generate(**values):
            pieces.append(piece)
            size = _bounded(size + len(piece))
        return "".join(pieces)


def _bounded(size: int) -> int:
    if size > MAX_CHARS:
        raise SecurityError(f"a text of {size:,} characters, more than {MAX_CHARS:,}")
    return size


def _found(marked: str) -> Rendered:
    """A rendering without its marks, which become spans."""
    if OPENS not in marked:
        return Rendered(marked, [])
    pieces, spans, at = [], [], 0
    for number, stretch in enumerate(marked.split(OPENS)):
        inside, closed, after = stretch.partition(CLOSES)
        if (number and not closed) or CLOSES in after:
            raise Refused("one {% generation %} within another, or cut apart by the template")
        if closed:
            spans.append((at, at + len(inside)))
        pieces += [inside, after]
        at += len(inside) + len(after)
    return Rendered("".join(pieces), spans)


def _private(tree: nodes.Template) -> Iterator[str]:
    for kind in (nodes.Getattr, nodes.NSRef):
        yield from (node.attr for node in tree.find_all(kind) if node.attr.startswith("_"))  # type: ignore[attr-defined]


def _marks(call: nodes.Call) -> bool:
    return isinstance(call.node, nodes.ExtensionAttribute) and call.node.name == "marked"


class _Generation(Extension):
    """`{% generation %}` ... `{% endgeneration %}`: what stands between is what the model is to write."""

    tags = {"generation"}  # noqa: RUF012 - Jinja's own way

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.CallBlock(self.call_method("marked"), [], [], body).set_lineno(line)

    def marked(self, caller: Macro) -> str:
        return f"{OPENS}{caller()}{CLOSES}"


class _Generator(CodeGenerator):
    """Joins texts by a method of the environment, which counts."""

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: N802 - Jinja's name for it
        self.write("environment.joined((")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write("))")


class _Environment(ImmutableSandboxedEnvironment):
    """Jinja's immutable sandbox with what `transformers` adds to it, and with bounds."""

    code_generator_class = _Generator
    intercepted_binops = frozenset(("+", "*", "**", "%"))

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.steps = 0
        self.globals |= {"range": self._range, "raise_exception": _raise, "strftime_now": TODAY.strftime}
        del self.globals["lipsum"], self.filters["random"]
        self.filters |= {"tojson": _tojson, **{name: _sized(name, self.filters[name]) for name in _SIZED}}

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if operator == "**" and isinstance(left, int) and isinstance(right, int):
            _bounded(left.bit_length() * right)
        elif operator == "*":
            _bounded(max(_extent(left) * _times(right), _extent(right) * _times(left)))
        elif operator == "+":
            _bounded(_extent(left) + _extent(right))
        elif isinstance(left, str):
            _no_wide(left)
        return super().call_binop(context, operator, left, right)

    def unsafe_undefined(self, obj: Any, attribute: str) -> Undefined:
        raise SecurityError(f"the attribute {attribute!r} of a {type(obj).__name__}")

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        if isinstance(text := getattr(value, "__self__", None), str):
            _no_wide(text)
        return super().wrap_str_format(value)

    def call(self, context: Context, function: Any, /, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        _no_huge((*args, *kwargs.values()))
        return super().call(context, function, *args, **kwargs)

    def joined(self, parts: Sequence[Any]) -> str:
        """What `~` gives."""
        texts = [str(part) for part in parts]
        _bounded(sum(map(len, texts)))
        return "".join(texts)

    def _range(self, *limits: int) -> range:
        numbers = range(*limits)
        self.steps += len(numbers)
        if self.steps > MAX_STEPS:
            raise SecurityError(f"ranges of more than {MAX_STEPS:,} numbers")
        return numbers


def _extent(value: Any) -> int:
    return len(value) if isinstance(value, str | list | tuple) else 0


def _times(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _no_wide(text: str) -> None:
    """A format may say how wide a field is, up to a point."""
    if _WIDE.search(text):
        raise SecurityError(f"a field of a format wider than any text: {text[:40]!r}")


def _no_huge(values: Sequence[Any]) -> None:
    for value in values:
        if isinstance(value, int) and abs(value) > MAX_CHARS:
            raise SecurityError(f"the number {value:,}, larger than any text")


def _sized(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def bounded(*args: Any, **kwargs: Any) -> Any:
        _no_huge((*args[1:], *kwargs.values()))
        if name == "format":
            _no_wide(str(args[0]))
        return function(*args, **kwargs)

    return bounded


def _raise(message: str) -> None:
    raise TemplateError(message)


def _tojson(value: Any, ensure_ascii: bool = False, indent: int | None = None, separators: Any = None, sort_keys: bool = False) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)
