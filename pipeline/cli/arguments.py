"""The arguments that several commands share, and what they name: a recipe, its run, a packed dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.errors import ShardError, TokenmillError
from pipeline.job import MANIFEST
from pipeline.located import Located
from pipeline.runfiles import RUN_FILE, RunFiles
from pipeline.shards.layout import SPLITS
from pipeline.shards.read import Dataset, open_dataset
from pipeline.storage import Folder

RecipeArg = Annotated[str, typer.Argument(help="A recipe's name (recipes/NAME.yaml) or path.")]
ProfileOpt = Annotated[str | None, typer.Option(help="One of the recipe's profiles; its default when not given.")]
OutOpt = Annotated[str, typer.Option(help="Folder or URL (s3://...) that holds everything a run writes.")]
SetOpt = Annotated[list[str] | None, typer.Option("--set", help="KEY.KEY=VALUE: change one key of the recipe.")]
SourcesOpt = Annotated[list[str] | None, typer.Option(help="SOURCE=PATH, or a folder with one folder per source (profile local).")]
EvalsOpt = Annotated[list[str] | None, typer.Option(help="Evaluation files to decontaminate against.")]
DataArg = Annotated[str, typer.Argument(help="A recipe's name, or the folder or URL of a run or of packed shards.")]
SplitOpt = Annotated[str, typer.Option(help="train or validation.")]
JsonOpt = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


def recipe_path(name: str) -> str:
    """The file of a recipe given by name or path."""
    return name if name.endswith((".yaml", ".yml")) else f"recipes/{name}.yaml"


def pairs(items: list[str] | None, option: str) -> dict[str, str]:
    """KEY=VALUE items as a mapping; TokenmillError for one without an equals sign."""
    found = [item.partition("=") for item in items or ()]
    for key, equals, _ in found:
        if not equals:
            raise TokenmillError(f"{option} {key}: write KEY=VALUE")
    return {key: value for key, _, value in found}


def run_folder_of(recipe: str, out: str) -> Folder:
    """The folder of a recipe's runs: named by its `name`, or, where there is no such file, by what was given."""
    path = Path(recipe_path(recipe))
    if path.is_file():
        name = Located(path.read_text("utf-8"), str(path)).value.get("name", path.stem)
    elif path.name != f"{recipe}.yaml":
        raise TokenmillError(f"{recipe}: no such recipe")
    else:
        name = recipe
    return Folder(out).sub(str(name))


def run_of(data: str, out: str) -> Folder | None:
    """The folder of the run that `data` names or lies in; None for packed shards that were taken elsewhere."""
    if not is_path(data):
        return run_folder_of(data, out)
    path = data.rstrip("/")
    for _ in range(3):  # OUT/RECIPE/14-pack-0123456789ab/train
        if Folder(path or "/").exists(RUN_FILE):
            return Folder(path or "/")
        path = str(Path(path).resolve().parent) if Folder(path).is_local else path.rpartition("/")[0]
    return None


def dataset_of(data: str, out: str, split: str) -> Dataset:
    """The packed dataset of a split: of a recipe's run, of a run's folder, or of a folder that holds it or its splits."""
    if split not in SPLITS:
        raise ShardError(f"--split {split}: there are {' and '.join(SPLITS)}")
    folder = Folder(data) if is_path(data) else run_folder_of(data, out)
    if folder.exists(RUN_FILE):
        packed = next(RunFiles(folder).stages("pack"), None)
        if packed is None:
            raise ShardError(f"{folder.url}: this run has packed no shards yet: let it finish")
        return open_dataset(packed.folder.sub(split))
    within = folder.sub(split)
    return open_dataset(within if within.exists(MANIFEST) else folder)


def is_path(data: str) -> bool:
    """Whether `data` is a folder or URL rather than a recipe (its name or file)."""
    return not data.endswith((".yaml", ".yml")) and ("/" in data or Path(data).is_dir())
