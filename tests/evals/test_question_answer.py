"""The score of questions and answers, number by number: near, far, short, long, with a passage, with words left out."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from texts import column

from pipeline.evals.items import Item
from pipeline.evals.postings import Hits
from pipeline.evals.qa import QuestionAnswer
from pipeline.kernels.arrow import texts

NONE = np.zeros(0, np.uint64)


def words(name: str, count: int) -> str:
    draw = random.Random(name)
    return " ".join("".join(draw.choices("abcdefghij", k=6)) for _ in range(count))


def scored(item: Item, *documents: str, min_score: float = 0.8) -> Hits:
    others = [Item(f"other:{n}", words(f"other {n}", 30)) for n in range(5)]
    index = QuestionAnswer.of([item, *others], NONE, ngram=5, min_words=8, min_score=min_score, max_items=10)
    return index.look_up(texts(column(list(documents))))


LONG = Item("exam:1", words("question", 40), (words("answer", 30),))
SHORT = Item("exam:1", words("question", 40), ("forty two",))


def test_a_question_and_its_answer_are_a_hit_and_the_question_alone_is_none() -> None:
    found = scored(LONG, f"x. {LONG.question} so: {LONG.answers[0]} y", LONG.question, LONG.answers[0])
    assert found.found.tolist() == [True, False, False]
    assert found.score.tolist() == [1.0, pytest.approx(0.75), 0.0]
    assert found.item.tolist() == [0, 0, -1]


def test_a_short_answer_must_stand_whole_within_fifty_words() -> None:
    near, far = (f"{LONG.question} {words('between', gap)} forty two" for gap in (48, 49))
    found = scored(SHORT, near, far, f"{LONG.question} forty", f"forty two {LONG.question}")
    assert found.found.tolist() == [True, False, False, False]


def test_a_long_answer_counts_by_its_trigrams() -> None:
    told = " ".join(LONG.answers[0].split()[:16])  # 14 of 28 trigrams, all as rare
    found = scored(LONG, f"{LONG.question} {told}", f"{LONG.question} {words('between', 101)} {told}")
    assert found.score.tolist() == pytest.approx([0.75 + 0.25 * 14 / 28, 0.75])
    assert found.found.tolist() == [True, False]


def test_an_answer_may_repeat_the_question() -> None:
    asked = words("asked", 12)
    item = Item("exam:1", f"what is {asked}", (f"nothing is {asked}",))
    assert scored(item, f"{item.question} {item.answers[0]}").found.tolist() == [True]


def test_any_of_the_answers_will_do() -> None:
    item = Item("exam:1", LONG.question, ("forty two", "forty three"))
    assert scored(item, f"{LONG.question} forty three").found.tolist() == [True]


def test_a_question_must_stand_together() -> None:
    first, second = " ".join(LONG.question.split()[:20]), " ".join(LONG.question.split()[20:])
    close, apart = (f"{first} {words('between', gap)} {second} {LONG.answers[0]}" for gap in (7, 8))  # 4 n-grams more are broken
    found = scored(LONG, close, apart)
    assert found.found.tolist() == [True, False]
    assert found.score[0] == pytest.approx(0.75 * 32 / 36 + 0.25)


def test_short_items_must_be_found_whole_and_longer_ones_less_so() -> None:
    for asked, bound in ((17, 1.0), (32, 0.9), (47, 0.8)):  # and three words of answer: 20, 35, 50
        item = Item("exam:1", words("question", asked), ("this is it",))
        grams = asked - 4
        weight = 0.75 * (0.5 + 0.5 * min(grams / 20, 1))
        lost = math.floor((1 - bound) / weight * grams + 1e-9)  # at the end, so many n-grams can be missing
        kept = [" ".join(item.question.split()[: asked - missing]) + " this is it" for missing in (lost, lost + 1)]
        assert scored(item, *kept).found.tolist() == [True, False], asked


def test_the_passage_helps_a_question_without_an_answer() -> None:
    item = Item("exam:1", words("question", 40), (), words("passage", 60))
    found = scored(item, f"{item.passage}\n{item.question}", item.question, item.passage)
    assert found.score.tolist() == pytest.approx([1.0, 0.85, 0.0])


def test_too_few_words_are_no_item() -> None:
    assert scored(Item("exam:1", words("question", 6), ("one",)), f"{words('question', 6)} one").found.tolist() == [False]
    assert scored(Item("exam:1", words("question", 7), ("one",)), f"{words('question', 7)} one").found.tolist() == [True]
    assert scored(Item("exam:1", "a b c " * 10, ("one",)), "a b c " * 10 + "one").found.tolist() == [False]


def test_every_place_of_an_item_is_told() -> None:
    told = f"{SHORT.question} forty two"
    spans = scored(SHORT, f"{told} {words('between', 60)} {told}").spans
    assert sorted(zip(spans.firsts.tolist(), spans.lasts.tolist(), strict=True)) == [(0, 40), (40, 42), (102, 142), (142, 144)]
    assert spans.best.all()


def test_no_items_and_no_documents() -> None:
    index = QuestionAnswer.of([], NONE, ngram=5, min_words=8, min_score=0.8, max_items=10)
    assert index.look_up(texts(column(["a b c d e f g"]))).found.tolist() == [False]
    assert scored(LONG).found.tolist() == []
