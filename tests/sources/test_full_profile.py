"""The profile `full` of mix-v1 against a server that speaks as its publishers do: every file fetched, locked, read and extracted."""

from __future__ import annotations

import bz2
import csv
import gzip
import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from archive_kit import tar
from http_kit import Server, serving

from pipeline import registry
from pipeline.contracts import Task
from pipeline.download import Lock, fetch
from pipeline.errors import SourceError
from pipeline.job import Inputs, Job
from pipeline.recipe import Input, Recipe, load_recipe
from pipeline.registry import Step
from pipeline.report import Report
from pipeline.stages.extract import extract
from pipeline.storage import Folder

RECIPE = Path(__file__).resolve().parents[2] / "recipes" / "mix-v1.yaml"

#: Which key of a fetcher says where its publisher is.
PLACES = {
    "common_crawl": "base",
    "wikipedia": "base",
    "stackexchange": "base",
    "arxiv": "base",
    "pubmed_central": "base",
    "git_archives": "host",
}

PAPER = b"\\begin{document}\\section{One}" + b"We count waves. " * 40 + b"\\end{document}"


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as kit:
        yield kit


def publish(server: Server, recipe: Recipe, corpus: Path) -> None:
    """What the publishers of the recipe's inputs offer: their lists as they write them, and behind these files of the corpus."""
    server.put("/robots.txt", b"User-agent: *\nDisallow: /private\n")
    args = {item.fetch.name: dict(item.fetch.args) for source in recipe.sources for item in source.inputs}

    crawl = f"crawl-data/{args['common_crawl']['crawl']}"
    paths = [f"{crawl}/segments/1.{index}/warc/{index}.warc.gz" for index in range(6)]
    server.put(f"/cc/{crawl}/warc.paths.gz", gzip.compress("\n".join(paths).encode()))
    pages = (corpus / "web" / "crawl-dolma-sample-0000.warc.gz").read_bytes()
    for path in paths:
        server.put(f"/cc/{path}", pages)

    catalogue = io.StringIO()
    rows = csv.writer(catalogue)
    rows.writerow(["Text#", "Type", "Issued", "Title", "Language", "Authors", "Subjects", "LoCC", "Bookshelves"])
    rows.writerows([[5200, "Text", "2005", "Metamorphosis", "en"], [7, "Sound", "", "", "en"], [8, "Text", "", "Lost", "en"]])
    server.put("/pg/catalogue.csv", catalogue.getvalue().encode())
    server.put("/pg/cache/epub/5200/pg5200.txt", gzip.decompress((corpus / "books" / "5200_Metamorphosis.txt.gz").read_bytes()))

    dump = bz2.compress(bz2.decompress((corpus / "wikipedia" / "enwiki-shortened.xml.bz2").read_bytes()))
    for wiki in ("simplewiki", "cswiki", "eswiki"):
        date = args["wikipedia"]["date"]
        name = f"{wiki}-{date}-pages-articles-multistream.xml.bz2"
        facts = {"size": len(dump), "url": f"/{wiki}/{date}/{name}", "sha1": hashlib.sha1(dump).hexdigest()}
        job = {"articlesmultistreamdump": {"status": "done", "files": {name: facts}}}
        server.put(f"/wp/{wiki}/{date}/dumpstatus.json", json.dumps({"jobs": job}).encode())
        server.put(f"/wp/{wiki}/{date}/{name}", dump)

    for repository in args["git_archives"]["repositories"]:
        name, _, revision = repository.partition("@")
        if "expressjs" in name:
            server.put(f"/git/{name}/tar.gz/{revision}", (corpus / "code" / "expressjs__express.tar.gz").read_bytes())

    posts = (corpus / "code" / "stackexchange-coffee-Posts.xml.gz").read_bytes()
    listed = "".join(
        f'<file name="{site}.7z"><size>{len(posts)}</size><sha1>{hashlib.sha1(posts).hexdigest()}</sha1></file>'
        for site in args["stackexchange"]["sites"]
    )
    server.put("/se/stackexchange_files.xml", f"<files>{listed}</files>".encode())
    for site in args["stackexchange"]["sites"]:
        server.put(f"/se/{site}.7z", posts)

    articles = (corpus / "academic" / "pmc-articles.tar.gz").read_bytes()
    name = "oa_comm_xml.PMC000xxxxxx.baseline.2025-06-26.tar.gz"
    server.put("/pmc/oa_comm/xml/", f'<a href="{name}">{name}</a>'.encode())
    server.put(f"/pmc/oa_comm/xml/{name}", articles)

    papers = tar({"2401/2401.00001.gz": gzip.compress(tar({"ms.tex": PAPER}))})
    row = f"<filename>src/arXiv_src_2401_001.tar</filename><md5sum>{hashlib.md5(papers).hexdigest()}</md5sum>"
    row += f"<size>{len(papers)}</size><yymm>2401</yymm>"
    server.put("/arxiv/src/arXiv_src_manifest.xml", f"<arXivSRC><file>{row}</file></arXivSRC>".encode())
    server.put("/arxiv/src/arXiv_src_2401_001.tar", papers)


def at(server: Server, recipe: Recipe, curated: Path) -> Recipe:
    """The recipe with every publisher at the server, and the hub's dataset in a folder."""
    short = {
        "common_crawl": "cc",
        "wikipedia": "wp",
        "stackexchange": "se",
        "arxiv": "arxiv",
        "pubmed_central": "pmc",
        "git_archives": "git",
    }

    def moved(item: Input) -> Input:
        name, args = item.fetch.name, dict(item.fetch.args)
        if name in PLACES:
            args[PLACES[name]] = f"{server.base}/{short[name]}"
        elif name == "gutenberg":
            args |= {"mirror": f"{server.base}/pg", "catalogue": f"{server.base}/pg/catalogue.csv"}
        else:
            args |= {"name": str(curated), "config": None}
        return replace(item, fetch=Step("fetcher", name, args))

    sources = tuple(replace(source, inputs=tuple(map(moved, source.inputs))) for source in recipe.sources)
    settings: Mapping[str, Any] = {
        **(recipe.download.args if recipe.download else {}),
        "private": True,
        "interval": 0.0,
        "recheck_hours": 0,
    }
    return replace(recipe, sources=sources, download=Step("setting", "download", settings))


@pytest.fixture
def recipe(server: Server, corpus: Path, tmp_path: Path) -> Recipe:
    curated = tmp_path / "fineweb-edu"
    curated.mkdir()
    pq.write_table(pa.table({"text": ["A chosen text.", None], "url": ["http://a.example", None]}), curated / "train.parquet")
    path = tmp_path / "mix-v1.yaml"
    path.write_text(RECIPE.read_text("utf-8"), "utf-8")
    loaded = load_recipe(str(path), "full")
    publish(server, loaded, corpus)
    return at(server, loaded, curated)


def test_every_input_is_fetched_read_and_extracted(server: Server, recipe: Recipe, tmp_path: Path) -> None:
    lock = fetch(recipe, tmp_path / "cache")
    assert len(lock.of("web")) == 4
    assert sum("is not there" in text for text in lock.missing) == 8  # seven repositories, one book
    kept, dropped = extracted(lock, tmp_path)
    assert kept.items() >= {"gutenberg": 1, "jats": 8, "tex": 1, "datasets": 1}.items()
    assert kept["warc"] > 40
    assert kept["mediawiki"] > 210
    assert kept["repository"] > 50
    assert kept["stackexchange"] > 300
    assert dropped >= {"extract:redirect", "extract:disambiguation", "extract:not_an_article"}
    assert not any("no_extractor" in reason or "raised" in reason for reason in dropped)

    pinned = json.loads((tmp_path / "mix-v1.lock").read_text())["files"]
    assert {item.file.url for item in lock.inputs if item.file.url} == set(pinned)
    assert all(pinned[item.file.url]["sha256"] == item.file.sha256 for item in lock.inputs if item.file.url)
    server.asked.clear()
    assert fetch(recipe, tmp_path / "cache").inputs == lock.inputs
    assert all(method == "HEAD" or path in ("/robots.txt", *_lost(server)) for method, path, _ in server.asked)


def _lost(server: Server) -> list[str]:
    return [path for _, path, _ in server.asked if path not in server.answers]


def extracted(lock: Lock, tmp_path: Path) -> tuple[dict[str, int], set[str]]:
    """Documents kept by reader, and the reasons of those that weren't; every document is one or the other."""
    extractors = [vars(registry.bind("extractor", name, {})[0]) for name in registry.names("extractor")]
    reports: dict[str, Report] = {}
    for number, item in enumerate(lock.inputs):
        payload = {"files": [asdict(item.file)], "read": {"name": item.read.name, "args": item.read.args}}
        job = Job(Task(f"{item.source}-{number:05}", payload), Inputs({}), Folder(str(tmp_path / "out")))
        reports.setdefault(item.read.name, Report()).merge(extract(job, extractors=extractors).check())
    dropped = {reason for report in reports.values() for _, reason in report.dropped}
    return {name: report.kept.total() for name, report in reports.items()}, dropped


def test_a_publisher_that_changed_a_file(server: Server, recipe: Recipe, tmp_path: Path) -> None:
    web = replace(recipe, sources=recipe.sources[:1])
    first = fetch(web, tmp_path / "cache")
    path = first.inputs[0].file.url.removeprefix(server.base)
    server.put(path, b"another archive")
    with pytest.raises(SourceError, match="has changed since it was fetched"):
        fetch(web, tmp_path / "cache")
    with pytest.raises(SourceError, match=r"published files that aren't what the lock says"):
        fetch(web, tmp_path / "another-cache")
    assert fetch(web, tmp_path / "cache", update=True).inputs[0].file.sha256 == hashlib.sha256(b"another archive").hexdigest()
    assert fetch(web, tmp_path / "cache").inputs[1:] == first.inputs[1:]
