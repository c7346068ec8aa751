"""The only file of the trainer that knows Ray: the processes that torchrun would start, placed by Ray on one machine or many.

A placement group of one GPU each (of one core, where there is none), an actor in each place, and the variables that torchrun sets.
What runs in them is the same Trainer. Shards and the run's folder must lie where every machine sees them.
"""

from __future__ import annotations

import logging
import os
import socket
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainer.config import RunConfig
from trainer.errors import ConfigError, TrainerError
from trainer.stop import Stop

if TYPE_CHECKING:
    from trainer.train import Summary, Trainer

#: Nothing large goes through the object store.
OBJECT_STORE_BYTES = 128 << 20
#: Seconds between two looks at whether the run was asked to stop.
LOOK = 0.5
#: Seconds that the other processes have to say what went wrong, once one has failed.
PATIENCE = 5
#: Paths among a run's options.
PATHS = ("out", "validation", "tokenizer", "init")


class Member:
    """One process of the run; trains in one thread, and listens in another."""

    def __init__(self) -> None:
        self._trainer: Trainer | None = None

    def place(self) -> tuple[str, int]:
        """The address of its machine, and a port that is free there."""
        import ray

        with socket.socket() as free:
            free.bind(("", 0))
            return ray.util.get_node_ip_address(), free.getsockname()[1]

    def train(self, options: Mapping[str, Any], environment: Mapping[str, str]) -> Summary:
        """The run, as this process of it."""
        os.environ.update(environment)
        from trainer.train import Trainer

        self._trainer = Trainer(RunConfig(**options))
        try:
            return self._trainer.run()
        finally:
            self._trainer.world.leave()

    def stop(self, signal: str) -> None:
        """Ask the run to stop after this step, and to save."""
        if self._trainer is not None:
            self._trainer.stop.signal = signal


def train(config: RunConfig) -> Summary:
    """Train on `config.ray` processes, on the cluster that RAY_ADDRESS names or on this machine.

    Raises ConfigError when the cluster has no room for them, TrainerError when one of them dies, and what the run itself raises.
    """
    import ray

    began = not ray.is_initialized()
    if began:
        _begin(config)
    group = _reserved(config)
    try:
        placed = ray.util.scheduling_strategies.PlacementGroupSchedulingStrategy(placement_group=group)
        needs = {"num_gpus" if "GPU" in group.bundle_specs[0] else "num_cpus": 1}
        make = ray.remote(Member).options(scheduling_strategy=placed, max_concurrency=2, **needs)
        return _run(config, [make.remote() for _ in range(config.ray)])
    finally:
        ray.util.remove_placement_group(group)  # and the processes in it
        if began:
            ray.shutdown()


def _begin(config: RunConfig) -> None:
    import ray

    logging.getLogger("ray").setLevel(logging.ERROR)
    if os.environ.get("RAY_ADDRESS"):
        ray.init(runtime_env={"py_modules": [str(Path(__file__).parent)]})  # this code, to machines that may not have it
        return
    cores = max(os.cpu_count() or 1, config.ray)
    ray.init(address="local", num_cpus=cores, include_dashboard=False, object_store_memory=OBJECT_STORE_BYTES)


def _reserved(config: RunConfig) -> Any:
    import ray

    there = ray.cluster_resources()
    kind = "GPU" if config.device == "cuda" or (config.device == "auto" and there.get("GPU")) else "CPU"
    if config.ray > there.get(kind, 0):
        raise ConfigError(f"--ray is {config.ray}: the cluster has {there.get(kind, 0):.0f} {kind}s, and each process takes one")
    group = ray.util.placement_group([{kind: 1}] * config.ray, strategy="PACK")
    ray.get(group.ready())
    return group


def _run(config: RunConfig, members: Sequence[Any]) -> Summary:
    import ray

    options = asdict(everywhere(config))
    places = ray.get([member.place.remote() for member in members])
    hosts = [host for host, _ in places]
    shared = {"MASTER_ADDR": hosts[0], "MASTER_PORT": str(places[0][1]), "WORLD_SIZE": str(len(members)), "LOCAL_RANK": "0"}
    running = [
        member.train.remote(options, shared | {"RANK": str(rank), "LOCAL_WORLD_SIZE": str(Counter(hosts)[hosts[rank]])})
        for rank, member in enumerate(members)
    ]
    first, told = running[0], False
    with Stop() as stop:
        while running:
            done, running = ray.wait(running, timeout=LOOK)
            _check(done, running)
            if stop.signal and not told:
                told = True
                ray.get([member.stop.remote(stop.signal) for member in members])
    summary: Summary = ray.get(first)
    return summary


def _check(done: Sequence[Any], running: Sequence[Any]) -> None:
    """Raise what went wrong. When a process dies the others fail because it is gone: what says so is told before what follows from it."""
    import ray

    errors = [error for found in done if (error := _error(found))]
    if errors and running:
        others, _ = ray.wait(list(running), num_returns=len(running), timeout=PATIENCE)
        errors += [error for found in others if (error := _error(found))]
    if errors:
        raise min(errors, key=lambda error: not isinstance(error, TrainerError))


def _error(done: Any) -> Exception | None:
    import ray

    try:
        ray.get(done)
    except ray.exceptions.RayTaskError as error:
        return error.cause if isinstance(error.cause, TrainerError) else error
    except ray.exceptions.RayActorError as error:
        why = str(error).strip().splitlines()[0]
        return TrainerError(f"a process of the run died ({why}): --resume goes on from the newest checkpoint")
    return None


def everywhere(config: RunConfig) -> RunConfig:
    """The run as each process gets it: paths that don't depend on where it stands, and no launch of its own."""
    data = ",".join(_absolute(part) for part in config.data.split(",")) if "=" in config.data else str(Path(config.data).resolve())
    paths: dict[str, Any] = {name: value and str(Path(value).resolve()) for name in PATHS for value in [getattr(config, name)]}
    return replace(config, data=data, ray=0, **paths)


def _absolute(part: str) -> str:
    folder, _, weight = part.rpartition("=")
    return f"{Path(folder).resolve()}={weight}"
