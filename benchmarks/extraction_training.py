"""The weights of `pipeline.extract.html_weights`, from pages whose main text is known.

    python -m benchmarks.extraction_training PAGES.jsonl.gz ... > pipeline/extract/html_weights.py

A line is {"url", "html", "text", "set"}. Pages whose URL hashes to the held-out half (`held_out`) are passed over, so that
`benchmarks.extraction` may report on them. A block's target is the share of its 4-word shingles that the known text has, a
short block's whether it is a line of it. Two logistic regressions: of a block by itself, and of it among the guesses that the
first makes of its neighbours (by models that didn't see the page: three folds). A page weighs about the same whatever its length.
"""

from __future__ import annotations

import gzip
import hashlib
import html
import json
import re
import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from resiliparse.parse.html import HTMLTree

from pipeline.extract.html_features import BOUNDS, CONTEXT_BOUNDS, MASKS, Alike, Bounds, Boxes, context, masks, numbers
from pipeline.extract.html_names import KINDS, NAME_HINTS, TEXT_HINTS, vocabulary
from pipeline.kernels.pages import FIRST, LAST, Page, read_page

Matrix = npt.NDArray[np.float32]

_WORD = re.compile(r"\w+")
_SHINGLE = 4
_FOLDS = 3
#: Weight of a page's blocks: words to this power, then scaled down by the page's sum to that power.
_WORDS_POWER, _PAGE_POWER = 0.8, 0.7
#: Pages of Scrapinghub count twice, pages that are no articles a little less: their known texts are less certain.
_SET_WEIGHTS = {"scrapinghub": 2.0, "wcxb:article": 1.0, "readability": 1.0}
_OTHER_WEIGHT = 0.7
_RIDGE = 1e-5
_ROUNDS, _RATE = 300, 0.08
_COUNTS = dict(zip(MASKS, (len(NAME_HINTS), len(NAME_HINTS), len(KINDS), len(KINDS), len(TEXT_HINTS), len(TEXT_HINTS)), strict=True))


class Labelled(NamedTuple):
    """One page: its blocks as columns of 0 and 1, their targets and weights."""

    url: str
    page: Page
    columns: Matrix
    targets: Matrix
    weights: Matrix


def held_out(url: str) -> bool:
    """Whether a page is of the half that nothing is tuned on."""
    return hashlib.sha256(url.encode()).digest()[-1] % 2 == 1


def words_of_blocks(page: Page) -> list[list[str]]:
    """The words of each block."""
    spans = page.runs.tolist()
    texts = (b"".join(page.html[start:end] or b" " for start, end, _ in spans[block[FIRST] : block[LAST]]) for block in page.blocks)
    return [_WORD.findall(html.unescape(text.decode()).lower()) for text in texts]


def targets(blocks: Sequence[Sequence[str]], known: str) -> Matrix:
    """How much of each block stands in the known text, 0 to 1."""
    every = _WORD.findall(known.lower())
    shingles = set(zip(*(every[shift:] for shift in range(_SHINGLE)), strict=False))
    lines = {" ".join(_WORD.findall(line.lower())) for line in known.split("\n")}
    joined = f" {' '.join(every)} "

    def target(words: Sequence[str]) -> float:
        if not words:
            return 0.5
        if len(words) >= _SHINGLE:
            return float(np.mean([shingle in shingles for shingle in zip(*(words[shift:] for shift in range(_SHINGLE)), strict=False)]))
        text = " ".join(words)
        return 1.0 if text in lines else 0.5 if len(words) > 1 and f" {text} " in joined else 0.0

    return np.array([target(words) for words in blocks], np.float32)


def expanded(bits: npt.NDArray[np.int64], values: npt.NDArray[np.float64], bounds: Bounds) -> Matrix:
    """The columns of 0 and 1 that the kernel `add_up` never makes."""
    columns = [(bits[:, [at]] >> np.arange(count)) & 1 for at, count in enumerate(_COUNTS.values())] if bits.size else []
    columns += [values[at][:, None] >= np.array(steps) for at, steps in enumerate(bounds.values())]
    return np.concatenate(columns, axis=1).astype(np.float32)


def labelled(paths: Sequence[str]) -> Iterator[Labelled]:
    """The pages of the half to tune on."""
    for path in paths:
        with gzip.open(path, "rt") as lines:
            for row in map(json.loads, lines):
                tree = HTMLTree.parse(row["html"])
                page = read_page(tree.document.html.encode(), *vocabulary()) if tree.document else None
                if page is None or held_out(row["url"]) or not len(page.blocks) or not row["text"].strip():
                    continue
                blocks = words_of_blocks(page)
                weights = (np.array([len(words) for words in blocks]) + 1.0) ** _WORDS_POWER
                weights *= _SET_WEIGHTS.get(row["set"], _OTHER_WEIGHT) / weights.sum() ** _PAGE_POWER
                columns = expanded(masks(page), numbers(page, Boxes(page), Alike(page)), BOUNDS)
                yield Labelled(row["url"], page, columns, targets(blocks, row["text"]), weights.astype(np.float32))


def fitted(columns: Matrix, target: Matrix, weight: Matrix) -> Matrix:
    """Weights and, last, the bias: Adam on the whole, its rate falling to nothing."""
    share = weight / weight.sum()
    theta = np.zeros(columns.shape[1] + 1, np.float32)
    first, second = np.zeros_like(theta), np.zeros_like(theta)
    for turn in range(1, _ROUNDS + 1):
        error = share * (chances(columns, theta) - target)
        slope = np.append(columns.T @ error + 2 * _RIDGE * theta[:-1], error.sum()).astype(np.float32)
        first, second = 0.9 * first + 0.1 * slope, 0.99 * second + 0.01 * slope * slope
        rate = _RATE * (1 - turn / _ROUNDS)
        theta -= rate * (first / (1 - 0.9**turn)) / (np.sqrt(second / (1 - 0.99**turn)) + 1e-8)
    return theta


def chances(columns: Matrix, theta: Matrix) -> Matrix:
    """What a model gives each row, 0 to 1."""
    return np.asarray(1 / (1 + np.exp(-(columns @ theta[:-1] + theta[-1]))), np.float32)


def trained(pages: Sequence[Labelled]) -> tuple[Matrix, Matrix]:
    """Both models."""
    columns, target, weight = (np.concatenate([page[at] for page in pages]) for at in (2, 3, 4))
    folds = [hashlib.sha256(page.url.encode()).digest()[0] % _FOLDS for page in pages]
    of_rows = np.repeat(folds, [len(page.targets) for page in pages])
    others = [fitted(columns[of_rows != fold], target[of_rows != fold], weight[of_rows != fold]) for fold in range(_FOLDS)]
    around = []
    for page, fold in zip(pages, folds, strict=True):
        guess = chances(page.columns, others[fold]).astype(float)
        among = context(page.page, Boxes(page.page), Alike(page.page), guess)
        around.append(expanded(np.empty((len(guess), 0), np.int64), among, CONTEXT_BOUNDS))
    both = np.concatenate([columns, np.concatenate(around)], axis=1)
    return fitted(columns, target, weight), fitted(both, target, weight)


def written(theta: Matrix, bounds: Bounds) -> str:
    """A model as the Python of `pipeline.extract.html_weights`."""
    at, lines = 0, []
    for name, count in [*_COUNTS.items(), *((name, len(steps)) for name, steps in bounds.items())]:
        lines.append(f'    "{name}": ({", ".join(f"{value:.2f}" for value in theta[at : at + count])}),')
        at += count
    return "\n".join(["{", f'    "bias": ({theta[-1]:.2f},),', *lines, "}"])


def main(paths: Sequence[str]) -> int:
    """Print the module of weights."""
    alone, among = trained(list(labelled(paths)))
    print('"""Weights of blocks, written by `python -m benchmarks.extraction_training`; its first lines say how."""\n')
    print("# fmt: off\n# ruff: noqa: E501")
    print(f"#: A block by itself: a weight per bit of each mask and per step of each number.\nALONE = {written(alone, BOUNDS)}")
    print(f"#: A block among what was guessed of all.\nAMONG = {written(among, {**BOUNDS, **CONTEXT_BOUNDS})}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
