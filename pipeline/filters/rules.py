"""What every filter does with its measurements: ratios, bounds, and the first rule a document breaks as its reason."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Numbers = npt.NDArray[np.int64] | npt.NDArray[np.float64]


class Rules:
    """The rules of one filter over a batch, asked in order. A bound of None turns its rule off."""

    def __init__(self, filter_name: str, rows: int) -> None:
        self._filter = filter_name
        self._names: list[str] = []
        self._broken = np.full(rows, -1, np.int32)

    def at_least(self, rule: str, values: Numbers, bound: float | None) -> None:
        """Drop documents whose value is below `bound`."""
        if bound is not None:
            self.drop(rule, values < bound)

    def at_most(self, rule: str, values: Numbers, bound: float | None) -> None:
        """Drop documents whose value is above `bound`."""
        if bound is not None:
            self.drop(rule, values > bound)

    def drop(self, rule: str, where: npt.NDArray[np.bool_]) -> None:
        """Drop the documents of a mask, unless an earlier rule has."""
        self._broken[where & (self._broken < 0)] = len(self._names)
        self._names.append(f"{self._filter}:{rule}")

    @property
    def kept(self) -> npt.NDArray[np.bool_]:
        """Which documents have broken no rule so far."""
        return self._broken < 0

    def reasons(self) -> pa.Array:
        """One reason per row ("FILTER:rule"), null where no rule is broken."""
        names = pa.array(self._names, pa.string())
        return names.take(pa.array(self._broken, pa.int32(), mask=self.kept))


def ratio(part: Numbers, whole: Numbers) -> npt.NDArray[np.float64]:
    """part / whole, and 0 where the whole is 0."""
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole != 0)


def signals(columns: Mapping[str, Numbers]) -> dict[str, pa.Array]:
    """Measured columns as Arrow: counts int64, ratios float64."""
    return {name: pa.array(values) for name, values in columns.items()}
