"""Links of documents reduced to forests: each document but the smallest of a tree is linked to that smallest one.

A forest in place of the links that it was made of leaves what hangs together as it was, whichever links were taken
together: so links can be reduced in portions of any size.
"""

from __future__ import annotations

import numpy as np

from pipeline.kernels.unionfind import flatten, link

Ints = np.ndarray


def forest(documents: Ints, hubs: Ints) -> tuple[Ints, Ints]:
    """The links of the forest over given links: (documents, ascending; the smallest document of each one's tree).

    Memory: about 150 bytes a link.
    """
    met, places = np.unique(np.concatenate([documents, hubs]), return_inverse=True)
    parents = np.arange(len(met))
    link(parents, places[: len(documents)], places[len(documents) :])
    flatten(parents)
    children = np.flatnonzero(parents != np.arange(len(met)))
    return met[children], met[parents[children]]
