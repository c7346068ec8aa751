"""`tokenmill plan`: the stages with their fingerprints, what is done, and what the rest will cost."""

from __future__ import annotations

from pipeline.cli.output import console, print_json, print_table, size
from pipeline.download import Lock
from pipeline.estimate import estimate
from pipeline.job import MANIFEST
from pipeline.plan import Plan
from pipeline.storage import Folder
from pipeline.yields import needed


def show_plan(lock: Lock, plan: Plan, folder: Folder, as_json: bool) -> None:
    """Print a plan; nothing is run."""
    done = {stage.key: folder.sub(stage.folder).exists(MANIFEST) for stage in plan.stages}
    costs = estimate(plan.recipe, lock)
    if as_json:
        stages = [
            {"key": s.key, "folder": s.folder, "fingerprint": s.fingerprint, "inputs": s.inputs, "done": done[s.key]} for s in plan.stages
        ]
        print_json({"stages": stages, "estimate": costs.to_json(), "missing": list(lock.missing)})
        return
    for text in lock.missing:
        console().print(f"missing: {text}", soft_wrap=True)
    rows = [(s.key, s.fingerprint[:12], "done" if done[s.key] else "to do", " ".join(sorted(s.inputs))) for s in plan.stages]
    print_table(f"{plan.recipe.name}, profile {plan.recipe.profile}", ("stage", "fingerprint", "state", "reads"), rows)
    columns = ("source", "share", "files", "input", "text, about", "tokens, about", "share's tokens")
    lines = [(c.source, f"{c.share:.1%}", c.files, size(c.input_bytes), size(c.text_bytes), c.tokens, c.quota) for c in costs.sources]
    print_table("what the inputs hold (estimates: see docs/plan.md)", columns, lines)
    console().print(
        f"largest mix about {costs.total_tokens:,} tokens, bound by {costs.binding}; "
        f"disk about {size(costs.disk_bytes)}; about {costs.core_seconds:,.0f} core seconds",
        soft_wrap=True,
    )


def show_need(folder: Folder, tokens: float, as_json: bool) -> None:
    """Print how many files of each source a mix of `tokens` tokens takes, by what the last run of the recipe measured."""
    need = needed(folder, int(tokens))
    if as_json:
        print_json(need.to_json())
        return
    columns = ("source", "share", "tokens", "files", "download", "disk", "measured on")
    lines = [
        (s.source, f"{s.share:.1%}", s.tokens, s.files, size(s.download_bytes), size(s.disk_bytes),
         f"{s.measured_tokens:,} tokens of {s.measured_files:,} files, {size(s.measured_bytes)}")
        for s in need.sources
    ]  # fmt: skip
    print_table(f"{need.tokens:,} tokens, by the yields of the run in {folder.url}", columns, lines)
    console().print(f"download {size(need.download_bytes)}, disk {size(need.disk_bytes)} with all that a run keeps", soft_wrap=True)
