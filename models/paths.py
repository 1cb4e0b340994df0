"""Shortest paths along edges from many vertices at once, in compiled code."""

import heapq
from typing import no_type_check

import numpy as np

from models.compiled import compiled


@no_type_check
@compiled
def farthest_points(starts, ends, lengths, first, count):
    """Return `count` vertices spread by farthest-point sampling along edges, from `first` on: edges of vertex v lead to
    `ends[starts[v]:starts[v + 1]]`. Each goes on only where it is nearer than those before it (Dijkstra)."""
    nearest = np.full(len(starts) - 1, np.inf)
    chosen = np.empty(count, np.int64)
    for number in range(count):
        chosen[number] = first
        heap = [(0.0, first)]
        while heap:
            distance, v = heapq.heappop(heap)
            if distance >= nearest[v]:
                continue
            nearest[v] = distance
            for place in range(starts[v], starts[v + 1]):
                following = distance + lengths[place]
                if following < nearest[ends[place]]:
                    heapq.heappush(heap, (following, ends[place]))
        first = np.argmax(nearest)
    return chosen


@no_type_check
@compiled
def nearest_sources(starts, ends, lengths, sources, count):
    """Return the places among `sources` of those nearest along edges to each vertex (V, K), nearest first, and their distances;
    -1 where fewer can be reached."""
    num_vertices = len(starts) - 1
    places, distances = np.full((num_vertices, count), -1), np.full((num_vertices, count), np.inf)
    found = np.zeros(num_vertices, np.int64)
    heap = [(0.0, sources[place], place) for place in range(len(sources))]
    while heap:
        distance, v, place = heapq.heappop(heap)
        known = found[v] == count
        for earlier in range(found[v]):
            known |= places[v, earlier] == place
        if known:
            continue
        places[v, found[v]], distances[v, found[v]] = place, distance
        found[v] += 1
        for edge in range(starts[v], starts[v + 1]):
            if found[ends[edge]] < count:
                heapq.heappush(heap, (distance + lengths[edge], ends[edge], place))
    return places, distances
