"""The plan: a checked recipe and its locked inputs become a list of stages, each with a fingerprint. Pure and printable.

A stage's fingerprint hashes its step (name, version, bound arguments), the fingerprints of the stages it reads, and, at
the beginning, the content of the input files. Its output lives in a folder named after it, so a changed threshold
makes new folders for what depends on it and leaves the rest as it is.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

from pipeline.contracts import InputFile, Task
from pipeline.dedupe.indexes import checked, signed_by
from pipeline.download import Lock, LockedInput, parts
from pipeline.recipe import Recipe, Source
from pipeline.registry import Step, bind, fingerprint, lookup, names
from pipeline.runfiles import index_of
from pipeline.storage import Folder, content_digest, sha256_of

#: The way of a document. A stage's number is its place here; stages of one number don't depend on each other.
ORDER = (
    "extract", "filter",
    "signatures", "candidates", "components", "gather", "verify", "dedupe", "lines", "passages",
    "quality_model", "quality", "excerpts", "pieces", "tokenizer", "tokenize", "mix", "pack",
    "index",
)  # fmt: skip


@dataclass(frozen=True)
class Stage:
    """One stage of a plan: the step, the source it is about (None: all), what it reads by role, and its fingerprint.

    `tasks` is set where the plan knows them (extract); otherwise they follow from the inputs once those are committed.
    """

    key: str
    step: Step
    source: str | None
    inputs: Mapping[str, tuple[str, ...]]
    fingerprint: str
    tasks: tuple[Task, ...] | None = None

    @property
    def number(self) -> int:
        return ORDER.index(self.step.name) + 1

    @property
    def folder(self) -> str:
        """The folder's name within the run's: "02-filter-web-0123456789ab"."""
        return f"{self.number:02d}-{self.key}-{self.fingerprint[:12]}"


@dataclass(frozen=True)
class Plan:
    """Stages in the order they run."""

    recipe: Recipe
    stages: tuple[Stage, ...] = ()
    #: What the recipe asks for and this run can't do, in words.
    left_out: tuple[str, ...] = ()

    def waves(self) -> Iterator[list[Stage]]:
        """Groups of stages that may run together."""
        for _, group in groupby(self.stages, key=lambda stage: stage.number):
            yield list(group)

    def stage(self, key: str) -> Stage:
        return next(stage for stage in self.stages if stage.key == key)


def make_plan(recipe: Recipe, lock: Lock) -> Plan:
    """The whole way from input files to shards, for one recipe and its locked inputs."""
    plan = _Planner(recipe)
    shares = {source.name: source.share for source in recipe.sources}
    epochs = {source.name: source.max_epochs for source in recipe.sources}

    extracted = {source.name: plan.extract(source, lock.of(source.name)) for source in recipe.sources}
    filtered = {source.name: plan.filter(source, extracted[source.name]) for source in recipe.sources}
    every_filter = tuple(filtered.values())
    dedupe = plan.dedupe(filtered)
    clean = plan.cuts(filtered, dedupe)
    quality = plan.quality(filtered, clean)
    kept = {"filter": every_filter, **clean, "quality": tuple(quality.values())}
    tokenizer = plan.tokenizer(kept, shares)
    tokenized = tuple(plan.tokenize(name, _of_source(name, filtered, clean, quality, tokenizer)) for name in filtered)
    mix = plan.add("mix", None, {"tokenize": tokenized}, shares=shares, max_epochs=epochs)
    plan.pack({"tokenize": tokenized, "mix": (mix,), "tokenizer": (tokenizer,)})
    plan.index({"filter": every_filter, "signatures": plan.keys("signatures"), "dedupe": (dedupe,)})
    plan.stages.sort(key=lambda stage: stage.number)
    return Plan(recipe, tuple(plan.stages), tuple(plan.left_out))


def _of_source(
    name: str, filtered: Mapping[str, str], clean: Mapping[str, tuple[str, ...]], quality: Mapping[str, str], tokenizer: str
) -> dict[str, tuple[str, ...]]:
    scored = (quality[name],) if name in quality else ()
    return {"filter": (filtered[name],), **clean, "quality": scored, "tokenizer": (tokenizer,)}


class _Planner:
    """Adds stages one by one, each with the fingerprint of what it reads."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.stages: list[Stage] = []
        self.left_out: list[str] = []

    def extract(self, source: Source, inputs: list[LockedInput]) -> str:
        chosen = {step.name: step for step in source.extract}
        extractors = [chosen.get(name) or bind("extractor", name, {})[0] for name in names("extractor")]
        settings = [_as_json(step) for step in extractors]
        step, _ = bind("stage", "extract", {"extractors": settings})
        pinned = [[_facts(item.file), item.read.identity(content_digest)] for item in inputs]
        identity = {
            "part_bytes": self.recipe.part_bytes,
            "inputs": pinned,
            "readers": {name: lookup("reader", name).version for name in names("reader")},  # a reader may call another
            "extractors": [step.identity(content_digest) for step in extractors],  # which are needed shows when they are read
        }
        return self._append(step, source.name, {}, identity, parts(source.name, inputs, self.recipe.part_bytes))

    def filter(self, source: Source, extracted: str) -> str:
        step, _ = bind("stage", "filter", {"steps": [_as_json(step) for step in source.filters]})
        identity = {"steps": [step.identity(content_digest) for step in source.filters]}
        return self._append(step, source.name, {"extract": (extracted,)}, identity)

    def dedupe(self, filtered: Mapping[str, str]) -> str:
        """Suspects by bands, joined into components, their texts gathered and judged: then the decisions."""
        docs = tuple(filtered.values())
        signed = tuple(self.add("signatures", name, {"filter": (key,)}) for name, key in filtered.items())
        threshold, priority, same_url, prefer = (self.setting("dedupe", key) for key in ("threshold", "priority", "same_url", "prefer"))
        against, words, of = self.against(), self.setting("signatures", "shingle_words"), self.setting("signatures", "of")
        linked = self.add("candidates", None, {"signatures": signed}, same_url=same_url, against=against)
        joined = self.add("components", None, {"signatures": signed, "candidates": (linked,)}, against=against)
        parts = {"filter": docs, "signatures": signed, "components": (joined,)}
        texts = self.add("gather", None, parts, same_url=same_url, prefer=prefer, against=against, of=of)
        judged = self.add("verify", None, {"gather": (texts,)}, threshold=threshold, priority=priority, shingle_words=words)
        return self.add("dedupe", None, {"filter": docs, "signatures": signed, "verify": (judged,)}, against=against)

    def against(self) -> list[str]:
        """The manifests of the indexes that dedupe compares with, each once, in an order that follows from what they hold."""
        found = {checked(index_of(Folder(path)), self.signed_by()) for path in self.setting("dedupe", "against")}
        return list({sha256_of(manifest): manifest for manifest in sorted(found, key=lambda path: (sha256_of(path), path))}.values())

    def signed_by(self) -> dict[str, Any]:
        """How this run signs its documents, as an index says it."""
        settings = self.recipe.settings["signatures"].args if "signatures" in self.recipe.settings else {}
        return signed_by(bind("stage", "signatures", settings)[0].identity(content_digest))

    def index(self, inputs: Mapping[str, tuple[str, ...]]) -> None:
        """An index of what dedupe kept, when the recipe asks for one."""
        if "index" in self.recipe.settings:
            words, of = (self.setting("signatures", key) for key in ("shingle_words", "of"))
            prefer = self.setting("dedupe", "prefer")
            self.add("index", None, inputs, signed_by=self.signed_by(), shingle_words=words, prefer=prefer, of=of)

    def keys(self, name: str) -> tuple[str, ...]:
        """The keys of all stages of a step."""
        return tuple(stage.key for stage in self.stages if stage.step.name == name)

    def cuts(self, filtered: Mapping[str, str], dedupe: str) -> dict[str, tuple[str, ...]]:
        """What decides on documents and cuts their texts, by role: dedupe, and the steps that the recipe asks for."""
        clean: dict[str, tuple[str, ...]] = {"dedupe": (dedupe,)}
        read = {"filter": tuple(filtered.values()), "signatures": tuple(f"signatures-{name}" for name in filtered)}
        if "lines" in self.recipe.settings:
            asked = self.setting("lines", "sources")
            sources = [name for name in asked if name in filtered]  # a user's own sources may be few
            if sources or not asked:
                clean["lines"] = (self.add("lines", None, {**read, **clean}, sources=sources),)
            else:
                self.left_out.append(f"lines: this run has none of its sources ({', '.join(asked)})")
        if "passages" in self.recipe.settings:
            priority = self.setting("passages", "priority") or self.setting("dedupe", "priority")
            clean["passages"] = (self.add("passages", None, {**read, **clean}, priority=priority),)
        return clean

    def quality(self, filtered: Mapping[str, str], clean: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
        """The quality model and the scores of the sources that ask for them; none where no source asks, or where the run

        has no source of good or of ordinary texts to learn from (a user's own sources may be few).
        """
        asking = {source.name: source.quality for source in self.recipe.sources if source.quality is not None}
        sides: dict[str, Any] = {
            side: [name for name in self.setting("quality_model", side) if name in filtered] for side in ("positive", "negative")
        }
        empty = [texts for side, texts in (("positive", "good"), ("negative", "ordinary")) if not sides[side]]
        if not asking or empty:
            self.left_out += [
                f"quality of {name}: this run has no source that its model could learn {empty[0]} texts from" for name in asking
            ]
            return {}
        model = self.add("quality_model", None, {"filter": tuple(filtered.values()), **clean}, **sides)
        inputs = {name: {"filter": (filtered[name],), **clean, "quality_model": (model,)} for name in asking}
        return {name: self._append(step, name, inputs[name]) for name, step in asking.items()}

    def tokenize(self, source: str, inputs: Mapping[str, tuple[str, ...]]) -> str:
        """One source encoded; of what is said of single sources, it is given its own part alone."""
        infill = self.setting("tokenize", "infill") or {}
        own = {source: infill[source]} if infill.get(source) else None
        shortest = min([self.setting("pack", "seq_len"), *self.setting("pack", "also")])
        return self.add("tokenize", source, inputs, infill=own, max_tokens=shortest if self.setting("tokenize", "overlong") else None)

    def pack(self, inputs: Mapping[str, tuple[str, ...]]) -> None:
        """The mix in rows of the recipe's length, and once more for every other length it names."""
        self.add("pack", None, inputs, also=())
        for length in dict.fromkeys(self.setting("pack", "also")):
            if length != self.setting("pack", "seq_len"):
                self.add("pack", None, inputs, variant=str(length), seq_len=length, also=())

    def tokenizer(self, kept: Mapping[str, tuple[str, ...]], shares: Mapping[str, float]) -> str:
        """Excerpts drawn in the recipe's shares or the tokenizer's own, their pieces counted, a tokenizer made of the counts."""
        size, of_its_own, file = (self.setting("tokenizer", key) for key in ("sample_bytes", "shares", "file"))
        drawn = self.add("excerpts", None, kept, shares=of_its_own or shares, sample_bytes=size)
        split, digits = (self.setting("tokenizer", key) for key in ("split", "digits"))
        counted = self.add("pieces", None, {**kept, "excerpts": (drawn,)}, split=split, digits=digits, count=not file)
        return self.add("tokenizer", None, {"pieces": (counted,)})

    def setting(self, name: str, key: str) -> Any:
        """A stage's argument as the recipe gives it, or the default of the stage's signature."""
        given = self.recipe.settings[name].args if name in self.recipe.settings else {}
        default = lookup("stage", name).parameters[key].default
        return given.get(key, () if default is inspect.Parameter.empty else default)

    def add(self, name: str, source: str | None, inputs: Mapping[str, tuple[str, ...]], variant: str = "", **filled: Any) -> str:
        """A stage with the recipe's settings; `filled` are the arguments that follow from the rest of the recipe.

        `variant` tells a stage that is not a source's from another of the same step.
        """
        settings = dict(self.recipe.settings[name].args) if name in self.recipe.settings else {}
        step, mistakes = bind("stage", name, {**settings, **filled})
        if mistakes:
            raise ValueError(f"stage {name}: {mistakes}")
        return self._append(step, source, inputs, variant=variant)

    def _append(
        self,
        step: Step,
        source: str | None,
        inputs: Mapping[str, tuple[str, ...]],
        identity: Mapping[str, Any] | None = None,
        tasks: tuple[Task, ...] | None = None,
        variant: str = "",
    ) -> str:
        key = "-".join(filter(None, (step.name, source, variant)))
        known = {stage.key: stage.fingerprint for stage in self.stages}
        hashed = {
            "step": step.identity(content_digest) | ({"args": identity} if identity is not None else {}),
            "source": source,
            "inputs": {role: [known[name] for name in keys] for role, keys in inputs.items()},
            "seed": self.recipe.seed if step.type.extras.get("seeded") else None,
        }
        self.stages.append(Stage(key, step, source, inputs, fingerprint(hashed), tasks))
        return key


def _facts(file: InputFile) -> dict[str, Any]:
    """All that is known of an input file but where it lies: each of it may end up in a document's row."""
    return {key: value for key, value in asdict(file).items() if key not in ("path", "origin", "url")}


def _as_json(step: Step) -> dict[str, Any]:
    return {"name": step.name, "args": dict(step.args)}
