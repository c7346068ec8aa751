"""MB of extracted text per core second of every stage of a finished run: where the time goes.

    python -m benchmarks.pipeline [--out out] [--recipe mix-v1] [--json]

Reads run.json, whose task seconds were measured in the workers while the run worked; the first run of a machine includes
compiling the kernels.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from typing import Any

from pipeline.cli.output import print_json, print_table
from pipeline.errors import TokenmillError
from pipeline.runfiles import RunFiles
from pipeline.storage import Folder


def rates(folder: Folder) -> list[dict[str, Any]]:
    """One row per step: wall seconds of its wave, core seconds, their share of all, and MB of text per core second."""
    run = RunFiles(folder)
    text = sum(stage.report.counts[source, "text_bytes"] for stage in run.stages("extract") for source in stage.report.read) / 1e6
    core: dict[str, float] = defaultdict(float)
    wall: dict[str, float] = {}
    for stage in run.facts["stages"]:
        core[stage["stage"]] += stage["task_seconds"]
        wall[stage["stage"]] = max(wall.get(stage["stage"], 0.0), stage["seconds"])
    total = sum(core.values()) or 1.0
    return [
        {
            "stage": step,
            "wall_s": round(wall[step], 1),
            "core_s": round(seconds, 1),
            "share": seconds / total,
            "mb_per_core_s": text / seconds,
        }
        for step, seconds in core.items()
        if seconds > 0
    ]


def main(argv: list[str] | None = None) -> int:
    """Print the table of a run."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", default="out")
    parser.add_argument("--recipe", default="mix-v1")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(argv)
    try:
        found = rates(Folder(given.out).sub(given.recipe))
    except TokenmillError as error:
        print(error, file=sys.stderr)
        return 1
    if given.json:
        print_json(found)
        return 0
    rows = [(r["stage"], r["wall_s"], r["core_s"], f"{r['share']:.0%}", r["mb_per_core_s"]) for r in found]
    print_table("the stages of the last run", ("stage", "wall s", "core s", "of all", "MB of text per core s"), rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
