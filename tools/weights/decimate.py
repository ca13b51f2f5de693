"""Mesh decimation by edge collapse, shortest edge first; the remaining vertices are original ones."""

from __future__ import annotations

import heapq
from collections import defaultdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def decimate_mesh(vertices: Array, faces: Array, count: int) -> tuple[Array, Array, Array]:
    """Collapse edges until `count` of the vertices (V, 3) are left.

    Returns kept (count,), old indices of the remaining vertices; faces (F, 3) in new indices; onto (V,), the new index that
    each old vertex was merged into.
    """
    neighbours: dict[int, set[int]] = defaultdict(set)
    for a, b in np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).tolist():
        neighbours[a].add(b)
        neighbours[b].add(a)
    queue = [(float(((vertices[a] - vertices[b]) ** 2).sum()), a, b) for a in neighbours for b in neighbours[a] if a < b]
    heapq.heapify(queue)
    into = np.arange(len(vertices))
    left = len(vertices)
    while left > count and queue:
        _, a, b = heapq.heappop(queue)
        if into[a] != a or into[b] != b or b not in neighbours[a] or len(neighbours[a] & neighbours[b]) > 2:
            continue  # already merged, or with more than two common neighbours: the surface would become non-manifold
        into[b] = a
        left -= 1
        for other in neighbours.pop(b):
            neighbours[other].discard(b)
            if other != a and other not in neighbours[a]:
                neighbours[a].add(other)
                neighbours[other].add(a)
                heapq.heappush(queue, (float(((vertices[a] - vertices[other]) ** 2).sum()), a, other))
    return renumber(faces, into)


def renumber(faces: Array, into: Array) -> tuple[Array, Array, Array]:
    """Resolve chains of merged vertices and renumber the remaining ones from 0."""
    while (into[into] != into).any():
        into = into[into]
    kept, onto = np.unique(into, return_inverse=True)
    new = onto[faces]
    proper = (new[:, 0] != new[:, 1]) & (new[:, 1] != new[:, 2]) & (new[:, 2] != new[:, 0])
    return kept, new[proper], onto
