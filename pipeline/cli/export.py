"""`tokenmill export`: packed shards in another trainer's format."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline import registry
from pipeline.cli.output import console
from pipeline.errors import Mistake, RecipeError, TokenmillError
from pipeline.shards.read import Dataset
from pipeline.storage import Folder


def export_dataset(dataset: Dataset, format: str, target: str, settings: Mapping[str, str]) -> None:  # noqa: A002
    """Export one split; unknown formats and keys are named with a suggestion."""
    try:
        step, mistakes = registry.bind("export", format, settings)
    except registry.UnknownStep as unknown:
        raise TokenmillError(str(unknown)) from unknown
    if mistakes:
        raise RecipeError(f"export {format}", [Mistake(0, key, message) for key, message in mistakes])
    step(dataset.folder, Folder(target))
    console().print(f"{dataset.manifest.split} exported as {format} to {target}", soft_wrap=True)
