"""What is fixed about a surface: neighbours, anchors, nearest joints and Laplace-Beltrami eigenfunctions of its rest mesh.

The rest mesh is any frame of the skinned mesh. Neighbours, anchors and eigenfunctions depend on connectivity and on distances
along the surface, so a posed body serves as well as one at rest.
"""

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.spatial import cKDTree
from torch import Tensor, nn

from models import loops
from models.controls import controls_along_surface
from models.edges import bridges, edge_neighbours, longest_edge_ends, spread_along_surface, unique_edges
from models.eigenfunctions import laplacian_eigenfunctions
from models.gathered import gathered
from models.loops import CornersAround
from models.surface_frames import surface_frames, to_local

NUM_EIGENFUNCTIONS = 16
NUM_ANCHORS = 128
NUM_NEAREST_ANCHORS = 8
NUM_TURNING_ANCHORS = 4  # of the nearest: those whose own frames are looked at, too
NUM_NEAREST_JOINTS = 4


def nearest_points(
    vertices: Float[ndarray, "V 3"], points: Float[ndarray, "J 3"], num_nearest: int
) -> Int[ndarray, "V K"]:
    """Return the K points nearest to each vertex (V, K), nearest first; K is all of them where there are fewer."""
    count = min(num_nearest, len(points))
    if not count:
        return np.empty((len(vertices), 0), dtype=np.int64)
    _, nearest = cKDTree(points).query(vertices, k=np.arange(1, count + 1))
    return nearest.astype(np.int64)


def mean_over_neighbours(
    vectors: Float[Tensor, "B V 3"], neighbours: Int[Tensor, "V K"], steps: int
) -> Float[Tensor, "B V 3"]:
    """Return world vectors (B, V, 3), any units, after each was replaced by the mean over its neighbours, `steps` times.

    `neighbours` comes from `edge_neighbours`: where a vertex has fewer than K of them, it counts as its own neighbour.
    """
    batch, num_vertices, _ = vectors.shape
    near = neighbours.T.flatten()
    for _ in range(steps):
        vectors = vectors.index_select(1, near).view(batch, neighbours.shape[1], num_vertices, 3).mean(dim=1)
    return vectors


def weights_of_anchors(offsets: Float[Tensor, "V K 3"]) -> Float[Tensor, "V K"]:
    """Return weights (V, K), adding up to one, of the nearest anchors by their offsets: smooth where the nearest K change."""
    distance = torch.linalg.vector_norm(offsets, dim=2)
    farthest = distance.amax(dim=1, keepdim=True)
    weights = (1 - distance / torch.where(farthest > 0, farthest, 1.0)).square() + 1e-6
    return weights / weights.sum(dim=1, keepdim=True)


def anchors_that_turn(nearest_anchors: Int[Tensor, "V K"], faces: Int[Tensor, "F 3"]) -> Int[Tensor, "V L"]:
    """Return, for each vertex, the first few of its nearest anchors (V, L), whose rotations it sees.

    An anchor without faces is replaced by the vertex itself: the frame of such an anchor does not turn with the body, and no
    vertex ever turns against itself.
    """
    near, itself = nearest_anchors[:, :NUM_TURNING_ANCHORS], torch.arange(len(nearest_anchors)).to(faces)
    return torch.where(torch.isin(near, faces), near, itself.unsqueeze(1))


def power_of_two_near(extent: float) -> float:
    """Return the largest power of two up to an extent: to divide by it is exact. One for no extent."""
    return 2.0 ** np.floor(np.log2(extent)) if extent > 0 else 1.0


BUFFERS = (
    "vertices",
    "faces",
    "tangent_ends",
    "nearest_anchors",
    "anchor_offsets",
    "frames",
    "nearest_joints",
    "joint_offsets",
    "eigenfunctions",
)


class RestSurface(nn.Module):
    """The rest mesh (V, 3) with faces (F, 3), and all that follows from it, as buffers: a checkpoint needs nothing else.

    `vertices` are relative to their mean. `frames` (V, 3, 3) are surface frames. `anchors` (A,) are vertices; `nearest_anchor`
    (V,) is the index among them of the one nearest to each vertex, `places_of_anchors` (V, K) those of the nearest K, and
    `anchor_weights` (V, K) theirs in what is known at anchors alone. `neighbours` (V, K) are the vertices next to each vertex,
    and `turning_anchors` (V, L) those whose rotations it sees; those that are the vertex itself are marked in
    `turns_with_itself`. `controls` (Q,) are the vertices where the network is asked, `nearest_controls` (V, K) the places among
    them of the nearest, with their `control_weights`; `asked` are the anchors, then the controls. `unit` is a length near the
    mesh's extent: measured in it, areas and squares of lengths stay far from the limits of single precision. `size` is the
    diagonal of its box.
    """

    vertices: Tensor
    faces: Tensor
    tangent_ends: Tensor
    nearest_anchors: Tensor
    anchor_offsets: Tensor
    nearest_joints: Tensor
    joint_offsets: Tensor
    eigenfunctions: Tensor
    anchors: Tensor
    nearest_anchor: Tensor
    places_of_anchors: Tensor
    anchor_weights: Tensor
    neighbours: Tensor
    turning_anchors: Tensor
    turns_with_itself: Tensor
    frames: Tensor
    controls: Tensor
    nearest_controls: Tensor
    control_weights: Tensor
    asked: Tensor

    def __init__(self, buffers: dict[str, Tensor]):
        super().__init__()
        for name in BUFFERS:
            self.register_buffer(name, buffers[name])
        box = self.vertices.amax(dim=0) - self.vertices.amin(dim=0)
        self.unit, self.size = power_of_two_near(float(box.max())), float(box.norm())
        # every anchor is the nearest to itself
        anchors, nearest = torch.unique(self.nearest_anchors[:, 0], return_inverse=True)
        turning = anchors_that_turn(self.nearest_anchors, self.faces)
        vertices, faces = self.vertices.cpu().numpy().astype(np.float64) / self.unit, self.faces.cpu().numpy()
        edges = unique_edges(faces)
        controls, near, weights = controls_along_surface(vertices, np.concatenate([edges, bridges(vertices, edges)]))
        derived = {
            "anchors": anchors,
            "nearest_anchor": nearest,
            "places_of_anchors": torch.searchsorted(anchors, self.nearest_anchors),
            "anchor_weights": weights_of_anchors(self.anchor_offsets / self.unit),
            "turning_anchors": turning,
            "turns_with_itself": turning == torch.arange(len(turning)).to(turning).unsqueeze(1),
            "neighbours": torch.from_numpy(edge_neighbours(vertices, faces)),
            "controls": torch.from_numpy(controls),
            "nearest_controls": torch.from_numpy(near),
            "control_weights": torch.from_numpy(weights).float(),
            "asked": torch.cat([anchors, torch.from_numpy(controls).to(anchors)]),
        }
        for name, values in derived.items():
            self.register_buffer(name, values.to(self.faces.device), persistent=False)
        self.anchors_to_read = (
            anchors.cpu().numpy()
        )  # where to look for their history; a device would have to be waited for
        self.corners_around: CornersAround | None = None

    def frames_of(self, vertices: Float[Tensor, "B V 3"]) -> Float[Tensor, "B V 3 3"]:
        """Return the surface frames (B, V, 3, 3) of meshes of this topology, in any pose."""
        scaled = vertices / self.unit
        if not loops.compiles(scaled):
            return surface_frames(scaled, self.faces, self.tangent_ends)
        if self.corners_around is None:
            self.corners_around = loops.CornersAround.of(self.faces, len(self.vertices))
        return loops.surface_frames(scaled, self.corners_around, self.tangent_ends)

    def spread_from_anchors(
        self, values: Float[Tensor, "B A"], vertices: Int[Tensor, " Q"] | None = None
    ) -> Float[Tensor, "B Q"]:
        """Return values known at the anchors (B, A) at some vertices (B, Q), or at all: weighted means of the nearest."""
        there = slice(None) if vertices is None else vertices
        places, weights = self.places_of_anchors[there], self.anchor_weights[there]
        return (gathered(values, places, 1) * weights).sum(dim=2)

    @classmethod
    def from_mesh(
        cls,
        vertices: Float[ndarray, "V 3"],
        faces: Int[ndarray, "F 3"],
        joints: Float[ndarray, "J 3"] | None = None,
    ) -> "RestSurface":
        """Compute everything from positions (V, 3) and joints (J, 3), any units, of one frame, and triangles (F, 3)."""
        centre = np.mean(vertices, axis=0, dtype=np.float64)
        points = np.empty((0, 3)) if joints is None else joints - centre
        vertices = vertices - centre
        edges = unique_edges(faces)
        unit = power_of_two_near(np.ptp(vertices, axis=0).max())
        links = bridges(vertices / unit, edges)
        ties = np.concatenate([edges, links])
        anchors, places, _ = spread_along_surface(vertices / unit, ties, NUM_ANCHORS, NUM_NEAREST_ANCHORS)
        ends = torch.from_numpy(longest_edge_ends(vertices, edges))
        rest = torch.from_numpy(vertices).float()
        face_tensor = torch.from_numpy(np.asarray(faces, np.int64))
        frames = surface_frames(rest / unit, face_tensor, ends)
        nearest_anchors = torch.from_numpy(anchors[places])
        nearest_joints = torch.from_numpy(nearest_points(vertices, points, NUM_NEAREST_JOINTS))
        bones = torch.from_numpy(points).float()
        eigenfunctions = laplacian_eigenfunctions(vertices, faces, links, NUM_EIGENFUNCTIONS)
        return cls(
            {
                "vertices": rest,
                "faces": face_tensor,
                "tangent_ends": ends,
                "nearest_anchors": nearest_anchors,
                "frames": frames,
                "anchor_offsets": to_local(frames, rest[nearest_anchors] - rest.unsqueeze(1)),
                "nearest_joints": nearest_joints,
                "joint_offsets": to_local(frames, bones[nearest_joints] - rest.unsqueeze(1)),
                "eigenfunctions": torch.from_numpy(eigenfunctions).float(),
            }
        )
