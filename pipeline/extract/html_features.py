"""What is seen of each block of a page: bits, and numbers that a model cuts into steps.

Ideas from Boilerpipe (Kohlschuetter et al. 2010: words and link density, the neighbours'), Readability (text adds up in the boxes
around it), jusText (short blocks go with those beside them) and CETR and its kin (blocks that stand alike in the tree are alike).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from pipeline.extract.html_names import NUMBERS, vocabulary
from pipeline.kernels.arrow import Ints
from pipeline.kernels.pages import (
    ABOVE,
    CAPITALS,
    CHARS,
    CLOSE,
    COMMAS,
    DIGITS,
    ELEMENT,
    FIRST,
    HOME,
    KINDS,
    LINKED,
    LINKS,
    NEAR,
    OPEN,
    PARENT,
    SAID,
    START,
    STOPS,
    TAG,
    WAY,
    WORDS,
    Page,
)  # fmt: skip

Floats = npt.NDArray[np.float64]
Bounds = Mapping[str, tuple[float, ...]]

#: Blocks that read like running text: at least so many words, at most this share of them in links.
_TEXT_WORDS, _TEXT_LINKED = 10, 0.33
#: Fewer words than this, and what a block says weighs for itself.
_SHORT = 12
#: How many boxes up from a block the sums are taken.
LEVELS = (0, 1, 2, 3, 4, 6)

#: The columns of `masks`: hints of the element and its parent, of all above too, kinds of the element, of all above too, words said,
#: words said by a short block.
MASKS = ("near", "above", "kind", "kinds", "said", "said_shortly")

#: The numbers of a block by itself and by its place, and the bounds of their steps.
BOUNDS: Bounds = {
    "words": (1, 2, 3, 5, 8, 12, 18, 27, 40, 60, 100),
    "linked": (0.01, 0.1, 0.25, 0.5, 0.75, 0.99),
    "links": (1, 2, 4, 8),
    "stops": (1, 2, 4),
    "stops_per_word": (0.02, 0.05, 0.1, 0.2),
    "commas": (1, 2, 4),
    "digits": (0.05, 0.2, 0.5),
    "capitals": (0.03, 0.08, 0.15, 0.3, 0.6),
    "chars_per_word": (2.5, 3.5, 4.5, 5.5, 7),
    "before": (0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.98),
    "text_before": (0.001, 0.02, 0.5, 0.9, 0.98, 0.999),
    "from_h1": (-5000, -10, -2, 0, 1, 2, 5, 20, 50),
    "text_alike": (0.001, 0.02, 0.1, 0.3, 0.6, 0.9),
    "number_alike": (2, 4, 8, 20, 50),
    "linked_alike": (0.05, 0.3, 0.6, 0.9),
    **{f"text_in_{level}": (0.001, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95) for level in LEVELS},
    **{f"linked_in_{level}": (0.05, 0.15, 0.3, 0.5, 0.8) for level in LEVELS},
    **{f"number_in_{level}": (2, 4, 10, 30) for level in LEVELS},
}
_CHANCE = (0.1, 0.3, 0.5, 0.7, 0.9)
#: The numbers of a block among those around it, once each has been guessed at.
CONTEXT_BOUNDS: Bounds = {
    "guess": (0.03, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.97),
    **{f"beside_{place}": _CHANCE for place in ("3_before", "2_before", "1_before", "1_after", "2_after", "3_after")},
    **{f"guess_in_{level}": _CHANCE for level in LEVELS},
    **{f"share_in_{level}": _CHANCE for level in LEVELS},
    "guess_alike": _CHANCE,
    "best_beside": (0.3, 0.5, 0.7),
    "worst_beside": (0.3, 0.5, 0.7),
    "guess_before": (0.001, 0.05, 0.5, 0.95, 0.999),
}


class Boxes:
    """The boxes around each block, and sums over the blocks that stand in them."""

    def __init__(self, page: Page) -> None:
        nodes, at = page.nodes, page.blocks[:, ELEMENT]
        starts = page.runs[page.blocks[:, FIRST], START]
        around = []
        for _ in range(max(LEVELS) + 1):
            around.append(at)
            at = nodes[nodes[at, PARENT], HOME]
        boxes = np.array([around[level] for level in LEVELS])
        self._firsts = np.searchsorted(starts, nodes[boxes, OPEN])
        self._lasts = np.searchsorted(starts, np.where(boxes == 0, len(page.html), nodes[boxes, CLOSE]))
        self.counts = self._lasts - self._firsts

    def sums(self, values: Floats) -> Floats:
        """float64[levels, blocks]: what the blocks in each box add up to."""
        total = np.concatenate([[0.0], np.cumsum(values)])
        return np.asarray(total[self._lasts] - total[self._firsts])


class Alike:
    """Blocks that stand alike in the tree: the same names and hints from the root down."""

    def __init__(self, page: Page) -> None:
        _, self._places = np.unique(page.nodes[page.blocks[:, ELEMENT], WAY], return_inverse=True)

    def sums(self, values: Floats) -> Floats:
        """float64[blocks]: what all blocks that stand alike add up to."""
        return np.asarray(np.bincount(self._places, values)[self._places])


def masks(page: Page) -> Ints:
    """int64[blocks, MASKS]: the bits of each block."""
    blocks, element = page.blocks, page.nodes[page.blocks[:, ELEMENT]]
    own = np.where(element[:, TAG] >= 0, vocabulary().elements.kinds[element[:, TAG]], 0)
    short = np.where(blocks[:, WORDS] < _SHORT, blocks[:, SAID], 0)
    return np.stack([element[:, NEAR], element[:, ABOVE], own, element[:, KINDS], blocks[:, SAID], short], axis=1)


def numbers(page: Page, boxes: Boxes, alike: Alike) -> Floats:
    """float64[BOUNDS, blocks]: the numbers of each block by itself and by its place."""
    blocks = page.blocks.T.astype(float)
    chars, words = np.maximum(blocks[CHARS], 1), np.maximum(blocks[WORDS], 1)
    linked = blocks[LINKED] / chars
    text = np.where((words >= _TEXT_WORDS) & (linked <= _TEXT_LINKED), chars, 0.0)
    total, every = max(text.sum(), 1.0), chars.sum()
    tags = page.nodes[page.blocks[:, ELEMENT], TAG]
    h1 = np.flatnonzero(tags == NUMBERS["h1"])
    same = alike.sums(np.ones(len(words)))
    rows = [
        words, linked, blocks[LINKS], blocks[STOPS], blocks[STOPS] / words, blocks[COMMAS], blocks[DIGITS] / chars,
        blocks[CAPITALS] / chars, chars / words, (np.cumsum(chars) - chars) / every, (np.cumsum(text) - text) / total,
        np.arange(len(words)) - h1[0] if len(h1) else np.full(len(words), -np.inf),
        alike.sums(text) / total, same, alike.sums(linked) / same,
    ]  # fmt: skip
    return np.concatenate([rows, boxes.sums(text) / total, boxes.sums(blocks[LINKED]) / np.maximum(boxes.sums(chars), 1), boxes.counts])


def context(page: Page, boxes: Boxes, alike: Alike, guess: Floats) -> Floats:
    """float64[CONTEXT_BOUNDS, blocks]: what was guessed (0 to 1) of a block, its neighbours, its boxes and those that stand alike."""
    chars = page.blocks[:, CHARS].astype(float) + 1
    good = guess * chars
    total, in_boxes = max(good.sum(), 1e-9), boxes.sums(good)
    padded = np.concatenate([np.zeros(3), guess, np.zeros(3)])
    beside = [padded[place : place + len(guess)] for place in (0, 1, 2, 4, 5, 6)]
    last = [np.maximum(beside[2], beside[3]), np.minimum(beside[2], beside[3]), (np.cumsum(good) - good) / total]
    of_boxes = [*(in_boxes / np.maximum(boxes.sums(chars), 1)), *(in_boxes / total)]
    return np.stack([guess, *beside, *of_boxes, alike.sums(good) / alike.sums(chars), *last])
