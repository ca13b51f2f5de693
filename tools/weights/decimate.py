"""Fewer vertices: edges are closed one by one, the shortest first, and every vertex that stays is one of the old ones."""

from __future__ import annotations

import heapq
from collections import defaultdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def decimated(vertices: Array, faces: Array, count: int) -> tuple[Array, Array, Array]:
    """Close edges until `count` of the vertices (V, 3) are left.

    Gives kept (count,), the old numbers of those that stay; faces (F, 3) in new numbers; onto (V,), the new number of the one
    that each old vertex went into.
    """
    around: dict[int, set[int]] = defaultdict(set)
    for a, b in np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).tolist():
        around[a].add(b)
        around[b].add(a)
    queue = [(float(((vertices[a] - vertices[b]) ** 2).sum()), a, b) for a in around for b in around[a] if a < b]
    heapq.heapify(queue)
    into = np.arange(len(vertices))
    left = len(vertices)
    while left > count and queue:
        _, a, b = heapq.heappop(queue)
        if into[a] != a or into[b] != b or b not in around[a] or len(around[a] & around[b]) > 2:
            continue  # gone, or closing it would pinch the surface
        into[b] = a
        left -= 1
        for other in around.pop(b):
            around[other].discard(b)
            if other != a and other not in around[a]:
                around[a].add(other)
                around[other].add(a)
                heapq.heappush(queue, (float(((vertices[a] - vertices[other]) ** 2).sum()), a, other))
    return renumbered(faces, into)


def renumbered(faces: Array, into: Array) -> tuple[Array, Array, Array]:
    """Follow each vertex to the one that it went into, and number those that stay from 0."""
    while (into[into] != into).any():
        into = into[into]
    kept, onto = np.unique(into, return_inverse=True)
    new = onto[faces]
    whole = (new[:, 0] != new[:, 1]) & (new[:, 1] != new[:, 2]) & (new[:, 2] != new[:, 0])
    return kept, new[whole], onto
