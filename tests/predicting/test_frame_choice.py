"""Chosen frames, against what can be worked out by hand."""

import numpy as np
import pytest
import torch
from tube import filled, tube_surface_with_joints, untrained_model

from data.input_error import InputError
from data.sequences.mesh_windows import all_windows
from utils.fitting.linear_fit import fit_linear_part
from utils.predicting.frame_choice import Design, choose_runs, design_of_model, design_of_motion, runs_of

CPU = torch.device("cpu")


def uncertainty(seen, weights, chosen):
    """tr(S (1 + Σ z zᵀ)⁻¹), by inverting."""
    total = 0.0
    for rows, weight in zip(seen.double().numpy(), weights.tolist(), strict=True):
        known = np.eye(rows.shape[1]) + rows[chosen].T @ rows[chosen]
        total += weight * np.trace(rows.T @ rows @ np.linalg.inv(known))
    return total


@pytest.mark.parametrize("length", [1, 3])
def test_each_run_is_the_best_given_those_before(length):
    torch.manual_seed(0)
    seen, weights = torch.randn(4, 24, 5), torch.tensor([1.0, 0.1, 2.0, 0.5])
    runs = np.arange(0, 25 - length)[:, None] + np.arange(length)
    found = list(choose_runs(Design(seen, weights), runs, 4))
    whole, chosen, shares = uncertainty(seen, weights, []), [], set()
    for best, left in found:
        share = runs[:, length // 2] * 4 // 24
        overlaps = np.isin(runs, chosen).any(axis=1)
        allowed = [run for run in range(len(runs)) if share[run] not in shares and not overlaps[run]]
        after = {run: uncertainty(seen, weights, [*chosen, *runs[run]]) for run in allowed}
        assert best == min(after, key=after.get)
        assert left == pytest.approx(after[best] / whole)
        chosen += runs[best].tolist()
        shares.add(int(share[best]))
    assert len(set(chosen)) == 4 * length


def test_no_frame_twice_and_none_but_those_there_are():
    design = Design(torch.randn(2, 6, 3), torch.ones(2))
    assert sorted(run for run, _ in choose_runs(design, np.arange(6)[:, None], 9)) == list(range(6))
    assert [run for run, _ in choose_runs(design, np.array([[0, 1, 2], [1, 2, 3]]), 2)] in ([0], [1])


def test_what_is_seen_again_and_again_is_scanned_once():
    """A pose that all frames but one show, and another."""
    seen = torch.zeros(1, 20, 2)
    seen[:, :, 0] = 3
    seen[:, 13] = torch.tensor([0.0, 3.0])
    first, second = choose_runs(Design(seen, torch.ones(1)), np.arange(20)[:, None], 2)
    assert (first[0] < 10, second[0]) == (True, 13)
    assert second[1] == pytest.approx(1 / 10)  # of 9 in each frame, 9 / (1 + 9)


def test_runs_stay_within_a_sequence(make_tube_sequence):
    windows = all_windows([make_tube_sequence(9), make_tube_sequence(4), make_tube_sequence(8)], 3)
    runs = runs_of(windows, 8)
    assert runs[:, 0].tolist() == [0, 13]
    assert (np.diff(runs, axis=1) == 1).all()
    assert len(runs_of(windows, 1)) == 21
    with pytest.raises(
        InputError, match="--run_length: found 10, expected at most 9, as many frames as a sequence has"
    ):
        runs_of(windows, 10)


def test_a_model_is_as_uncertain_as_its_leverage_says(make_model, make_tube_sequence):
    model, windows = make_model(num_condition_frames=3), all_windows([make_tube_sequence(40)], 3)
    fit_linear_part(model, windows, CPU)
    design = design_of_model(model, windows, CPU, 40)
    others = all_windows([make_tube_sequence(30, seed=1)], 3)
    new = design_of_model(model, others, CPU, 40)
    # of the frames that it was fitted to, all together are as uncertain as there are parameters
    freedom = design.seen.square().sum(dim=(1, 2))
    torch.testing.assert_close(freedom, 1 / model.leverage.least, rtol=1e-3, atol=0)
    assert (new.seen.square().sum(dim=2).mean() > design.seen.square().sum(dim=2).mean()).item()
    torch.testing.assert_close(design.weights, model.leverage.residual[model.surface.anchors].square())


def test_units_and_place_do_not_matter_to_motion(make_model, make_tube_sequence):
    model, sequence = make_model(num_condition_frames=3), make_tube_sequence(30)
    found = design_of_motion(model, all_windows([sequence], 3), CPU, 5).seen
    sequence.skinned = sequence.skinned + np.float32([0, 0, 2])
    torch.testing.assert_close(
        design_of_motion(model, all_windows([sequence], 3), CPU, 5).seen, found, atol=2e-2, rtol=1e-3
    )


def test_what_cannot_be_chosen_for(make_model, make_tube_sequence):
    windows = all_windows([make_tube_sequence(9)], 3)
    with pytest.raises(InputError, match="found a model in world coordinates"):
        design_of_model(make_model(coordinates="world", num_condition_frames=3), windows, CPU, 9)
    model = filled(untrained_model(tube_surface_with_joints(5), num_condition_frames=3, num_joints=5))
    with pytest.raises(InputError, match="--joint_files_dir: found none, expected one per source"):
        design_of_model(model, windows, CPU, 9)
