"""The arithmetic of a step, and how much of a device's peak it is.

Two conventions, both without what is recomputed. `document`: attention counts the pairs that a token really sees, so padding, other
documents and the future are no work. `palm` (Chowdhery et al. 2022, appendix B): attention counts every pair of a row, as most
trainers report; it is the larger figure.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from trainer.config import ModelConfig

#: Dense bfloat16 TFLOP/s by part of a device's name, from the makers' data sheets; the first that fits counts.
PEAKS = (("B200", 2250.0), ("H200", 989.0), ("H100 PCIe", 756.0), ("H100", 989.0), ("A100", 312.0))


def peak_of(device: str) -> float | None:
    """TFLOP/s of a device's name; None when it isn't known: no MFU is better than a wrong one."""
    return next((peak for part, peak in PEAKS if part.lower() in device.lower()), None)


def matrix_parameters(config: ModelConfig) -> int:
    """Weights that every token is multiplied with: all matrices and the head, not the embedding that is looked up."""
    attention = config.width * config.head_size * (2 * config.heads + 2 * config.kv_heads)
    return config.layers * (attention + 3 * config.width * config.ffn) + config.width * config.padded_vocab


def document_flops(config: ModelConfig, rows: Sequence[npt.NDArray[np.int64]]) -> float:
    """FLOPs of forward and backward over rows, given the lengths of their pieces: 6 per weight and token, 12 per pair and unit of width."""
    lengths = np.concatenate(rows).astype(np.float64)
    reach = np.minimum(lengths, config.window or np.inf)
    pairs = reach * reach / 2 + (lengths - reach) * reach
    width = config.heads * config.head_size
    return float(6.0 * matrix_parameters(config) * lengths.sum() + 12.0 * config.layers * width * pairs.sum())


def palm_flops(config: ModelConfig, tokens: int, seq_len: int) -> float:
    """The same, with every pair of a row."""
    width = config.heads * config.head_size
    return tokens * (6.0 * matrix_parameters(config) + 12.0 * config.layers * width * seq_len)
