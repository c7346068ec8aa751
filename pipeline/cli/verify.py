"""`tokenmill verify`: every file, every account, every shard, one line each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict

from rich.text import Text

from pipeline.cli.arguments import is_path, run_folder_of
from pipeline.cli.output import console, print_json
from pipeline.job import MANIFEST
from pipeline.runfiles import RUN_FILE, RunFiles
from pipeline.shards.layout import SPLITS
from pipeline.shards.verify import verify
from pipeline.storage import Folder
from pipeline.verify import Check, verify_accounts, verify_duplicates, verify_files


def show_verification(data: str, out: str, as_json: bool) -> bool:
    """Print what was checked of a run, or of packed shards alone; true when everything holds."""
    checks = list(_checks(data, out))
    sound = all(check.holds for check in checks)
    if as_json:
        print_json([{**asdict(check), "holds": check.holds} for check in checks])
        return sound
    for check in checks:
        console().print(Text(f"{'ok' if check.holds else 'WRONG':<6} {check.name}  {check.problem}".rstrip()), soft_wrap=True)
    wrong = sum(not check.holds for check in checks)
    console().print(f"{len(checks)} checks, {wrong} wrong" if wrong else f"{len(checks)} checks, all hold", soft_wrap=True)
    return sound


def _checks(data: str, out: str) -> Iterator[Check]:
    folder = Folder(data) if is_path(data) else run_folder_of(data, out)
    if is_path(data) and not folder.exists(RUN_FILE):
        splits = {split: folder.sub(split) for split in SPLITS if folder.sub(split).exists(MANIFEST)}
        yield from _datasets(splits or {folder.url: folder})
        return
    yield from verify_files(folder)
    yield from verify_accounts(folder)
    yield from verify_duplicates(folder)
    for pack in RunFiles(folder).stages("pack"):
        yield from _datasets({f"{pack.name.removeprefix('pack')} {split}".strip(" -"): pack.folder.sub(split) for split in SPLITS})


def _datasets(folders: Mapping[str, Folder]) -> list[Check]:
    found = {split: verify(folder) for split, folder in folders.items()}
    return [
        Check(f"dataset {split}: {v.shards} shards, {v.rows:,} rows, {v.tokens:,} tokens, digest {v.digest[:12]}", "; ".join(v.problems))
        for split, v in found.items()
    ]
