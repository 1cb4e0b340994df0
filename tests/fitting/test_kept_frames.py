from functools import partial

import numpy as np
import torch
import trimesh

from data.sequences.mesh_windows import all_windows
from models.edges import edge_neighbours
from utils.fitting.kept_frames import KeptFrames, Patches

CPU = torch.device("cpu")


def rows_at(rows, vertices):
    return rows[:, vertices]


def test_patches_hold_their_own_neighbourhoods():
    sphere = trimesh.creation.icosphere(4)
    neighbours = edge_neighbours(sphere.vertices, sphere.faces)
    patches = Patches.over(neighbours, 10**6)
    assert patches.vertices.shape == (32 * 20,)
    assert len(patches.inner) == 32 * 8
    own = patches.vertices[patches.neighbours.numpy()]
    complete = (own == neighbours[patches.vertices]).all(axis=1)
    assert complete[patches.inner[::8]].all()  # the middle of every patch
    assert complete[patches.inner].mean() > 0.8
    assert complete.mean() < 0.6  # but not the rim, where the vertex itself takes the place of what is outside
    assert (own == np.where(np.isin(own, neighbours[patches.vertices]), own, patches.vertices[:, None])).all()


def test_fewer_patches_where_memory_is_short():
    lonely = np.repeat(np.arange(1000)[:, None], 8, axis=1)
    assert Patches.over(lonely, 100).vertices.tolist() == [0, 249, 499, 749, 999]


def test_a_small_surface_is_one_patch(make_model):
    surface = make_model().surface
    patches = Patches.over(surface.neighbours.numpy(), 10**6)
    assert patches.vertices.tolist() == patches.inner.tolist() == list(range(72))
    assert torch.equal(patches.neighbours, surface.neighbours)


def test_small_parts_are_patches_of_their_own():
    lonely = np.repeat(np.arange(1000)[:, None], 8, axis=1)
    patches = Patches.over(lonely, 10**6)
    assert len(patches.vertices) == len(patches.inner) == 32
    assert torch.equal(patches.neighbours, torch.arange(32)[:, None].expand(-1, 8))


def test_frames_are_kept_as_they_come(make_model, make_tube_sequence):
    model, windows = make_model(num_condition_frames=3), all_windows([make_tube_sequence(30)], 3)
    rows, axes = torch.randn(30, 72, 9), torch.eye(3).expand(30, 72, 3, 3)
    weights = torch.rand(30, 72)
    kept = KeptFrames(model, windows, np.arange(30), 4, 9, CPU)
    for fold, block in enumerate(kept.blocks):
        for some in np.array_split(block, 2):
            kept.add(fold, some, partial(rows_at, rows[some]), weights[some], axes[some])
    kept.finish()
    for block, moments in zip(kept.blocks, kept.like, strict=True):
        expected = torch.einsum("tv,tvd,tve->vde", weights[block].double(), rows[block].double(), rows[block].double())
        torch.testing.assert_close(moments, expected[kept.patches.vertices])
    assert torch.equal(kept.of_anchors, rows[:, model.surface.anchors])
    assert np.array_equal(kept.folds, np.repeat(np.arange(4), [8, 8, 7, 7]))
    chosen = kept.patches.vertices[kept.patches.few]
    few, of_few = rows[:, chosen].double(), weights[:, chosen].double()
    torch.testing.assert_close(kept.unlike().sum(dim=0), torch.einsum("tv,tvd,tve->vde", of_few, few, few))
