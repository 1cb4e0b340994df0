from dataclasses import replace

import pytest
import torch
from tube import tube_frames, tube_scans, tube_triangles

from models.mesh_autoencoder import change_of
from models.uniform_laplacian import uniform_laplacian
from utils.fitting.losses import mean_distance, mesh_laplacian_smoothing, reconstruction, smooth_reconstruction
from utils.predicting.model_inputs import Samples

FACES = torch.from_numpy(tube_triangles())


def neighbours_of(faces, num_vertices):
    neighbours = [set() for _ in range(num_vertices)]
    for face in faces.tolist():
        for vertex in face:
            neighbours[vertex] |= set(face) - {vertex}
    return neighbours


def naive_smoothing(vertices, faces):
    lengths = []
    for mesh in vertices:
        for vertex, near in enumerate(neighbours_of(faces, len(mesh))):
            lengths.append(torch.linalg.vector_norm(mesh[sorted(near)].mean(dim=0) - mesh[vertex]))
    return torch.stack(lengths).mean()


def test_mean_distance_against_a_naive_loop():
    predicted, target = torch.randn(2, 5, 3, dtype=torch.float64), torch.randn(2, 5, 3, dtype=torch.float64)
    distances = [torch.dist(p, t) for p, t in zip(predicted.view(-1, 3), target.view(-1, 3), strict=True)]
    torch.testing.assert_close(mean_distance(predicted, target), torch.stack(distances).mean())


def test_mean_distance_weighted_by_trust():
    predicted, target, trust = torch.randn(4, 5, 3), torch.randn(4, 5, 3), torch.rand(4, 5)
    trust[0] = 0
    distances = torch.linalg.vector_norm(predicted - target, dim=2)
    expected = sum(trust[i, j] * distances[i, j] for i in range(4) for j in range(5)) / trust.sum()
    torch.testing.assert_close(mean_distance(predicted, target, trust), expected)
    assert mean_distance(predicted, target, torch.zeros(4, 5)) == 0


def test_smoothing_passes_over_the_rims_of_holes(make_model):
    """What is not observed, and what is beside it, changes nothing of the loss on the difference to the scan."""
    model, skinned = make_model(random_output=True), torch.from_numpy(tube_frames(2)).float()
    frames = model.surface.frames_of(skinned)
    targets, linear, features = (torch.randn(2, 72, each) for each in (3, 3, len(model.feature_mean)))
    trust = torch.ones(2, 72)
    trust[0, 30] = 0
    vertex = torch.arange(72).expand(2, -1)
    laplacian = uniform_laplacian(FACES, 72)
    losses = []
    for changed in (targets, targets.index_put((torch.tensor(0), torch.tensor(30)), torch.full((3,), 9.0))):
        samples = Samples(features, changed, vertex, skinned, frames, linear, trust)
        losses.append(smooth_reconstruction(model, samples, laplacian, "scan", 1.0))
    for name in ("reconstruction", "smoothing"):
        torch.testing.assert_close(losses[0][name], losses[1][name])
    samples = replace(samples, trust=None)
    assert smooth_reconstruction(model, samples, laplacian, "scan", 1.0)["smoothing"] > losses[0]["smoothing"]


def test_a_perfect_vertex_has_a_gradient():
    predicted = torch.zeros(2, 3, requires_grad=True)
    mean_distance(predicted, torch.zeros(2, 3)).backward()
    assert torch.equal(predicted.grad, torch.zeros(2, 3))


def test_smoothing_against_a_naive_loop_with_its_gradient():
    results = []
    for smoothing in (mesh_laplacian_smoothing, naive_smoothing):
        vertices = torch.from_numpy(tube_frames(2)).requires_grad_()
        loss = smoothing(vertices, FACES)
        loss.backward()
        results.append((loss.detach(), vertices.grad))
    torch.testing.assert_close(results[0][0], results[1][0])
    torch.testing.assert_close(results[0][1], results[1][1])


def test_smoothing_of_a_regular_tetrahedron():
    corners = torch.tensor([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    faces = torch.tensor([[0, 1, 2], [0, 2, 3], [0, 3, 1], [1, 3, 2]])
    # the neighbours' mean is minus a third of the corner: 4/3 of the circumradius, the root of 3
    expected = torch.tensor(4 / 3 * 3**0.5)
    torch.testing.assert_close(mesh_laplacian_smoothing(corners.unsqueeze(0), faces), expected)


def test_a_vertex_without_neighbours_adds_nothing():
    vertices = torch.randn(1, 5, 3)
    faces = torch.tensor([[0, 1, 2]])
    expected = 3 / 5 * mesh_laplacian_smoothing(vertices[:, :3], faces)
    torch.testing.assert_close(mesh_laplacian_smoothing(vertices, faces), expected)


def test_smoothing_is_pytorch3ds():
    structures = pytest.importorskip("pytorch3d.structures")
    theirs = pytest.importorskip("pytorch3d.loss").mesh_laplacian_smoothing
    ours, other = (torch.from_numpy(tube_frames(3)).float().requires_grad_() for _ in range(2))
    loss = mesh_laplacian_smoothing(ours, FACES)
    expected = theirs(structures.Meshes(other, FACES.expand(3, -1, -1)), method="uniform")
    torch.testing.assert_close(loss, expected, atol=1e-6, rtol=0)
    loss.backward()
    expected.backward()
    torch.testing.assert_close(ours.grad, other.grad, atol=1e-6, rtol=0)


def whole_meshes(model, num_frames=3):
    window = torch.from_numpy(tube_frames(num_frames)).float().unsqueeze(1)
    scan = torch.from_numpy(tube_scans(tube_frames(num_frames))).float()
    skinned = window[:, -1]
    vertex = torch.arange(skinned.shape[1]).expand(num_frames, -1)
    features = model.features(window)
    linear = model.coordinates.answer(features, change_of(model, features), model.surface.frames_of(skinned))
    targets = model.targets(skinned, scan) - linear
    return Samples(features, targets, vertex, skinned, model.surface.frames_of(skinned), linear), window, scan


@pytest.mark.parametrize(("coordinates", "steps"), [("local", 0), ("local", 2), ("world", 0)])
def test_what_is_smoothed(make_model, coordinates, steps):
    model = make_model(random_output=True, coordinates=coordinates)
    model.target_scale.fill_(0.5)
    if coordinates == "local":
        model.linear.smoothing_steps = steps
        torch.nn.init.normal_(model.linear.mean, std=0.1)
    samples, window, scan = whole_meshes(model)
    predicted = model.predict(window)
    expected = {"surface": predicted, "correction": predicted - window[:, -1], "scan": predicted - scan}
    laplacian = uniform_laplacian(FACES, predicted.shape[1])
    for smoothing_of, points in expected.items():
        losses = smooth_reconstruction(model, samples, laplacian, smoothing_of, smoothing_weight=2.0)
        torch.testing.assert_close(losses["smoothing"], 2 * mesh_laplacian_smoothing(points, FACES) / 0.5)
        error = torch.linalg.vector_norm(predicted - scan, dim=-1).mean() / 0.5
        torch.testing.assert_close(losses["reconstruction"], error, rtol=1e-3, atol=0)
        if not steps:
            torch.testing.assert_close(reconstruction(model, samples)["reconstruction"], losses["reconstruction"])


def test_shuffled_vertices_cannot_be_smoothed(make_model):
    model = make_model()
    samples, _, _ = whole_meshes(model)
    alone = Samples(samples.features.flatten(0, 1), samples.targets.flatten(0, 1), samples.vertex.flatten())
    with pytest.raises(ValueError, match="whole meshes"):
        smooth_reconstruction(model, alone, uniform_laplacian(FACES, 72), "scan", 1.0)


def test_a_perfect_prediction_has_finite_gradients(make_model):
    model = make_model()  # answers with the skinned mesh
    samples, _, _ = whole_meshes(model)
    perfect = replace(samples, targets=0 * samples.targets)
    for smoothing_of in ("correction", "scan"):
        losses = smooth_reconstruction(model, perfect, uniform_laplacian(FACES, 72), smoothing_of, 1.0)
        sum(losses.values()).backward()
        assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)
