"""Programs in the sandbox: what passes, what doesn't, and what none can do where the system lets us keep it in."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from trainer import sandbox
from trainer.sandbox import Limits, protections, run

SHORT = Limits(seconds=1, clock=3)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the sandbox is Linux's")


@pytest.mark.parametrize(
    ("program", "ended"),
    [
        ("x = 1", "passed"), ("assert False", "failed"), ("raise SystemExit(0)", "failed"), ("import os; os._exit(0)", "failed"),
        ("while True: pass", "out of time"), ("x = bytearray(2 << 30)", "failed"), ("def f(): return f()\nf()", "failed"),
        ("open('x', 'w').write('a' * 100)", "passed"), ("open('x', 'w').write('a' * (2 << 20))", "failed"),
        ("print('x' * 10**7)", "passed"),
        ("import math, typing, collections, hashlib", "passed"), ("syntax error", "failed"), ("x = '\\ud800'", "passed"),
    ],
)  # fmt: skip
def test_how_programs_end(program: str, ended: str) -> None:
    assert run(program, SHORT) == ended


def test_one_that_only_waits_ends_by_the_clock() -> None:
    assert run("import time; time.sleep(60)", Limits(seconds=1, clock=1)) == "out of time"


def test_no_processes() -> None:
    if not protections()["no_processes"]:
        pytest.skip("no seccomp filter is possible here")
    for start in (
        "import os; os.fork()",
        "import subprocess; subprocess.run(['/bin/true'])",
        "import threading; threading.Thread().start()",
    ):
        assert run(start, SHORT) == "failed"
        caught = "\n".join(f"    {line}" for line in start.split("; "))
        assert run(f"try:\n{caught}\nexcept (OSError, RuntimeError): pass\nelse: raise SystemExit", SHORT) == "passed"


def test_no_files(tmp_path: Path) -> None:
    if not protections()["namespaces"]:
        pytest.skip("namespaces are not permitted here")
    victim = tmp_path / "victim"
    victim.write_text("alive", "utf-8")
    for harm in (f"open({str(victim)!r}, 'w')", f"import os; os.remove({str(victim)!r})", f"open({str(tmp_path / 'new')!r}, 'w')"):
        assert run(harm, SHORT) == "failed"
    assert victim.read_text("utf-8") == "alive"
    assert list(tmp_path.iterdir()) == [victim]


def test_files_are_unharmed_without_namespaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = (Path(sandbox.__file__).with_name("jail.py")).read_text("utf-8").replace("if libc.unshare(", "if True or libc.unshare(")
    (tmp_path / "jail.py").write_text(held, "utf-8")
    monkeypatch.setattr(sandbox, "JAIL", tmp_path / "jail.py")
    told = sandbox._run("open('x', 'w').write('a')", SHORT)
    assert told[0] == "passed"
    assert not told[1]["namespaces"]
    if not told[1]["files"]:
        pytest.skip("this kernel has no Landlock")
    victim, new = tmp_path / "victim", tmp_path / "new"
    victim.write_text("alive", "utf-8")
    for harm in (
        f"open({str(victim)!r}, 'w')",
        f"os.remove({str(victim)!r})",
        f"os.mkdir({str(new)!r})",
        f"os.rename({str(victim)!r}, 'x')",
    ):
        assert run(f"import os\ntry: {harm}\nexcept OSError: pass\nelse: raise SystemExit", SHORT) == "passed"
    assert run("import os; open(f'/proc/{os.getppid()}/mem', 'rb+')", SHORT) == "failed"
    assert victim.read_text("utf-8") == "alive"
    assert not new.exists()


@pytest.mark.parametrize(
    "harm",
    [
        "os.kill({0}, 0)", "os.kill({0}, signal.SIGKILL)", "os.kill(os.getppid(), 0)", "signal.pidfd_send_signal(os.pidfd_open({0}), 0)",
        "resource.prlimit({0}, resource.RLIMIT_NOFILE, (9, 9))",
        "socket.create_connection(('127.0.0.1', 9), 1)", "socket.socket(socket.AF_UNIX)",
    ],
)  # fmt: skip
def test_other_processes_and_sockets_are_out_of_reach(harm: str) -> None:
    if not protections()["no_processes"]:
        pytest.skip("no seccomp filter is possible here")
    victim = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        program = (
            f"import os, resource, signal, socket\ntry: {harm.format(victim.pid)}\nexcept PermissionError: pass\nelse: raise SystemExit"
        )
        assert run(program, SHORT) == "passed"
        assert victim.poll() is None
    finally:
        victim.kill()
        victim.wait()


@pytest.mark.parametrize("call", ["0x40000000 + 39", "0x40000000 + 57"])  # getpid and fork, of the second ABI
def test_calls_of_the_second_abi_are_refused(call: str) -> None:
    if platform.machine() != "x86_64" or not protections()["no_processes"]:
        pytest.skip("another machine, or no seccomp filter")
    program = f"import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\nassert libc.syscall({call}) == -1 and ctypes.get_errno() == 1"
    assert run(program, SHORT) == "passed"


def test_a_program_may_ask_for_its_own_limits() -> None:
    assert run("import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (9, 9))", SHORT) == "passed"
