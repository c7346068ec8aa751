"""Answers whose calculator notes ("<<48/2=24>>", GSM8K) don't hold."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import registry
from pipeline.chats.arithmetic import holds
from pipeline.chats.single import CALCULATION
from pipeline.contracts import Verdicts
from pipeline.filters.rules import Count, Rules


@registry.filter("chat_arithmetic", 2)
def chat_arithmetic(docs: pa.RecordBatch, *, max_wrong: Count | None = 0) -> Verdicts:
    """Drop documents with more than `max_wrong` notes whose two sides differ, computed exactly; rounded values hold.

    Signals: `notes` that could be read, and `wrong` ones. Notes with anything but numbers and + - * / are passed over.
    """
    notes, wrong = np.zeros(docs.num_rows, np.int64), np.zeros(docs.num_rows, np.int64)
    text = docs.column("text")
    places = np.flatnonzero(np.asarray(pc.match_substring(text, "<<"), np.bool_))
    for row, found in zip(places.tolist(), text.take(pa.array(places)).to_pylist(), strict=True):
        verdicts = [holds(note) for note in CALCULATION.findall(found)]
        notes[row], wrong[row] = len(verdicts) - verdicts.count(None), verdicts.count(False)
    rules = Rules("chat_arithmetic", docs.num_rows, {"notes": notes, "wrong": wrong})
    rules.at_most("wrong", "wrong", max_wrong)
    return rules.verdicts()
