"""Principal shapes: recovered where there are but a few, least squares where there are more; as targets; the skin undone."""

import numpy as np
import pytest

from utils.predicting.principal_shapes import before_the_skin, principal_shapes

RANDOM = np.random.default_rng(0)


def made_of(found):
    return found.mean + np.tensordot(found.weights, found.shapes, axes=1)


def test_corrections_of_two_shapes_are_two_shapes():
    true, weights = RANDOM.normal(size=(2, 50, 3)), RANDOM.normal(size=(12, 2)) * [2, 1] + [2, 0]
    corrections = np.tensordot(weights, true, axes=1).astype(np.float32)
    found = principal_shapes(corrections, 10)
    assert found.shapes.shape == (2, 50, 3)
    np.testing.assert_allclose(made_of(found), corrections, atol=1e-4)
    np.testing.assert_allclose((found.weights**2).mean(axis=0), 1, rtol=1e-6)
    assert np.linalg.norm(found.shapes[0]) > np.linalg.norm(found.shapes[1])


@pytest.mark.parametrize("count", [0, 1, 3, 7])
def test_fewer_shapes_leave_what_a_singular_value_decomposition_leaves(count):
    corrections = (RANDOM.normal(size=(9, 40, 3)) + 1).astype(np.float32)
    found = principal_shapes(corrections, count)
    singular = np.linalg.svd((corrections - corrections.mean(axis=0)).reshape(9, -1), compute_uv=False)
    np.testing.assert_allclose(np.sum((corrections - made_of(found)) ** 2), np.sum(singular[count:] ** 2), rtol=1e-4)


@pytest.mark.parametrize("count", [0, 3])
def test_as_targets_the_same_has_weights_between_0_and_1(count):
    found = principal_shapes(RANDOM.normal(size=(9, 40, 3)).astype(np.float32), count)
    targets, weights = found.as_targets()
    assert targets.shape == (count + 1, 40, 3)
    np.testing.assert_allclose(np.tensordot(weights, targets, axes=1), made_of(found), atol=1e-5)
    assert (weights[:, 0] == 1).all()
    np.testing.assert_array_equal(weights[:, 1:].min(axis=0), np.zeros(count))
    np.testing.assert_array_equal(weights[:, 1:].max(axis=0), np.ones(count))


def test_what_is_the_same_in_all_frames_is_no_shape():
    found = principal_shapes(np.ones((5, 10, 3), np.float32), 4)
    assert found.shapes.shape == (0, 10, 3)
    np.testing.assert_array_equal(found.mean, np.ones((10, 3)))


def test_the_skin_is_undone_where_it_can_be():
    matrices = 0.3 * RANDOM.normal(size=(20, 3, 4)) + 2 * np.eye(3, 4)
    bound = RANDOM.normal(size=(20, 3))
    np.testing.assert_allclose(before_the_skin(matrices, np.einsum("vab,vb->va", matrices[..., :3], bound)), bound)
    squeezed = np.diag([1.0, 1.0, 1e-4])[None, :, :]
    flat = np.concatenate([squeezed, np.zeros((1, 3, 1))], axis=2)
    np.testing.assert_allclose(before_the_skin(flat, np.array([[1.0, 2.0, 3.0]])), [[1, 2, 0]])  # not 30,000
