"""`tokenmill run`: here, or as a job of a Ray cluster."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from pipeline import cluster
from pipeline.cli.output import console, print_json
from pipeline.cli.report import write_report
from pipeline.errors import TokenmillError
from pipeline.progress import Lines, Silent
from pipeline.recipe import Recipe
from pipeline.run import Options, run, run_facts
from pipeline.waves import Run


def run_here(recipe: Recipe, options: Options, as_json: bool) -> Run:
    """Run a recipe and say where everything is."""
    if as_json:
        done = run(recipe, options, Silent())
        write_report(done.folder)
        print_json(run_facts(done, options))
        return done
    out = console()
    with Lines() as watch:
        watch.say(f"{recipe.name} · profile {recipe.profile} · " + " / ".join(f"{s.name} {s.share:.0%}" for s in recipe.sources))
        done = run(recipe, options, watch)
    write_report(done.folder)
    if not done.ran:
        out.print("Nothing to do: every stage is as this recipe and these inputs make it.", soft_wrap=True)
    _say_where(done)
    return done


def _say_where(done: Run) -> None:
    out = console()
    places = [("shards", done.dataset.path("train")), ("digest", done.digest), ("run", done.folder.path("run.json"))]
    places.append(("report", done.folder.path("report.html")))
    out.print(f"\ndone in {done.seconds:,.1f} s", soft_wrap=True)
    for name, place in places:
        out.print(f"  {name:<8} {place}", soft_wrap=True)
    name = done.plan.recipe.name + ("" if done.out == Options.out else f" --out {done.out}")
    out.print(f"Look inside: tokenmill inspect {name}, tokenmill explain {name} TEXT, tokenmill verify {name}", soft_wrap=True)


def submit(address: str, argv: Sequence[str]) -> int:
    """Send this command line to a cluster, without its --cluster; returns the exit status."""
    rest = _without_cluster(argv)
    if "--out" not in rest and not any(item.startswith("--out=") for item in rest):
        raise TokenmillError("a cluster's nodes need one place to write: give out=URL (s3://bucket/path, or a folder all nodes share)")
    checkout = Path(__file__).resolve().parents[2]
    interpreter = os.environ.get("TOKENMILL_CLUSTER_PYTHON", "python")
    status = cluster.submit(address, [interpreter, "-m", "pipeline", *rest], checkout)
    console().print(f"job {status.lower()}", soft_wrap=True)
    return 0 if status == "SUCCEEDED" else 1


def _without_cluster(argv: Sequence[str]) -> list[str]:
    kept: list[str] = []
    skip = False
    for item in argv:
        if skip:
            skip = False
        elif item == "--cluster":
            skip = True
        elif not item.startswith("--cluster="):
            kept.append(item)
    return kept
