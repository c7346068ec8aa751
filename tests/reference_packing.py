"""The packer as one would write it down: every rule in one place, no data structure."""

from __future__ import annotations

from collections.abc import Sequence


def best_fit(lengths: Sequence[int], seq_len: int) -> list[tuple[int, int, int, int]]:
    """(document, offset, length, row) of every piece, in the order placed; see the kernel of the same name."""
    placed = []
    for document, length in enumerate(lengths):
        for offset in range(0, length - seq_len + 1, seq_len):
            placed.append((document, offset, seq_len, len(placed)))
    rests = [(document, length - length % seq_len, length % seq_len) for document, length in enumerate(lengths) if length % seq_len]
    rows: list[tuple[int, int]] = []  # (row, free space), the row changed last at the end
    count = len(placed)
    for document, offset, length in sorted(rests, key=lambda rest: -rest[2]):
        fitting = [entry for entry in reversed(rows) if entry[1] >= length]
        if fitting:
            chosen = min(fitting, key=lambda entry: entry[1])
            rows.remove(chosen)
        else:
            chosen = (count, seq_len)
            count += 1
        placed.append((document, offset, length, chosen[0]))
        rows.append((chosen[0], chosen[1] - length))
    return placed
