"""Documents tell the truth: the pages' code runs, their commands exist and work, and the generated table is what it is made from."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mill import ROOT, environment, facts
from typer.testing import CliRunner

PAGES = [ROOT / name for name in ("README.md", "AGENTS.md", "CHANGELOG.md", "recipes/README.md")] + sorted((ROOT / "docs").glob("*.md"))
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.M | re.S)
FILE = re.compile(r"`((?:pipeline|tests|recipes|docs|benchmarks|trainer|tokenizer|dashboards)/[\w./-]+\.\w+)`")

#: Files that docs/adding.md tells its reader to write.
WRITTEN_BY_READERS = {
    "pipeline/filters/shouting.py", "tests/filters/test_shouting.py", "pipeline/sources/mbox.py", "pipeline/shards/export_lengths.py",
}  # fmt: skip


def commands(language: str = "sh") -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for found, body in FENCE.findall(page.read_text("utf-8")):
            if found == language:
                yield from ((page.name, line.partition(" #")[0].strip()) for line in body.splitlines() if line.strip())


TOKENMILL = sorted({line for _, line in commands() if line.startswith("tokenmill ")})
MAKE = sorted({line for _, line in commands() if line.startswith("make")})


@pytest.fixture(scope="module")
def workplace(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like a checkout after `make recipe=mix-v1`, with the small run as its output."""
    place = tmp_path_factory.mktemp("workplace")
    shutil.copytree(ROOT / "recipes", place / "recipes")
    shutil.copytree(tiny, place / "out", symlinks=True)
    return place


@pytest.mark.parametrize("line", TOKENMILL)
def test_a_shown_command_works(line: str, workplace: Path) -> None:
    argv = shlex.split(line)[1:]
    if argv[0] == "explain":
        argv[2] = "web 3"
    if "--reason" in argv:
        argv[argv.index("--reason") + 1] = "language:unsure"  # what the small run drops most
    if argv[0] in ("run", "plan"):
        argv += ["--profile", "local", "--sources", f"web={ROOT / 'docs'}"]
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", *argv], cwd=workplace, capture_output=True, text=True, timeout=120, env=environment()
    )
    assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    assert done.stdout.strip()


@pytest.mark.parametrize(
    "block", [body for name, body in FENCE.findall((ROOT / "docs" / "shards.md").read_text("utf-8")) if name == "python"]
)
def test_the_code_that_reads_shards_works(block: str, workplace: Path) -> None:
    done = subprocess.run([sys.executable, "-c", block], cwd=workplace, capture_output=True, text=True, timeout=120, env=environment())
    assert done.returncode == 0, done.stderr
    assert re.match(r"\[ *\d+", done.stdout)


@pytest.mark.parametrize("line", MAKE)
def test_a_shown_make_line_is_known_to_make(line: str) -> None:
    """`make -n` says what would run; every option of the command in it is one that the command line has."""
    done = subprocess.run(shlex.split(line.replace("make", "make -n", 1)), cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    for ran in re.findall(r"bin/tokenmill (.*)", done.stdout):
        check_options(shlex.split(ran))


def check_options(argv: list[str]) -> None:
    from pipeline.__main__ import app

    text = CliRunner().invoke(app, [argv[0], "--help"], env={"COLUMNS": "300", "TERM": "dumb"}).output
    for option in (item for item in argv if item.startswith("--")):
        assert option in text, f"tokenmill {argv[0]} has no {option}"


def test_the_pages_name_only_files_that_are_there() -> None:
    named = {(page.name, name) for page in PAGES for name in FILE.findall(page.read_text("utf-8"))}
    lost = sorted((page, name) for page, name in named if name not in WRITTEN_BY_READERS and not (ROOT / name).exists())
    assert not lost


def test_the_table_of_steps_is_made_from_the_steps() -> None:
    from pipeline.cli.steps import markdown

    page = (ROOT / "recipes" / "README.md").read_text("utf-8")
    shown = page.partition("<!-- steps -->\n")[2].partition("\n<!-- /steps -->")[0]
    assert shown == markdown(), "write it anew: python -m pipeline steps --markdown"


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the packages in which somebody followed docs/adding.md to the letter."""
    place = tmp_path_factory.mktemp("followed")
    for package in ("pipeline", "tokenizer", "dashboards", "recipes"):
        shutil.copytree(ROOT / package, place / package, ignore=shutil.ignore_patterns("__pycache__"))
    page = (ROOT / "docs" / "adding.md").read_text("utf-8")
    blocks = re.findall(r"`(pipeline/[\w/]+\.py)`.*?```python\n(.*?)```", page, re.S)
    assert len(blocks) == 3
    for name, body in blocks:
        (place / name).write_text(body)
    return place


def follow(place: Path, code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=place, capture_output=True, text=True, env={**environment(), "PYTHONPATH": str(place)}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_filter_of_the_page_works(followed: Path) -> None:
    out = follow(
        followed,
        "import pyarrow as pa\n"
        "from pipeline.registry import bind\n"
        "step, mistakes = bind('filter', 'shouting', {'max_capitals': 0.4})\n"
        "texts = pa.array(['quiet words', 'LOUD WORDS', '', '123'], pa.large_string())\n"
        "for batch in (pa.record_batch({'text': texts}), pa.record_batch({'text': texts[:0]})):\n"
        "    found = step(batch)\n"
        "    print(found.reasons.to_pylist(), found.signals['capitals'].to_pylist())\n",
    )
    assert out.splitlines() == ["[None, 'shouting:capitals', None, None] [0.0, 1.0, 0.0, 0.0]", "[] []"]


def test_the_source_of_the_page_works(followed: Path, tmp_path: Path) -> None:
    box = tmp_path / "mail.mbox"
    box.write_text(
        "From a@b Thu Jan  1 00:00:00 2026\nSubject: one\n\nFirst letter.\n\nFrom a@b Thu Jan  1 00:00:01 2026\n\nSecond letter.\n"
    )
    out = follow(
        followed,
        "from pipeline.contracts import InputFile\n"
        "from pipeline.registry import bind\n"
        "step, _ = bind('reader', 'mbox', {})\n"
        f"print([(d.locator, d.content.strip(), d.format) for d in step(InputFile('mail', {str(box)!r}, '', 0))])\n",
    )
    assert out.strip() == "[('0', b'First letter.', 'text'), ('1', b'Second letter.', 'text')]"


def test_the_export_of_the_page_works(followed: Path, tiny: Path, tmp_path: Path) -> None:
    target = tmp_path / "lengths"
    follow(followed, f"from pipeline.__main__ import main; main(['export', 'mix-v1', 'lengths', {str(target)!r}, '--out', {str(tiny)!r}])")
    lengths = [int(line) for line in (target / "lengths.txt").read_text().split()]
    assert lengths
    assert max(lengths) <= 256
    pack = next(stage["folder"] for stage in facts(tiny)["stages"] if stage["key"] == "pack")
    assert sum(lengths) == json.loads((tiny / "mix-v1" / pack / "train" / "manifest.json").read_text())["tokens"]


def test_nothing_speaks_of_the_machine_it_was_written_on() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    kinds = (".py", ".md", ".yaml", ".toml", ".txt", ".in", ".lock", "")
    texts = [path for name in listed if (path := ROOT / name).suffix in kinds and path.is_file() and path.name != "test_docs.py"]
    bad = re.compile(r"(?<![\w.])/(?:work|root|farm)/|pypi\.org|files\.pythonhosted")
    found = [str(path.relative_to(ROOT)) for path in texts if bad.search(path.read_text("utf-8", "replace"))]
    assert not found
