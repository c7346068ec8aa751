"""The import ladder, held by reading the code: imports run one way, and each outside library has its one home."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

#: Rungs from the lowest up: a module may import modules of lower rungs, and of its own package where it is one.
LADDER: tuple[tuple[str, ...], ...] = (
    ("pipeline.errors", "pipeline.contracts"),
    ("pipeline.schema", "pipeline.report", "pipeline.mixing", "pipeline.writing", "pipeline.conversations"),
    ("pipeline.storage", "pipeline.registry", "pipeline.kernels", "pipeline.located"),
    ("pipeline.languages", "pipeline.licences", "pipeline.fetching", "pipeline.chats"),
    ("pipeline.job",),
    ("pipeline.survivors", "pipeline.tokens", "pipeline.classifying", "pipeline.mixing", "pipeline.runfiles"),
    ("tokenizer", "pipeline.evals"),
    (
        "pipeline.remotes",
        "pipeline.sources",
        "pipeline.extract",
        "pipeline.filters",
        "pipeline.dedupe",
        "pipeline.scoring",
        "pipeline.shards",
        "pipeline.compat",
    ),
    ("pipeline.stages",),
    ("pipeline.profiles", "pipeline.fields"),
    ("pipeline.recipe",),
    ("pipeline.download",),
    ("pipeline.plan", "pipeline.estimate"),
    ("pipeline.worker",),
    ("pipeline.cluster", "pipeline.progress"),
    ("pipeline.evidence",),
    ("pipeline.waves",),
    ("pipeline.gates",),
    ("pipeline.run", "pipeline.explain", "pipeline.rejects", "pipeline.verify", "pipeline.yields", "dashboards"),
    ("pipeline.cli",),
    ("pipeline.__main__",),
)

#: Outside libraries with one home each.
HOMES = {
    "ray": ("pipeline.cluster", "trainer.cluster"),
    "numba": ("pipeline.kernels",),
    "datatrove": ("pipeline.compat",),
    "torch": ("trainer",),
    "datasets": ("pipeline.sources", "pipeline.evals"),
    "typer": ("pipeline.__main__", "pipeline.cli.arguments", "pipeline.cli.shard_commands"),
}

FIRST_PARTY = ("pipeline", "tokenizer", "trainer", "dashboards")


def modules() -> Iterator[tuple[str, Path]]:
    for package in FIRST_PARTY:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            yield name.removesuffix(".__init__"), path


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def place(module: str) -> tuple[int, str] | None:
    """The rung of a module and the entry that it belongs to."""
    for rung, entries in enumerate(LADDER):
        for entry in entries:
            if module == entry or module.startswith(entry + "."):
                return rung, entry
    return None


def breach(module: str, imported: str) -> str | None:
    """Why `module` may not import `imported`, or None."""
    here, there = place(module), place(imported)
    if module.split(".")[0] == "trainer":
        return (
            f"{module} imports {imported}: the trainer sees only itself"
            if imported.split(".")[0] in ("pipeline", "tokenizer", "dashboards")
            else None
        )
    if here is None or there is None or here[1] == there[1]:
        return None
    return None if there[0] < here[0] else f"{module} imports {imported}: that is not below it on the ladder"


def test_every_module_has_a_rung() -> None:
    packages = {"pipeline", "trainer"}
    lost = [name for name, _ in modules() if name not in packages and not name.startswith("trainer.") and place(name) is None]
    assert not lost, f"put these on the ladder: {lost}"


def test_imports_run_one_way() -> None:
    found = [reason for name, path in modules() for imported in imports(path) if (reason := breach(name, imported))]
    assert not found, "\n".join(sorted(set(found)))


def test_outside_libraries_have_one_home() -> None:
    found = [
        f"{name} imports {imported}"
        for name, path in modules()
        for imported in imports(path)
        if (homes := HOMES.get(imported.split(".")[0])) and not name.startswith(homes)
    ]
    assert not found, "\n".join(sorted(set(found)))


@pytest.mark.parametrize(
    ("module", "imported"),
    [
        ("pipeline.storage", "pipeline.stages.filter"),
        ("pipeline.filters.c4", "pipeline.sources.warc"),
        ("pipeline.stages.mix", "pipeline.run"),
        ("trainer.train", "pipeline.storage"),
    ],
)
def test_a_breach_is_seen(module: str, imported: str) -> None:
    assert breach(module, imported)


def test_no_step_runs_anything_at_import() -> None:
    """At module level there are only definitions, constants, imports and docstrings: no calls standing alone."""
    found = []
    for name, path in modules():
        if name.endswith("__main__"):
            continue
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
                found.append(f"{name}:{node.lineno}")
    assert not found, found
