"""Scans beside skinned meshes."""

from functools import partial

import numpy as np
from tube import tube_quads

from inputs_of_users.meshes import NUMBERS, SCANS, SKINNED, Read, folder


def other_faces(polygons):
    folder("skin", SKINNED)
    folder("scan", SCANS, polygons=polygons)


def another_order():
    folder("skin", SKINNED)
    order = np.random.default_rng(0).permutation(72)
    place = np.argsort(order)
    folder("scan", SCANS[:, order], polygons=place[tube_quads()])


def more_vertices():
    folder("skin", SKINNED)
    folder("scan", np.concatenate([SCANS, SCANS[:, :4]], axis=1))


def scans(change):
    folder("skin", SKINNED)
    folder("scan", change(SCANS.copy()))


def turned(scans):
    return scans[..., [0, 2, 1]] * [1, -1, 1]


def exploded(scans):
    scans[6, 20] += 1e4
    return scans


def still():
    folder("skin", SKINNED[[0] * 16])
    folder("scan", SKINNED[[0] * 16] + SCANS - SKINNED)


INPUTS = {
    "scans with another axis up": (partial(scans, turned), "scans turned by 90° about x against the skinned meshes"),
    "scans in centimetres": (
        partial(scans, lambda scans: 100 * scans), "scans 100 times as large as .*, expected the same units",
    ),
    "scans elsewhere": (partial(scans, lambda scans: scans + [3, 0, 0]), r"scans 3 m away from the skinned meshes"),
    "scans a frame late": (
        partial(scans, lambda scans: np.concatenate([scans[:1], scans[:-1]])),
        Read(said="seem to be 1 frame late", with_its_scans=False),
    ),
    "scans that are the skinned meshes": (partial(scans, lambda scans: SKINNED), "scans that equal the skinned meshes"),
    "a vertex ten kilometres away": (
        partial(scans, exploded), Read(said="1 vertices in 1 frames, scanned or skinned, do not belong", with_its_scans=False),
    ),
    "skinned meshes that never move": (
        still, Read(said="all skinned meshes are the same", skinned=SKINNED[[0] * 16], with_its_scans=False),
    ),
    "faces that start at another corner": (partial(other_faces, np.roll(tube_quads(), 1, axis=1)), NUMBERS),
    "faces in another order": (partial(other_faces, tube_quads()[::-1]), NUMBERS),
    "faces turned inside out": (partial(other_faces, tube_quads()[:, ::-1]), NUMBERS),
    "quads cut along the other diagonal": (
        partial(other_faces, np.concatenate([tube_quads()[:, [0, 1, 3]], tube_quads()[:, [1, 2, 3]]])), NUMBERS,
    ),
    "vertices in another order": (another_order, "other faces than .*, expected the same topology"),
    "more vertices": (more_vertices, r"76 vertices, expected 72 as in .*: remove what was added, or register a raw scan"),
}  # fmt: skip
