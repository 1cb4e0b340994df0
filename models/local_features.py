"""What each vertex sees in its own frame on the current skinned mesh."""

from collections.abc import Collection
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softshrink

from models import loops
from models.gathered import gathered
from models.model_settings import ModelSettings
from models.oscillators import PERIODS, oscillator_states
from models.rest_surface import RestSurface
from models.surface_frames import rotations_between, to_local

OSCILLATORS = {f"oscillators of {period:g} frames": period for period in PERIODS}  # from fast to slow
ROUNDING = 1e-4  # radians: the surface frames of fine meshes are no more exact than this
OPTIONAL_GROUPS = (*OSCILLATORS, "joints")  # of features: a model can do without them
MOVING_GROUPS = ("motion", *OSCILLATORS)  # of features: all zero where nothing moves
DRIVING_GROUPS = ("motion", "gravity", *OSCILLATORS)  # of features: soft tissue tends to move along these vectors


def motion(window: Float[Tensor, "B N P 3"]) -> Float[Tensor, "B M P 3"]:
    """Return how points moved over a window (B, N-1, P, 3): the last velocity, then the accelerations, per frame.

    Displacements hold the same information, but soft tissue follows the accelerations, which are small differences between
    large displacements: as features of their own they get a scale of their own.
    """
    velocity = window.diff(dim=1)
    return torch.cat([velocity[:, -1:], velocity.diff(dim=1)], dim=1)


class FeatureGroups(dict[str, int]):
    """The features of a vertex in named groups, one after the other: how many vectors, of three components, are in each."""

    @property
    def num_features(self) -> int:
        """The number of components in all groups."""
        return 3 * sum(self.values())

    def slices_of(self, names: Collection[str]) -> list[slice]:
        """Return where the components of some of the groups are, a slice for each group."""
        slices: list[slice] = []
        start = 0
        for name, vectors in self.items():
            if name in names:
                slices.append(slice(start, start + 3 * vectors))
            start += 3 * vectors
        return slices

    def columns_of(self, names: Collection[str]) -> list[int]:
        """Return which components belong to some of the groups."""
        return [column for part in self.slices_of(names) for column in range(part.start, part.stop)]


class Scene(NamedTuple):
    """What there is to see in some frames, in world axes and file units, and the surface frames (B, V, 3, 3) to see it in.

    Windows of skinned meshes; at the A anchors their positions, how their frames have turned since the mesh was at rest, and
    the states of O oscillators; of J joints their positions and how they moved; and gravity's direction.
    """

    window: Float[Tensor, "B N V 3"]
    anchors: Float[Tensor, "B A 3"]
    turns: Float[Tensor, "B A 3 3"]
    states: Float[Tensor, "B A O 3"]
    joints: Float[Tensor, "B J 3"]
    moving: Float[Tensor, "B J M 3"]
    frames: Float[Tensor, "B V 3 3"]
    gravity: Float[Tensor, "3"]


class LocalFeatures:
    """The features of all vertices, in groups.

    A vertex sees, as vectors in its frame: its motion over the window, gravity, where the nearest anchors are and how they have
    turned, both compared with the rest mesh, what oscillators remember of earlier frames and, with joints, where the nearest
    joints are and how they move. Moving or turning the whole body changes nothing but gravity.
    """

    def __init__(self, settings: ModelSettings, surface: RestSurface):
        self.surface = surface
        num_frames = settings.num_condition_frames
        groups = {
            "motion": num_frames - 1,
            "gravity": 1,
            "anchors": surface.nearest_anchors.shape[1],
            "anchors' rotations": surface.turning_anchors.shape[1],
        }
        if num_frames > 1:
            groups |= dict.fromkeys(OSCILLATORS, 2)
        if settings.num_joints:
            groups["joints"] = surface.nearest_joints.shape[1] * num_frames  # where they are, and how they move
        self.groups = FeatureGroups({name: groups[name] for name in groups if name not in settings.left_out})

    @property
    def num_features(self) -> int:
        """The number of features of a vertex."""
        return self.groups.num_features

    @property
    def periods(self) -> tuple[float, ...]:
        """The periods (frames) of the oscillators among the features."""
        return tuple(period for name, period in OSCILLATORS.items() if name in self.groups)

    @property
    def sees_joints(self) -> bool:
        """Whether joints are among the features."""
        return "joints" in self.groups

    def scene(
        self,
        window: Float[Tensor, "B N V 3"],
        joints: Float[Tensor, "B N J 3"] | None,
        history: Float[Tensor, "B H A 3"] | None,
        frames: Float[Tensor, "B V 3 3"],
        up: Float[Tensor, "3"],
    ) -> Scene:
        """Return what there is to see, as `MeshAutoencoder.features` takes it; `up` has length one."""
        surface, anchors = self.surface, self.surface.anchors
        turns = surface.frames[anchors].transpose(-1, -2) @ frames.index_select(1, anchors)
        if self.periods:
            states = oscillator_states(window[:, :, anchors] if history is None else history, self.periods)
        else:
            states = window.new_zeros(window.shape[0], len(anchors), 0, 3)
        if joints is None or not self.sees_joints:
            joints = window.new_zeros(*window.shape[:2], 0, 3)
        moving = motion(joints).transpose(1, 2)
        here = window[:, -1].index_select(1, anchors)
        return Scene(window, here, turns, states, joints[:, -1], moving, frames, -up)

    def seen(self, scene: Scene) -> Float[Tensor, "B V C"]:
        """Return what each vertex sees (B, V, C), file units."""
        if loops.compiles(*scene):
            return loops.features(self.surface, scene, ROUNDING)
        surface, frames, current = self.surface, scene.frames, scene.window[:, -1]
        turns = surface.frames.transpose(-1, -2) @ frames  # since the mesh was at rest
        parts = [
            motion(scene.window).transpose(1, 2),
            scene.gravity.expand(*current.shape[:2], 1, 3),
            gathered(scene.anchors, surface.places_of_anchors, 1) - current.unsqueeze(2),
            rotations_between(turns.unsqueeze(2), gathered(turns, surface.turning_anchors, 1)),
            scene.states.index_select(1, surface.nearest_anchor),
        ]
        if self.sees_joints and scene.joints.shape[1]:
            parts.append(gathered(scene.joints, surface.nearest_joints, 1) - current.unsqueeze(2))
            parts.append(gathered(scene.moving, surface.nearest_joints, 1).flatten(2, 3))
        # all vectors in one product: it is their number that costs, not their length
        seen = list(to_local(frames, torch.cat(parts, dim=2)).split([part.shape[2] for part in parts], dim=2))
        seen[2] = seen[2] - surface.anchor_offsets
        seen[3] = softshrink(seen[3], ROUNDING)  # no turn at all is exactly zero
        if len(seen) > 5:
            seen[5] = seen[5] - surface.joint_offsets
        return torch.cat(seen, dim=2).flatten(2)
