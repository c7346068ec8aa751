"""Answers that shouldn't be learnt: empty, cut off, refused, boilerplate, copied, with a template's marks or a fence left open."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import registry
from pipeline.contracts import Verdicts
from pipeline.filters.pieces import ASSISTANT, USER, Mask, Pieces, pieces_of
from pipeline.filters.rules import Count, Phrase, Rules

#: What a model says of itself in place of an answer, anywhere in it. Letters' case doesn't count.
BOILERPLATE = (
    "as an ai language model", "as a large language model", "as an ai assistant, i", "as an ai, i", "i'm just an ai", "i am just an ai",
    "my knowledge cutoff", "my training data only", "i am chatgpt", "i'm chatgpt",
    "i was trained by openai", "i was developed by openai",
)  # fmt: skip

#: How an answer begins that is none.
REFUSALS = (
    "i'm sorry, but i can", "i am sorry, but i can", "sorry, but i can't", "i cannot assist", "i can't assist", "i cannot help with",
    "i can't help with", "i'm unable to", "i am unable to", "i cannot fulfill", "i can't fulfill", "i'm not able to", "i cannot provide",
    "i can't provide",
)  # fmt: skip

#: The apostrophe of printed texts, which counts as the one of keyboards.
_APOSTROPHE = "\u2019"

#: Marks of chat templates (ChatML, Llama 2 and 3, Alpaca, Vicuna), which belong around messages and never into them.
_MARKS = (
    r"<\|(?:im_start|im_end|endoftext|eot_id|start_header_id|end_header_id|begin_of_text|end_of_turn|user|assistant|system)\|>"
    r"|\[/?INST\]|<</?SYS>>|<(?:start|end)_of_turn>|(?m:^#{2,3} (?:Instruction|Response|Input|Human|Assistant):)"
)
_SPEAKERS = r"(?m:^(?:Human|Assistant|ASSISTANT|USER): )"

#: A line that opens or closes a block of code; one that does both on itself is neither.
_FENCE = r"(?m:^[ \t>]*```[^`\n]*$)"

#: Where nobody ends a sentence: a comma, an opening bracket, an article, a preposition, a conjunction.
_UNFINISHED = (
    r"(?:[,(\[{]|(?:^|[\s(])(?:the|a|an|and|or|of|to|for|with|that|which|as|by|from|into|their|its|your|our|my|because|such|than))\s*$"
)


@registry.filter("chat_answers", 2, uses=("pyarrow",))
def chat_answers(
    docs: pa.RecordBatch,
    *,
    max_empty: Count | None = 0,
    max_truncated: Count | None = 0,
    max_refusals: Count | None = 0,
    max_boilerplate: Count | None = 0,
    max_leaks: Count | None = 0,
    max_open_fences: Count | None = 0,
    max_copies: Count | None = 0,
    min_answer_chars: Count | None = None,
    max_message_chars: Count | None = 100_000,
    truncated_from: Count = 200,
    refusals: Sequence[Phrase] = REFUSALS,
    boilerplate: Sequence[Phrase] = BOILERPLATE,
) -> Verdicts:
    """Drop conversations with answers that aren't worth learning; each signal counts messages of the assistant.

    `empty`: nothing but white space, and no call of a tool. `truncated`: of `truncated_from` characters or more, ending in a
    comma, an open bracket, an article or the like. `refusals`: beginning with one of `refusals`, an apology before it or not.
    `boilerplate`: with one of `boilerplate` anywhere. `leaks`: messages of anybody with marks of a chat template, or answers with
    lines that begin with "Human: " or "Assistant: ". `open_fences`: an odd number of lines that open or close a block of code.
    `copies`: the question before, letters' case and ends aside, with less than a quarter more behind it. `answer_chars` and
    `message_chars`: characters of the shortest answer and of the longest message. The lists are English; give your own for
    other languages.
    """
    said = pieces_of(docs)
    answers = said.only(said.roles == ASSISTANT)
    lower = pc.replace_substring(pc.utf8_lower(answers.text), _APOSTROPHE, "'")
    chars = np.asarray(pc.utf8_length(said.text), np.int64)
    measured = {
        "empty": answers.per_document(_blank(answers.text) & ~answers.calls),
        "truncated": answers.per_document(
            _matches(answers.text, _UNFINISHED) & (np.asarray(pc.utf8_length(answers.text)) >= max(truncated_from, 1))
        ),
        "refusals": answers.per_document(_holds(lower, refusals, at=r"^\W*(?:(?:i'm|i am|we're|we are)? ?sorry[.,!]?(?: but)? ?)?")),
        "boilerplate": answers.per_document(_holds(lower, boilerplate)),
        "leaks": said.per_document(_matches(said.text, _MARKS)) + answers.per_document(_matches(answers.text, _SPEAKERS)),
        "open_fences": answers.per_document(np.asarray(pc.count_substring_regex(answers.text, _FENCE)) % 2 == 1),
        "copies": _copies(said),
        "answer_chars": _least(said.only((said.roles == ASSISTANT) & ~said.calls)),
        "message_chars": said.largest(chars),
    }
    rules = Rules("chat_answers", docs.num_rows, measured)
    for name, bound in {
        "empty": max_empty, "truncated": max_truncated, "refusals": max_refusals, "boilerplate": max_boilerplate, "leaks": max_leaks,
        "open_fences": max_open_fences, "copies": max_copies,
    }.items():  # fmt: skip
        rules.at_most(_RULES.get(name, name), name, bound)
    if min_answer_chars is not None:
        rules.drop("short", (measured["answer_chars"] < min_answer_chars) & (answers.per_document(np.full(len(answers.rows), True)) > 0))
    rules.at_most("long", "message_chars", max_message_chars)
    return rules.verdicts()


#: What a broken bound is called, where the signal's name doesn't say it.
_RULES = {"refusals": "refused", "leaks": "template", "open_fences": "code_fence", "copies": "copied"}


def _blank(text: pa.Array) -> Mask:
    return np.asarray(pc.equal(pc.binary_length(pc.utf8_trim_whitespace(text)), 0), np.bool_)


def _matches(text: pa.Array, pattern: str) -> Mask:
    return np.asarray(pc.match_substring_regex(text, pattern), np.bool_)


def _holds(lower: pa.Array, phrases: Sequence[str], at: str = "") -> Mask:
    if not phrases:
        return np.zeros(len(lower), np.bool_)
    plain = [phrase.lower().replace(_APOSTROPHE, "'") for phrase in phrases]
    return _matches(lower, f"{at}(?:{'|'.join(map(re.escape, plain))})")


def _copies(said: Pieces) -> np.ndarray:
    """Per document, the answers that begin with all of the question and add less than a quarter to it."""
    behind = (said.roles == ASSISTANT) & (said.previous(said.roles, -1) == USER)
    plain = pc.utf8_lower(pc.utf8_trim_whitespace(said.text))
    lengths = np.asarray(pc.binary_length(plain), np.int64)
    asked = said.previous(lengths, 0).astype(np.int64)
    near = behind & (asked > 0) & (lengths >= asked) & (lengths < 1.25 * asked + 1)
    places = np.flatnonzero(near)
    questions, copies = plain.take(pa.array(places - 1)).to_pylist(), plain.take(pa.array(places)).to_pylist()
    same = [answer.startswith(question) for question, answer in zip(questions, copies, strict=True)]
    near[places] = same
    return said.per_document(near)


def _least(answers: Pieces) -> np.ndarray:
    found = np.full(answers.documents, np.iinfo(np.int64).max)
    np.minimum.at(found, answers.rows, np.asarray(pc.utf8_length(answers.text), np.int64))
    return np.where(found == np.iinfo(np.int64).max, 0, found)
