"""Which row comes when: a permutation of each epoch that nobody has to store.

The row at place i of an epoch is a pure function of (dataset digest, seed, epoch, i), so that a run resumed, or spread over
any number of workers, reads the same rows in the same order. The permutation is a Feistel network over the smallest even
number of bits that holds the rows; numbers past the last row walk on through the network until they fall on a row
(Black and Rogaway 2002, "Ciphers with arbitrary finite domains", the cycle-walking cipher).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
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
        return self.of(np.arange(first, first + count))

    def of(self, samples: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Row numbers of any samples, in their order."""
        epochs = samples // self.rows
        found = np.empty(len(samples), dtype=np.int64)
        for epoch in np.unique(epochs):
            of_epoch = epochs == epoch
            found[of_epoch] = Permutation(f"{self.digest}:{self.seed}:{epoch}", self.rows)(samples[of_epoch] % self.rows)
        return found


#: Rows among which the shares of a mixture are exact.
MIX_BLOCK = 1024


@dataclass(frozen=True)
class MixedOrder:
    """The endless order of a mixture, whose rows are those of its datasets one after the other.

    Each MIX_BLOCK samples hold as many rows of each dataset as its share says (largest remainders), in an order of the block's
    own; a dataset's rows come in its own RowOrder, so it begins its next epoch whenever it is through.
    """

    orders: tuple[RowOrder, ...]
    shares: tuple[float, ...]

    def at(self, first: int, count: int) -> npt.NDArray[np.int64]:
        """Row numbers of samples first, ..., first + count - 1; int64 [count]."""
        blocks, places = np.divmod(np.arange(first, first + count), MIX_BLOCK)
        key = ":".join(order.digest for order in self.orders) + f":{self.orders[0].seed}:mix"
        slots = np.empty(count, dtype=np.int64)
        for block in np.unique(blocks):
            slots[blocks == block] = Permutation(f"{key}:{block}", MIX_BLOCK)(places[blocks == block])
        counts = shared(MIX_BLOCK, self.shares)
        ends, rows = np.cumsum(counts), np.cumsum([order.rows for order in self.orders])
        chosen = np.searchsorted(ends, slots, side="right")
        samples = blocks * counts[chosen] + slots - (ends - counts)[chosen]
        found = np.empty(count, dtype=np.int64)
        for number, order in enumerate(self.orders):
            of_it = chosen == number
            found[of_it] = order.of(samples[of_it]) + rows[number] - order.rows
        return found


def shared(total: int, shares: Sequence[float]) -> npt.NDArray[np.int64]:
    """`total` things dealt by shares, with the largest remainders rounded up; int64 [shares]."""
    exact = total * np.asarray(shares) / sum(shares)
    counts = np.floor(exact).astype(np.int64)
    counts[np.argsort(counts - exact, kind="stable")[: total - counts.sum()]] += 1
    return counts
