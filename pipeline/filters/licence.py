"""Licences: what a file says it is under, else what its repository does, held against a policy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Annotated, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import AfterValidator

from pipeline import registry
from pipeline.contracts import Verdicts
from pipeline.filters.rules import Count, Rules
from pipeline.kernels.arrow import texts
from pipeline.kernels.heads import first_places, word_phrases
from pipeline.kernels.phrases import Phrases
from pipeline.licences.expressions import understood
from pipeline.licences.policy import DENIED, NOT_ALLOWED, UNKNOWN, Policy, checked
from pipeline.licences.recognise import DECLARED, HEADERS, every_phrase

#: Licences as a recipe names them: SPDX ids, globs of them, and groups.
Licences = Annotated[Sequence[str], AfterValidator(checked)]

_MENTION = "SPDX-License-Identifier:"


@registry.filter("licence", uses=("packaging",))
def licence(
    docs: pa.RecordBatch,
    *,
    unknown: Literal["keep", "drop"],
    allow: Licences | None = None,
    deny: Licences | None = None,
    head_chars: Count = 4000,
) -> Verdicts:
    """Keep files whose licence the policy allows: told by the file itself, else by its repository. Unknown: as it says.

    A file's own word is its SPDX header (SPDX-License-Identifier), else a notice or licence text that is known by its
    phrases (pipeline/licences/recognise.py), in the first `head_chars` characters. It counts more than the `licence` column,
    what the reader found of the repository; of that column names and addresses are understood too ("MIT License", "GPLv2+").

    `allow` and `deny` list SPDX ids ("GPL-3.0" stands for GPL-3.0-only and -or-later too), ids with their exception ("... WITH
    ..."), globs ("CC-BY-*"), and groups: permissive, public-domain, attribution, share-alike, weak-copyleft, copyleft,
    non-commercial, no-derivatives, source-available (pipeline/licences/ids.py). With no `allow`, all is allowed that isn't
    denied; what both name is denied, but where one names an exception, that counts. Of "A OR B" the better one counts, of
    "A AND B" the worse. Unknown is what says nothing, or what SPDX doesn't know.

    Signals: `licence`, the SPDX expression found; `from`: "file" or "repository". The licence found becomes the document's.
    """
    heads = pc.utf8_slice_codeunits(docs.column("text"), 0, head_chars)
    own = pc.coalesce(_each(_declared(heads), _spelled), _by_phrases(heads))
    found = pc.coalesce(own, _each(docs.column("licence"), _spelled))
    standing = _standing(found, Policy.of(allow, deny))
    rules = Rules("licence", docs.num_rows)
    rules.drop("denied", standing == DENIED)
    rules.drop("not_allowed", standing == NOT_ALLOWED)
    rules.drop("unknown", (standing == UNKNOWN) & (unknown == "drop"))
    said_by = pc.if_else(pc.is_valid(own), "file", pc.if_else(pc.is_valid(found), "repository", pa.scalar(None, pa.string())))
    return replace(rules.verdicts(), signals={"licence": found, "from": said_by}, facts={"licence": found})


def _declared(heads: pa.Array) -> pa.Array:
    """The text of each SPDX header, null where there is none."""
    has = pc.match_substring(heads, _MENTION)
    asked = pc.if_else(has, heads, pa.scalar(None, heads.type))
    return pc.struct_field(pc.extract_regex(asked, f"(?m){DECLARED}"), "expression")


def _each(column: pa.Array, function: Callable[[str], str | None]) -> pa.Array:
    """A function of texts over a column: asked once for each text that occurs, of which there are few."""
    coded = column.cast(pa.string()).dictionary_encode()
    answers = pa.array([function(text) for text in coded.dictionary.to_pylist()], pa.string())
    return answers.take(coded.indices)


def _spelled(text: str) -> str | None:
    expression = understood(text)
    return None if expression is None else str(expression)


def _by_phrases(heads: pa.Array) -> pa.Array:
    """The licence of the notice that stands first in each text, null where none is known."""
    known = _known()
    first = np.full((len(heads), len(known.names)), np.iinfo(np.int32).max, np.int32)
    places = first_places(texts(heads), known.phrases)
    for row, needed in enumerate(known.needed):
        there = (places[:, needed] >= 0).all(axis=1)
        first[there, row] = places[there, needed[0]]
    best = first.argmin(axis=1)
    none = first.min(axis=1, initial=np.iinfo(np.int32).max) == np.iinfo(np.int32).max
    return pa.array(known.names, pa.string()).take(pa.array(best, mask=none))


class _Known(NamedTuple):
    """The rows of HEADERS, for the kernel: their licences, their phrases, and which phrases each row needs."""

    names: list[str]
    phrases: Phrases
    needed: list[list[int]]


@lru_cache(maxsize=1)
def _known() -> _Known:
    every = every_phrase(HEADERS)
    places = {phrase: place for place, phrase in enumerate(every)}
    return _Known([name for name, _ in HEADERS], word_phrases(every), [[places[phrase] for phrase in needed] for _, needed in HEADERS])


def _standing(found: pa.Array, policy: Policy) -> npt.NDArray[np.int64]:
    """What becomes of each licence; of those that occur, each is judged once."""
    coded = found.dictionary_encode()
    judged = pa.array([policy.standing(understood(text)) for text in coded.dictionary.to_pylist()], pa.int64())
    return np.asarray(judged.take(coded.indices).fill_null(UNKNOWN), np.int64)
