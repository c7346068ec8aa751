"""Evaluation sets loaded through the `datasets` library: by their name on the Hub, or from a folder that it wrote or can read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import SourceError


def rows_of_dataset(name: str) -> tuple[str, Iterator[tuple[str, Mapping[str, Any]]]]:
    """What a dataset is called, and ("SPLIT:ROW", row) of each of its items.

    `name` is NAME[@REVISION][:CONFIG[:SPLIT]], as "openai/gsm8k:main:test" or "cais/mmlu@c30699e:all:test"; NAME may be a
    local folder (of data files, or what `save_to_disk` wrote). Without a split all of them are read. A run is repeatable only
    when a revision is given: the Hub's default branch may move. Raises SourceError for a dataset that can't be had.
    """
    where, config, split = (*name.split(":"), "", "")[:3]
    where, _, revision = where.partition("@")
    return where.rstrip("/").rpartition("/")[2], _rows(where, config or None, split or None, revision or None)


def _rows(where: str, config: str | None, split: str | None, revision: str | None) -> Iterator[tuple[str, Mapping[str, Any]]]:
    import datasets  # takes seconds

    try:
        loaded = _load(where, config, revision)
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        raise SourceError(f"dataset {where!r} can't be had ({error}): mend its name, or leave it out of datasets") from error
    splits = loaded if isinstance(loaded, dict) else {"all": loaded}
    if split is not None and split not in splits:
        raise SourceError(f"dataset {where!r} has no split {split!r}; it has {', '.join(map(str, splits))}")
    for part in sorted(splits) if split is None else [split]:
        yield from ((f"{part}:{number}", row) for number, row in enumerate(splits[part], 1))


def _load(where: str, config: str | None, revision: str | None) -> Any:
    import datasets

    folder = Path(where)
    if (folder / "dataset_dict.json").exists() or (folder / "state.json").exists():
        return datasets.load_from_disk(where)
    return datasets.load_dataset(where, config, revision=revision)
