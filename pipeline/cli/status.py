"""`tokenmill status`: what is on disk of a recipe's runs."""

from __future__ import annotations

from typing import Any

from pipeline.cli.output import console, print_json, print_table, size
from pipeline.errors import StorageError
from pipeline.job import DONE, MANIFEST
from pipeline.runfiles import RUN_FILE, STOPPED_FILE
from pipeline.storage import Folder


def show_status(folder: Folder, as_json: bool) -> None:
    """Print each stage folder: state, tasks, documents, bytes, and whether the last run uses it."""
    rows = [_row(folder, name) for name in folder.folders() if name[:2].isdigit()]
    if not rows:
        raise StorageError(f"{folder.url}: nothing there yet: run the recipe first, or give --out")
    known = [folder.read_json(file) for file in (RUN_FILE, STOPPED_FILE) if folder.exists(file)]
    used = {stage["folder"] for facts in known for stage in facts["stages"]}
    for row in rows:
        row["used"] = row["folder"] in used
    if as_json:
        print_json(rows)
        return
    table = [(r["folder"], r["state"], r["tasks"], r["documents"], size(r["bytes"]), r["used"]) for r in rows]
    print_table(folder.url, ("stage", "state", "tasks", "documents", "size", "in the last run"), table)
    stale = sum(row["bytes"] for row in rows if not row["used"])
    if stale:
        console().print(f"{size(stale)} belong to earlier settings: such folders may be removed", soft_wrap=True)


def _row(folder: Folder, name: str) -> dict[str, Any]:
    stage = folder.sub(name)
    if stage.exists(MANIFEST):
        tasks = stage.read_json(MANIFEST)["tasks"]
        state = "finished"
    else:
        tasks = [stage.sub(DONE).read_json(task) for task in stage.sub(DONE).names()]
        state = "begun"
    return {
        "folder": name,
        "state": state,
        "tasks": len(tasks),
        "documents": sum(sum(task["report"]["kept"].values()) for task in tasks),
        "bytes": sum(entry["bytes"] for task in tasks for entry in task["files"]),
    }
