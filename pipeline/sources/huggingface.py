"""Datasets in the Hugging Face format: the fetcher "huggingface" pins them, the reader "datasets" streams them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import fsspec

from pipeline.contracts import InputFile, RawDocument
from pipeline.errors import SourceError
from pipeline.registry import fetcher, reader
from pipeline.sources.columns import Columns
from pipeline.sources.streams import DAMAGE
from pipeline.storage import sha256_of

#: The builder of the `datasets` library for a file, by its suffix (that of its compression taken off).
BUILDERS = {".parquet": "parquet", ".csv": "csv", ".tsv": "csv", ".arrow": "arrow", ".txt": "text"}
BUILDERS |= dict.fromkeys((".jsonl", ".json", ".ndjson"), "json")
_COMPRESSION = re.compile(r"\.(?:gz|bz2|xz|zst|zip)$")
_REVISION = re.compile(r"@([0-9a-f]{40})/")


@fetcher("huggingface")
def huggingface(
    cache: Path, *, name: str, config: str | None = None, split: str = "train", revision: str | None = None, licence: str = ""
) -> list[InputFile]:
    """The data files of one split of a dataset: a name on the Hub ("allenai/c4"), or a local folder.

    `config` is its subset; `revision` a branch, tag or commit, pinned in each file's path and version as the commit it
    stands for. Nothing is downloaded: the reader streams. Raises SourceError when there is no such dataset or split.
    """
    import datasets  # takes seconds

    try:
        builder = datasets.load_dataset_builder(name, config, revision=revision, cache_dir=str(cache / "huggingface"))
        found = builder.config.data_files or {}
        if split not in found:
            raise SourceError(f"dataset {name!r} has no split {split!r}; it has {', '.join(map(str, found)) or 'none'}")
        return [_pinned(name, path, licence) for path in found[split]]
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        raise SourceError(f"dataset {name!r} can't be had: {error}") from error


def _pinned(name: str, path: str, licence: str) -> InputFile:
    """A data file by its path in the dataset; the Hub knows the hashes of its large files, others are read for it."""
    fs, root = fsspec.core.url_to_fs(path)
    info = fs.info(root)
    commit = _REVISION.search(path)
    inside = path[commit.end() :] if commit else path.rpartition(name.rstrip("/") + "/")[2]
    label = name.rstrip("/").rpartition("/")[2] if Path(name).exists() else name
    sha256 = (info.get("lfs") or {}).get("sha256") or sha256_of(path)
    return InputFile(f"hf:{label}/{inside.lstrip('/')}", path, sha256, info["size"], commit[1] if commit else "", licence, "huggingface")


@reader("datasets", uses=("datasets",))
def datasets_(
    file: InputFile,
    *,
    text: str = "text",
    format: str = "text",  # noqa: A002 - the recipe's word for it
    id: str | None = None,  # noqa: A002
    url: str | None = None,
    lang: str | None = None,
    licence: str | None = None,
    date: str | None = None,
    meta: Sequence[str] = (),
    builder: str | None = None,
    options: Mapping[str, str | int | float | bool] = {},
) -> Iterator[RawDocument]:
    """The rows of a data file as the `datasets` library streams them; the keys name columns (see Columns).

    `builder` is the library's name for the kind of file, told by the suffix when None (parquet, json, csv, arrow, text);
    `options` go to it ({"delimiter": ";"}). Raises SourceError for a file of unknown kind or that it can't read.
    """
    import datasets

    kind = builder or BUILDERS.get(Path(_COMPRESSION.sub("", file.path)).suffix)
    if kind is None:
        raise SourceError(f"{file.name} ({file.path}): its suffix says no kind of dataset file; set `builder`")
    columns = Columns(text, format, id, url, lang, licence, date, meta)
    try:
        rows: Any = datasets.load_dataset(kind, data_files=[file.path], split="train", streaming=True, **options)
        for number, row in enumerate(rows, start=1):
            if columns.text.partition(".")[0] not in row:
                raise SourceError(f"{file.name} ({file.path}) has no column {columns.text!r}; it has {', '.join(row)}")
            yield columns.document(row, number)
    except (*DAMAGE, ValueError, datasets.exceptions.DatasetsError) as error:
        raise SourceError(f"{file.name} ({file.path}) can't be read as {kind}: {error}") from error
