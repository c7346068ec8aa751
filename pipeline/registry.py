"""The registry of steps, and the binding of a recipe's keys to a step's keyword-only arguments.

A step is a function. Its keyword-only arguments are its recipe keys; its defaults exist once, in its signature; its
identity is (kind, name, version, bound arguments). Registering is all that importing a step module does.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib
import inspect
import json
import pkgutil
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version as version_of
from typing import Annotated, Any, TypeVar, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

F = TypeVar("F", bound=Callable[..., Any])

#: NaN and infinity are no values of a recipe: rules compare with them, and never break; identity can't name them.
_FINITE = ConfigDict(allow_inf_nan=False)

#: Packages whose modules hold steps; every module in them is imported once, when a name is first looked up.
STEP_PACKAGES = (
    "pipeline.fetching",
    "pipeline.remotes",
    "pipeline.sources",
    "pipeline.extract",
    "pipeline.filters",
    "pipeline.stages",
    "pipeline.shards",
    "pipeline.compat",
)


class ByContent:
    """Marks an argument that holds paths: its identity is what the files contain, not where they lie."""


class NotIdentity:
    """Marks an argument that may stop a run but never changes what it writes: it is no part of a fingerprint."""


#: Files given by path (files, folders or globs), identified by content.
Paths = Annotated[Sequence[str], ByContent]


@dataclass(frozen=True)
class StepType:
    """A registered step: what it is called, the function, and the extras its kind needs (a stage's `tasks`)."""

    kind: str
    name: str
    version: int
    function: Callable[..., Any]
    extras: Mapping[str, Any] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        """The first line of the step's docstring."""
        return (inspect.getdoc(self.function) or "").partition("\n")[0]

    @property
    def parameters(self) -> dict[str, inspect.Parameter]:
        """The keyword-only arguments, which are the recipe keys."""
        every = inspect.signature(self.function).parameters.values()
        return {p.name: p for p in every if p.kind is inspect.Parameter.KEYWORD_ONLY}

    def hints(self) -> dict[str, Any]:
        """The annotation of each argument, extras included."""
        return get_type_hints(self.function, include_extras=True)


@dataclass(frozen=True)
class Step:
    """A step with its arguments bound: canonical JSON values, defaults filled in."""

    kind: str
    name: str
    args: Mapping[str, Any] = field(default_factory=dict)

    @property
    def type(self) -> StepType:
        return lookup(self.kind, self.name)

    def __call__(self, *positional: Any) -> Any:
        return self.type.function(*positional, **self.args)

    def identity(self, digest: Callable[[tuple[str, ...]], str]) -> dict[str, Any]:
        """What the step's fingerprint hashes: name, version, arguments, and the releases of what it leans on.

        `digest` gives the content hash of the files of a `Paths` argument.
        """
        marks = {name: getattr(hint, "__metadata__", ()) for name, hint in self.type.hints().items()}
        hashed = {key: value for key, value in self.args.items() if NotIdentity not in marks[key]}
        args = {key: digest(tuple(value)) if ByContent in marks[key] else value for key, value in hashed.items()}
        uses = {name: release(name) for name in self.type.extras.get("uses", ())}
        return {"step": f"{self.kind}:{self.name}", "version": self.type.version, "args": args, "uses": uses}


def release(name: str) -> str:
    """The installed release of a distribution; of "unicode", that of Python's tables."""
    return unicodedata.unidata_version if name == "unicode" else version_of(name)


class UnknownStep(LookupError):
    """No step of that kind and name; the text suggests the nearest one."""


_steps: dict[tuple[str, str], StepType] = {}


def register(kind: str, name: str, version: int = 1, **extras: Any) -> Callable[[F], F]:
    """A decorator that makes a function the step `name` of `kind`; two steps of one name are an error.

    `uses` names the distributions (and "unicode") whose release changes what the step gives: it becomes part of identity.
    `check=function(args) -> [message]` says what is wrong with bound arguments that are each of their type.
    """

    def add(function: F) -> F:
        known = _steps.get((kind, name))
        if known and (known.function.__module__, known.function.__qualname__) != (function.__module__, function.__qualname__):
            raise ValueError(f"{kind} {name!r} is defined twice: in {known.function.__module__} and {function.__module__}")
        _steps[kind, name] = StepType(kind, name, version, function, extras)
        return function

    return add


def fetcher(name: str, version: int = 1, **extras: Any) -> Callable[[F], F]:
    """`function(cache: Path, *, ...) -> list[InputFile]`: where bytes come from.

    `together=function(cache, [args, ...])` may fetch ahead, in one go, all that a recipe asks of this fetcher.
    """
    return register("fetcher", name, version, **extras)


def publisher(name: str, version: int = 1, **extras: Any) -> Callable[[F], F]:
    """`function(listing: Listing, *, ...) -> list[RemoteFile]`: a fetcher that says which files there are.

    What they all name is fetched together: within the limits of each host, resumed, checked, held in the cache.
    """
    return register("fetcher", name, version, lists=True, **extras)


def reader(name: str, version: int = 1, **extras: Any) -> Callable[[F], F]:
    """`function(file: InputFile, *, ...) -> Iterator[RawDocument]`: how a file's records are read."""
    return register("reader", name, version, **extras)


def extractor(name: str, version: int = 1, **extras: Any) -> Callable[[F], F]:
    """`function(raw: pa.RecordBatch, *, ...) -> Extracted`: bytes of the format `name` to text."""
    return register("extractor", name, version, **extras)


def filter(name: str, version: int = 1, **extras: Any) -> Callable[[F], F]:  # noqa: A001 - the field's word for it
    """`function(docs: pa.RecordBatch, *, ...) -> Verdicts`: a rule over documents."""
    return register("filter", name, version, **extras)


def stage(name: str, version: int = 1, **extras: Any) -> Callable[[F], F]:
    """`function(job: Job, *, ...) -> Report`: one task of a stage.

    `each="extract"` makes one task per part of that input; `tasks=function(inputs, args) -> [Task]` says otherwise;
    neither means a single task. `rounds=function(inputs, args) -> [Task]` gives tasks to be run before those, again and again
    until it gives none; what a round wrote is the role "round" of the next one, and of the stage's own tasks, after which it
    is removed. `finish=function(folder, results, args)` runs once, before the stage is committed.
    `seeded=True` says that it draws by `job.seed`: only then is the seed part of its identity.
    """
    return register("stage", name, version, **extras)


def export(name: str, version: int = 1) -> Callable[[F], F]:
    """`function(dataset: Folder, target: Folder, *, ...) -> None`: packed shards to another format."""
    return register("export", name, version)


@cache
def load_all() -> None:
    """Import every step module, so that every step is registered."""
    for package_name in STEP_PACKAGES:
        package = importlib.import_module(package_name)
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{package_name}.{module.name}")


def lookup(kind: str, name: str) -> StepType:
    """The step `name` of `kind`, or UnknownStep with a suggestion."""
    load_all()
    found = _steps.get((kind, name))
    if found is None:
        raise UnknownStep(f"no {kind} is called {name!r}{did_you_mean(name, names(kind))}")
    return found


def names(kind: str) -> list[str]:
    """The names of all steps of a kind, sorted."""
    load_all()
    return sorted(name for known_kind, name in _steps if known_kind == kind)


def steps() -> Iterator[StepType]:
    """Every registered step, by kind and name: what the generated table of steps lists."""
    load_all()
    return (_steps[key] for key in sorted(_steps))


def did_you_mean(name: str, known: list[str]) -> str:
    """'; did you mean X?' for the nearest known name, else the list of them."""
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(known) or 'none'}"


def bind(kind: str, name: str, args: Mapping[str, Any], *, partial: bool = False) -> tuple[Step, list[tuple[str, str]]]:
    """Bind recipe keys to a step: the step with canonical arguments, and every mistake as (key, message).

    Values are coerced by annotation, so that 10 and 10.0 have one identity; defaults are filled in from the signature.
    With `partial`, only the keys given are bound: the plan fills in the others, and a step that needs one of them is checked then.
    """
    step_type = lookup(kind, name)
    parameters, hints = step_type.parameters, step_type.hints()
    mistakes = [(key, f"{kind} {name!r} has no such key{did_you_mean(key, list(parameters))}") for key in args if key not in parameters]
    bound: dict[str, Any] = {}
    for key, parameter in parameters.items():
        if partial and key not in args:
            continue
        value = args.get(key, parameter.default)
        if value is inspect.Parameter.empty:
            mistakes.append(("", f"{kind} {name!r} needs the key {key!r}"))
            continue
        adapter = TypeAdapter(hints[key], config=_FINITE)
        try:
            bound[key] = adapter.dump_python(adapter.validate_python(value), mode="json")
        except ValidationError as error:
            mistakes += [(".".join([key, *map(str, e["loc"])]), f"{e['msg']} (got {e['input']!r})") for e in error.errors()]
    whole = {key: p.default for key, p in parameters.items() if p.default is not inspect.Parameter.empty} | bound
    if not mistakes and "check" in step_type.extras and whole.keys() == parameters.keys():
        mistakes = [("", f"{kind} {name!r}: {message}") for message in step_type.extras["check"](whole)]
    return Step(kind, name, bound), mistakes


def fingerprint(value: object) -> str:
    """SHA-256 of the canonical JSON of `value`, as hex; raises TypeError on a value with no canonical form."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
