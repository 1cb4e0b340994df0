from dataclasses import replace

import numpy as np
import pytest
import torch
from tube import assert_equal_weights, tube_scans, tube_triangles

from data.sequences.mesh_windows import all_windows, split_windows
from models.mesh_autoencoder import MeshAutoencoder
from models.rest_surface import RestSurface
from utils.fitting import linear_fit
from utils.fitting.linear_fit import fit_linear_part
from utils.fitting.seen_features import read_features
from utils.predicting.prediction import mean_errors

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _fewer_folds(monkeypatch):
    monkeypatch.setattr(linear_fit, "FOLDS", 4)  # half the time


def features_and_targets(model, windows):
    pairs = list(read_features(model, windows, np.arange(len(windows)), CPU))
    return [torch.cat(parts) for parts in list(zip(*pairs, strict=True))[1:3]]


def set_corrections(sequence, model, corrections):
    """Make a sequence's scans such that these are their corrections (T, V, 3), in the vertices' own frames."""
    skinned = torch.from_numpy(sequence.skinned)
    sequence.scan = model.coordinates.to_points(corrections, skinned, model.surface.frames_of(skinned)).numpy()


@pytest.mark.parametrize("rounds", [1, 3])
def test_a_linear_correction_is_found_again(make_model, make_tube_sequence, monkeypatch, rounds):
    model, truth = make_model(num_condition_frames=3), make_model(num_condition_frames=3)
    sequence = make_tube_sequence(80)
    monkeypatch.setattr(linear_fit, "FRAMES_FOR_SCALES", 80)
    windows = all_windows([sequence], 3)
    wanted = model.coordinates.groups.columns_of(("motion", "gravity"))
    truth.linear.mean.fill_(0.01)
    truth.linear.coefficients[:, wanted] = torch.randn(72, len(wanted), 3)
    features, _ = features_and_targets(model, windows)
    corrections = truth.linear.mean + truth.linear(features)
    corrections += 0.05 * corrections.std() * torch.randn_like(corrections)
    set_corrections(sequence, truth, corrections)
    monkeypatch.setattr(linear_fit, "LARGEST_MOMENTS", 72 // rounds * (features.shape[2] + 4) ** 2)
    choice = fit_linear_part(model, windows, CPU)
    assert choice.strength > 0.98
    assert choice.left < 0.1
    skinned_error, error = mean_errors(model, windows, CPU)
    assert error < 0.1 * skinned_error
    torch.testing.assert_close(
        model.longest, torch.linalg.vector_norm(corrections, dim=2).amax(dim=0), rtol=1e-3, atol=1e-6
    )
    features, _ = features_and_targets(model, windows)  # those that were not left out
    residual = corrections - model.linear.mean - model.linear(features)
    torch.testing.assert_close(model.target_scale, residual.square().mean().sqrt(), rtol=0.02, atol=0)


def test_scans_that_follow_nothing_are_left_alone(make_model, make_tube_sequence):
    model = make_model(num_condition_frames=3)
    sequence = make_tube_sequence(60)
    noise = np.random.default_rng(0).normal(size=sequence.scan.shape)
    sequence.scan = (sequence.skinned + 0.01 * noise).astype(np.float32)
    choice = fit_linear_part(model, all_windows([sequence], 3), CPU)
    assert choice.strength < 0.1
    assert choice.left > 0.99
    other = make_tube_sequence(60, seed=5)
    other.scan = (other.skinned + 0.01 * noise[::-1]).astype(np.float32)
    skinned_error, error = mean_errors(model, all_windows([other], 3), CPU)
    assert error < 1.01 * skinned_error


def test_a_mean_alone_does_not_damp_what_a_network_adds(make_model, make_tube_sequence, monkeypatch):
    """Corrections that swing far about a small mean, and no linear map to look for them with."""
    monkeypatch.setattr("utils.fitting.cross_validation.candidate_groups", lambda _: [()])
    model, sequence = make_model(num_condition_frames=3), make_tube_sequence(60)
    swing = torch.from_numpy(np.sin(np.arange(60))).float()[:, None, None]
    set_corrections(sequence, model, (0.02 + 0.05 * swing).expand(60, 72, 3).contiguous())
    choice = fit_linear_part(model, all_windows([sequence], 3), CPU)
    assert (choice.groups, choice.variance) == ((), 1.0)
    usual = torch.ones(1, len(model.surface.anchors))
    size = torch.full((1, 72), 0.05)
    assert (model.leverage.strength(size, model.surface.spread_from_anchors(usual), torch.ones(1, 1)) > 0.9).all()


def test_slow_swinging_is_worth_a_slow_oscillator(make_model, make_tube_sequence):
    model, truth = make_model(num_condition_frames=3), make_model(num_condition_frames=3)
    sequence = make_tube_sequence(120)
    random = np.random.default_rng(0)
    sequence.skinned += np.cumsum(random.normal(0, 0.02, (120, 1, 3)), axis=0).astype(np.float32)
    windows = all_windows([sequence], 3)
    slow = truth.coordinates.groups.columns_of(("oscillators of 27 frames",))
    truth.linear.coefficients[:, slow] = 0.1
    features, _ = features_and_targets(model, windows)
    set_corrections(sequence, truth, truth.linear(features))
    choice = fit_linear_part(model, windows, CPU)
    assert "oscillators of 27 frames" in choice.groups
    assert choice.left < 0.1
    assert tuple(model.coordinates.groups) == choice.groups


@pytest.mark.parametrize("alike", [True, False])
def test_what_few_frames_leave_rough_is_smoothed(make_model, make_tube_sequence, monkeypatch, alike):
    """A scanner that errs at every vertex by itself, and corrections that are alike all over the surface, or sharply differ."""
    monkeypatch.setattr(linear_fit, "FOLDS", 8)
    model = make_model(num_condition_frames=3)
    sequence, other = make_tube_sequence(30), make_tube_sequence(30, seed=4)
    random = np.random.default_rng(0)
    factor = 0.3 * np.where(alike, 1, random.choice([-1, 1], (72, 1)))
    for each in (sequence, other):
        velocity = np.diff(each.skinned, axis=0, prepend=each.skinned[:1]).mean(axis=1, keepdims=True)
        across = velocity[..., [1, 2, 0]]  # not along it: that, few frames show well enough
        each.scan = (each.skinned + factor * across).astype(np.float32)
    sequence.scan = (sequence.scan + 0.01 * random.normal(size=sequence.scan.shape)).astype(np.float32)
    choice = fit_linear_part(model, all_windows([sequence], 3), CPU)
    assert model.linear.smoothing_steps == choice.smoothing_steps
    assert (choice.smoothing_steps > 0) == alike
    model.leverage.relative_variance.zero_()  # damping, too, takes noise away
    _, error = mean_errors(model, all_windows([other], 3), CPU)
    model.linear.smoothing_steps = 0 if alike else 2
    _, otherwise = mean_errors(model, all_windows([other], 3), CPU)
    assert error < 0.9 * otherwise


def test_what_does_not_help_is_kept_from_the_network(make_model, make_tube_sequence):
    model, truth = make_model(random_output=True, num_condition_frames=3), make_model(num_condition_frames=3)
    sequence = make_tube_sequence(60)
    windows = all_windows([sequence], 3)
    truth.linear.coefficients[:, model.coordinates.groups.columns_of(("motion", "gravity"))] = 0.2
    features, _ = features_and_targets(model, windows)
    corrections = truth.linear(features)
    corrections += 0.1 * corrections.std() * torch.randn_like(corrections)
    set_corrections(sequence, truth, corrections)
    choice = fit_linear_part(model, windows, CPU)
    assert choice.groups == ("motion", "gravity", "anchors", "anchors' rotations")
    assert tuple(model.coordinates.groups) == choice.groups
    narrow, _ = features_and_targets(model, windows)
    torch.testing.assert_close(narrow, features[..., truth.coordinates.groups.columns_of(choice.groups)])
    assert model.encoder.first.in_features == narrow.shape[2] + 3 + model.surface.eigenfunctions.shape[1]
    _, error = mean_errors(model, windows, CPU)
    assert error < 0.2 * float(torch.linalg.vector_norm(corrections, dim=2).mean())


@pytest.mark.parametrize("coordinates", ["local", "world"])
def test_scales_against_numpy(make_model, make_tube_sequence, coordinates):
    model = make_model(num_condition_frames=2, coordinates=coordinates)
    windows = all_windows([make_tube_sequence(14)], 2)
    features, targets = features_and_targets(model, windows)
    choice = fit_linear_part(model, windows, CPU)
    features, _ = features_and_targets(model, windows)  # those that were not left out
    flat = features.flatten(0, 1).double().numpy()
    np.testing.assert_allclose(model.feature_mean, flat.mean(axis=0), atol=1e-6)
    deviation = flat.std(axis=0)
    np.testing.assert_allclose(model.feature_scale, np.where(deviation > 1e-7, deviation, 1), rtol=1e-3)
    assert (choice is None) == (coordinates == "world")
    if coordinates == "world":
        mean = targets.mean(dim=(0, 1))
        torch.testing.assert_close(model.target_mean, mean)
        torch.testing.assert_close(model.target_scale, (targets - mean).square().mean().sqrt(), rtol=1e-3, atol=0)


@pytest.mark.parametrize("num_frames", [1, 2, 5])
def test_few_frames_that_never_change_stay_finite(make_model, make_tube_sequence, num_frames):
    model = make_model(random_output=True, num_condition_frames=2)
    sequence = make_tube_sequence(num_frames)
    sequence.skinned[:] = sequence.skinned[0]
    sequence.scan = tube_scans(sequence.skinned)
    windows = all_windows([sequence], 2)
    fit_linear_part(model, windows, CPU)
    assert all(np.isfinite(error) for error in mean_errors(model, windows, CPU))


def test_units_and_place_do_not_matter(make_model, make_tube_sequence):
    def left(scale, shift):
        model = make_model(num_condition_frames=3)
        surface = model.surface
        model = MeshAutoencoder(
            model.settings, RestSurface.from_mesh(scale * surface.vertices.numpy() + shift, tube_triangles())
        )
        sequence = make_tube_sequence(40)
        noise = np.random.default_rng(0).normal(size=sequence.scan.shape)
        sequence.scan = sequence.scan + 0.002 * noise  # more of an error than rounding is
        for name in ("skinned", "scan"):
            setattr(sequence, name, (scale * getattr(sequence, name) + shift).astype(np.float32))
        windows = all_windows([sequence], 3)
        fit_linear_part(model, windows, CPU)
        skinned_error, error = mean_errors(model, windows, CPU)
        return error / skinned_error

    expected = left(1, 0)
    assert expected < 0.5
    assert left(1000, 0) == pytest.approx(expected, rel=0.01)
    assert left(0.001, 0) == pytest.approx(expected, rel=0.01)
    assert left(1, 30) == pytest.approx(expected, rel=0.01)


def everything_fitted(make_model, sequence):
    """All that is fitted to a sequence's scans, by name."""
    torch.manual_seed(0)
    model = make_model(num_condition_frames=3)
    fit_linear_part(model, split_windows([sequence], 3, 2)[0], CPU)
    return model.state_dict()


def test_weights_of_zero_are_absent_frames_and_holes_to_the_bit(make_model, make_tube_sequence):
    sparse, whole = make_tube_sequence(60, every=4), make_tube_sequence(60)
    weights = np.ones((60, 72), np.float32)
    weights[np.arange(60) % 4 > 0] = 0
    rows = np.where(
        np.arange(60) % 4 == 0, np.arange(60), -1
    )  # as it is loaded: of frames without weight there is no scan
    weighted = replace(whole, scan_weights=weights, scan_rows=rows)
    assert_equal_weights(everything_fitted(make_model, weighted), everything_fitted(make_model, sparse))
    holes = np.random.default_rng(0).random((60, 72)) < 0.3
    broken = replace(whole, scan=np.where(holes[..., None], np.float32(np.nan), whole.scan), has_holes=True)
    weighted = replace(whole, scan_weights=(~holes).astype(np.float32))
    assert_equal_weights(everything_fitted(make_model, weighted), everything_fitted(make_model, broken))


def test_a_vertex_is_fitted_to_the_frames_that_show_it(make_model, make_tube_sequence):
    """What is learned of a vertex is what a regression learns of its own frames alone, each as often as its weight says."""
    model, sequence = make_model(num_condition_frames=3), make_tube_sequence(60)
    weights = np.random.default_rng(0).choice([0, 0.5, 1], (60, 72)).astype(np.float32)
    sequence = replace(sequence, scan_weights=weights)
    windows = all_windows([sequence], 3)
    choice = fit_linear_part(model, windows, CPU)
    parts = [
        torch.cat(each) for each in list(zip(*read_features(model, windows, np.arange(60), CPU), strict=True))[1:4]
    ]
    features, targets, found = parts
    np.testing.assert_array_equal(found, weights)
    assert choice.groups
    assert features.isfinite().all()
    for vertex in (0, 30, 71):
        twice = np.repeat(np.arange(60), (2 * weights[:, vertex]).astype(int))
        own = targets[twice, vertex]
        torch.testing.assert_close(model.linear.mean[vertex], own.mean(dim=0), rtol=1e-4, atol=1e-7)
    longest = torch.where(found > 0, torch.linalg.vector_norm(targets, dim=2), 0).amax(dim=0)
    torch.testing.assert_close(model.longest, longest)


def test_no_number_reaches_a_fit_from_what_is_not_observed(make_model, make_tube_sequence):
    """A wandering hole of a third of the vertices, and some that no scan shows: the fit is hardly worse, and follows there."""
    whole, test = make_tube_sequence(120), make_tube_sequence(40, seed=3)
    scan = whole.scan.copy()
    for frame in range(120):
        scan[frame, (np.arange(24) + frame) % 72] = np.nan
    scan[:, [20, 21, 40]] = np.nan
    errors = []
    for sequence in (whole, replace(whole, scan=scan, has_holes=True)):
        model = make_model(num_condition_frames=3)
        fit_linear_part(model, all_windows([sequence], 3), CPU)
        for name, value in model.state_dict().items():
            assert not torch.is_tensor(value) or not value.is_floating_point() or value.isfinite().all(), name
        errors.append(mean_errors(model, all_windows([test], 3), CPU)[1])
    assert errors[1] < 2 * errors[0]
