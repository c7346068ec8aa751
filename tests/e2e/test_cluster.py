"""The same command as a job of a Ray cluster: a head started here, with its token, on ports of its own."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mill import ROOT, Mill, environment, facts

RAY = Path(sys.executable).parent / "ray"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, str]]]:
    """A one-node cluster that wants a token: its address, and an environment that has the token."""
    port, dashboard = free_port(), free_port()
    env = {**environment(), "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32), "TOKENMILL_CLUSTER_PYTHON": sys.executable}
    head = [
        RAY,
        "start",
        "--head",
        "--block",
        f"--port={port}",
        f"--dashboard-port={dashboard}",
        f"--dashboard-agent-listen-port={free_port()}",
        "--num-cpus=2",
        "--disable-usage-stats",
    ]
    log = tmp_path_factory.mktemp("ray") / "head.log"
    with open(log, "w") as file:
        process = subprocess.Popen(head, env=env, stdout=file, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        wait_until_up(f"http://127.0.0.1:{dashboard}", env, log)
        yield f"http://127.0.0.1:{dashboard}", env
    finally:
        process.terminate()
        process.wait(timeout=60)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def wait_until_up(address: str, env: dict[str, str], log: Path) -> None:
    check = f"from ray.job_submission import JobSubmissionClient as C; C({address!r}).list_jobs()"
    for _ in range(60):
        if subprocess.run([sys.executable, "-c", check], env=env, capture_output=True).returncode == 0:
            return
    raise AssertionError(log.read_text())


def test_a_job_gives_the_same_digest(mill: Mill, tiny: Path, tmp_path: Path, cluster: tuple[str, dict[str, str]]) -> None:
    address, env = cluster
    argv = mill.argv(tmp_path / "out", "--cluster", address)
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "job succeeded" in done.stdout
    assert facts(tmp_path / "out")["digest"] == facts(tiny)["digest"]


def test_a_failed_job_fails_the_command(mill: Mill, tmp_path: Path, cluster: tuple[str, dict[str, str]]) -> None:
    address, env = cluster
    argv = mill.argv(tmp_path / "out", "--cluster", address, "--set", "sources.web.floor=1e12")
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 1
    assert "its floor is" in done.stdout


def test_a_cluster_without_its_token_says_what_to_do(mill: Mill, tmp_path: Path, cluster: tuple[str, dict[str, str]]) -> None:
    address, _ = cluster
    env = {**environment(), "RAY_AUTH_MODE": "disabled", "HOME": str(tmp_path)}
    env.pop("RAY_AUTH_TOKEN", None)
    done = subprocess.run(mill.argv(tmp_path / "out", "--cluster", address), cwd=ROOT, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "ray get-auth-token --generate" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_cluster_wants_one_place_to_write(mill: Mill, tmp_path: Path) -> None:
    argv = [item for item in mill.argv(tmp_path) if item not in ("--out", str(tmp_path))]
    done = subprocess.run(
        [*argv, "--cluster", "http://127.0.0.1:9"], cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "out=URL" in done.stderr
