"""The command line: `tokenmill run | plan | status | inspect | explain | rejects | verify | report | export | steps`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from pipeline.errors import TokenmillError
from pipeline.located import Located
from pipeline.recipe import Recipe, load_recipe
from pipeline.run import Options, fetch_and_plan, run_folder
from pipeline.storage import Folder

app = typer.Typer(
    name="tokenmill", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    help="Grinds raw text into training tokens: one recipe from download to packed shards.",
)  # fmt: skip

RecipeArg = Annotated[str, typer.Argument(help="A recipe's name (recipes/NAME.yaml) or path.")]
ProfileOpt = Annotated[str | None, typer.Option(help="One of the recipe's profiles; its default when not given.")]
OutOpt = Annotated[str, typer.Option(help="Folder or URL (s3://...) that holds everything a run writes.")]
SetOpt = Annotated[list[str] | None, typer.Option("--set", help="KEY.KEY=VALUE: change one key of the recipe.")]
SourcesOpt = Annotated[list[str] | None, typer.Option(help="SOURCE=PATH, or a folder with one folder per source (profile local).")]
EvalsOpt = Annotated[list[str] | None, typer.Option(help="Evaluation files to decontaminate against.")]
SplitOpt = Annotated[str, typer.Option(help="train or validation.")]
JsonOpt = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


@app.command()
def run(
    recipe: RecipeArg,
    profile: ProfileOpt = None,
    out: OutOpt = "out",
    cache: Annotated[str, typer.Option(help="Where downloads are kept (default: OUT/cache).")] = "",
    workers: Annotated[int | None, typer.Option(min=1, help="How many tasks at once; all processors when not given.")] = None,
    local: Annotated[bool, typer.Option("--local", help="No Ray: one task at a time in this process, for debuggers.")] = False,
    cluster_url: Annotated[str, typer.Option("--cluster", help="Submit the run to a Ray cluster (http://HEAD:8265).")] = "",
    sources: SourcesOpt = None,
    evals: EvalsOpt = None,
    settings: SetOpt = None,
    as_json: JsonOpt = False,
) -> None:
    """Run a recipe to packed shards. What is done already is not done again."""
    from pipeline.cli.run import run_here, submit

    checked = _recipe(recipe, profile, sources, evals, settings)
    options = Options(out, cache, workers, local)
    if cluster_url:
        raise typer.Exit(submit(cluster_url, sys.argv[1:]))
    run_here(checked, options, as_json)


@app.command()
def plan(
    recipe: RecipeArg,
    profile: ProfileOpt = None,
    out: OutOpt = "out",
    cache: Annotated[str, typer.Option(help="Where downloads are kept (default: OUT/cache).")] = "",
    sources: SourcesOpt = None,
    evals: EvalsOpt = None,
    settings: SetOpt = None,
    as_json: JsonOpt = False,
) -> None:
    """Print the stages with their fingerprints, what is done already, and what the run will cost; fetches the inputs."""
    from pipeline.cli.plan import show_plan

    checked = _recipe(recipe, profile, sources, evals, settings)
    lock, planned = fetch_and_plan(checked, Options(out, cache))
    show_plan(lock, planned, run_folder(checked, out), as_json)


@app.command()
def status(recipe: RecipeArg, out: OutOpt = "out", as_json: JsonOpt = False) -> None:
    """Show the stages on disk: finished, begun, or left over from earlier settings, with their sizes."""
    from pipeline.cli.status import show_status

    show_status(_folder(recipe, out), as_json)


@app.command()
def inspect(
    recipe: RecipeArg,
    out: OutOpt = "out",
    split: SplitOpt = "train",
    shard: Annotated[int | None, typer.Option(help="Show one shard.")] = None,
    row: Annotated[int | None, typer.Option(help="Decode one row of a shard, with where each piece comes from.")] = None,
    token: Annotated[int | None, typer.Option(help="Trace one token of a row to its document.")] = None,
    mix: Annotated[bool, typer.Option("--mix", help="Shares of every shard and of windows, against the recipe.")] = False,
    as_json: JsonOpt = False,
) -> None:
    """Look into the packed shards."""
    from pipeline.cli.inspect import show

    show(_folder(recipe, out), split, shard, row, token, mix, as_json)


@app.command()
def explain(recipe: RecipeArg, document: Annotated[str, typer.Argument(help="An id, its beginning, or a part of a URL or file name.")],
            out: OutOpt = "out", as_json: JsonOpt = False) -> None:  # fmt: skip
    """Say why a document is in, or out: every stage's verdict, with the numbers it measured."""
    from pipeline.cli.explain import show_stories
    from pipeline.explain import explain as explain_document

    show_stories(explain_document(_folder(recipe, out), document), as_json)


@app.command()
def rejects(
    recipe: RecipeArg,
    source: Annotated[str | None, typer.Option(help="Only this source.")] = None,
    stage: Annotated[str | None, typer.Option(help="extract, filter, dedupe or quality; all when not given.")] = None,
    reason: Annotated[str | None, typer.Option(help="A reason, its step, or any part of it: shows samples.")] = None,
    number: Annotated[int | None, typer.Option("-n", min=1, help="How many samples; 5 when only --reason is given.")] = None,
    out: OutOpt = "out",
    as_json: JsonOpt = False,
) -> None:
    """Count what was dropped and why, or show samples of it with the numbers that decided."""
    from pipeline.cli.rejects import show_rejects

    show_rejects(_folder(recipe, out), source, stage, reason, number, as_json)


@app.command()
def verify(recipe: RecipeArg, out: OutOpt = "out", as_json: JsonOpt = False) -> None:
    """Hash every file of the run again, recount the shards from their bytes, and check that every document is accounted for."""
    from pipeline.cli.verify import show_verification

    if not show_verification(_folder(recipe, out), as_json):
        raise typer.Exit(1)


@app.command()
def report(recipe: RecipeArg, out: OutOpt = "out", as_json: JsonOpt = False) -> None:
    """Print the run's tables and write its report.html and metrics.prom."""
    from pipeline.cli.report import show_report

    show_report(_folder(recipe, out), as_json)


@app.command()
def export(recipe: RecipeArg, format: Annotated[str, typer.Argument(help="See `tokenmill steps export`.")],  # noqa: A002
           target: Annotated[str, typer.Argument(help="Folder or URL to write to.")],
           out: OutOpt = "out", split: SplitOpt = "train", settings: SetOpt = None) -> None:  # fmt: skip
    """Write the packed shards in another trainer's format."""
    from pipeline.cli.export import export_dataset

    export_dataset(_folder(recipe, out), split, format, target, _pairs(settings, "--set"))


@app.command()
def steps(
    kind: Annotated[str | None, typer.Argument(help="fetcher, reader, extractor, filter, stage or export.")] = None,
    as_json: JsonOpt = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print the table of recipes/README.md.")] = False,
) -> None:
    """List the steps a recipe can name, with their keys and defaults."""
    from pipeline.cli.steps import show_steps

    show_steps(kind, as_json, as_markdown)


def _recipe(name: str, profile: str | None, sources: list[str] | None, evals: list[str] | None, settings: list[str] | None) -> Recipe:
    overrides = _pairs(settings, "--set")
    if evals:
        overrides["decontaminate.evals"] = json.dumps(evals)
    return load_recipe(recipe_path(name), profile, overrides, user_sources(sources))


def recipe_path(name: str) -> str:
    """The file of a recipe given by name or path."""
    return name if name.endswith((".yaml", ".yml")) else f"recipes/{name}.yaml"


def user_sources(given: list[str] | None) -> dict[str, list[str]] | None:
    """`SOURCE=PATH` items (repeatable, commas allowed), or one folder whose folders are named like the sources."""
    if not given:
        return None
    out: dict[str, list[str]] = {}
    for item in (piece for text in given for piece in text.split(",") if piece):
        name, equals, path = item.partition("=")
        if equals and not path:
            raise TokenmillError(f"sources={item}: names no path after the =")
        if equals:
            out.setdefault(name, []).append(path)
        else:
            for folder in sorted(entry for entry in Path(item).glob("*") if entry.is_dir()):
                out.setdefault(folder.name, []).append(str(folder))
    if not out:
        raise TokenmillError(f"sources={','.join(given)}: give SOURCE=PATH, or a folder that holds one folder per source (web, books, ...)")
    return out


def _pairs(items: list[str] | None, option: str) -> dict[str, str]:
    pairs = [item.partition("=") for item in items or ()]
    for key, equals, _ in pairs:
        if not equals:
            raise TokenmillError(f"{option} {key}: write KEY=VALUE")
    return {key: value for key, _, value in pairs}


def _folder(recipe: str, out: str) -> Folder:
    """The folder of a recipe's runs: named by its `name`, or, where there is no such file, by what was given."""
    path = Path(recipe_path(recipe))
    if path.is_file():
        name = Located(path.read_text("utf-8"), str(path)).value.get("name", path.stem)
    elif path.name != f"{recipe}.yaml":
        raise TokenmillError(f"{recipe}: no such recipe")
    else:
        name = recipe
    return Folder(out).sub(str(name))


def main(argv: list[str] | None = None) -> None:
    """Run the command line; an error that a user can mend is printed without a traceback, exit status 1."""
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    try:
        app(argv, standalone_mode=True)
    except TokenmillError as error:
        console.print("[bold red]error[/]: ", end="")
        console.print(str(error), markup=False)
        raise SystemExit(1) from error


if __name__ == "__main__":
    main()
