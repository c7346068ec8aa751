"""Debian packages from a repository on disk: what is fetched, what is cached, and what a killed run leaves."""

from __future__ import annotations

import fcntl
import json
import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest
from archive_kit import Repository

from pipeline.contracts import InputFile
from pipeline.errors import MissingInput, SourceError
from pipeline.sources import apt as apt_module
from pipeline.sources.archives import members
from pipeline.sources.debian import _declared, debian, together

pytestmark = pytest.mark.skipif(not shutil.which("apt-get"), reason="no apt-get on this machine")

COPYRIGHT = b"""Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: lib/*
License: Expat

Files: *
License: MPL-2.0

Files: debian/*
License: GPL-3+
"""


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "repository")
    made.add("rivers-doc", {"usr/share/doc/rivers-doc/copyright": COPYRIGHT, "usr/share/doc/rivers-doc/a.html": b"<p>Rivers run.</p>"})
    made.add("hills", {"usr/share/hills": b"Hills stand."}, version="2:3.1-4")
    made.add("lakes", {}, depends="libc6 (>= 2.1), lakes-15 | lakes-14 (>= 1)")
    made.add("lakes-15", {"usr/share/doc/lakes-15/copyright": b"See /usr/share/common-licenses/GPL-2."}, version="15.2")
    return made


def no_apt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apt_module.shutil, "which", lambda program: None)


def test_packages_come_with_version_hash_and_licence(tmp_path: Path, repository: Repository) -> None:
    files = debian(tmp_path / "cache", packages=["rivers-doc", "hills"], apt_options=repository.options)
    assert [(file.name, file.version, file.licence, file.origin) for file in files] == [
        ("deb:rivers-doc", "1.0-1", "MPL-2.0, Expat", "debian"),
        ("deb:hills", "2:3.1-4", "see the copyright file of its source package", "debian"),
    ]
    assert [member.data for member in members(files[0], ["*.html"])] == [b"<p>Rivers run.</p>"]
    assert all(Path(file.path).stat().st_size == file.size for file in files)


def test_a_metapackage_stands_for_the_versioned_package_it_depends_on(tmp_path: Path, repository: Repository) -> None:
    (file,) = debian(tmp_path / "cache", packages=["lakes"], apt_options=repository.options)
    assert (file.name, file.version, file.licence) == ("deb:lakes-15", "15.2", "GPL-2")


def test_unknown_names_are_said_and_the_others_come(tmp_path: Path, repository: Repository) -> None:
    with pytest.warns(MissingInput, match="deb:seas: this distribution has no such package"):
        files = debian(tmp_path / "cache", packages=["seas", "hills"], apt_options=repository.options)
    assert [file.name for file in files] == ["deb:hills"]


def test_a_second_run_needs_no_apt(tmp_path: Path, repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    first = debian(tmp_path / "cache", packages=["rivers-doc", "lakes"], apt_options=repository.options)
    no_apt(monkeypatch)
    assert debian(tmp_path / "cache", packages=["rivers-doc", "lakes"], apt_options=repository.options) == first


def test_lists_are_asked_for_again_after_a_day(tmp_path: Path, repository: Repository) -> None:
    cache, options = tmp_path / "cache", repository.options
    debian(cache, packages=["hills"], apt_options=options)
    repository.add("seas", {})
    with pytest.warns(MissingInput, match="seas"):
        debian(cache, packages=["seas"], apt_options=options)
    (stamp,) = cache.glob("*/apt/updated")
    os.utime(stamp, (1e9, 1e9))
    assert debian(cache, packages=["seas"], apt_options=options)


def test_one_call_fetches_for_many(tmp_path: Path, repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = [{"packages": [name], "apt_options": repository.options} for name in ("rivers-doc", "hills", "seas")]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        together(tmp_path / "cache", calls)
    no_apt(monkeypatch)
    for name in ("rivers-doc", "hills"):
        assert debian(tmp_path / "cache", packages=[name], apt_options=repository.options)


def test_without_apt_the_error_names_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_apt(monkeypatch)
    with pytest.raises(SourceError, match="make recipe=mix-v1 profile=local sources=PATHS"):
        debian(tmp_path / "cache", packages=["hills"])


@pytest.mark.parametrize(
    "option",
    [
        "APT::Update::Pre-Invoke::=touch {tmp}/ran",
        "Dir::Bin::Methods={tmp}",
        "Dir::Etc::sourcelist::x=1",
        "Acquire::http::Proxy-Auto-Detect={tmp}/ran",
        "Acquire::Retries",
        "Dir::Etc::sourceparts=/dev/null\nDir::Bin::dpkg=x",
    ],
)
def test_options_that_could_run_programs_are_refused(tmp_path: Path, repository: Repository, option: str) -> None:
    option = option.format(tmp=tmp_path)
    with pytest.raises(SourceError, match=re.escape(f"apt_options: {option!r} is not allowed")):
        debian(tmp_path / "cache", packages=["hills"], apt_options=[*repository.options, option])
    assert not (tmp_path / "ran").exists()


def test_proxies_and_patience_can_be_set(tmp_path: Path, repository: Repository) -> None:
    options = [*repository.options, "Acquire::http::Proxy=http://proxy:3128", "Acquire::https::Timeout=5", "acquire::retries=1"]
    assert debian(tmp_path / "cache", packages=["hills"], apt_options=options)


@pytest.mark.parametrize(
    "name", ["-oAPT::Update::Pre-Invoke::=false", "--help", "x", "Hills", "hills=1", "hills/sid", "hills*", "hills\n", ""]
)
def test_what_is_no_package_name_is_refused_before_apt_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    no_apt(monkeypatch)
    with pytest.raises(SourceError, match=re.escape(f"packages: {name!r} is no name of a Debian package")):
        debian(tmp_path / "cache", packages=["rivers-doc", name])


def test_no_package_list_is_an_error_with_apts_words(tmp_path: Path, repository: Repository) -> None:
    (repository.folder / "Packages").unlink()
    with pytest.raises(SourceError, match=r"no package lists: E: "):
        debian(tmp_path / "cache", packages=["hills"], apt_options=repository.options)


def test_an_apt_without_repositories_is_an_error(tmp_path: Path, repository: Repository) -> None:
    (repository.folder / "sources.list").write_text("")
    with pytest.raises(SourceError, match="apt has no repository to ask"):
        debian(tmp_path / "cache", packages=["hills"], apt_options=repository.options)


def test_a_repository_that_fails_does_not_hinder_the_others(tmp_path: Path, repository: Repository) -> None:
    with open(repository.folder / "sources.list", "a") as sources:
        sources.write(f"deb [trusted=yes] file:{tmp_path}/gone ./\n")
    with pytest.warns(MissingInput, match=r"deb:seas: .* or it was not seen \(E: "):
        (file,) = debian(tmp_path / "cache", packages=["hills", "seas"], apt_options=repository.options)
    assert file.name == "deb:hills"


def test_a_known_package_that_cannot_be_had_is_an_error_and_the_others_are_kept(tmp_path: Path, repository: Repository) -> None:
    lost = repository.folder / "hills_3.1-4_all.deb"
    kept = lost.read_bytes()
    lost.unlink()
    with pytest.raises(SourceError, match=r"packages can't be downloaded: .*hills"):
        debian(tmp_path / "cache", packages=["hills", "rivers-doc"], apt_options=repository.options)
    assert [path.name for path in (tmp_path / "cache").rglob("*.deb")] == ["rivers-doc_1.0-1_all.deb"]
    lost.write_bytes(kept)
    assert len(debian(tmp_path / "cache", packages=["hills", "rivers-doc"], apt_options=repository.options)) == 2


def test_a_package_that_is_not_what_the_index_says_is_refused(tmp_path: Path, repository: Repository) -> None:
    path = repository.folder / "hills_3.1-4_all.deb"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(SourceError, match="hills"):
        debian(tmp_path / "cache", packages=["hills"], apt_options=repository.options)
    assert not list((tmp_path / "cache").rglob("*.deb"))


@pytest.mark.parametrize("harm", ["cut", "changed", "gone"])
def test_a_damaged_cache_is_mended(tmp_path: Path, repository: Repository, harm: str) -> None:
    (file,) = debian(tmp_path / "cache", packages=["hills"], apt_options=repository.options)
    data = Path(file.path).read_bytes()
    Path(file.path).write_bytes({"cut": data[:100], "changed": data[:-1] + b"?", "gone": b""}[harm])
    if harm == "gone":
        Path(file.path).unlink()
    assert debian(tmp_path / "cache", packages=["hills"], apt_options=repository.options) == [file]
    assert Path(file.path).read_bytes() == data


def test_half_a_download_left_behind_is_mended(tmp_path: Path, repository: Repository) -> None:
    options = repository.options
    (file,) = debian(tmp_path / "cache", packages=["rivers-doc"], apt_options=options)
    store = Path(file.path).parent
    (store / "incoming").mkdir()
    (store / "incoming" / "hills_2%3a3.1-4_all.deb").write_bytes(b"!<arch>\nhalf")
    (found,) = debian(tmp_path / "cache", packages=["hills"], apt_options=options)
    assert Path(found.path).read_bytes() == (repository.folder / "hills_3.1-4_all.deb").read_bytes()
    assert not (store / "incoming").exists()


def test_a_whole_download_left_behind_is_not_fetched_again(tmp_path: Path, repository: Repository) -> None:
    (file,) = debian(tmp_path / "cache", packages=["rivers-doc"], apt_options=repository.options)
    incoming = Path(file.path).parent / "incoming"
    incoming.mkdir()
    shutil.move(repository.folder / "hills_3.1-4_all.deb", incoming / "hills_2%3a3.1-4_all.deb")
    assert debian(tmp_path / "cache", packages=["hills"], apt_options=repository.options)


def fetch_in_process(cache: Path, options: list[str], queue: multiprocessing.Queue[list[InputFile]]) -> None:
    queue.put(debian(cache, packages=["rivers-doc", "hills", "lakes"], apt_options=options))


def test_two_processes_share_a_cache(tmp_path: Path, repository: Repository) -> None:
    context = multiprocessing.get_context("fork")
    queue: multiprocessing.Queue[list[InputFile]] = context.Queue()
    both = [context.Process(target=fetch_in_process, args=(tmp_path / "cache", repository.options, queue)) for _ in range(2)]
    for process in both:
        process.start()
    results = [queue.get(timeout=60) for _ in both]
    for process in both:
        process.join()
    assert results[0] == results[1]
    assert len(results[0]) == 3


def test_a_killed_run_leaves_a_cache_that_the_next_one_mends(tmp_path: Path, repository: Repository) -> None:
    """apt-get is replaced by one that starts a file, tells, and waits; the run is killed there; apt lives on and is waited for."""
    real = shutil.which("apt-get")
    slow = tmp_path / "bin" / "apt-get"
    slow.parent.mkdir()
    half = f"echo half > hills_2%3a3.1-4_all.deb; touch {tmp_path}/started; sleep 1"
    slow.write_text(f'#!/bin/sh\ncase "$*" in *download*) {half};; esac\nexec {real} "$@"\n')
    slow.chmod(0o755)
    program = (
        "import json, sys; from pathlib import Path; from pipeline.sources.debian import debian\n"
        "debian(Path(sys.argv[1]), packages=['hills'], apt_options=json.loads(sys.argv[2]))"
    )
    env = {**os.environ, "PATH": f"{slow.parent}:{os.environ['PATH']}", "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.Popen([sys.executable, "-c", program, str(tmp_path / "cache"), json.dumps(repository.options)], env=env)
    deadline = time.monotonic() + 60
    while not (tmp_path / "started").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    run.send_signal(signal.SIGKILL)
    run.wait()
    (lock,) = (tmp_path / "cache").glob("*/lock")
    with open(lock) as held, pytest.raises(BlockingIOError):  # by apt-get, which has inherited it
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    (file,) = debian(tmp_path / "cache", packages=["hills"], apt_options=repository.options)
    assert Path(file.path).read_bytes() == (repository.folder / "hills_3.1-4_all.deb").read_bytes()


def test_the_licence_of_most_files_comes_first_and_the_packagings_is_left_out() -> None:
    assert _declared(COPYRIGHT.decode()) == ["MPL-2.0", "Expat"]
