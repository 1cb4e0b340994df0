import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation
from tube import tube_frames

from utils.predicting.metrics import (
    Errors,
    ErrorSummary,
    MeshErrors,
    acceleration_errors,
    dihedral_angles,
    dihedral_errors,
    edge_faces,
    error_table,
    largest_known,
    mean_of_known,
    summarise_errors,
    vertex_errors,
)


def test_errors_are_distances():
    scan = np.zeros((2, 3, 3))
    predicted = scan + [3.0, 4.0, 0.0]
    np.testing.assert_array_equal(vertex_errors(predicted, scan), np.full((2, 3), 5.0))


def test_a_turned_mesh_has_its_normals_off_by_the_angle(tube_surface):
    scan = tube_frames(2).astype(np.float32)
    turn = Rotation.from_rotvec([np.radians(30), 0, 0]).as_matrix()
    errors = MeshErrors(tube_surface, 1000.0)(scan, (scan @ turn.T).astype(np.float32))
    normals = errors["normal error (degrees)"]
    assert normals.max() == pytest.approx(30, abs=1e-3)
    assert normals.min() < 25  # normals along the axis turn less


def test_a_shifted_mesh_has_no_laplacian_error(tube_surface):
    scan = tube_frames(2).astype(np.float32)
    errors = MeshErrors(tube_surface, 10.0)(scan + np.float32(0.25), scan)
    np.testing.assert_allclose(errors["vertex error (mm)"], 10 * 0.25 * np.sqrt(3), rtol=1e-5)
    np.testing.assert_allclose(errors["Laplacian error (mm)"], 0, atol=1e-5)
    np.testing.assert_allclose(errors["normal error (degrees)"], 0, atol=1e-3)


def test_one_vertex_moved_against_a_naive_laplacian(tube_surface):
    scan = tube_frames(1).astype(np.float32)
    moved = scan.copy()
    moved[0, 20] += [0, 0, 0.1]
    neighbours = [set() for _ in range(scan.shape[1])]
    for face in tube_surface.faces.tolist():
        for vertex in face:
            neighbours[vertex] |= set(face) - {vertex}
    expected = [0.1 if v == 20 else 0.1 / len(near) if 20 in near else 0 for v, near in enumerate(neighbours)]
    errors = MeshErrors(tube_surface, 1.0)(moved, scan)["Laplacian error (mm)"]
    np.testing.assert_allclose(errors[0], expected, atol=1e-6)


def test_summary():
    assert summarise_errors(np.arange(101.0)) == ErrorSummary(mean=50.0, percentile_95=95.0, maximum=100.0)


def test_errors_are_weighted_and_holes_are_not_counted():
    errors = np.array([[1.0, 2.0, np.nan, 9.0], [np.nan, np.nan, np.nan, np.nan]])
    weights = np.array([[1, 0.5, 0, 0.5], [0, 0, 0, 0]])
    np.testing.assert_array_equal(mean_of_known(errors), [4, np.nan])
    np.testing.assert_array_equal(mean_of_known(errors, weights), [3.25, np.nan])
    np.testing.assert_array_equal(mean_of_known(errors, axis=0), [1, 2, np.nan, 9])
    np.testing.assert_array_equal(largest_known(errors), [9, np.nan])
    summary = summarise_errors(errors, weights)
    assert (summary.mean, summary.percentile_95, summary.maximum) == (3.25, 9, 9)
    random = np.random.default_rng(0)
    values, times = random.random(1000), random.integers(1, 5, 1000)
    repeated, weighted = summarise_errors(np.repeat(values, times)), summarise_errors(values, times / 4)
    assert weighted.mean == pytest.approx(repeated.mean)
    assert weighted.percentile_95 == pytest.approx(repeated.percentile_95, abs=0.01)


def test_table_lines_up():
    before, after = np.full((60, 4), 2.0), np.full((60, 4), 0.5)
    head, row = error_table(Errors({"vertex error (mm)": (before, after)})).splitlines()
    assert len(head) == len(row)
    assert "2.00 →   0.50" in row
    assert row.endswith("25.0%")


def test_a_steady_drift_has_no_acceleration_error_and_a_jolt_has():
    scan = tube_frames(5)
    drift = scan + np.arange(5)[:, None, None] * 0.1
    np.testing.assert_allclose(acceleration_errors(drift, scan), 0, atol=1e-12)
    jolted = scan.copy()
    jolted[2, 7, 1] += 0.5
    np.testing.assert_allclose(acceleration_errors(jolted, scan)[:, 7], [0.5, 1.0, 0.5])


def test_dihedral_angles_of_a_cube_and_of_a_hinge():
    cube = trimesh.creation.box()
    angles = dihedral_angles(np.array(cube.vertices), np.array(cube.faces), edge_faces(cube.faces))
    assert len(angles) == 18  # 12 edges, 6 diagonals
    np.testing.assert_allclose(np.sort(angles), [0] * 6 + [np.pi / 2] * 12, atol=1e-9)
    flat = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]])
    faces = np.array([[0, 1, 2], [2, 1, 3]])
    down = flat.copy()
    down[3, 2] = -1
    np.testing.assert_allclose(dihedral_errors(down, flat, faces), np.degrees(np.arctan(np.sqrt(2))), atol=1e-6)
    np.testing.assert_allclose(dihedral_errors(flat + 3, flat, faces), 0, atol=1e-6)


def test_edges_with_a_face_on_each_side():
    assert edge_faces(np.array([[0, 1, 2]])).shape == (0, 4)
    ((left, right, first, second),) = edge_faces(np.array([[0, 1, 2], [2, 1, 3]]))
    assert (left, right, first, second) == (0, 1, 1, 2)
