"""`tokenmill report`: the run's tables here, its page and its metrics as files beside it."""

from __future__ import annotations

import sys

from dashboards.facts import gather
from dashboards.page import render_page
from dashboards.prometheus import render_metrics
from dashboards.text import print_facts, to_json
from pipeline.cli.output import console, print_json
from pipeline.storage import Folder


def write_report(folder: Folder) -> list[str]:
    """Write report.html and metrics.prom into the run's folder; returns their paths."""
    facts = gather(folder)
    folder.write("report.html", render_page(facts).encode())
    folder.write("metrics.prom", render_metrics(facts).encode())
    return [folder.path("report.html")]


def show_report(folder: Folder, as_json: bool) -> None:
    """Print the facts of a run and write its page anew."""
    pages = write_report(folder)
    facts = gather(folder)
    if as_json:
        print_json(to_json(facts))
        return
    print_facts(facts, sys.stdout)
    for page in pages:
        console().print(f"report {page}", soft_wrap=True)
