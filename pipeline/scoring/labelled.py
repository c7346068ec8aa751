"""A classifier out of texts that somebody has labelled: trained on four in five of them, judged by the fifth."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from pipeline.classifying import NEGATIVE, POSITIVE, model_of, scores
from pipeline.errors import SourceError
from pipeline.scoring.classifier import train
from pipeline.scoring.judging import at_thresholds, judgement, percentiles

#: One text in so many is held out of training. It is told by the hash of what is read of it: texts that read the same stay together.
HOLD_OUT_ONE_IN = 5


class Trained(NamedTuple):
    """A model file's bytes, and what there is to say of it: counts, settings, how well it tells held-out texts apart."""

    model: bytes
    card: dict[str, Any]


class _Example(NamedTuple):
    key: int
    label: str
    line: str


def train_and_judge(examples: Iterable[tuple[str, str]], settings: Mapping[str, Any]) -> Trained:
    """Train on (label, line) examples in an order of their own, whatever order they come in, and judge by those held out.

    `settings` are fastText's, "seed" among them. Raises SourceError when a label has no text to train on.
    """
    seed = settings["seed"]
    ordered = sorted(_Example(_key(line, seed), label, line) for label, line in examples)
    training = [example for example in ordered if example.key % HOLD_OUT_ONE_IN]
    held_out = [example for example in ordered if not example.key % HOLD_OUT_ONE_IN]
    trained_on = Counter(example.label for example in training)
    for label in (POSITIVE, NEGATIVE):
        if not trained_on[label]:
            raise SourceError(f"there is no {label} text to train on: name more files ({len(ordered)} texts were read)")
    model = train(((example.label, example.line) for example in training), settings)
    found = scores(model_of(model), [example.line for example in held_out])
    labels = np.array([example.label for example in held_out], np.str_)
    card = {
        "settings": dict(settings),
        "sha256": hashlib.sha256(model).hexdigest(),
        "trained_on": dict(sorted(trained_on.items())),
        "held_out": judgement(found, labels),
        "thresholds": at_thresholds(found, labels),
        "percentiles": percentiles(found, labels),
    }
    return Trained(model, card)


def _key(line: str, seed: int) -> int:
    return int.from_bytes(hashlib.blake2b(f"labelled\0{seed}\0{line}".encode(), digest_size=8).digest(), "big")
