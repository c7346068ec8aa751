"""`tokenmill steps`: the steps a recipe can name; recipes/README.md's table is made from this."""

from __future__ import annotations

import inspect
from typing import Any

from pipeline import registry
from pipeline.cli.output import console, print_json, print_table
from pipeline.errors import TokenmillError


def show_steps(kind: str | None, as_json: bool, as_markdown: bool = False) -> None:
    """Print every step of a kind (all kinds when None) with its keys and defaults."""
    if as_markdown:
        console().print(markdown(), soft_wrap=True, markup=False)
        return
    found = [step for step in registry.steps() if kind in (None, step.kind)]
    if not found:
        kinds = sorted({step.kind for step in registry.steps()})
        raise TokenmillError(f"no kind of step is called {kind!r}{registry.did_you_mean(kind or '', kinds)}")
    if as_json:
        print_json([{"kind": s.kind, "name": s.name, "version": s.version, "keys": keys(s), "about": s.summary} for s in found])
        return
    print_table("steps", ("step", "kind", "about", "keys"), [(s.name, s.kind, s.summary, written_keys(s)) for s in found])


def keys(step: registry.StepType) -> dict[str, Any]:
    """A step's recipe keys with their defaults; None where a key has to be given."""
    return {name: None if p.default is inspect.Parameter.empty else p.default for name, p in step.parameters.items()}


def written_keys(step: registry.StepType) -> str:
    """The keys as one line: "min_words=50, max_words=100000"."""
    required = {name for name, p in step.parameters.items() if p.default is inspect.Parameter.empty}
    return ", ".join(name if name in required else f"{name}={value!r}" for name, value in keys(step).items())


def markdown() -> str:
    """The table of steps in recipes/README.md."""
    rows = ["| kind | step | about | keys |", "|---|---|---|---|"]
    for step in registry.steps():
        cells = (step.kind, f"`{step.name}`", step.summary, f"`{written_keys(step)}`" if step.parameters else "")
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows)
