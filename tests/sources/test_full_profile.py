"""The profile `full` of mix-v1 on files of its formats: every input is read and extracted, and nothing is lost on the way."""

from __future__ import annotations

import gzip
import json
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from archive_kit import tar

from pipeline import registry
from pipeline.contracts import Task
from pipeline.job import Inputs, Job
from pipeline.recipe import Recipe, load_recipe
from pipeline.report import Report
from pipeline.stages.extract import extract
from pipeline.storage import Folder

RECIPE = Path(__file__).resolve().parents[2] / "recipes" / "mix-v1.yaml"

#: Where the profile looks for files, and files of the corpus that stand there.
FILES = {
    "data/common-crawl": "web/crawl-dolma-sample-0000.warc.gz",
    "data/gutenberg": "books/5200_Metamorphosis.txt.gz",
    "data/repositories": "code/psf__requests.tar.gz",
    "data/stackexchange": "code/stackexchange-coffee-Posts.xml.gz",
    "data/pubmed-central": "academic/pmc-articles.tar.gz",
}


@pytest.fixture
def recipe(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    for folder, name in FILES.items():
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / Path(name).name).symlink_to(corpus / name)
    wikipedia, arxiv, curated = (tmp_path / "data" / name for name in ("wikipedia", "arxiv", "curated"))
    for folder in (wikipedia, arxiv, curated):
        folder.mkdir()
    (wikipedia / "enwiki-pages-articles.xml.bz2").symlink_to(corpus / "wikipedia" / "enwiki-shortened.xml.bz2")
    paper = b"\\begin{document}\\section{One}" + b"We count waves. " * 40 + b"\\end{document}"
    (arxiv / "arXiv_src_2301_001.tar").write_bytes(tar({"2301/2301.00001.gz": gzip.compress(tar({"ms.tex": paper}))}))
    pq.write_table(pa.table({"text": ["A chosen text.", None]}), curated / "a.parquet")
    (curated / "b.jsonl").write_text(json.dumps({"text": "Another one."}) + "\nnot json\n")
    monkeypatch.chdir(tmp_path)
    return load_recipe(str(RECIPE), "full")


def test_every_input_is_read_and_extracted(recipe: Recipe, tmp_path: Path) -> None:
    extractors = [vars(registry.bind("extractor", name, {})[0]) for name in registry.names("extractor")]
    reports: dict[str, Report] = {}
    for source in recipe.sources:
        for number, item in enumerate(source.inputs):
            files = [asdict(file) for file in item.fetch(tmp_path / "cache")]
            payload = {"files": files, "read": {"name": item.read.name, "args": item.read.args}}
            job = Job(Task(f"{source.name}-{number:05}", payload), Inputs({}), Folder(str(tmp_path / "out")))
            reports[item.read.name] = extract(job, extractors=extractors).check()
    kept = {name: report.kept.total() for name, report in reports.items()}
    assert kept.items() >= {"gutenberg": 1, "jats": 8, "tex": 1, "table": 1, "jsonl": 1}.items()
    assert kept["warc"] > 10
    assert kept["mediawiki"] > 70
    assert kept["repository"] > 50
    assert kept["stackexchange"] > 150
    dropped = {reason for report in reports.values() for _, reason in report.dropped}
    assert dropped >= {"extract:redirect", "extract:disambiguation", "extract:not_an_article", "extract:bad_json", "extract:no_text"}
    assert not any("no_extractor" in reason or "raised" in reason for reason in dropped)
