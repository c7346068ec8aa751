"""Lots: the suspects that are judged together, so many at most that they fit into a task.

A lot is a range of places. The place of a document is a 64-bit number: its component, spread over the upper 40 bits; then
16 bits of a MinHash of its shingles, which two texts share with a probability of their Jaccard index; then 8 bits of its
id. So a component is a range of places, and so is any lot of a component that has to be divided: its range is halved until
each lot fits. Whether it is halved depends on the component alone, not on how the work is divided.

What dividing costs: documents of two lots are not compared. Of n lots of one component, n like documents may stay where
one would. Halves that can't be told apart by the MinHash hold little but the same words; they are divided by id, and in
these only the same words are looked for. Every document that was judged in a lot of a divided component is counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.dedupe.keyed import SortedFiles
from pipeline.errors import StorageError
from pipeline.kernels.arrow import texts
from pipeline.kernels.shingles import fingerprints, word_hashes

#: Documents of a lot, and characters of its texts, each text once. A single document may have more.
MOST_DOCUMENTS = 1 << 20
MOST_CHARACTERS = 1 << 27

#: Bits of a place below the component; and the lowest of them, which are those of the id.
COMPONENT_SHIFT, ID_BITS = 24, 8
#: Documents that can be numbered.
MOST_NUMBERS = 1 << 40

_LEAST_BITS = np.uint64(COMPONENT_SHIFT - ID_BITS)
#: 2^40 over the golden ratio: odd, so no two components meet; and neighbours lie far apart.
_SPREAD = np.uint64(0x9E3779B97F)
_MIX = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Lot:
    """A range of places: whole components, or a part of one."""

    first: int
    last: int

    @property
    def divided(self) -> bool:
        """Whether it is less than its component."""
        return self.last - self.first + 1 < 1 << COMPONENT_SHIFT

    @property
    def by_id(self) -> bool:
        """Whether documents in it and outside of it have one MinHash."""
        return self.last - self.first + 1 < 1 << ID_BITS

    def halves(self) -> tuple[Lot, Lot]:
        """Two lots, of whole components as long as there are several."""
        low, high = self.first >> COMPONENT_SHIFT, self.last >> COMPONENT_SHIFT
        middle = ((low + high + 1) // 2) << COMPONENT_SHIFT if low < high else (self.first + self.last + 1) // 2
        return Lot(self.first, middle - 1), Lot(middle, self.last)


def places(components: np.ndarray, least: np.ndarray, ids: pa.Array) -> np.ndarray:
    """uint64[rows]: the places of documents by the numbers of their components (below MOST_NUMBERS), MinHashes and ids."""
    if len(components) and int(components.max()) >= MOST_NUMBERS:
        raise StorageError(f"more than {MOST_NUMBERS:,} documents: dedupe can't number them; divide the corpus")
    spread = components.astype(np.uint64) * _SPREAD & np.uint64(MOST_NUMBERS - 1)
    near = least.astype(np.uint64) * _MIX >> np.uint64(64) - _LEAST_BITS
    single = fingerprints(word_hashes(texts(ids)))[:, 0] >> np.uint64(64 - ID_BITS)
    found: np.ndarray = spread << np.uint64(COMPONENT_SHIFT) | near << np.uint64(ID_BITS) | single
    return found


def lots(suspects: SortedFiles, whole: Lot) -> Iterator[Lot]:
    """The lots of a range that have documents, in order."""
    count = suspects.count(whole.first, whole.last)
    if count and (whole.first == whole.last or (count <= MOST_DOCUMENTS and _characters(suspects, whole) <= MOST_CHARACTERS)):
        yield whole
    elif count:
        for half in whole.halves():
            yield from lots(suspects, half)


def _characters(suspects: SortedFiles, lot: Lot) -> int:
    """Characters of a lot's texts, each text once; 0 when it is a single one."""
    found = suspects.read(lot.first, lot.last, ["text_hash", "characters"])
    by_text = found.group_by("text_hash").aggregate([("characters", "max")])
    return int(pc.sum(by_text.column("characters_max")).as_py()) if len(by_text) > 1 else 0
