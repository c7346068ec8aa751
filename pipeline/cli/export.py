"""`tokenmill export`: packed shards in another trainer's format."""

from __future__ import annotations

import os
from collections.abc import Mapping

from pipeline import registry
from pipeline.cli.output import print_line
from pipeline.errors import Mistake, RecipeError, TokenmillError
from pipeline.shards.read import Dataset
from pipeline.shards.text import beside
from pipeline.storage import Folder


def export_dataset(dataset: Dataset, format: str, target: str, settings: Mapping[str, str]) -> None:  # noqa: A002
    """Export one split; unknown formats and keys are named with a suggestion."""
    try:
        step, mistakes = registry.bind("export", format, settings)
    except registry.UnknownStep as unknown:
        raise TokenmillError(str(unknown)) from unknown
    if mistakes:
        raise RecipeError(f"export {format}", [Mistake(0, key, message) for key, message in mistakes])
    _check_apart(dataset, target)
    step(dataset.folder, Folder(target))
    print_line(f"{dataset.manifest.split} exported as {format} to {target}")


def _check_apart(dataset: Dataset, target: str) -> None:
    """An export lies neither among the shards nor beside the splits, however its folder is spelled."""
    if not target:
        raise TokenmillError("export: the folder to write to is empty; name one")
    shards, above, there = (os.path.realpath(folder.path("")) for folder in (dataset.folder, beside(dataset), Folder(target)))
    if dataset.folder.is_local == Folder(target).is_local and (there == above or os.path.commonpath([there, shards]) == shards):
        raise TokenmillError(f"export to {target}: that is where the shards of {dataset.folder.url} lie; name another folder")
