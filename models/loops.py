"""The compiled loops of `kernels` and `feature_kernels`, for tensors: what torch would write, in a fraction of its time."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from models.threads import in_ranges

if TYPE_CHECKING:
    from models.local_features import Scene
    from models.rest_surface import RestSurface


def compiles(*tensors: Tensor) -> bool:
    """Say whether compiled loops serve: for numbers in single precision on the CPU that nothing is to be derived from."""
    return not torch.compiler.is_exporting() and all(
        type(each) is Tensor and each.is_cpu and each.dtype == torch.float32 and not each.requires_grad
        for each in tensors
    )


def arrays(*tensors: Tensor) -> tuple[ndarray, ...]:
    """Return tensors as arrays without gaps: for any others, everything would be compiled anew."""
    return tuple(each.contiguous().numpy() for each in tensors)


class CornersAround(NamedTuple):
    """The other two corners (_, 2) of the faces around each vertex v, in order: `corners[starts[v]:starts[v + 1]]`."""

    starts: Int[ndarray, " _"]
    corners: Int[ndarray, "_ 2"]

    @classmethod
    def of(cls, faces: Int[Tensor, "F 3"], num_vertices: int) -> "CornersAround":
        """Return those of a mesh."""
        three = faces.numpy()
        corner = np.concatenate([three[:, place] for place in range(3)])
        others = np.concatenate([three[:, [1, 2]], three[:, [2, 0]], three[:, [0, 1]]])
        order = np.argsort(corner, kind="stable")
        return cls(np.searchsorted(corner[order], np.arange(num_vertices + 1)), np.ascontiguousarray(others[order]))


def surface_frames(
    vertices: Float[Tensor, "B V 3"], around: CornersAround, tangent_ends: Int[Tensor, " V"]
) -> Float[Tensor, "B V 3 3"]:
    """Return what `models.surface_frames.surface_frames` does."""
    from models import kernels

    frames = vertices.new_empty(*vertices.shape, 3)
    given = (*arrays(vertices), *around, *arrays(tangent_ends))
    in_ranges(kernels.surface_frames, vertices.shape[:2].numel(), *given, frames.numpy())
    return frames


def scenes_and_rest(
    surface: "RestSurface", scene: "Scene", rounding: float
) -> tuple[tuple[ndarray, ...], tuple[Any, ...]]:
    """Return what `feature_kernels.look` looks at, in all meshes, and what it compares that with: vectors and matrices as rows,
    and indices without a sign, which would be looked at every time."""
    flat = (each.flatten(2) if each.dim() > 3 and number else each for number, each in enumerate(scene))
    near, offsets = surface.nearest_joints, surface.joint_offsets
    if not scene.joints.shape[1]:
        near, offsets = near[:, :0], offsets[:, :0]
    places, itself = arrays(surface.places_of_anchors, surface.turns_with_itself)
    compared = arrays(surface.anchor_offsets.flatten(1), surface.frames.flatten(1))
    of_joints = near.contiguous().numpy().view(np.uint64), *arrays(offsets.flatten(1))
    return arrays(*flat), (places.view(np.uint64), itself, *compared, *of_joints, np.float32(rounding))


def features(
    surface: "RestSurface", scene: "Scene", rounding: float, vertices: Int[Tensor, " Q"] | None = None
) -> Float[Tensor, "B Q C"]:
    """Return what some vertices see, or all of them, as `LocalFeatures.seen` does."""
    from models import feature_kernels

    vertices = torch.arange(len(surface.vertices)) if vertices is None else vertices
    vectors = scene.window.shape[1] + surface.places_of_anchors.shape[1] + surface.turning_anchors.shape[1]
    vectors += scene.states.shape[2]
    if scene.joints.shape[1]:
        vectors += surface.nearest_joints.shape[1] * (1 + scene.moving.shape[2])
    seen = scene.window.new_empty(len(scene.window), len(vertices), 3 * vectors)
    given = (*scenes_and_rest(surface, scene, rounding), vertices.numpy().view(np.uint64), seen.numpy())
    in_ranges(feature_kernels.features, len(vertices), *given)
    return seen


def linear_part(
    surface: "RestSurface",
    scene: "Scene",
    rounding: float,
    coefficients: Float[Tensor, "V C 3"],
    constant: Float[Tensor, "V 3"],
) -> Float[Tensor, "B V 3"]:
    """Return the linear part's answer to what all vertices see, in world axes."""
    from models import feature_kernels

    change = scene.window.new_empty(scene.frames.shape[:3])
    vertices = np.arange(len(constant), dtype=np.uint64)
    own = (*arrays(coefficients.transpose(1, 2), constant), change.numpy())
    in_ranges(feature_kernels.linear_part, len(constant), *scenes_and_rest(surface, scene, rounding), vertices, *own)
    return change


def add_from_controls(
    change: Float[Tensor, "B V 3"],
    network: Float[Tensor, "B Q 3"],
    controls: Int[Tensor, "V K"],
    weights: Float[Tensor, "V K"],
) -> Float[Tensor, "B V 3"]:
    """Return changes with what is known at the controls added, interpolated; changes without gaps are overwritten."""
    from models import kernels

    change = change.contiguous()
    in_ranges(kernels.add_from_controls, change.shape[:2].numel(), *arrays(change, network, controls, weights))
    return change


def conclude(
    change: Float[Tensor, "B V 3"],
    frames: Float[Tensor, "B V 3 3"],
    skinned: Float[Tensor, "B V 3"],
    trust: tuple[Tensor, ...],
    by_anchor: tuple[Float[Tensor, "B A"], Float[Tensor, "B A"]],
    of_frame: Float[Tensor, " B"],
    longest: Float[Tensor, " V"],
    numbers: tuple[float, ...],
) -> tuple[Float[Tensor, "B V 3"], Float[Tensor, "B V"]]:
    """Return the points and errors to expect that `kernels.conclude` writes."""
    from models import kernels

    points, expected = change.new_empty(change.shape), change.new_empty(change.shape[:2])
    single = tuple(np.float32(each) for each in numbers)
    given = (*arrays(change, frames, skinned), arrays(*trust), *arrays(*by_anchor, of_frame, longest), single)
    in_ranges(kernels.conclude, change.shape[:2].numel(), *given, points.numpy(), expected.numpy())
    return points, expected
