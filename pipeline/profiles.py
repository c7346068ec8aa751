"""What a recipe becomes before it is checked: a profile laid over it, keys set from the command line, a user's own sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.errors import RecipeError
from pipeline.located import Located
from pipeline.registry import did_you_mean

#: The profile for a user's own sources, where a recipe has one.
OWN = "local"
#: Settings that name sources: a list of names, or a mapping by name.
NAMING = (
    ("dedupe", "priority"), ("dedupe", "max_removed"), ("dedupe", "same_url"), ("lines", "sources"), ("lines", "max_removed"),
    ("passages", "priority"), ("passages", "max_removed"), ("quality_model", "positive"), ("quality_model", "negative"),
    ("tokenize", "infill"), ("tokenizer", "shares"),
)  # fmt: skip


def choose(doc: Located, profile: str | None, overrides: Mapping[str, str], user_sources: Mapping[str, Sequence[str]]) -> str:
    """Lay a profile over a located recipe, then `overrides`, then `user_sources`; returns the profile's name.

    Mistakes are noted in `doc`; RecipeError only where nothing after it would make sense: an unknown profile.
    """
    own = OWN if user_sources and OWN in (doc.value.get("profiles") or ()) else None
    chosen = _choose_profile(doc, profile or own)
    _override(doc, overrides)
    _check_source_names(doc)
    if own and chosen != own:
        doc.mistake(("profiles",), f"own sources go with the profile {own!r}, not with {chosen!r}")
    if user_sources:
        _use_own_sources(doc, user_sources)
    for name in _names(doc):
        if doc.value["sources"][name] is None:  # a profile that has nothing for a source leaves it out
            del doc.value["sources"][name]
    return chosen


def _override(doc: Located, overrides: Mapping[str, str]) -> None:
    known = set(_names(doc))
    for key, value in overrides.items():
        doc.override(tuple(key.split(".")), value)
        if key.partition(".")[0] in ("profiles", "default_profile"):
            doc.mistake(tuple(key.split(".")), "a profile is chosen with --profile, and its keys are set where they end up")
    for source in sorted(set(_names(doc)) - known):
        doc.mistake(("sources", source), f"--set: the recipe has no source {source!r}{did_you_mean(source, sorted(known))}")


def _choose_profile(doc: Located, profile: str | None) -> str:
    profiles = doc.value.get("profiles") if doc.value.get("profiles") is not None else {}
    if not isinstance(profiles, dict):
        doc.mistake(("profiles",), "profiles are a mapping of names")
        return ""
    chosen = profile or doc.value.get("default_profile") or next(iter(profiles), "")
    if chosen and chosen not in profiles:
        doc.mistake(("profiles",), f"no profile is called {chosen!r}{did_you_mean(str(chosen), list(profiles))}")
        raise RecipeError(doc.name, doc.mistakes)
    if chosen:
        doc.merge((), ("profiles", chosen))
    return str(chosen)


def _names(doc: Located) -> list[str]:
    sources = doc.value.get("sources")
    return list(sources) if isinstance(sources, dict) else []


def _check_source_names(doc: Located) -> None:
    """A setting that names a source names one of the recipe's."""
    known = _names(doc)
    for stage, key in NAMING:
        settings = doc.value.get(stage)
        named = settings.get(key) if isinstance(settings, dict) else None
        for name in named if isinstance(named, list | dict) else ():
            if name not in known:
                doc.mistake((stage, key), f"the recipe has no source {name!r}{did_you_mean(str(name), known)}")


def _use_own_sources(doc: Located, user_sources: Mapping[str, Sequence[str]]) -> None:
    sources = doc.value.get("sources")
    if not isinstance(sources, dict):
        return
    for name in user_sources:
        if name not in sources:
            doc.mistake(("sources",), f"the recipe has no source {name!r}{did_you_mean(name, list(sources))}")
    for name in list(sources):
        if name in user_sources and isinstance(sources[name], dict):
            sources[name]["inputs"] = [
                {"fetch": {"files": {"paths": list(user_sources[name])}}, "read": doc.value.get("own_reader", "any")}
            ]
        elif name not in user_sources:
            del sources[name]
