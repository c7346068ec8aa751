"""Which of two corpora teaches a model more: the same small model, trained on as many tokens of each, measured on the same held-out texts.

Both corpora are packed with one tokenizer; the validation set holds no document of either. A seed decides the first weights and the
order of rows, and each seed trains once on both corpora, so that their difference is paired. The learning rate is one number for all
runs. Nothing is searched, and every run counts. What comes out is bits per byte of each source of the validation set.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trainer.config import PRESETS, RunConfig
from trainer.documents import document_ids
from trainer.errors import ConfigError, DataError, TrainerError
from trainer.shards import PackedDataset, open_dataset

#: Of Student's t: 97.5 % lie below this with 1, 2, ... degrees of freedom (two-sided intervals of 95 %).
T_975 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
REPORT = "ablation.json"

#: Bits per byte by source of each run, by corpus and seed.
Runs = Mapping[str, Sequence[Mapping[str, float]]]


@dataclass(frozen=True)
class Ablation:
    """Two corpora, as NAME=FOLDER, and what is the same for both; no `lr`, `batch_tokens`: the preset's."""

    base: str
    other: str
    validation: str
    out: str
    tokenizer: str | None = None
    model: str = "debug"
    steps: int = 300
    batch_tokens: int | None = None
    lr: float | None = None
    seeds: int = 3
    eval_tokens: int = 262_144
    device: str = "auto"

    def __post_init__(self) -> None:
        if not 2 <= self.seeds <= len(T_975) + 1:
            raise ConfigError(f"--seeds is {self.seeds}: a spread needs 2 to {len(T_975) + 1} of them")
        if len(self.corpora) != 2:
            raise ConfigError(f"--base is {self.base!r} and --other {self.other!r}: give NAME=FOLDER, with two names")

    @property
    def corpora(self) -> dict[str, str]:
        """The folders by name."""
        parts = [given.partition("=") for given in (self.base, self.other)]
        return {name: folder for name, _, folder in parts if name and folder}

    def config(self, name: str, seed: int) -> RunConfig:
        """The run on a corpus with a seed; the corpus and the seed are all that differs."""
        return RunConfig(
            data=self.corpora[name], validation=self.validation, tokenizer=self.tokenizer, model=self.model, steps=self.steps,
            batch_tokens=self.batch_tokens, lr=self.lr or PRESETS[self.model].lr, seed=seed, eval_every=self.steps,
            eval_tokens=self.eval_tokens, save_every=max(1, self.steps // 4), keep=1, sample_tokens=0, log_every=100, resume=True,
            device=self.device, out=str(Path(self.out) / f"{name}-seed{seed}"),
        )  # fmt: skip


def compare(ablation: Ablation, train: Callable[[RunConfig], dict[str, float]]) -> str:
    """Run what hasn't been run yet by `train`, which gives bits per byte by source; write ablation.json and return its table.

    Raises a TrainerError before the first step where the comparison would not be fair.
    """
    facts = check(ablation)
    path = Path(ablation.out) / REPORT
    told = asdict(ablation) | {"lr": ablation.config(*_first(ablation)).lr, "corpora": facts}
    _continue(path, told)
    runs = {name: [train(ablation.config(name, seed)) for seed in range(ablation.seeds)] for name in ablation.corpora}
    path.write_text(json.dumps(told | {"bits_per_byte": runs}, indent=2) + "\n", "utf-8")
    return "\n".join(lines(told, runs))


def check(ablation: Ablation) -> dict[str, dict[str, Any]]:
    """What there is of each corpus; DataError where they are one, don't go together, or hold a document of the validation set."""
    opened = {name: open_dataset(folder) for name, folder in ablation.corpora.items()}
    held = open_dataset(ablation.validation)
    for data in opened.values():
        data.check_same_pack(held)
    if len({data.digest for data in opened.values()}) == 1:
        raise DataError(f"{ablation.base} and {ablation.other} hold the same rows: there is nothing to compare")
    ids = document_ids(held)
    return {name: _described(ablation, data, ids) for name, data in opened.items()}


def _described(ablation: Ablation, data: PackedDataset, held: frozenset[str]) -> dict[str, Any]:
    if shared := held & document_ids(data):
        raise DataError(
            f"{data.folder} holds {len(shared):,} documents of {ablation.validation}, {min(shared)} among them: hold out the same in both"
        )
    tokens = len(data) * data.seq_len
    batch = ablation.batch_tokens or PRESETS[ablation.model].batch_tokens
    return {"digest": data.digest, "tokens": tokens, "trained": ablation.steps * batch, "epochs": ablation.steps * batch / tokens}


def _first(ablation: Ablation) -> tuple[str, int]:
    return next(iter(ablation.corpora)), 0


def _continue(path: Path, told: Mapping[str, Any]) -> None:
    """Note what is compared, or make sure that it is what was begun in this folder."""
    if path.exists():
        begun = _begun(path)
        changed = [name for name, value in told.items() if begun.get(name) != json.loads(json.dumps(value))]
        if changed:
            raise ConfigError(f"{path.parent} holds a comparison with another {', '.join(changed)}: choose another --out")
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(told, indent=2) + "\n", "utf-8")


def _begun(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text("utf-8")))
    except (ValueError, TypeError) as error:
        raise DataError(f"{path} can't be read ({error}): remove it, the runs beside it are kept and checked by their own files") from error


def trained(config: RunConfig) -> dict[str, float]:
    """Train, or go on, and return the last validation's bits per byte by source; TrainerError when a signal stops it."""
    from trainer.train import Trainer  # torch, which the rest of this file does without

    trainer = Trainer(config)
    if trainer.text is None:
        raise DataError(
            f"no tokenizer.json with the hash in the manifest lies near {config.data}: pass --tokenizer, bytes are counted by it"
        )
    try:
        summary = trainer.run()
    finally:
        trainer.world.leave()
    if summary.stopped_by:
        raise TrainerError(f"stopped by {summary.stopped_by}, and saved: the same command goes on from there")
    return last_bits(Path(config.out) / "metrics.jsonl")


def last_bits(path: Path) -> dict[str, float]:
    """Bits per byte by source of the last validation in a run's metrics."""
    found = [line["sources"] for line in map(json.loads, path.read_text("utf-8").splitlines()) if "sources" in line]
    if not found:
        raise DataError(f"{path} holds no validation")
    return {name: score["bits_per_byte"] for name, score in found[-1].items() if score["bits_per_byte"] is not None}


def lines(told: Mapping[str, Any], runs: Runs) -> Iterator[str]:
    """The comparison as a Markdown table, and what was the same for all runs."""
    (base, first), (other, second) = runs.items()
    yield f"| bits per byte of | {base} | {other} | {other} - {base} | 95 % interval |"
    yield "|---|---|---|---|---|"
    for source in first[0]:
        one, two = (np.array([run[source] for run in found]) for found in (first, second))
        mean, deviation, half = paired(two - one)
        cells = [f"{values.mean():.4f} ± {values.std(ddof=1):.4f}" for values in (one, two)]
        yield f"| {source} | {cells[0]} | {cells[1]} | {mean:+.4f} ± {deviation:.4f} | {mean - half:+.4f} to {mean + half:+.4f} |"
    corpora = "; ".join(f"{name}: {facts['tokens']:,} tokens, {facts['epochs']:.2f} passes" for name, facts in told["corpora"].items())
    tokens = next(iter(told["corpora"].values()))["trained"]
    yield ""
    yield (
        f"Model {told['model']}, {told['steps']} steps, {tokens:,} tokens per run, peak rate {told['lr']:g}, {told['seeds']} seeds"
        f" (mean ± standard deviation over seeds; differences are paired by seed, their interval is Student's). {corpora}."
    )


def paired(differences: np.ndarray) -> tuple[float, float, float]:
    """Mean, standard deviation, and half the 95 % interval of the mean, of one difference per seed."""
    deviation = float(differences.std(ddof=1))
    return float(differences.mean()), deviation, T_975[len(differences) - 2] * deviation / len(differences) ** 0.5
