"""The command line: `tokenmill run | plan | status | inspect | trace | diff | explain | rejects | verify | report | export | steps`,

and `tokenmill classifier`, which trains one.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from pipeline.cli.arguments import EvalsOpt, JsonOpt, OutOpt, ProfileOpt, RecipeArg, SetOpt, SourcesOpt, pairs, recipe_path, run_folder_of
from pipeline.cli.shard_commands import COMMANDS
from pipeline.errors import TokenmillError
from pipeline.recipe import Recipe, load_recipe
from pipeline.run import Options, fetch_and_plan, run_folder

FilesOpt = Annotated[
    list[str] | None, typer.Option(help="Files, folders or globs: txt (one text a line), jsonl, csv, parquet. Repeatable.")
]

UpdateOpt = Annotated[bool, typer.Option("--update", help="Take published files that have changed since they were locked.")]

app = typer.Typer(
    name="tokenmill", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    help="Grinds raw text into training tokens: one recipe from download to packed shards.",
)  # fmt: skip


@app.command()
def run(
    recipe: RecipeArg,
    profile: ProfileOpt = None,
    out: OutOpt = "out",
    cache: Annotated[str, typer.Option(help="Where downloads are kept (default: OUT/cache).")] = "",
    workers: Annotated[int | None, typer.Option(min=1, help="How many tasks at once; all processors when not given.")] = None,
    local: Annotated[bool, typer.Option("--local", help="No Ray: one task at a time in this process, for debuggers.")] = False,
    update: UpdateOpt = False,
    cluster_url: Annotated[str, typer.Option("--cluster", help="Submit the run to a Ray cluster (http://HEAD:8265).")] = "",
    sources: SourcesOpt = None,
    evals: EvalsOpt = None,
    settings: SetOpt = None,
    as_json: JsonOpt = False,
) -> None:
    """Run a recipe to packed shards. What is done already is not done again."""
    from pipeline.cli.run import run_here, submit

    checked = _recipe(recipe, profile, sources, evals, settings)
    options = Options(out, cache, workers, local, update)
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
    update: UpdateOpt = False,
    tokens: Annotated[
        float | None, typer.Option(min=1, help="How many files so many tokens take, by the last run's yields (10e9).")
    ] = None,
    as_json: JsonOpt = False,
) -> None:
    """Print the stages with their fingerprints, what is done already, and what the run will cost; fetches the inputs.

    With --tokens nothing is fetched: how many files of each source a mix of that size takes, from what the last run measured.
    """
    from pipeline.cli.plan import show_need, show_plan

    if tokens is not None:
        show_need(run_folder_of(recipe, out), tokens, as_json)
        return
    checked = _recipe(recipe, profile, sources, evals, settings)
    lock, planned = fetch_and_plan(checked, Options(out, cache, update=update))
    show_plan(lock, planned, run_folder(checked, out), as_json)


@app.command()
def status(recipe: RecipeArg, out: OutOpt = "out", as_json: JsonOpt = False) -> None:
    """Show the stages on disk: finished, begun, or left over from earlier settings, with their sizes."""
    from pipeline.cli.status import show_status

    show_status(run_folder_of(recipe, out), as_json)


@app.command()
def explain(recipe: RecipeArg, document: Annotated[str, typer.Argument(help="An id, its beginning, or a part of a URL or file name.")],
            out: OutOpt = "out", as_json: JsonOpt = False) -> None:  # fmt: skip
    """Say why a document is in, or out: every stage's verdict, with the numbers it measured."""
    from pipeline.cli.explain import show_stories
    from pipeline.cli.output import say_if_stopped
    from pipeline.explain import explain as explain_document

    say_if_stopped(run_folder_of(recipe, out))
    show_stories(explain_document(run_folder_of(recipe, out), document), as_json)


@app.command()
def rejects(
    recipe: RecipeArg,
    source: Annotated[str | None, typer.Option(help="Only this source.")] = None,
    stage: Annotated[str | None, typer.Option(help="extract, filter, dedupe, passages, quality or tokenize; all when not given.")] = None,
    reason: Annotated[str | None, typer.Option(help="A reason, its step, or any part of it: shows samples.")] = None,
    number: Annotated[int | None, typer.Option("-n", min=1, help="How many samples; 5 when only --reason is given.")] = None,
    out: OutOpt = "out",
    as_json: JsonOpt = False,
) -> None:
    """Count what was dropped and why, or show samples of it with the numbers that decided."""
    from pipeline.cli.rejects import show_rejects

    show_rejects(run_folder_of(recipe, out), source, stage, reason, number, as_json)


@app.command()
def report(recipe: RecipeArg, out: OutOpt = "out", as_json: JsonOpt = False) -> None:
    """Print the run's tables and write its report.html and metrics.prom."""
    from pipeline.cli.report import show_report

    show_report(run_folder_of(recipe, out), as_json)


@app.command()
def steps(
    kind: Annotated[str | None, typer.Argument(help="fetcher, reader, extractor, filter, stage or export.")] = None,
    as_json: JsonOpt = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print the table of recipes/README.md.")] = False,
) -> None:
    """List the steps a recipe can name, with their keys and defaults."""
    from pipeline.cli.steps import show_steps

    show_steps(kind, as_json, as_markdown)


@app.command()
def classifier(
    out: Annotated[str, typer.Option(help="Path or URL of the model file; its card is written beside it (.json).")],
    positive: FilesOpt = None,
    negative: FilesOpt = None,
    labelled: FilesOpt = None,
    label_column: Annotated[str, typer.Option(help="Of --labelled: the column of labels (positive, negative, 1, 0 ...).")] = "label",
    text: Annotated[str, typer.Option(help="The column of texts.")] = "text",
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Another seed: other texts held out, another model.")] = 0,
    settings: Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE: a setting of the training (epochs=10).")] = None,
    as_json: JsonOpt = False,
) -> None:
    """Train a fastText classifier on labelled texts, judge it by one in five held out, and write it with its card."""
    from pipeline.cli.classifier import Files, train_classifier

    files = Files(positive or (), negative or (), labelled or (), label_column, text)
    train_classifier(files, out, seed, pairs(settings, "--set"), as_json)


for command in COMMANDS:
    app.command()(command)


def _recipe(name: str, profile: str | None, sources: list[str] | None, evals: list[str] | None, settings: list[str] | None) -> Recipe:
    overrides = pairs(settings, "--set")
    if evals:
        overrides["decontaminate.evals"] = json.dumps(evals)
    return load_recipe(recipe_path(name), profile, overrides, user_sources(sources))


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


def main(argv: list[str] | None = None) -> None:
    """Run the command line; an error that a user can mend is printed without a traceback, exit status 1."""
    console = Console(stderr=True, soft_wrap=True, highlight=False, emoji=False)
    try:
        app(argv, standalone_mode=True)
    except TokenmillError as error:
        console.print("[bold red]error[/]: ", end="")
        console.print(str(error), markup=False)
        raise SystemExit(1) from error


if __name__ == "__main__":
    main()
