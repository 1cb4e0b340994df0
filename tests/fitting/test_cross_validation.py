from dataclasses import replace

import numpy as np
import pytest
import torch
from tube import tube_frames, tube_joints, tube_triangles

from data.sequences.mesh_windows import all_windows
from models.local_features import OSCILLATORS
from models.mesh_autoencoder import MeshAutoencoder
from models.model_settings import ModelSettings
from models.rest_surface import RestSurface
from models.surface_frames import to_world
from utils.fitting import cross_validation
from utils.fitting.cross_validation import (
    Choice,
    FoldMoments,
    best_penalty,
    choose_groups,
    rated,
    weights_of,
    with_smoothing,
)
from utils.fitting.kept_frames import KeptFrames, Patches, SeenFrames
from utils.fitting.ridge_regression import solve


def test_the_best_strength_leaves_least():
    random = np.random.default_rng(0)
    rest, change = random.normal(size=(2, 50))
    rest += 0.3 * change
    sums = torch.tensor([100.0, (rest**2).sum(), (rest * change).sum(), (change**2).sum()])
    choice = rated(Choice(("motion",), 0.1, True, smoothing_steps=2), sums)
    strengths = np.linspace(0, 1, 2001)
    left = np.sqrt(((rest - strengths[:, None] * change) ** 2).sum(axis=1) / 100)
    np.testing.assert_allclose(choice.strength, strengths[left.argmin()], atol=1e-3)
    np.testing.assert_allclose(choice.left, left.min(), rtol=1e-5)


def test_smoothing_is_rated_as_it_will_be_done(make_model):
    """Against a loop over folds and frames that solves, turns, smooths and subtracts by itself."""
    torch.manual_seed(0)
    surface = make_model().surface
    patches = Patches(np.arange(72), surface.neighbours, np.arange(20, 50))
    rows = torch.randn(12, 72, 5 + 1 + 3)
    rows[..., 5] = 1
    frames = torch.linalg.qr(torch.randn(12, 72, 3, 3)).Q
    blocks = [slice(0, 4), slice(4, 8), slice(8, 12)]
    folds = torch.stack([torch.einsum("tvd,tve->vde", rows[block], rows[block]).double() for block in blocks])
    seen = [[SeenFrames(rows[block], torch.ones(4, 72), frames[block])] for block in blocks]
    weights = torch.rand(72).double() + 0.5
    found = with_smoothing(Choice(("motion",), 0.1, True), [0, 1, 2], [0], folds, seen, patches, weights)
    assert [choice.smoothing_steps for choice in found] == [0, 1, 2]
    for choice in found:
        left = whole = 0.0
        for fold, block in zip(folds, blocks, strict=True):
            mean, coefficients, columns = solve(folds.sum(0) - fold, [0, 1, 2], 0.1, [0])
            for row, frame in zip(rows[block].double(), frames[block].double(), strict=True):
                change = torch.einsum("vk,vko->vo", row[:, columns], coefficients)
                change = to_world(frame, change[:, None])[:, 0]
                for _ in range(choice.smoothing_steps):
                    change = torch.stack([change[near].mean(dim=0) for near in surface.neighbours])
                target = to_world(frame, row[:, None, -3:])[:, 0]
                answer = to_world(frame, mean[:, None])[:, 0] + choice.strength * change
                left += float((weights[:, None] * (target - answer).square())[patches.inner].sum())
                whole += float((weights[:, None] * target.square())[patches.inner].sum())
        np.testing.assert_allclose(choice.left, (left / whole) ** 0.5, rtol=1e-6)


def moments_of(model, targets_of, num_frames=400, num_vertices=1):
    """Moments of two folds of frames in which vertices see noise, and their targets follow from it by the given function."""
    torch.manual_seed(0)
    seen = torch.randn(2, num_frames, num_vertices, len(model.feature_mean)).double()
    ones, noise = torch.ones(*seen.shape[:3], 1), 0.3 * torch.randn(*seen.shape[:3], 3)
    rows = torch.cat([seen, ones, targets_of(seen) + noise], dim=3)
    return torch.einsum("ktvd,ktve->kvde", rows, rows)


def test_joints_are_looked_at_where_they_bring_something_only():
    surface = RestSurface.from_mesh(tube_frames(1)[0], tube_triangles(), tube_joints(1)[0])
    model = MeshAutoencoder(ModelSettings(num_condition_frames=3, num_joints=5), surface)
    own, joint = (
        model.coordinates.groups.columns_of(["motion"])[:3],
        model.coordinates.groups.columns_of(["joints"])[:3],
    )
    one = torch.ones(1).double()
    without = choose_groups(model, *2 * [FoldMoments(moments_of(model, lambda seen: seen[..., own]))], one)
    assert without.groups == ("motion", "gravity", "anchors", "anchors' rotations")
    both = choose_groups(
        model, *2 * [FoldMoments(moments_of(model, lambda seen: seen[..., own] + seen[..., joint]))], one
    )
    assert both.groups == (*without.groups, "joints")
    assert both.left < 0.5


def test_oscillators_are_looked_at_up_to_the_slowest_that_brings_something(make_model):
    model = make_model(num_condition_frames=3)
    second = model.coordinates.groups.columns_of([list(OSCILLATORS)[1]])[:3]
    choice = choose_groups(
        model, *2 * [FoldMoments(moments_of(model, lambda seen: seen[..., second]))], torch.ones(1).double()
    )
    assert choice.groups[-1] == list(OSCILLATORS)[1]


def test_what_follows_along_a_motion_is_found_in_few_frames(make_model):
    model, weights = make_model(num_condition_frames=3), torch.ones(100).double()
    velocity = model.coordinates.groups.columns_of(["motion"])[:3]
    folds = moments_of(model, lambda seen: 2 * seen[..., velocity], num_frames=30, num_vertices=100)
    along = choose_groups(model, *2 * [FoldMoments(folds)], weights)
    assert along.isotropic
    assert (
        along.left
        < 0.8 * best_penalty(model, *2 * [FoldMoments(folds)], weights, along.groups, isotropic=False, start=10.0).left
    )


def test_what_follows_across_a_motion_is_not_taken_to_follow_along(make_model):
    model, weights = make_model(num_condition_frames=3), torch.ones(100).double()
    velocity = model.coordinates.groups.columns_of(["motion"])[:3]
    across = torch.tensor([2.0, -1.0, -1.0]).double()
    folds = moments_of(model, lambda seen: across * seen[..., velocity], num_frames=30, num_vertices=100)
    assert not choose_groups(model, *2 * [FoldMoments(folds)], weights).isotropic


def test_a_vertex_counts_the_less_the_more_its_targets_vary():
    """So that the stiff vertices of a body have a say beside the soft ones, and one that never varies does not say it all."""
    random = np.random.default_rng(0)
    targets = random.normal(size=(500, 3, 3)) * np.array([0.0, 0.1, 3.0])[:, None] + 5
    rows = torch.from_numpy(np.concatenate([np.ones((500, 3, 1)), targets], axis=2))
    spreads = np.sqrt(((targets - targets.mean(axis=0)) ** 2).sum(axis=2).mean(axis=0))
    weights = weights_of(torch.einsum("tvd,tve->vde", rows, rows))
    np.testing.assert_allclose(weights, 1 / (spreads + 0.1 * spreads.mean()), rtol=1e-5)


def test_what_few_soft_vertices_would_have_is_left_out_for_the_stiff_ones():
    """Joints help one vertex that moves thirty times as far as the others, where they are chance."""
    surface = RestSurface.from_mesh(tube_frames(1)[0], tube_triangles(), tube_joints(1)[0])
    model = MeshAutoencoder(ModelSettings(num_condition_frames=1, num_joints=5), surface)
    own, joint = (
        model.coordinates.groups.columns_of(["anchors"])[:3],
        model.coordinates.groups.columns_of(["joints"])[:3],
    )
    soft = moments_of(model, lambda seen: 30 * seen[..., own] + 6 * seen[..., joint])
    stiff = moments_of(model, lambda seen: seen[..., own])
    folds = torch.cat([soft, *[stiff] * 200], dim=1)
    plain = choose_groups(model, *2 * [FoldMoments(folds)], torch.ones(201).double())
    assert "joints" in plain.groups
    weighted = choose_groups(model, *2 * [FoldMoments(folds)], weights_of(folds.sum(dim=0)))
    assert "joints" not in weighted.groups


@pytest.mark.parametrize(
    ("left", "steps"), [((1.0, 0.905, 0.91), 2), ((0.807, 0.9, 0.9), 0), ((0.72, 0.707, 0.715), 1)]
)
def test_the_most_smoothing_that_is_as_good(make_model, make_tube_sequence, monkeypatch, left, steps):
    def with_smoothing(choice, *_):
        return [replace(choice, smoothing_steps=number, left=each) for number, each in enumerate(left)]

    monkeypatch.setattr(cross_validation, "choose_groups", lambda *_: Choice((), 0.01, False))
    monkeypatch.setattr(cross_validation, "with_smoothing", with_smoothing)
    monkeypatch.setattr(cross_validation, "choose_damping", lambda kept, fit: (0.5, float(fit.smoothing_steps)))
    model = make_model()
    kept = KeptFrames(model, all_windows([make_tube_sequence(4)], 1), np.arange(4), 2, 8, torch.device("cpu"))
    kept.like.fill_(1.0)
    monkeypatch.setattr(KeptFrames, "unlike", lambda kept: kept.like)
    choice = cross_validation.choose(model, kept)
    assert (choice.smoothing_steps, choice.strength, choice.variance) == (steps, 0.5, steps)


def test_a_penalty_serves_unlike_frames_as_well(make_model):
    """What follows from a feature otherwise in every kind of motion is followed less than where it is always the same."""
    model, one = make_model(num_condition_frames=3), torch.ones(1).double()
    velocity = model.coordinates.groups.columns_of(["motion"])[:3]
    like = moments_of(model, lambda seen: seen[..., velocity])
    turns = torch.tensor([1.0, 0.2]).double()[:, None, None, None]
    unlike = moments_of(model, lambda seen: turns * seen[..., velocity])
    alike = best_penalty(model, *2 * [FoldMoments(like)], one, ("motion",), isotropic=False, start=0.1)
    otherwise = best_penalty(
        model, FoldMoments(like), FoldMoments(unlike), one, ("motion",), isotropic=False, start=0.1
    )
    assert otherwise.penalty > alike.penalty
    assert otherwise.left_unlike > 1.2 * alike.left_unlike
