import numpy as np
import pytest
import torch

from utils.ridge_regression import solve, spread_of_targets, squares


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
