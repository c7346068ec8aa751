"""How well a classifier tells texts apart that it wasn't trained on."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline.classifying import NEGATIVE, POSITIVE

#: Scores from which on a text may be called positive, of which precision and recall are told.
THRESHOLDS = (0.02, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9, 0.98)
#: Percentiles that are told of each label's scores.
PERCENTILES = (0, 1, 5, 10, 25, 50, 75, 90, 95, 99, 100)


def judgement(found: npt.NDArray[np.float64], labels: npt.NDArray[np.str_]) -> dict[str, float | int | None]:
    """Accuracy at .5, and the chance that a positive document scores above a negative one (AUC; ties count half)."""
    positive, negative = found[labels == POSITIVE], found[labels == NEGATIVE]
    if not len(positive) or not len(negative):
        return {"documents": len(positive) + len(negative), "accuracy": None, "auc": None}
    ordered = np.sort(negative)
    below, up_to = np.searchsorted(ordered, positive, side="left"), np.searchsorted(ordered, positive, side="right")
    return {
        "documents": len(positive) + len(negative),
        "accuracy": float(((positive >= 0.5).sum() + (negative < 0.5).sum()) / (len(positive) + len(negative))),
        "auc": float((below + up_to).sum() / 2 / len(positive) / len(negative)),
    }


def at_thresholds(found: npt.NDArray[np.float64], labels: npt.NDArray[np.str_]) -> list[dict[str, float | None]]:
    """Precision and recall of the positive label when what scores a threshold or more is called so; None for nothing of all."""
    rows: list[dict[str, float | None]] = []
    for threshold in THRESHOLDS:
        called, true = found >= threshold, labels == POSITIVE
        right = int((called & true).sum())
        precision = right / int(called.sum()) if called.any() else None
        rows.append({"threshold": threshold, "precision": precision, "recall": right / int(true.sum()) if true.any() else None})
    return rows


def percentiles(found: npt.NDArray[np.float64], labels: npt.NDArray[np.str_]) -> dict[str, dict[str, float]]:
    """The percentiles of each label's scores, by label and percentile."""
    by_label = {label: found[labels == label] for label in (POSITIVE, NEGATIVE)}
    return {
        label: dict(zip(map(str, PERCENTILES), np.percentile(values, PERCENTILES).tolist(), strict=True))
        for label, values in by_label.items()
        if len(values)
    }
