"""Locking inputs: failures name their source, missing ones are noted, a file read in two ways has two names."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.download import fetch, publish
from pipeline.errors import SourceError
from pipeline.recipe import Recipe, parse_recipe
from pipeline.storage import Folder


def recipe(inputs: str) -> Recipe:
    return parse_recipe(f"name: tiny\nsources:\n  web:\n    share: 1\n    inputs: {inputs}\n", "tiny.yaml")


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "in" / "a.html"
    path.parent.mkdir()
    path.write_text("<p>words</p>")
    return path


def test_a_lock_has_no_path_of_this_machine(page: Path, tmp_path: Path) -> None:
    lock = fetch(recipe(f"[{{fetch: {{files: {{paths: ['{page}']}}}}, read: any}}]"), tmp_path / "cache")
    row = lock.to_json()["inputs"][0]
    assert (row["name"], row["size"], row["source"]) == ("a.html", 12, "web")
    assert str(tmp_path) not in str(lock.to_json())


def test_a_file_read_in_two_ways_has_two_names(page: Path, tmp_path: Path) -> None:
    way = f"fetch: {{files: {{paths: ['{page}']}}}}"
    lock = fetch(recipe(f"[{{{way}, read: any}}, {{{way}, read: pages}}]"), tmp_path / "cache")
    assert [item.file.name for item in lock.inputs] == ["a.html", "a.html#2"]


def test_a_file_read_twice_in_one_way_is_refused(page: Path, tmp_path: Path) -> None:
    way = f"{{fetch: {{files: {{paths: ['{page}']}}}}, read: any}}"
    with pytest.raises(SourceError, match=r"a\.html is read twice"):
        fetch(recipe(f"[{way}, {way}]"), tmp_path / "cache")


def test_a_source_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"web: .*nowhere"):
        fetch(recipe(f"[{{fetch: {{files: {{paths: ['{tmp_path}/nowhere']}}}}, read: any}}]"), tmp_path / "cache")


def test_inputs_of_a_remote_run_are_copied_to_where_workers_can_read(page: Path, tmp_path: Path) -> None:
    lock = fetch(recipe(f"[{{fetch: {{files: {{paths: ['{page}']}}}}, read: any}}]"), tmp_path / "cache")
    there = publish(lock, Folder("memory://run/inputs"))
    assert there.inputs[0].file.path.startswith("memory://run/inputs/")
    assert Folder("memory://run/inputs").sub(lock.inputs[0].file.sha256[:16]).read("a.html") == b"<p>words</p>"
    assert publish(lock, Folder(str(tmp_path / "out"))) == lock
