"""Rules whose bounds depend on the suffix of a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.contracts import Bound, Verdicts
from pipeline.filters.rules import Numbers, Rules

#: Bounds by name, by suffixes: {".md .rst": {"max_mean_line": None}}.
Overrides = Mapping[str, Mapping[str, float | None]]


class ExtensionRules(Rules):
    """Rules whose bounds depend on a file's suffix. A bound is given by its name, under which the suffixes override it."""

    def __init__(self, filter_name: str, measured: Mapping[str, Numbers], suffixes: npt.NDArray[np.object_], overrides: Overrides) -> None:
        super().__init__(filter_name, len(suffixes), measured)
        self._suffixes, self._overrides = suffixes, overrides

    def most(self, rule: str, signal: str, **bound: float | None) -> None:
        """Drop files whose `signal` is above the bound for their suffix."""
        self.drop(rule, self._measured[signal] > self._limits(rule, signal, "<=", bound))

    def least(self, rule: str, signal: str, **bound: float | None) -> None:
        """Drop files whose `signal` is below the bound for their suffix."""
        self.drop(rule, self._measured[signal] < self._limits(rule, signal, ">=", bound))

    def _limits(self, rule: str, signal: str, op: Literal[">=", "<="], bound: Mapping[str, float | None]) -> npt.NDArray[np.float64]:
        """The bound for each file, NaN where there is none: nothing is above or below it."""
        ((name, usual),) = bound.items()
        limits = np.full(len(self._suffixes), np.nan if usual is None else float(usual))
        others = {suffixes: bounds[name] for suffixes, bounds in sorted(self._overrides.items()) if name in bounds}
        for suffixes, value in others.items():
            limits[np.isin(self._suffixes, suffixes.split())] = np.nan if value is None else value
        said = [*([] if usual is None else [f"{usual:g}"]), *(f"{suffixes} {_said(value)}" for suffixes, value in others.items())]
        if said:
            self._bounds.append(Bound(rule, signal, op, ", ".join(said) if others or usual is None else usual))
        return limits

    def verdicts(self) -> Verdicts:
        """The verdicts, their signals null where a number makes no sense."""
        signals = {name: pa.array(values, from_pandas=True) for name, values in self._measured.items()}  # NaN becomes null
        return replace(super().verdicts(), signals=signals)


def _said(value: float | None) -> str:
    return "any" if value is None else f"{value:g}"
