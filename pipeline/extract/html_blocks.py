"""Which blocks of a page are its main content."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from pipeline.extract.html_features import BOUNDS, CONTEXT_BOUNDS, MASKS, Alike, Bounds, Boxes, Floats, context, masks, numbers
from pipeline.extract.html_names import COMMENTS
from pipeline.extract.html_weights import ALONE, AMONG
from pipeline.kernels.additive import Weights, add_up
from pipeline.kernels.pages import ABOVE, ELEMENT, END, FIRST, HOME, KINDS, LAST, PARENT, PRE_KIND, START, WORDS, Page

Kept = npt.NDArray[np.bool_]

#: A block of at least so many words that stands again in another box is kept where it stands first.
_REPEATED_WORDS = 8
#: Comments are told from a page whose content they are by what else it has: so many words.
_BESIDE_COMMENTS = 40
#: Fewer words than this may stand between a text and its code.
_LABEL_WORDS = 8
#: Expected F1 from which on a page counts as clear.
_CLEAR = 0.7


def main_blocks(page: Page, *, comments: bool = False) -> Kept:
    """bool[blocks]: the blocks of the main content, without `comments` unless the page has nothing else."""
    if not len(page.blocks):
        return np.zeros(0, np.bool_)
    chance = chances(page)
    if not comments:
        below = (page.nodes[page.blocks[:, ELEMENT], ABOVE] >> COMMENTS) & 1 == 1
        if page.blocks[~below & (chance >= 0.5), WORDS].sum() >= _BESIDE_COMMENTS:
            chance[below] = 0
    chance[_repeated(page)] = 0
    kept = chance >= _cut(chance, page.blocks[:, WORDS])
    return kept | (_listing(page, kept) & (chance > 0))


def _listing(page: Page, kept: Kept) -> Kept:
    """Preformatted blocks behind a kept one: code goes with the text before it, whatever heading or label stands between."""
    code = page.nodes[page.blocks[:, ELEMENT], KINDS] & PRE_KIND > 0
    label = page.blocks[:, WORDS] < _LABEL_WORDS
    before = np.maximum.accumulate(np.where(code | (label & ~kept), -1, np.arange(len(kept))))
    return np.asarray(code & (before >= 0) & kept[before])


def chances(page: Page) -> Floats:
    """float64[blocks]: how likely each block is main content."""
    alone, among = _models()
    boxes, alike, bits = Boxes(page), Alike(page), masks(page)
    own = numbers(page, boxes, alike)
    guess = add_up(alone, bits, own)
    return add_up(among, bits, np.concatenate([own, context(page, boxes, alike, guess)]))


def _cut(chance: Floats, words: npt.NDArray[np.int64]) -> float:
    """The chance from which on blocks are kept: one half on a page that is clear, lower on others.

    The expected F1 of a page's words is highest when blocks are kept from half of that F1 on, so a page of guesses keeps more.
    """
    order = np.argsort(-chance, kind="stable")
    sure = np.cumsum((chance * words)[order])
    f1 = 2 * sure / np.maximum(np.cumsum(words[order]) + sure[-1], 1e-9)
    best = np.argmax(f1)
    return 0.5 if f1[best] >= _CLEAR else max(float(chance[order[best]]), 1e-6)


def _repeated(page: Page) -> Kept:
    """Blocks that say, byte for byte, what one in another box said before: teasers, pages that hold their text twice."""
    boxes = page.nodes[page.nodes[page.blocks[:, ELEMENT], PARENT], HOME].tolist()
    seen: dict[bytes, int] = {}
    again = np.zeros(len(page.blocks), np.bool_)
    for row in np.flatnonzero(page.blocks[:, WORDS] >= _REPEATED_WORDS).tolist():
        first, last = page.blocks[row, FIRST], page.blocks[row, LAST]
        text = page.html[page.runs[first, START] : page.runs[last - 1, END]].strip()
        again[row] = seen.setdefault(text, boxes[row]) != boxes[row]
    return again


@cache
def _models() -> tuple[Weights, Weights]:
    return _weights(ALONE, BOUNDS), _weights(AMONG, {**BOUNDS, **CONTEXT_BOUNDS})


def _weights(stated: dict[str, tuple[float, ...]], bounds: Bounds) -> Weights:
    """The stated weights in the form that the kernel adds up."""
    bits = np.zeros((len(MASKS), 64))
    for row, name in enumerate(MASKS):
        bits[row, : len(stated[name])] = stated[name]
    offsets = np.cumsum([0, *(len(steps) for steps in bounds.values())])
    steps = np.concatenate([stated[name] for name in bounds])
    return Weights(stated["bias"][0], bits, offsets, np.concatenate([list(values) for values in bounds.values()]).astype(float), steps)
