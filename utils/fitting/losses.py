"""What training minimises: losses by name. Lengths are in units of `model.target_scale`, so that the files' units do not
matter."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from models.mesh_autoencoder import MeshAutoencoder
from models.uniform_laplacian import laplacian_coordinates, uniform_laplacian
from utils.predicting.model_inputs import Samples


def mean_distance(
    predicted: Float[Tensor, "*B 3"], target: Float[Tensor, "*B 3"], trust: Float[Tensor, "*B"] | None = None
) -> Float[Tensor, ""]:
    """Return the mean L2 distance between points, in the inputs' units, which should be scaled to about one; weighted by how
    far the targets are trusted, where that is given.

    Not its square: a few vertices that swing far would outweigh the many. On the simulated body (3,008 vertices, 500 steps)
    the distance left 0.23 of the skinned error where the square left 0.28.
    """
    smooth = 1e-8  # so that a perfect vertex has a gradient
    return mean_trusted(((predicted - target).square().sum(dim=-1) + smooth).sqrt(), trust)


def mean_trusted(lengths: Float[Tensor, "*B"], trust: Float[Tensor, "*B"] | None) -> Float[Tensor, ""]:
    """Return the mean of lengths, weighted by how far each is trusted; plain where that is not given, zero where none is."""
    return lengths.mean() if trust is None else (trust * lengths).sum() / trust.sum().clamp_min(1e-6)


def mesh_laplacian_smoothing(vertices: Float[Tensor, "B V 3"], faces: Int[Tensor, "F 3"]) -> Float[Tensor, ""]:
    """Return the mean over the batch of the mean over vertices of |mean of neighbours − vertex|, in the vertices' units.

    Uniform weights, as in Desbrun et al. 1999, "Implicit fairing of irregular meshes using diffusion and curvature flow".
    """
    coordinates = laplacian_coordinates(vertices, uniform_laplacian(faces, vertices.shape[1]))
    return torch.linalg.vector_norm(coordinates, dim=-1).mean()


def reconstruction(model: MeshAutoencoder, samples: Samples) -> dict[str, Tensor]:
    """Return the vertex error of any samples as the one loss, `reconstruction`."""
    predicted = model(samples.features.flatten(0, -2), samples.vertex.flatten())
    targets = samples.targets.flatten(0, -2)
    trust = None if samples.trust is None else samples.trust.flatten()
    return {"reconstruction": mean_distance(predicted / model.target_scale, targets / model.target_scale, trust)}


def smooth_reconstruction(
    model: MeshAutoencoder,
    samples: Samples,
    laplacian: Float[Tensor, "V V"],
    smoothing_of: str,
    smoothing_weight: float,
) -> dict[str, Tensor]:
    """Return the vertex error of whole meshes, and beside it `smoothing`: the mean length of Laplacian coordinates, weighted.

    `smoothing_of` says whose Laplacian coordinates: those of the predicted `surface`, which pulls towards a shrunken,
    featureless body; of its `correction`, which leaves the skinned mesh's own features alone; or of its difference to the
    `scan`, which asks for the scan's features, where these are trusted and their neighbours are observed.
    """
    if samples.skinned is None or samples.frames is None or samples.linear is None:
        raise ValueError("smoothing needs whole meshes, found shuffled vertices")
    coordinates = model.coordinates
    answer = model(samples.features.flatten(0, 1), samples.vertex.flatten()).view_as(samples.targets)
    # as in predictions; shuffled vertices are trained without
    answer = coordinates.smoothed(answer, samples.frames)
    predicted, scan = (
        coordinates.to_points(samples.linear + part, samples.skinned, samples.frames)
        for part in (answer, samples.targets)
    )
    smoothed = {
        "surface": lambda: predicted,
        "correction": lambda: predicted - samples.skinned,
        "scan": lambda: predicted - scan,
    }[smoothing_of]()
    lengths = torch.linalg.vector_norm(laplacian_coordinates(smoothed, laplacian), dim=-1)
    trust, of_lengths = samples.trust, None
    if trust is not None and smoothing_of == "scan":
        unobserved = (trust == 0).to(trust).unsqueeze(2).expand(-1, -1, 3)
        of_lengths = trust * (laplacian_coordinates(unobserved, laplacian)[..., 0] == 0)
    return {
        "reconstruction": mean_distance(answer / model.target_scale, samples.targets / model.target_scale, trust),
        "smoothing": smoothing_weight * mean_trusted(lengths, of_lengths) / model.target_scale,
    }
