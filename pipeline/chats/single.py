"""Formats of a row that is one question and one answer, or a few."""

from __future__ import annotations

import re
from typing import Any

from pipeline.chats.rows import Chat, ChatFormat, JsonMessage, Options, Refused, Row, exchange, is_list_of_rows, said, with_input

#: GSM8K's notes of a calculator ("<<48/2=24>>"): Cobbe et al. 2021, appendix C.
CALCULATION = re.compile(r"<<([^<>]*)>>")

#: What sets for one model left at the end of their answers.
_END_MARKS = ("<|endoftext|>", "</s>")


def _alpaca(row: Row, _: Options) -> list[Chat]:
    """Stanford Alpaca: instruction, input, output (GPTeacher: response); LLaMA-Factory's system and history."""
    answer = row.get("output") if "output" in row else row.get("response")
    last = exchange(with_input(row["instruction"], row.get("input")), answer, system=row.get("system"))
    return [Chat([*last[:-2], *_history(row.get("history")), *last[-2:]])]


def _history(pairs: Any) -> list[JsonMessage]:
    if pairs is None:
        return []
    if not isinstance(pairs, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
        raise Refused("not_text")
    return [said(role, text) for pair in pairs for role, text in zip(("user", "assistant"), pair, strict=True)]


def _dolly(row: Row, _: Options) -> list[Chat]:
    """Databricks' Dolly: instruction, context, response, category."""
    return [Chat(exchange(with_input(row["instruction"], row["context"]), row["response"]), about={"category": _word(row.get("category"))})]


def _self_instruct(row: Row, _: Options) -> list[Chat]:
    """Self-instruct's tasks: an instruction and instances of it."""
    return [Chat(exchange(with_input(row["instruction"], item.get("input")), item.get("output"))) for item in row["instances"]]


def _completion(question: str, answer: str) -> ChatFormat:
    """A text and how it goes on: T0's and FLAN's tasks."""

    def read(row: Row, _: Options) -> list[Chat]:
        text = row[answer]
        for mark in _END_MARKS:
            text = text.removesuffix(mark) if isinstance(text, str) else text
        return [Chat(exchange(row[question], text))]

    def fits(row: Row) -> bool:
        return question in row and answer in row and isinstance(row[question], str) and isinstance(row[answer], str)

    return ChatFormat(f"{question}_{answer}", fits, read)


def _qa(row: Row, options: Options) -> list[Chat]:
    """Questions with worked answers, as of GSM8K (question, answer) and MetaMath (query, response)."""
    question, answer = (row["question"], row["answer"]) if "question" in row else (row["query"], row["response"])
    if options.annotations == "strip" and isinstance(answer, str):
        answer = CALCULATION.sub("", answer)
    return [Chat(exchange(question, answer))]


def _prompts_alone(_row: Row, _: Options) -> list[Chat]:
    raise Refused("no_answer")


def _answers_alone(_row: Row, _: Options) -> list[Chat]:
    raise Refused("no_question")


def _word(value: object) -> str | None:
    return value if isinstance(value, str) else None


ALPACA = ChatFormat("alpaca", lambda row: "instruction" in row and ("output" in row or "response" in row), _alpaca)
DOLLY = ChatFormat("dolly", lambda row: {"instruction", "context", "response"} <= set(row), _dolly)
SELF_INSTRUCT = ChatFormat("self_instruct", lambda row: "instruction" in row and is_list_of_rows(row.get("instances")), _self_instruct)
COMPLETIONS = (_completion("prompt", "completion"), _completion("inputs", "targets"), _completion("prompt", "response"))
QA = ChatFormat("question_answer", lambda row: {"question", "answer"} <= set(row) or {"query", "response"} <= set(row), _qa)
#: Sets of prompts without answers (InstructionWild, Arena-Hard's questions) and of answers without prompts: named, not guessed at.
PROMPTS = ChatFormat(
    "prompts",
    lambda row: ("instruction" in row and not {"output", "response", "instances"} & set(row)) or ("question_id" in row and "turns" in row),
    _prompts_alone,
)
ANSWERS = ChatFormat("answers", lambda row: "answer_id" in row and "choices" in row, _answers_alone)
