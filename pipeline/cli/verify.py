"""`tokenmill verify`: every file, every account, every shard, one line each."""

from __future__ import annotations

from dataclasses import asdict

from rich.text import Text

from pipeline.cli.output import console, print_json
from pipeline.runfiles import RunFiles
from pipeline.shards.verify import verify
from pipeline.storage import Folder
from pipeline.verify import Check, verify_accounts, verify_files


def show_verification(folder: Folder, as_json: bool) -> bool:
    """Print what was checked; true when everything holds."""
    checks = [*verify_files(folder), *verify_accounts(folder), *_datasets(folder)]
    sound = all(check.holds for check in checks)
    if as_json:
        print_json([{**asdict(check), "holds": check.holds} for check in checks])
        return sound
    for check in checks:
        console().print(Text(f"{'ok' if check.holds else 'WRONG':<6} {check.name}  {check.problem}".rstrip()), soft_wrap=True)
    wrong = sum(not check.holds for check in checks)
    console().print(f"{len(checks)} checks, {wrong} wrong" if wrong else f"{len(checks)} checks, all hold", soft_wrap=True)
    return sound


def _datasets(folder: Folder) -> list[Check]:
    pack = next(RunFiles(folder).stages("pack"))
    found = {split: verify(pack.folder.sub(split)) for split in ("train", "validation")}
    return [
        Check(f"dataset {split}: {v.shards} shards, {v.rows:,} rows, {v.tokens:,} tokens, digest {v.digest[:12]}", "; ".join(v.problems))
        for split, v in found.items()
    ]
