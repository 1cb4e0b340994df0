import numpy as np
import pytest
import torch

from utils.fitting import ridge_regression
from utils.fitting.ridge_regression import PENALTY_OF_SHARES, solve, spread_of_targets, squares


@pytest.fixture
def vertex():
    """Features (T, 6) and targets (T, 3) of one vertex, and their moments."""
    random = np.random.default_rng(0)
    x, y = random.normal(size=(40, 6)), 2 + random.normal(size=(40, 3))
    rows = np.concatenate([x, np.ones((40, 1)), y], axis=1)
    return x, y, torch.from_numpy(rows.T @ rows)[None]


def test_a_vertex_against_the_normal_equations(vertex):
    x, y, moments = vertex
    mean, coefficients, rows = solve(moments, [0, 2, 3], penalty=0.1)
    assert rows == [0, 2, 3, 6]
    np.testing.assert_allclose(mean[0], y.mean(axis=0))
    seen = np.concatenate([x[:, [0, 2, 3]], np.ones((40, 1))], axis=1)
    ridge = 40 * np.diag([0.1, 0.1, 0.1, 0])
    expected = np.linalg.solve(seen.T @ seen + ridge, seen.T @ y)
    expected[-1] -= y.mean(axis=0)
    np.testing.assert_allclose(coefficients[0], expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose((seen @ expected).mean(axis=0), 0, atol=1e-5)  # what is added is zero on average


def test_towards_shares_of_vectors_against_least_squares_of_everything_at_once(vertex):
    """All coefficients and the two vectors' shares as unknowns of one system, penalties as rows of it."""
    x, y, moments = vertex
    penalty = 0.3
    _, coefficients, rows = solve(moments, list(range(6)), penalty, vectors=[0, 3])
    assert rows == list(range(7))
    places = np.arange(21).reshape(7, 3)  # of the coefficients among the unknowns, then the shares
    design, right = np.zeros((120 + 18 + 2, 23)), np.zeros(140)
    for axis in range(3):
        design[40 * axis : 40 * (axis + 1), places[:6, axis]] = x
        design[40 * axis : 40 * (axis + 1), places[6, axis]] = 1
        right[40 * axis : 40 * (axis + 1)] = y[:, axis]
    drawn = np.sqrt(40 * penalty)
    for row, place in enumerate(places[:6].ravel(), 120):
        design[row, place] = drawn
    for vector, first in enumerate([0, 3]):
        for axis in range(3):
            design[120 + 3 * (first + axis) + axis, 21 + vector] = -drawn
        design[138 + vector, 21 + vector] = np.sqrt(40 * PENALTY_OF_SHARES)
    expected = np.linalg.lstsq(design, right, rcond=None)[0][:21].reshape(7, 3)
    expected[-1] -= y.mean(axis=0)
    np.testing.assert_allclose(coefficients[0], expected, rtol=1e-4, atol=1e-5)


def test_a_share_of_a_vector_costs_nothing():
    random = np.random.default_rng(0)
    x = random.normal(size=(40, 3))
    rows = torch.from_numpy(np.concatenate([x, np.ones((40, 1)), 0.7 * x], axis=1))
    _, coefficients, _ = solve((rows.T @ rows)[None], [0, 1, 2], penalty=100.0, vectors=[0])
    np.testing.assert_allclose(coefficients[0, :3], 0.7 * np.eye(3), atol=1e-3)


def test_without_columns_there_is_the_mean_alone(vertex):
    _, y, moments = vertex
    mean, coefficients, rows = solve(moments, [], penalty=10.0)
    assert rows == [6]
    assert not mean.any()
    np.testing.assert_allclose(coefficients[0], y.mean(axis=0, keepdims=True), rtol=1e-4)


@pytest.mark.parametrize("columns", [[], [1, 4]])
def test_squares_against_the_frames_themselves(vertex, columns):
    x, y, moments = vertex
    mean, coefficients, rows = solve(moments, columns, penalty=0.5)
    seen = np.concatenate([x[:, columns], np.ones((40, 1))], axis=1)
    rest, change = y - mean[0].numpy(), seen @ coefficients[0].numpy()
    expected = [(y * y).sum(), (rest * rest).sum(), (rest * change).sum(), (change * change).sum()]
    np.testing.assert_allclose(squares(moments, mean, coefficients, rows)[0], expected, rtol=1e-8)


def test_spread_of_targets(vertex):
    _, y, moments = vertex
    expected = np.sqrt(((y - y.mean(axis=0)) ** 2).sum(axis=1).mean())
    np.testing.assert_allclose(spread_of_targets(moments), [expected], rtol=1e-5)


def test_motion_that_dwarfs_the_penalty_is_solved_all_the_same():
    random = np.random.default_rng(0)
    x = 1e4 * random.normal(size=(40, 1)) @ np.ones((1, 30)) + 1e-3 * random.normal(size=(40, 30))
    rows = torch.from_numpy(np.concatenate([x, np.ones((40, 1)), 3 * x[:, :3]], axis=1)).float()
    mean, coefficients, _ = solve((rows.T @ rows).double()[None], list(range(30)), penalty=3e-4)
    predicted = mean + rows[:, :31].double() @ coefficients[0].double()
    np.testing.assert_allclose(predicted, rows[:, 31:], rtol=0.01, atol=1)


@pytest.mark.parametrize(
    ("columns", "vectors"), [([], []), ([0, 1, 2, 5], []), (list(range(9)), [0, 6]), ([3, 4, 5], [3])]
)
def test_compiled_loops_find_what_torch_does(monkeypatch, columns, vectors):
    rows = torch.randn(50, 30, 9 + 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    rows[..., 9] = 1
    moments = torch.einsum("tvd,tve->vde", rows, rows)
    found = solve(moments, columns, 0.03, vectors)
    sums = squares(moments, *found)
    monkeypatch.setattr(ridge_regression, "has_loops", lambda moments: False)
    expected = solve(moments, columns, 0.03, vectors)
    for one, other in zip(found[:2], expected[:2], strict=True):
        torch.testing.assert_close(one, other, atol=1e-10, rtol=1e-9)
    torch.testing.assert_close(sums, squares(moments, *expected), atol=1e-9, rtol=1e-9)
