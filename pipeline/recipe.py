"""A recipe: YAML in, a frozen Recipe out. Every mistake is found, with its line, before anything runs.

The grammar is in recipes/README.md. A recipe is data: what sources there are and their shares, how each is read and
filtered, the settings of the stages, and profiles that say where the bytes come from and override settings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path as FilePath
from typing import Any

from pipeline import registry
from pipeline.errors import Mistake, RecipeError
from pipeline.fields import Fields
from pipeline.located import Located, Path
from pipeline.profiles import choose
from pipeline.registry import Step

#: Stages whose arguments a recipe may set at its top level, under the stage's own name.
SETTINGS = ("signatures", "dedupe", "lines", "passages", "quality_model", "tokenizer", "tokenize", "mix", "pack", "index")
#: Arguments of stages that the plan fills in from the rest of the recipe.
FILLED = {"mix": ("shares", "max_epochs"), "tokenize": ("max_tokens",), "index": ("signed_by", "shingle_words", "prefer", "of")}
#: What to do instead of giving such an argument.
FOLLOWS = {
    "mix": "this follows from the sources: set their share or max_epochs",
    "tokenize": "this follows from `pack`: set its seq_len",
    "index": "this follows from `signatures` and `dedupe`: set it there",
}
TOP_KEYS = (
    "name",
    "about",
    "seed",
    "part_bytes",
    "download",
    "sources",
    "decontaminate",
    "profiles",
    "default_profile",
    "own_reader",
    *SETTINGS,
)
#: Input files smaller than this share a part with their neighbours, unless the recipe says otherwise.
PART_BYTES = 16_000_000
SOURCE_KEYS = ("about", "share", "max_epochs", "floor", "inputs", "extract", "filters", "quality")


@dataclass(frozen=True)
class Input:
    """Where some of a source's bytes come from, and how they are read."""

    fetch: Step
    read: Step


@dataclass(frozen=True)
class Source:
    """One source: its share of the packed tokens (a fraction of 1) and how its documents are made and filtered.

    `floor`: bytes of extracted text below which the run stops. `quality`: settings of its quality stage, or None.
    """

    name: str
    share: float
    max_epochs: float
    floor: int
    about: str
    inputs: tuple[Input, ...]
    extract: tuple[Step, ...]
    filters: tuple[Step, ...]
    quality: Step | None


@dataclass(frozen=True)
class Recipe:
    """A checked recipe with one profile chosen.

    `part_bytes`: input files smaller than this share a part with their neighbours. `settings`: the stages' arguments as
    far as the recipe gives them. `download`: how publishers are asked. `path`: its file, "" where it has none.
    """

    name: str
    profile: str
    about: str
    seed: int
    part_bytes: int
    sources: tuple[Source, ...]
    settings: Mapping[str, Step] = field(default_factory=dict)
    download: Step | None = None
    path: str = ""
    tokenizer_from: str = ""

    def with_tokenizer_of(self, files: Sequence[str]) -> Recipe:
        """The recipe with a tokenizer that lies in files, in the place of the run that `tokenizer_from` names."""
        step = self.settings["tokenizer"]
        return replace(self, settings={**self.settings, "tokenizer": replace(step, args={**step.args, "file": list(files)})})

    def source(self, name: str) -> Source:
        return next(source for source in self.sources if source.name == name)


def load_recipe(
    path: str,
    profile: str | None = None,
    overrides: Mapping[str, str] | None = None,
    user_sources: Mapping[str, Sequence[str]] | None = None,
) -> Recipe:
    """Read and check a recipe file.

    `profile` picks one of its profiles (its `default_profile` when None); `overrides` are dotted keys with YAML values;
    `user_sources` gives each named source the user's own paths, and leaves out sources it doesn't name.
    Raises RecipeError with every mistake.
    """
    try:
        text = FilePath(path).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        beside = sorted(found.stem for found in FilePath(path).parent.glob("*.yaml"))
        raise RecipeError(path, [Mistake(0, "file", f"can't be read ({error}); recipes there: {', '.join(beside) or 'none'}")]) from error
    return replace(parse_recipe(text, path, profile, overrides, user_sources), path=path)


def parse_recipe(
    text: str,
    name: str,
    profile: str | None = None,
    overrides: Mapping[str, str] | None = None,
    user_sources: Mapping[str, Sequence[str]] | None = None,
) -> Recipe:
    """`load_recipe` of a text; `name` is what messages call it."""
    doc = Located(text, name)
    if not isinstance(doc.value, dict):
        doc.mistake((), "a recipe is a mapping of keys, and this is none")
        raise RecipeError(name, doc.mistakes)
    chosen = choose(doc, profile, overrides or {}, user_sources or {})
    recipe = _Parser(doc).recipe(chosen)
    if doc.mistakes:
        raise RecipeError(name, doc.mistakes)
    return recipe


class _Parser(Fields):
    """Walks a located recipe; notes each mistake and goes on with a default, so that all are found."""

    def recipe(self, profile: str) -> Recipe:
        top = self.doc.value
        self.known((), TOP_KEYS)
        sources = self.sources()
        decontaminate = (
            self.bind("filter", "decontaminate", top.get("decontaminate"), ("decontaminate",)) if "decontaminate" in top else None
        )
        if decontaminate is not None:
            sources = tuple(_with_filter(source, decontaminate) for source in sources)
        run = self.tokenizer_from()
        settings = {name: self.bind("stage", name, top[name], (name,), partial=True) for name in SETTINGS if name in top}
        for stage, keys in FILLED.items():
            for key in set(self.mapping((stage,))) & set(keys):
                self.doc.mistake((stage, key), FOLLOWS[stage])
        return Recipe(
            name=self.name(("name",)),
            profile=profile,
            about=self.text(("about",)),
            seed=self.whole(("seed",), 0),
            part_bytes=self.whole(("part_bytes",), PART_BYTES, least=1),
            sources=sources,
            settings={name: step for name, step in settings.items() if step is not None},
            download=self.bind("setting", "download", top.get("download"), ("download",)),
            tokenizer_from=run,
        )

    def tokenizer_from(self) -> str:
        """The run whose tokenizer is taken (`tokenizer: {from: mix-v1}`); the key is no argument of the stage."""
        path = ("tokenizer", "from")
        if "from" not in self.mapping(path[:1]):
            return ""
        if self.mapping(path[:1]).get("file"):
            self.doc.mistake(path, "a tokenizer is that of a run, or lies in a `file`: give one of them")
        run = self.name(path)
        self.doc.value["tokenizer"] = {key: value for key, value in self.mapping(path[:1]).items() if key != "from"}
        return run

    def sources(self) -> tuple[Source, ...]:
        found = self.mapping(("sources",))
        if not found:
            self.doc.mistake(("sources",), "a recipe needs at least one source")
        for name in found:
            if not name.isidentifier():
                self.doc.mistake(("sources", name), "a source's name is made of letters, digits and _")
        total = sum(max(self.number(("sources", name, "share"), 0.0, quiet=True), 0.0) for name in found)
        sources = tuple(self.source(name, total) for name in found)
        if found and total <= 0:
            self.doc.mistake(("sources",), "the shares add up to nothing: give each source a share above 0")
        return sources

    def source(self, name: str, total: float) -> Source:
        path = ("sources", name)
        body = self.mapping(path)
        self.known(path, SOURCE_KEYS)
        share = self.number((*path, "share"), 0.0)
        if share < 0 or (share == 0 and "share" not in body):
            self.doc.mistake((*path, "share"), "a share is a number above 0 (shares are relative: 60 and 15, or .6 and .15)")
        epochs = self.number((*path, "max_epochs"), 1.0)
        if epochs <= 0:
            self.doc.mistake((*path, "max_epochs"), f"{epochs} is not above 0")
        return Source(
            name=name,
            share=share / total if total > 0 else 0.0,
            max_epochs=epochs,
            floor=self.whole((*path, "floor"), 0),
            about=self.text((*path, "about")),
            inputs=self.inputs((*path, "inputs")),
            extract=self.steps("extractor", (*path, "extract")),
            filters=self.steps("filter", (*path, "filters")),
            quality=self.bind("stage", "quality", body["quality"], (*path, "quality")) if body.get("quality") is not None else None,
        )

    def inputs(self, path: Path) -> tuple[Input, ...]:
        listed = self.sequence(path)
        if not listed:
            self.doc.mistake(path, "no inputs: choose a profile that names some, or give the source's own `inputs`")
        found = [self.input((*path, str(index)), item) for index, item in enumerate(listed)]
        return tuple(item for item in found if item is not None)

    def input(self, path: Path, item: Any) -> Input | None:
        if not isinstance(item, dict) or "fetch" not in item or "read" not in item:
            self.doc.mistake(path, "an input has two keys: fetch (where from) and read (how)")
            return None
        self.known(path, ("fetch", "read"))
        fetch = self.step("fetcher", (*path, "fetch"), item["fetch"])
        read = self.step("reader", (*path, "read"), item["read"])
        return Input(fetch, read) if fetch and read else None

    def steps(self, kind: str, path: Path) -> tuple[Step, ...]:
        found = [self.step(kind, (*path, str(index)), item) for index, item in enumerate(self.sequence(path))]
        return tuple(step for step in found if step is not None)

    def step(self, kind: str, path: Path, item: Any) -> Step | None:
        """A step is written `name`, or `name: {key: value}`."""
        if isinstance(item, str):
            return self.bind(kind, item, {}, path)
        if isinstance(item, dict) and len(item) == 1:
            name, args = next(iter(item.items()))
            return self.bind(kind, name, args, (*path, name))
        self.doc.mistake(path, f"a {kind} is written `name` or `name: {{key: value}}`, one to a list item")
        return None

    def bind(self, kind: str, name: str, args: Any, path: Path, partial: bool = False) -> Step | None:
        args = {} if args is None else args
        if not isinstance(args, dict):
            self.doc.mistake(path, f"{kind} {name!r} takes a mapping of keys (got {args!r})")
            return None
        try:
            step, mistakes = registry.bind(kind, name, args, partial=partial)
        except registry.UnknownStep as unknown:
            self.doc.mistake(path, str(unknown))
            return None
        for key, message in mistakes:
            self.doc.mistake((*path, *key.split(".")) if key else path, message)
        return step if not mistakes else None


def _with_filter(source: Source, step: Step) -> Source:
    return Source(**{**vars(source), "filters": (*source.filters, step)})
