"""The largest clusters of duplicates, described so that a person can see what is being removed.

A cluster is a kept document and those removed for it. Of each source's clusters the LARGEST are described, with MEMBERS
documents or so: the kept one, then of each source in turn, the most preferred first; a text that was not at hand is
shown empty. Which clusters those are
follows from sizes and ids alone, so descriptions of many tasks merge into what one task would have said.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.dedupe.duplicates import CLUSTERS
from pipeline.dedupe.preference import originals

#: Clusters of each source, documents of a cluster, and characters of a document's excerpt.
LARGEST, MEMBERS, EXCERPT = 100, 20, 200


def describe(suspects: pa.Table, twins: np.ndarray, jaccard: np.ndarray) -> pa.Table:
    """CLUSTERS rows of suspects (id, source, part, text_hash, text) in order of preference, each with its twin's row or -1."""
    heads = np.where(twins >= 0, twins, np.arange(len(twins)))
    sizes = np.bincount(heads, minlength=len(heads))
    names = suspects.column("id").take(pa.array(heads))
    removed = pa.array(twins >= 0)
    pairs = pa.table({"source": suspects.column("source"), "size": sizes[heads], "cluster": names}).filter(removed)
    rows = np.flatnonzero(pc.is_in(names, value_set=_chosen(pairs)).to_numpy())
    shown = _members(rows, heads[rows], suspects.column("source").combine_chunks().dictionary_encode().indices.to_numpy()[rows])
    kept = twins[shown] < 0
    texts = suspects.column("text").take(pa.array(originals(suspects.column("text_hash"))[shown]))
    columns = {
        "cluster": names.take(pa.array(shown)),
        "size": sizes[heads[shown]],
        **{name: suspects.column(name).take(pa.array(shown)) for name in ("id", "source", "part")},
        "kept": kept,
        "twin": suspects.column("id").take(pa.array(twins[shown], mask=kept)),
        "jaccard": pa.array(jaccard[shown], mask=kept | np.isnan(jaccard[shown])),
        "excerpt": pc.fill_null(pc.utf8_slice_codeunits(texts, 0, EXCERPT), "").cast(pa.string()),
    }
    return pa.table(columns, schema=CLUSTERS)


def merge(tables: Iterable[pa.Table]) -> pa.Table:
    """The largest of all described clusters, from the largest down, the members of each in their order."""
    table = pa.concat_tables([CLUSTERS.empty_table(), *tables])
    chosen = _chosen(table.filter(pc.invert(table.column("kept"))).select(["source", "size", "cluster"]))
    found = table.filter(pc.is_in(table.column("cluster"), value_set=chosen))
    return found.sort_by([("size", "descending"), ("cluster", "ascending")]).combine_chunks()  # stable: members stay in order


def _chosen(removed: pa.Table) -> pa.Array:
    """The clusters to describe, of (source, size, cluster) of removed documents: of each source the LARGEST, ties by id."""
    pairs = removed.group_by(["source", "size", "cluster"]).aggregate([])
    pairs = pairs.sort_by([("source", "ascending"), ("size", "descending"), ("cluster", "ascending")]).combine_chunks()
    places = _places(pairs.column("source").combine_chunks().dictionary_encode().indices.to_numpy())
    return pairs.column("cluster").filter(pa.array(places < LARGEST)).combine_chunks()


def _members(rows: np.ndarray, heads: np.ndarray, sources: np.ndarray) -> np.ndarray:
    """The rows of each head to show: itself, the first removed of every source, the second of every source, and so on.

    They are MEMBERS at most, but for the first of a source, which is always shown: `merge` goes by it.
    """
    removed = rows != heads
    order = np.lexsort((rows, sources, removed, heads))
    turns = np.empty(len(rows), np.int64)
    turns[order] = _places(heads[order], removed[order], sources[order])
    order = np.lexsort((rows, turns, removed, heads))
    shown: np.ndarray = rows[order][(_places(heads[order]) < MEMBERS) | (turns[order] == 0)]
    return shown


def _places(*keys: np.ndarray) -> np.ndarray:
    """For each row of sorted keys, how many before it have the same ones."""
    rows = np.arange(len(keys[0]))
    changed = np.zeros(len(rows), np.bool_)
    for key in keys:
        changed[1:] |= key[1:] != key[:-1]
    return rows - np.maximum.accumulate(np.where(changed, rows, 0)) if len(rows) else rows
