"""Connected components by union-find: one int64 per item, and a result that doesn't depend on the order of the links.

An item points to a smaller one, or to itself when it is the smallest known of its component; so the root of a component
is its smallest item, whoever was linked to whom first.
"""

from __future__ import annotations

import numpy as np

from pipeline.kernels.arrow import Ints
from pipeline.kernels.compiled import kernel


@kernel
def link(parents: Ints, lefts: Ints, rights: Ints) -> None:
    """Join the components of lefts[i] and rights[i], for every i; `parents` starts as np.arange(items)."""
    for i in range(len(lefts)):
        left, right = root(parents, lefts[i]), root(parents, rights[i])
        if left < right:
            parents[right] = left
        elif right < left:
            parents[left] = right


@kernel
def root(parents: Ints, item: int) -> int:
    """The smallest item of a component; the way to it is halved for the next who asks."""
    while parents[item] != item:
        parents[item] = parents[parents[item]]
        item = parents[item]
    return item


@kernel
def flatten(parents: Ints) -> None:
    """Let every item point to its root. Parents are smaller than their children, so one pass upwards is enough."""
    for item in range(len(parents)):
        parents[item] = parents[parents[item]]


def linked(parents: Ints) -> Ints:
    """The items, ascending, of flattened components of two or more."""
    own = np.arange(len(parents))
    children = parents != own
    children[parents[children]] = True
    return np.flatnonzero(children)
