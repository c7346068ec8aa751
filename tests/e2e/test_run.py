"""The whole line on made-up texts: same bytes whatever the workers and whatever is killed; nothing twice, nothing lost."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest
from mill import Mill, facts

from pipeline.runfiles import RunFiles
from pipeline.storage import Folder
from pipeline.verify import verify_accounts, verify_files

PER_SOURCE = 6


def train(out: Path) -> dict[str, object]:
    pack = next(RunFiles(Folder(str(out / "mix-v1"))).stages("pack"))
    return pack.folder.sub("train").read_json("manifest.json")  # type: ignore[no-any-return]


def test_one_worker_and_no_ray_give_the_same_bytes_as_two(mill: Mill, tiny: Path, tmp_path: Path) -> None:
    mill.run(tmp_path / "one", "--workers", "1")
    mill.run(tmp_path / "none", "--local")
    wanted = {stage["key"]: digests(tiny, stage["folder"]) for stage in facts(tiny)["stages"]}
    for out in (tmp_path / "one", tmp_path / "none"):
        assert facts(out)["digest"] == facts(tiny)["digest"]
        assert {stage["key"]: digests(out, stage["folder"]) for stage in facts(out)["stages"]} == wanted


def digests(out: Path, folder: str) -> dict[str, str]:
    manifest = json.loads((out / "mix-v1" / folder / "manifest.json").read_text())
    return {file["name"]: file["sha256"] for task in manifest["tasks"] for file in task["files"]}


def test_a_second_run_does_nothing_and_says_so(mill: Mill, tiny: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (tiny / "mix-v1").rglob("*.parquet")}
    done = mill.run(tiny, "--workers", "2")
    assert "Nothing to do" in done.stdout
    assert {path: path.stat().st_mtime_ns for path in (tiny / "mix-v1").rglob("*.parquet")} == before


def test_a_changed_threshold_redoes_only_what_depends_on_it(mill: Mill, tiny: Path, tmp_path: Path) -> None:
    out = copy(tiny, tmp_path)
    mill.run(out, "--local", "--set", "dedupe.threshold=0.75")
    ran = {stage["key"] for stage in facts(out)["stages"] if stage["ran"]}
    assert not {key for key in ran if key.startswith(("extract", "filter", "signatures", "candidates", "components", "gather"))}
    assert {"dedupe", "tokenizer", "mix", "pack"} <= ran


def test_a_file_that_was_lost_is_made_again(mill: Mill, tiny: Path, tmp_path: Path) -> None:
    out = copy(tiny, tmp_path)
    lost = next((out / "mix-v1").glob("02-filter-web-*/web-00001.docs.parquet"))
    content = lost.read_bytes()
    lost.unlink()
    mill.run(out, "--local")
    assert lost.read_bytes() == content
    assert {stage["key"] for stage in facts(out)["stages"] if stage["ran"]} == {"filter-web"}
    assert facts(out)["digest"] == facts(tiny)["digest"]


def test_every_document_is_accounted_for(tiny: Path) -> None:
    checks = [*verify_files(Folder(str(tiny / "mix-v1"))), *verify_accounts(Folder(str(tiny / "mix-v1")))]
    assert len(checks) > 40
    assert [check for check in checks if not check.holds] == []


def test_the_shares_are_exact_to_the_token(tiny: Path) -> None:
    manifest = train(tiny)
    found: Counter[str] = Counter()
    assert len(manifest["shards"]) > 1  # type: ignore[arg-type]
    for shard in manifest["shards"]:  # type: ignore[attr-defined]
        found.update(shard["sources"])
    total = sum(found.values())
    shares = {"web": 0.60, "books": 0.15, "wikipedia": 0.05, "code": 0.10, "academic": 0.05, "curated": 0.05}
    for source, share in shares.items():
        assert abs(found[source] - total * share) < 1, source


def test_a_killed_driver_loses_nothing(mill: Mill, tiny: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = mill.start(out, "--workers", "2")
    wait_for_middle(process, out, "filter")
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (out / "mix-v1" / "run.json").exists()
    done = markers(out, "filter")
    mill.run(out, "--workers", "2")
    assert facts(out)["digest"] == facts(tiny)["digest"]
    assert done, "the kill came before any task was done"


def test_killed_in_every_stage_the_run_goes_on_to_the_same_bytes(mill: Mill, tiny: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    stages = list(dict.fromkeys(stage["stage"] for stage in facts(tiny)["stages"]))
    caught = {stage for stage in stages if kill_in(mill, out, stage)}
    assert len(caught) > len(stages) / 2, f"killed in {caught} alone"
    assert not (out / "mix-v1" / "run.json").exists()
    mill.run(out, "--local")
    wanted = {stage["key"]: digests(tiny, stage["folder"]) for stage in facts(tiny)["stages"]}
    assert {stage["key"]: digests(out, stage["folder"]) for stage in facts(out)["stages"]} == wanted
    assert facts(out)["digest"] == facts(tiny)["digest"]


def kill_in(mill: Mill, out: Path, stage: str) -> bool:
    """Kill a run once it has begun a stage; whether the stage was left unfinished (a short one may have been too quick)."""
    process = mill.start(out, "--local")
    while process.poll() is None and not list((out / "mix-v1").glob(f"[0-9][0-9]-{stage}-*")):
        time.sleep(0.001)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    folders = list((out / "mix-v1").glob(f"[0-9][0-9]-{stage}-*"))
    return not all((folder / "manifest.json").exists() for folder in folders)


@pytest.mark.parametrize("stage", ["extract", "filter", "tokenize"])
def test_a_killed_worker_is_replaced(mill: Mill, tiny: Path, tmp_path: Path, stage: str) -> None:
    out = tmp_path / "out"
    process = mill.start(out, "--workers", "2")
    wait_for_middle(process, out, stage)
    killed = kill_a_worker(process, stage)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    assert killed
    assert facts(out)["digest"] == facts(tiny)["digest"]


def markers(out: Path, stage: str) -> list[Path]:
    return [path for folder in (out / "mix-v1").glob(f"*-{stage}-*") for path in (folder / "_done").glob("*.json")]


def wait_for_middle(process: subprocess.Popen[str], out: Path, stage: str) -> None:
    """Wait until some tasks of a stage are done and others are not."""
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise AssertionError(f"it ended before {stage}: {process.communicate()[0]}")
        if markers(out, stage):
            return
        time.sleep(0.002)
    raise AssertionError(f"{stage} never began")


def kill_a_worker(driver: subprocess.Popen[str], stage: str) -> int:
    """Kill one process below the driver that is at a task of the stage; its pid, or 0 when none was caught at one."""
    while driver.poll() is None:
        for found in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                name = found.read_bytes()
            except OSError:
                continue
            if name.startswith(f"ray::{stage}-".encode()) and driver.pid in ancestors(int(found.parent.name)):
                os.kill(int(found.parent.name), signal.SIGKILL)
                return int(found.parent.name)
    return 0


def ancestors(pid: int) -> list[int]:
    found = []
    while pid > 1:
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            return found
        found.append(pid)
    return found


def copy(out: Path, target: Path) -> Path:
    return Path(shutil.copytree(out, target / "out", symlinks=True))


def test_a_corrupt_input_part_is_named_the_others_are_kept_and_a_rerun_continues(tmp_path: Path, mill: Mill) -> None:
    sources = Path(shutil.copytree(mill.sources, tmp_path / "sources"))
    bad = sources / "web" / "zz.warc.gz"
    bad.write_bytes(b"\x1f\x8b\x08\x00 this is no gzip member")
    own = Mill(sources)
    failed = own.run(tmp_path / "out", "--workers", "2", check=False)
    assert failed.returncode == 1
    assert "zz.warc.gz" in failed.stderr
    assert "parts failed" in failed.stderr
    kept = markers(tmp_path / "out", "extract")
    assert len(kept) > PER_SOURCE
    bad.unlink()
    own.run(tmp_path / "out", "--workers", "2")
    assert set(kept) & set(markers(tmp_path / "out", "extract"))


def test_an_unreadable_source_is_named(tmp_path: Path, mill: Mill) -> None:
    failed = mill.run(tmp_path / "out", "--local", "--sources", f"books={tmp_path / 'nowhere'}", check=False)
    assert failed.returncode == 1
    assert "books" in failed.stderr
    assert "nowhere" in failed.stderr


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("mount"), reason="a small file system can be mounted by root only")
def test_a_full_disk_is_named_and_a_rerun_on_more_room_continues(tmp_path: Path, mill: Mill, tiny: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(small)], capture_output=True).returncode:
        pytest.skip("a tmpfs can't be mounted here")
    try:
        failed = mill.run(small / "out", "--workers", "2", "--cache", str(tmp_path / "cache"), check=False)
        assert failed.returncode == 1
        assert "No space left on device" in failed.stderr
        subprocess.run(["mount", "-o", "remount,size=200m", str(small)], check=True)
        mill.run(small / "out", "--workers", "2", "--cache", str(tmp_path / "cache"))
        assert facts(small / "out")["digest"] == facts(tiny)["digest"]
    finally:
        subprocess.run(["umount", str(small)], check=False)
