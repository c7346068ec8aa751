"""Which row comes when: a permutation of each epoch that nobody has to store.

The row at place i of an epoch is a pure function of (dataset digest, seed, epoch, i), so that a run resumed, or spread over
any number of workers, reads the same rows in the same order. The permutation is a Feistel network over the smallest even
number of bits that holds the rows; numbers past the last row walk on through the network until they fall on a row
(Black and Rogaway 2002, "Ciphers with arbitrary finite domains", the cycle-walking cipher).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

U64 = npt.NDArray[np.uint64]

#: Rounds of the network. Four are enough for a pseudorandom permutation with ideal rounds; ours are cheap, so two more.
ROUNDS = 6


@dataclass(frozen=True)
class Permutation:
    """A bijection of 0 <= i < `size`, chosen by `key` (any text)."""

    key: str
    size: int

    def __call__(self, places: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """The images of `places` (integers below `size`), as int64."""
        images = self._network(np.asarray(places).astype(np.uint64))
        while (astray := images >= self.size).any():
            images[astray] = self._network(images[astray])
        return images.astype(np.int64)

    def _network(self, numbers: U64) -> U64:
        half = np.uint64(max(1, (max(self.size - 1, 1).bit_length() + 1) // 2))
        mask = (np.uint64(1) << half) - np.uint64(1)
        left, right = numbers >> half, numbers & mask
        for round_key in np.frombuffer(hashlib.sha512(self.key.encode()).digest(), dtype="<u8")[:ROUNDS]:
            left, right = right, left ^ (_mix(right ^ round_key) & mask)
        return (left << half) | right


def _mix(x: U64) -> U64:
    """SplitMix64's finisher (Steele, Lea and Flood 2014): every bit of the result depends on every bit of `x`."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@dataclass(frozen=True)
class RowOrder:
    """The endless order of a dataset's rows: epoch after epoch, each in an order of its own."""

    digest: str
    seed: int
    rows: int

    def at(self, first: int, count: int) -> npt.NDArray[np.int64]:
        """Row numbers of samples first, ..., first + count - 1, counted from the start of training; int64 [count]."""
        samples = np.arange(first, first + count)
        epochs = samples // self.rows
        found = np.empty(count, dtype=np.int64)
        for epoch in np.unique(epochs):
            of_epoch = epochs == epoch
            found[of_epoch] = Permutation(f"{self.digest}:{self.seed}:{epoch}", self.rows)(samples[of_epoch] % self.rows)
        return found
