"""One dataset, or several mixed by weights: opened as one, with the order in which their rows come."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from itertools import chain

from trainer.errors import ConfigError
from trainer.order import MIX_BLOCK, MixedOrder, RowOrder, shared
from trainer.shards import PackedDataset, open_dataset


def open_training(spec: str, seed: int) -> tuple[PackedDataset, RowOrder | MixedOrder]:
    """Open FOLDER, or A=0.7,B=0.3: the rows of all datasets numbered through, and their order.

    Raises ConfigError on weights that are none, DataError on a folder that is no dataset or packed with another tokenizer.
    """
    if "=" not in spec:
        data = open_dataset(spec)
        return data, RowOrder(data.digest, seed, len(data))
    folders, weights = zip(*(_weighted(part) for part in spec.split(",")), strict=True)
    if not shared(MIX_BLOCK, weights).all():
        raise ConfigError(f"--data has a weight below one row in {MIX_BLOCK}, of which none would come: leave that one out, or raise it")
    parts = [open_dataset(folder) for folder in folders]
    for other in parts[1:]:
        parts[0].check_same_pack(other)
    named = "".join(f"{part.digest} {weight}\n" for part, weight in zip(parts, weights, strict=True))
    digest = hashlib.sha256(named.encode()).hexdigest()
    joined = replace(parts[0], digest=digest, shards=tuple(chain.from_iterable(part.shards for part in parts)))
    return joined, MixedOrder(tuple(RowOrder(part.digest, seed, len(part)) for part in parts), weights)


def _weighted(part: str) -> tuple[str, float]:
    folder, _, weight = part.rpartition("=")
    try:
        value = float(weight)
    except ValueError:
        value = 0.0
    if not folder or not 0 < value < float("inf"):
        raise ConfigError(f"--data has {part!r}: several datasets are given as A=0.7,B=0.3, with weights above 0")
    return folder, value
