"""What every filter does with its measurements: ratios, bounds, and the first rule a document breaks as its reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field

from pipeline.contracts import Bound, Verdicts

#: What a recipe may bound a number by. Nothing measured is below 0: a bound of -1, "off" elsewhere, would drop everything or nothing.
Count = Annotated[int, Field(ge=0)]
Amount = Annotated[float, Field(ge=0)]
Phrase = Annotated[str, Field(pattern=r"\S")]

Numbers = npt.NDArray[np.int64] | npt.NDArray[np.float64]


class Rules:
    """The rules of one filter over a batch of documents, asked in order. A bound of None turns its rule off.

    `measured` are the numbers per document, by signal: counts int64, ratios float64.
    """

    def __init__(self, filter_name: str, rows: int, measured: Mapping[str, Numbers] | None = None) -> None:
        self._filter = filter_name
        self._measured = dict(measured or {})
        self._names: list[str] = []
        self._bounds: list[Bound] = []
        self._broken = np.full(rows, -1, np.int32)

    def at_least(self, rule: str, signal: str, bound: float | None) -> None:
        """Drop documents whose `signal` is below `bound`."""
        if bound is not None:
            self._bounds.append(Bound(rule, signal, ">=", bound))
            self.drop(rule, self._measured[signal] < bound)

    def at_most(self, rule: str, signal: str, bound: float | None) -> None:
        """Drop documents whose `signal` is above `bound`."""
        if bound is not None:
            self._bounds.append(Bound(rule, signal, "<=", bound))
            self.drop(rule, self._measured[signal] > bound)

    def drop(self, rule: str, where: npt.NDArray[np.bool_]) -> None:
        """Drop the documents of a mask, unless an earlier rule has."""
        self._broken[where & (self._broken < 0)] = len(self._names)
        self._names.append(f"{self._filter}:{rule}")

    @property
    def kept(self) -> npt.NDArray[np.bool_]:
        """Which documents have broken no rule so far."""
        return self._broken < 0

    def verdicts(self) -> Verdicts:
        """One reason per row ("FILTER:rule"), null where no rule is broken; the signals, and the bounds on them."""
        names = pa.array(self._names, pa.string())
        reasons = names.take(pa.array(self._broken, pa.int32(), mask=self.kept))
        signals = {name: pa.array(values) for name, values in self._measured.items()}
        return Verdicts(reasons, signals, bounds=tuple(self._bounds))


def ratio(part: Numbers, whole: Numbers) -> npt.NDArray[np.float64]:
    """part / whole, and 0 where the whole is 0."""
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole != 0)
