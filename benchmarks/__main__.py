"""`make bench`: every benchmark in turn, each in a process of its own, so that none warms up another."""

from __future__ import annotations

import subprocess
import sys

#: What `make bench` asks of a benchmark beside running.
ARGUMENTS = {"extraction": ["--write"], "filters": ["--write"], "dedupe_recall": ["--write"]}
#: In the order of the way of a document.
BENCHMARKS = ("extraction", "filters", "language", "dedupe", "dedupe_recall", "contamination", "tokenizer", "packing", "shards", "pipeline")


def main(argv: list[str]) -> int:
    """Run the benchmarks named in `argv` (all when none is); returns the number that failed."""
    chosen = [name for name in BENCHMARKS if not argv or name in argv]
    unknown = sorted(set(argv) - set(BENCHMARKS))
    if unknown:
        print(f"no benchmark is called {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    failed = 0
    for name in chosen:
        print(f"\n== {name} ==", flush=True)
        failed += bool(subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *ARGUMENTS.get(name, ())], check=False).returncode)
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
