"""Sums of weights: what a linear model says of rows that are bits and numbers cut into steps, without the matrix of its columns."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.kernels.arrow import Ints
from pipeline.kernels.compiled import kernel

Floats = npt.NDArray[np.float64]


class Weights(NamedTuple):
    """A model: a weight per bit of each mask, and per step of each number, which counts where the number is at least its bound."""

    bias: float
    bits: Floats  # [masks, 64]
    offsets: Ints  # [numbers + 1]: the steps of number j are those from offsets[j] to offsets[j + 1], bounds rising
    bounds: Floats
    steps: Floats


def add_up(weights: Weights, masks: Ints, numbers: Floats) -> Floats:
    """float64[rows]: the chance that a row is of the kind, from `masks` int64[rows, masks] and `numbers` float64[numbers, rows]."""
    sums = np.full(len(masks), weights.bias)
    _add_up(weights, masks, numbers, sums)
    return np.asarray(1 / (1 + np.exp(-sums)))


@kernel
def _add_up(weights: Weights, masks: Ints, numbers: Floats, sums: Floats) -> None:
    for row in range(len(sums)):
        total = 0.0
        for column in range(masks.shape[1]):
            left, bit = masks[row, column], 0
            while left:
                if left & 1:
                    total += weights.bits[column, bit]
                left >>= 1
                bit += 1
        for column in range(len(numbers)):
            step = weights.offsets[column]
            while step < weights.offsets[column + 1] and numbers[column, row] >= weights.bounds[step]:
                total += weights.steps[step]
                step += 1
        sums[row] += total
