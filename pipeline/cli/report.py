"""`tokenmill report`: the run's tables here, its page and its metrics as files beside it."""

from __future__ import annotations

import sys

from dashboards.facts import gather
from dashboards.model import RunFacts
from dashboards.page import render_page
from dashboards.prometheus import render_metrics
from dashboards.text import print_facts, to_json
from pipeline.cli.output import console, print_json
from pipeline.storage import Folder


def write_report(folder: Folder) -> RunFacts:
    """Write report.html and metrics.prom into the run's folder; returns the facts they show."""
    facts = gather(folder)
    folder.write("report.html", render_page(facts).encode())
    folder.write("metrics.prom", render_metrics(facts).encode())
    return facts


def show_report(folder: Folder, as_json: bool) -> None:
    """Print the facts of a run and write its page anew."""
    facts = write_report(folder)
    if as_json:
        print_json(to_json(facts))
        return
    print_facts(facts, sys.stdout)
    console().print(f"report {folder.path('report.html')}", soft_wrap=True)
