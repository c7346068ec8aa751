"""The only file that knows Ray: tasks mapped over workers, retried when a worker dies, never when the code raised.

One `ray.init` per run. Beyond one machine the same code runs as a Ray job: `submit` sends this checkout to a cluster.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.errors import TokenmillError
from pipeline.worker import Failed, Outcome, TaskSpec, attempt

#: How often a task is tried again after the process running it died (killed, out of memory, node lost).
RETRIES_AFTER_DEATH = 4
#: Tasks handed to Ray at once, per worker: enough to keep workers busy, few enough to keep the queue short.
QUEUED_PER_WORKER = 4
#: What a job needs of a checkout.
SENT = ("pipeline", "tokenizer", "trainer", "dashboards", "recipes")
#: Nothing large goes through the object store: payloads are files.
OBJECT_STORE_BYTES = 128 << 20

#: How long a cluster that has just been started is waited for: its agents, which take jobs, come up after its address does.
AGENT_SECONDS = 120.0

OnOutcome = Callable[[TaskSpec, Outcome], None]


class InProcess:
    """Runs tasks one by one in this process: for debuggers, and for machines without Ray's needs."""

    workers = 1

    def map(self, specs: Sequence[TaskSpec], on_outcome: OnOutcome) -> list[Failed]:
        """Run all in order; returns those that failed, after the others finished."""
        failures = []
        for spec in specs:
            result = attempt(spec)
            if isinstance(result, Failed):
                failures.append(result)
            else:
                on_outcome(spec, result)
        return failures


class OnRay:
    """Runs tasks over Ray workers, one CPU each."""

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def map(self, specs: Sequence[TaskSpec], on_outcome: OnOutcome) -> list[Failed]:
        """Run all, in any order; returns those that failed, after the others finished."""
        import ray

        remote = ray.remote(num_cpus=1, max_retries=RETRIES_AFTER_DEATH, retry_exceptions=False)(attempt)
        waiting = list(reversed(specs))
        running: dict[ray.ObjectRef, TaskSpec] = {}
        failures: list[Failed] = []
        while waiting or running:
            while waiting and len(running) < self.workers * QUEUED_PER_WORKER:
                spec = waiting.pop()
                running[remote.options(name=f"{spec.stage}:{spec.task.name}").remote(spec)] = spec
            for done in ray.wait(list(running), num_returns=1)[0]:
                spec = running.pop(done)
                result = _result(done, spec)
                if isinstance(result, Failed):
                    failures.append(result)
                else:
                    on_outcome(spec, result)
        return sorted(failures, key=lambda failure: failure.task)


def _result(done: Any, spec: TaskSpec) -> Outcome | Failed:
    """What a task came to; a worker that died more often than it may is a failure of its part."""
    import ray

    try:
        result: Outcome | Failed = ray.get(done)
    except ray.exceptions.RayTaskError as error:
        return Failed(spec.task.name, str(error.cause or error).strip().splitlines()[-1], str(error))
    except ray.exceptions.RayError as error:
        lines = str(error).strip().splitlines()
        why = lines[0] if lines else type(error).__name__
        return Failed(spec.task.name, f"its process died, and no other could finish it (up to {RETRIES_AFTER_DEATH} were tried): {why}")
    return result


Runner = InProcess | OnRay


@contextmanager
def runner(workers: int | None, local: bool) -> Iterator[Runner]:
    """Something to run tasks on: this process, a Ray started here for the time of the run, or the one we are a job of."""
    if local:
        yield InProcess()
        return
    import ray

    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    joining = bool(os.environ.get("RAY_ADDRESS"))
    if joining:
        ray.init(log_to_driver=False, configure_logging=False)
    else:
        logging.getLogger("ray").setLevel(logging.ERROR)  # its notice on tokens is about clusters that others can reach
        count = workers or os.cpu_count() or 1
        ray.init(
            address="local",  # a Ray that somebody else runs on this machine is not ours to use
            num_cpus=count,
            include_dashboard=False,
            log_to_driver=False,
            configure_logging=False,
            object_store_memory=OBJECT_STORE_BYTES,
        )
    try:
        yield OnRay(workers or int(ray.cluster_resources().get("CPU", 1)))
    finally:
        ray.shutdown()


def _taken(send: Callable[[], str]) -> str:
    """What `send` gives, asked again while a young or busy cluster says that none of its agents is up yet."""
    deadline = time.monotonic() + AGENT_SECONDS
    while True:
        try:
            return send()
        except RuntimeError as error:
            if "No available agent" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(2.0)


def submit(address: str, entrypoint: Sequence[str], checkout: Path) -> str:
    """Send this checkout to a Ray cluster as a job and wait for its end, printing its log; returns the job's last status.

    Raises TokenmillError with what to do when the cluster refuses (Ray 2.60 wants a token).
    """
    import asyncio
    import shlex

    import ray
    from ray.job_submission import JobSubmissionClient

    logging.getLogger("ray").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        for name in SENT:
            shutil.copytree(checkout / name, Path(folder) / name, ignore=shutil.ignore_patterns("__pycache__"))
        try:
            client = JobSubmissionClient(address)
            job = _taken(lambda: client.submit_job(entrypoint=shlex.join(entrypoint), runtime_env={"working_dir": folder}))
        except (RuntimeError, ConnectionError, ValueError, ray.exceptions.RayError) as error:
            raise TokenmillError(
                f"{address} doesn't take the job: {error}\n"
                "If it wants a token: `ray get-auth-token --generate` once, then RAY_AUTH_MODE=token where the cluster is started and here."
            ) from error

    async def follow() -> None:
        async for lines in client.tail_job_logs(job):
            print(lines, end="", flush=True)  # noqa: T201 - the job's own output, passed on

    asyncio.run(follow())
    return str(client.get_job_status(job).value)
