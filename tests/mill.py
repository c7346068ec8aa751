"""Runs the command line in processes of its own, on a small mix-v1: what the tests of the whole line share."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]

#: Settings that make mix-v1 small: many parts, small vocabulary, short rows, several shards.
SMALL = (
    "part_bytes=12000", "tokenizer.vocab_size=600", "tokenizer.sample_bytes=400000", "tokenize.infill.code=0.5", "mix.holdout=0.05",
    "mix.shard_tokens=4096", "pack.seq_len=256", "pack.also=[128]", "dedupe.max_removed=0.9", "quality_model.max_documents=400",
    "sources.books.max_epochs=4", "sources.wikipedia.max_epochs=4", "sources.academic.max_epochs=4", "sources.curated.max_epochs=4",
    "sources.code.max_epochs=4",
)  # fmt: skip


class Mill:
    """Runs the command line in a process of its own, on one set of sources."""

    def __init__(self, sources: Path) -> None:
        self.sources = sources

    def argv(self, out: Path, *more: str) -> list[str]:
        settings = [part for item in SMALL for part in ("--set", item)]
        return [
            sys.executable, "-m", "pipeline", "run", "mix-v1", "--profile", "local", "--sources", str(self.sources),
            "--out", str(out), *settings, *more,
        ]  # fmt: skip

    def run(self, out: Path, *more: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(self.argv(out, *more), cwd=ROOT, capture_output=True, text=True, timeout=300, env=environment())
        if check and done.returncode:
            raise AssertionError(f"exit {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def start(self, out: Path, *more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.argv(out, *more), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment()
        )


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"}


def facts(out: Path) -> dict[str, Any]:
    return json.loads((out / "mix-v1" / "run.json").read_text())  # type: ignore[no-any-return]
