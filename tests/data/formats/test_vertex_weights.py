import numpy as np
import pytest
import trimesh
from tube import tube_frames, tube_triangles

from data.formats.vertex_weights import read_strengths, read_weights
from data.input_error import InputError


def random_weights(*shape):
    return np.random.default_rng(0).uniform(0, 1, shape).astype(np.float32)


def test_of_each_vertex_or_of_each_frame_and_vertex(tmp_path):
    np.save(tmp_path / "one.npy", random_weights(72))
    np.save(tmp_path / "all.npy", random_weights(5, 72).astype(np.float64))
    np.save(tmp_path / "mask.npy", random_weights(72) > 0.5)
    np.savez(tmp_path / "all.npz", weights=random_weights(3, 72), frame_numbers=[4, 6, 9], other=random_weights(8))
    np.savez(tmp_path / "one.npz", trust=random_weights(72))
    for name, weights, numbers in (
        ("one.npy", random_weights(1, 72), None),
        ("all.npy", random_weights(5, 72), None),
        ("mask.npy", random_weights(1, 72) > 0.5, None),
        ("all.npz", random_weights(3, 72), [4, 6, 9]),
        ("one.npz", random_weights(1, 72), None),
    ):
        found = read_weights(tmp_path / name)
        np.testing.assert_array_equal(found[0], weights)
        assert (None if found[1] is None else found[1].tolist()) == numbers


@pytest.mark.parametrize("encoding", ["binary", "ascii"])
def test_painted_as_the_alpha_of_vertex_colours(tmp_path, encoding):
    painted = np.random.default_rng(0).integers(0, 256, (72, 4)).astype(np.uint8)
    mesh = trimesh.Trimesh(tube_frames(1)[0], tube_triangles(), vertex_colors=painted, process=False)
    (tmp_path / "mask.ply").write_bytes(trimesh.exchange.ply.export_ply(mesh, encoding=encoding))
    weights, numbers = read_weights(tmp_path / "mask.ply")
    np.testing.assert_allclose(weights, painted[None, :, 3] / 255, atol=1e-7)
    assert numbers is None


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.npy", np.full(72, 1.5), "the weight of vertex 0 is 1.5, expected 0 to 1"),
        ("a.npy", np.stack([np.zeros(4), [0, 1, np.nan, 0]]), "the weight of vertex 2 of frame 1 is nan, expected 0 to 1"),
        ("a.npy", np.zeros((2, 3, 4)), r"shape \(2, 3, 4\) \(float64\), expected weights \(V,\) or \(T, V\)"),
        ("a.npz", {"a": np.zeros(4), "b": np.zeros(4)}, r"found a \(4,\), b \(4,\), expected one array of weights"),
        ("a.npz", {"a": np.zeros((2, 4)), "frame_numbers": [1, 2, 3]}, "3 numbers of frames, expected 2, one per row"),
        ("a.npy", b"\x93NUMPY\1\0\0\0", "not a whole array of numbers"),
        ("a.ply", b"ply\nformat ascii", "not a whole PLY file"),
        ("a.png", b"\x89PNG", r"found a file of unknown kind, expected a number for each vertex: one of \.npy, \.npz, \.ply"),
        ("none.npy", None, "found no such file, expected a number for each"),
        ("a.npz", {"weights": np.ones((3, 4)), "frame_numbers": [1, 1, 2]}, "numbers of frames that are there twice"),
    ],
)  # fmt: skip
def test_files_that_are_none(tmp_path, name, content, message):
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, dict):
        np.savez(path, **content)
    elif content is not None:
        np.save(path, content)
    with pytest.raises(InputError, match=f"{name}: .*{message}"):
        read_weights(path)


def test_colours_without_alpha(tmp_path):
    mesh = trimesh.Trimesh(tube_frames(1)[0], tube_triangles(), process=False)
    (tmp_path / "plain.ply").write_bytes(trimesh.exchange.ply.export_ply(mesh, vertex_normal=False))
    with pytest.raises(InputError, match=r"plain\.ply: its vertices have x, y, z, expected alpha, of their colours"):
        read_weights(tmp_path / "plain.ply")


def test_strengths_may_be_more_than_one(tmp_path):
    np.save(tmp_path / "belly.npy", 3 * random_weights(72))
    np.testing.assert_array_equal(read_strengths(tmp_path / "belly.npy", 72), 3 * random_weights(72))
    painted = np.random.default_rng(0).integers(0, 256, (72, 3)).astype(np.uint8)
    mesh = trimesh.Trimesh(tube_frames(1)[0], tube_triangles(), vertex_colors=painted, process=False)
    (tmp_path / "painted.ply").write_bytes(trimesh.exchange.ply.export_ply(mesh))
    np.testing.assert_allclose(read_strengths(tmp_path / "painted.ply", 72), painted.mean(axis=1) / 255, atol=1e-6)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.ones(71), "found strengths of 71 vertices, expected one for each of 72 vertices"),
        (np.ones((3, 72)), "found strengths of 3 frames, expected one for each of 72 vertices"),
        (np.full(72, -0.5), "the strength of vertex 0 is -0.5, expected 0 or more"),
        (np.append(np.ones(71), np.inf), "the strength of vertex 71 is inf, expected 0 or more"),
    ],
)
def test_strengths_that_are_none(tmp_path, values, message):
    np.save(tmp_path / "a.npy", values)
    with pytest.raises(InputError, match=rf"a\.npy: {message}"):
        read_strengths(tmp_path / "a.npy", 72)
