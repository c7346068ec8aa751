"""The method of questions and answers: a question's n-grams close together, and near them its answer and its passage.

The score is that of AI2's decon (github.com/allenai/decon, doc/simple-details.md and config/default.yaml), by which Olmo 3's
data were cleaned, told again over terms in the place of cl100k tokens. N-grams that many items share are left out of the
sums (decon weighs them little), so that the work per document has a bound; and the answer is looked for from where the
question has first been whole, for an answer may repeat the words of the question.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.evals.items import Item
from pipeline.evals.postings import DIFFERENT_TERMS, Hits, Near, Postings, Spans, different_terms, pairs
from pipeline.kernels.arrow import Ints, Texts, encoded
from pipeline.kernels.hashing import Hashes
from pipeline.kernels.ngrams import Terms, joined, ngram_hashes, terms_of

Floats = npt.NDArray[np.float64]

#: Sums of weights are compared with so much slack.
_SLACK = 1e-9
#: decon's question_max_consecutive_misses: a wider gap between n-grams of a question parts two places of it.
MISSES = 11
#: decon's short_answer_token_threshold and _window_length: so short an answer must stand whole, so near after the question.
SHORT_ANSWER, SHORT_WINDOW = 3, 50
#: decon's answer_ngram_size and min_long_answer_window; the window is twice the answer when that is more.
ANSWER_NGRAM, LONG_WINDOW = 3, 100
#: decon's passage_ngram_size and min_passage_distance.
PASSAGE_NGRAM, PASSAGE_DISTANCE = 4, 100
#: Weights of question, answer, passage when the item has an answer, a passage, both, neither.
WEIGHTS = {
    (False, False): (1.0, 0.0, 0.0),
    (True, False): (0.75, 0.25, 0.0),
    (False, True): (0.85, 0.0, 0.15),
    (True, True): (0.7, 0.2, 0.1),
}
#: A question of fewer n-grams, an answer of fewer terms, gives weight away: down to half of its own.
SURE_NGRAMS, SURE_TERMS = 20, 4
#: decon's perfect_match_decay_start and _end: items of so few terms must be found whole, of so many with `min_score`.
WHOLE_TERMS, ENOUGH_TERMS = 20, 50


class _Part(NamedTuple):
    """An answer or a passage: its terms, its different n-grams and their weights."""

    terms: Hashes
    grams: Hashes
    idf: Floats


@dataclass(frozen=True)
class QuestionAnswer:
    """An index of the questions of items, with what is needed to score the places where one may stand."""

    postings: Postings
    ngram: int
    idf: Floats  # of each n-gram of questions
    totals: Floats  # of each item, the sum of its question's
    needed: Floats  # of each item, the least share of its question that can make a hit
    grams: Ints  # of each item, the different n-grams of its question
    words: Ints  # of each item, the terms of its question
    answers: tuple[tuple[_Part, ...], ...]
    passages: tuple[_Part | None, ...]
    min_score: float

    @classmethod
    def of(
        cls, items: Sequence[Item], ignored: Hashes, *, ngram: int, min_words: int, min_score: float, max_items: int | None
    ) -> QuestionAnswer:
        texts = encoded([item.question for item in items])
        questions = terms_of(texts)
        words = np.diff(questions.offsets).astype(np.int64)
        answers = _answers(items)
        passages = tuple(found[0] if found else None for found in _parts([[item.passage] for item in items], PASSAGE_NGRAM))
        sizes = words + [max((len(part.terms) for part in found), default=0) for found in answers]
        sizes += [len(passage.terms) if passage else 0 for passage in passages]
        rich = different_terms(questions) >= DIFFERENT_TERMS
        found = ngram_hashes(texts, ngram)
        owner, hashes = found.rows.astype(np.int64), found.hashes
        keep = (rich & (sizes >= min_words))[owner]
        every = np.arange(len(items))
        postings = Postings.of(hashes[keep], owner[keep], every, max_items, ignored)
        idf = _idf(np.diff(postings.starts), len(items))
        gram = np.repeat(np.arange(len(postings.hashes)), np.diff(postings.starts))
        totals = np.bincount(postings.owners, idf[gram], len(items)).astype(np.float64)
        grams = np.bincount(postings.owners, minlength=len(items))
        index = cls(postings, ngram, idf, totals, np.zeros(0), grams, words, answers, passages, min_score)
        return cls(postings, ngram, idf, totals, index._least(), grams, words, answers, passages, min_score)

    @property
    def sizes(self) -> tuple[int, ...]:
        """The terms of its n-grams."""
        return (self.ngram,)

    def look_up(self, column: Texts) -> Hits:
        """What of the items stands in each text."""
        near = self.postings.find(column, self.sizes)
        row, gram = pairs(near.rows, near.grams)
        place, item = self.postings.spread(gram)
        width = max(len(self.totals), 1)
        key, at = np.unique(row[place] * width + item, return_inverse=True)
        share = np.bincount(at, self.idf[gram[place]], len(key)) / self.totals[key % width]
        maybe = key[share >= self.needed[key % width] - _SLACK]
        hits = Hits.none(np.bincount(row, minlength=column.rows))
        return self._judged(column, near, maybe, hits) if len(maybe) else hits

    def _judged(self, column: Texts, near: Near, maybe: Ints, hits: Hits) -> Hits:
        """The hits with every pair of row and item judged that may be one: a few, but in a text of evaluations."""
        spans: list[tuple[int, int, int, int]] = []
        row, terms = -1, terms_of(encoded([]))
        for key, places in self._places(near, maybe):
            if key // len(self.totals) != row:
                row = key // len(self.totals)
                terms = terms_of(Texts(column.offsets[row : row + 2], column.data))
            item = key % len(self.totals)
            score, found, parts = self._score(item, near.terms[places], near.grams[places], terms.hashes)
            if (found, score) > (hits.found[row], hits.score[row]):
                hits.item[row], hits.score[row], hits.found[row] = item, score, found
            if found:
                spans += [(row, first, last, item) for first, last in parts]
        rows, firsts, lasts, items = np.array(spans, np.int64).reshape(-1, 4).T
        return Hits(hits.overlap, hits.item, hits.score, hits.found, Spans(rows, firsts, lasts, hits.item[rows] == items))

    def _places(self, near: Near, maybe: Ints) -> list[tuple[int, Ints]]:
        """(row * items + item, places of its n-grams in `near`, in the order of the text) of every pair that may be a hit."""
        width = len(self.totals)
        rows = np.flatnonzero(np.isin(near.rows, np.unique(maybe // width)))
        place, item = self.postings.spread(near.grams[rows])
        key = near.rows[rows][place] * width + item
        ours = np.isin(key, maybe)
        at, key = rows[place[ours]], key[ours]
        order = np.lexsort((near.terms[at], key))
        ends = np.flatnonzero(np.diff(key[order])) + 1
        return [(int(key[part[0]]), at[part]) for part in np.split(order, ends)]

    def _score(self, item: int, places: Ints, grams: Ints, terms: Hashes) -> tuple[float, bool, list[tuple[int, int]]]:
        """The best score of an item in a text, whether it is enough, and the runs of terms of all places that are."""
        best = (False, 0.0)
        runs: list[tuple[int, int]] = []
        for cluster in np.split(np.arange(len(places)), np.flatnonzero(np.diff(places) > MISSES + 1) + 1):
            here, at = np.unique(grams[cluster], return_index=True)
            question = float(self.idf[here].sum() / self.totals[item])
            if question < self.needed[item] - _SLACK:
                continue
            first, last, whole = places[cluster[0]], places[cluster[-1]] + self.ngram, places[cluster[at.max()]] + self.ngram
            found, score, told = self._at(item, question, int(first), int(whole), terms)
            best = max(best, (found, score))
            runs += [(int(first), int(last)), *told] if found else []
        return best[1], best[0], runs

    def _at(self, item: int, question: float, first: int, last: int, terms: Hashes) -> tuple[bool, float, list[tuple[int, int]]]:
        """Whether an item stands at a question found in terms[first:last], its score, and the runs of its answer and passage."""
        best: tuple[bool, float, list[tuple[int, int]]] = (False, 0.0, [])
        passage, about = _passage(self.passages[item], terms, first, last)
        for part in self.answers[item] or (None,):
            answer, told = _answer(part, terms, last)
            weights = _weights(int(self.grams[item]), part, self.passages[item])
            score = min(1.0, question * weights[0] + answer * weights[1] + passage * weights[2])
            found = score >= self._bound(item, part) - _SLACK
            if (found, score) > best[:2]:
                best = (found, score, [*told, *about])
        return best

    def _bound(self, item: int, part: _Part | None) -> float:
        """The score asked of an item: 1 for a short one, `min_score` for a long one, in between in between."""
        passage = self.passages[item]
        terms = int(self.words[item]) + (len(part.terms) if part else 0) + (len(passage.terms) if passage else 0)
        return float(np.interp(terms, (WHOLE_TERMS, ENOUGH_TERMS), (1.0, self.min_score)))

    def _least(self) -> Floats:
        """Of each item, the share of its question below which no answer and no passage make up for the rest."""
        out = np.ones(len(self.totals))
        for item, parts in enumerate(self.answers):
            found = [(self._bound(item, part), _weights(int(self.grams[item]), part, self.passages[item])[0]) for part in parts or (None,)]
            out[item] = min(1 - (1 - bound) / weight for bound, weight in found)
        return out


def _weights(grams: int, answer: _Part | None, passage: _Part | None) -> tuple[float, float, float]:
    """The weights of question, answer and passage: a short question gives half to each of the others, a short answer all it can."""
    question_weight, answer_weight, passage_weight = WEIGHTS[answer is not None, passage is not None]
    if answer is None and passage is None:
        return 1.0, 0.0, 0.0
    given = question_weight * 0.5 * (1 - min(grams / SURE_NGRAMS, 1.0))
    if answer is None:
        return question_weight - given, 0.0, passage_weight + given
    if passage is None:
        return question_weight - given, answer_weight + given, 0.0
    answer_weight += given / 2
    passed = answer_weight * 0.5 * (1 - min(len(answer.terms) / SURE_TERMS, 1.0))
    return question_weight - given, answer_weight - passed, passage_weight + given / 2 + passed


def _answer(part: _Part | None, terms: Hashes, after: int) -> tuple[float, list[tuple[int, int]]]:
    """How much of an answer stands in the window from term `after` on, and where."""
    if part is None:
        return 0.0, []
    size = len(part.terms)
    if size <= SHORT_ANSWER:
        at = np.flatnonzero(joined(terms[after : after + SHORT_WINDOW], size) == joined(part.terms, size)[0])
        return (1.0, [(after + int(at[0]), after + int(at[0]) + size)]) if len(at) else (0.0, [])
    return _share(part, terms, after, after + max(LONG_WINDOW, 2 * size), ANSWER_NGRAM)


def _passage(part: _Part | None, terms: Hashes, first: int, last: int) -> tuple[float, list[tuple[int, int]]]:
    """How much of a passage stands around the question, and where."""
    if part is None:
        return 0.0, []
    reach = PASSAGE_DISTANCE + len(part.terms)
    return _share(part, terms, max(first - reach, 0), last + reach, PASSAGE_NGRAM)


def _share(part: _Part, terms: Hashes, first: int, last: int, size: int) -> tuple[float, list[tuple[int, int]]]:
    """The share by weight of a part's n-grams among those of terms[first:last], and from where to where they stand."""
    here = joined(terms[first:last], size)
    places = np.flatnonzero(np.isin(here, part.grams))
    share = float(part.idf[np.isin(part.grams, here)].sum() / part.idf.sum()) if len(part.grams) else 0.0
    return share, [(first + int(places[0]), first + int(places[-1]) + size)] if len(places) else []


def _answers(items: Sequence[Item]) -> tuple[tuple[_Part, ...], ...]:
    return tuple(_parts([item.answers for item in items], ANSWER_NGRAM))


def _parts(texts: Sequence[Sequence[str]], size: int) -> list[tuple[_Part, ...]]:
    """The parts of each item that have terms, with n-grams weighed by how few of all parts hold them."""
    owners = np.repeat(np.arange(len(texts)), [len(alternatives) for alternatives in texts])
    column = encoded([text for alternatives in texts for text in alternatives])
    found, every = terms_of(column), ngram_hashes(column, size)
    known, gram = np.unique(every.hashes, return_inverse=True)
    part, gram = pairs(every.rows.astype(np.int64), gram.astype(np.int64))
    idf = _idf(np.bincount(gram, minlength=len(known)), len(owners))
    starts = np.searchsorted(part, np.arange(len(owners) + 1))
    out: list[list[_Part]] = [[] for _ in texts]
    for number, owner in enumerate(owners.tolist()):
        terms, mine = _of(found, number), gram[starts[number] : starts[number + 1]]
        if len(terms):
            out[owner].append(_Part(terms, known[mine], idf[mine]))
    return [tuple(parts) for parts in out]


def _idf(holders: Ints, texts: int) -> Floats:
    """The weight of n-grams that so many of all texts hold: none is worth nothing."""
    return np.asarray(np.log(max(texts, 1) / holders) + 1e-6, np.float64)


def _of(terms: Terms, row: int) -> Hashes:
    return terms.hashes[terms.offsets[row] : terms.offsets[row + 1]]
