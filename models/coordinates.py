"""What each vertex sees, and the terms in which the model answers: in each vertex' own frame, or in world coordinates.

Two classes with one interface. The auto-encoder holds one of them, and no other code has to ask which.
"""

from collections.abc import Collection

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import softshrink

from models.leverage import Leverage
from models.linear_correction import LinearCorrection
from models.model_settings import ModelSettings
from models.oscillators import PERIODS, oscillator_states
from models.rest_surface import RestSurface, mean_over_neighbours
from models.surface_frames import rotations_between, to_local, to_world

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


def gathered(values: Float[Tensor, "B P *S"], indices: Int[Tensor, "V K"]) -> Float[Tensor, "B V K *S"]:
    """Return `values[:, indices]`, in a third of its time."""
    return values.index_select(1, indices.flatten()).unflatten(1, indices.shape)


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


def leverage_of(surface: RestSurface, groups: FeatureGroups) -> Leverage:
    """Return a leverage for groups of features, which trusts every answer."""
    motion = groups.slices_of(MOVING_GROUPS)
    return Leverage(len(surface.vertices), len(surface.anchors), groups.num_features, motion)


class LocalCoordinates:
    """Each vertex sees and answers in its own frame on the current skinned mesh; the answer is a correction of that mesh.

    A vertex sees, as vectors in its frame: its motion over the window, gravity, where the nearest anchors are and how they have
    turned, both compared with the rest mesh, what oscillators remember of earlier frames and, with joints, where the nearest
    joints are and how they move. Moving or turning the whole body changes nothing but gravity.

    `groups` name these features. `linear` is solved in closed form (`utils.fitting.linear_fit`), the network adds to it, and
    `leverage` says how far to trust their sum.
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
        self.linear = LinearCorrection(len(surface.vertices), self.num_features)
        self.leverage = leverage_of(surface, self.groups)

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

    def features(
        self,
        window: Float[Tensor, "B N V 3"],
        joints: Float[Tensor, "B N J 3"] | None,
        history: Float[Tensor, "B H A 3"] | None,
        frames: Float[Tensor, "B V 3 3"],
        up: Float[Tensor, "3"],
    ) -> Float[Tensor, "B V C"]:
        """Return what each vertex sees (B, V, C), file units, as `MeshAutoencoder.features` says; `up` has length one."""
        current, surface = window[:, -1], self.surface

        def local(vectors: Float[Tensor, "B V K 3"]) -> Float[Tensor, "B V K 3"]:
            return to_local(frames, vectors)

        gravity = -up.expand(*current.shape[:2], 1, 3)
        anchors = gathered(current, surface.nearest_anchors) - current.unsqueeze(2)
        seen = [local(motion(window).transpose(1, 2)), local(gravity), local(anchors) - surface.anchor_offsets]
        turns = surface.frames.transpose(-1, -2) @ frames  # since the mesh was at rest
        rotations = rotations_between(turns.unsqueeze(2), gathered(turns, surface.turning_anchors))
        seen.append(softshrink(local(rotations), ROUNDING))  # no turn at all is exactly zero
        if self.periods:
            states = oscillator_states(window[:, :, surface.anchors] if history is None else history, self.periods)
            seen.append(local(states.index_select(1, surface.nearest_anchor)))
        if joints is not None and self.sees_joints:
            near = gathered(joints[:, -1], surface.nearest_joints) - current.unsqueeze(2)
            near_motion = gathered(motion(joints).transpose(1, 2), surface.nearest_joints).flatten(2, 3)
            seen += [local(near) - surface.joint_offsets, local(near_motion)]
        return torch.cat(seen, dim=2).flatten(2)

    def targets(
        self, skinned: Float[Tensor, "B V 3"], scan: Float[Tensor, "B V 3"], frames: Float[Tensor, "B V 3 3"]
    ) -> Float[Tensor, "B V 3"]:
        """Return the corrections (B, V, 3) from the skinned meshes to their scans, in the vertices' frames, file units."""
        return to_local(frames, (scan - skinned).unsqueeze(2)).squeeze(2)

    def target_mean(self, targets: Float[Tensor, "S 3"]) -> Float[Tensor, "3"]:
        """Return what an untrained network should answer, file units: no correction."""
        return targets.new_zeros(3)

    def answer(
        self,
        features: Float[Tensor, "B V C"],
        frames: Float[Tensor, "B V 3 3"],
        network: Float[Tensor, "B V 3"] | None = None,
    ) -> Float[Tensor, "B V 3"]:
        """Return the correction (B, V, 3), file units: the linear part and, where it is given, the network's answer."""
        change = self.linear(features) if network is None else self.linear(features) + network
        return self.linear.mean + self.smoothed(change, frames)

    def judged(
        self, answer: Float[Tensor, "B V 3"], leverage: Float[Tensor, "B A"]
    ) -> tuple[Float[Tensor, "B V 3"], Float[Tensor, "B V"]]:
        """Return corrections, damped where frames go beyond training, and the mean error to expect, file units."""
        leverage = self.surface.spread_from_anchors(leverage)
        return answer * self.leverage.strength(answer, leverage), self.leverage.expected_error(answer, leverage)

    def leverage_at_anchors(self, features: Float[Tensor, "B V C"]) -> Float[Tensor, "B A"]:
        """Return how far what the anchors see goes beyond training (B, A)."""
        return self.leverage(features.index_select(1, self.surface.anchors))

    def smoothed(self, change: Float[Tensor, "B V 3"], frames: Float[Tensor, "B V 3 3"]) -> Float[Tensor, "B V 3"]:
        """Return what comes on top of the mean correction (B, V, 3), in the vertices' frames, smoothed over the surface.

        Neighbours have linear maps of their own. Fitted to few frames, these differ in unseen motion, where the surface becomes
        rough. The data decide how much smoothing that takes: often none.
        """
        if not self.linear.smoothing_steps:
            return change
        in_world = to_world(frames, change.unsqueeze(2)).squeeze(2)
        in_world = mean_over_neighbours(in_world, self.surface.neighbours, self.linear.smoothing_steps)
        return to_local(frames, in_world.unsqueeze(2)).squeeze(2)

    def to_points(
        self, answer: Float[Tensor, "B V 3"], skinned: Float[Tensor, "B V 3"], frames: Float[Tensor, "B V 3 3"]
    ) -> Float[Tensor, "B V 3"]:
        """Return the points (B, V, 3), file units, that corrections of skinned meshes lead to."""
        return skinned + to_world(frames, answer.unsqueeze(2)).squeeze(2)


class WorldCoordinates:
    """Each vertex sees its own and all joints' world coordinates over the window; the answer is where the scan has the vertex.

    The first design, kept as a reference: nothing is solved in closed form (`linear` and `leverage` are None), and features
    have no groups. The interface is that of `LocalCoordinates`.
    """

    periods: tuple[float, ...] = ()
    linear: None = None
    leverage: None = None

    def __init__(self, settings: ModelSettings, surface: RestSurface):
        self.groups = FeatureGroups()
        self.num_features = 3 * settings.num_condition_frames * (1 + settings.num_joints)
        self.sees_joints = settings.num_joints > 0

    def features(
        self,
        window: Float[Tensor, "B N V 3"],
        joints: Float[Tensor, "B N J 3"] | None,
        history: Float[Tensor, "B H A 3"] | None,
        frames: Float[Tensor, "B V 3 3"],
        up: Float[Tensor, "3"],
    ) -> Float[Tensor, "B V C"]:
        """Return the coordinates of each vertex and of all joints over the window (B, V, C), file units."""
        own = window.transpose(1, 2).flatten(2)
        if joints is None:
            return own
        return torch.cat([own, joints.flatten(1).unsqueeze(1).expand(-1, own.shape[1], -1)], dim=2)

    def targets(
        self, skinned: Float[Tensor, "B V 3"], scan: Float[Tensor, "B V 3"], frames: Float[Tensor, "B V 3 3"]
    ) -> Float[Tensor, "B V 3"]:
        """Return the scans (B, V, 3) as they are."""
        return scan

    def target_mean(self, targets: Float[Tensor, "S 3"]) -> Float[Tensor, "3"]:
        """Return what an untrained network should answer, file units: the middle of all scans."""
        return targets.mean(dim=0)

    def answer(
        self,
        features: Float[Tensor, "B V C"],
        frames: Float[Tensor, "B V 3 3"],
        network: Float[Tensor, "B V 3"] | None = None,
    ) -> Float[Tensor, "B V 3"]:
        """Return the network's answer (B, V, 3), which is all there is; zeros without."""
        return features.new_zeros(*features.shape[:2], 3) if network is None else network

    def judged(
        self, answer: Float[Tensor, "B V 3"], leverage: Float[Tensor, "B 0"]
    ) -> tuple[Float[Tensor, "B V 3"], Float[Tensor, "B 0"]]:
        """Return the answer as it is, and nothing (B, 0): the error to expect is not known."""
        return answer, leverage

    def leverage_at_anchors(self, features: Float[Tensor, "B V C"]) -> Float[Tensor, "B 0"]:
        """Return nothing (B, 0): leverage is not known."""
        return features.new_zeros(features.shape[0], 0)

    def smoothed(self, change: Float[Tensor, "B V 3"], frames: Float[Tensor, "B V 3 3"]) -> Float[Tensor, "B V 3"]:
        """Return what the network answers (B, V, 3) as it is: positions are not smoothed."""
        return change

    def to_points(
        self, answer: Float[Tensor, "B V 3"], skinned: Float[Tensor, "B V 3"], frames: Float[Tensor, "B V 3 3"]
    ) -> Float[Tensor, "B V 3"]:
        """Return the answer (B, V, 3): it is the points."""
        return answer


Coordinates = LocalCoordinates | WorldCoordinates
COORDINATES: dict[str, type[LocalCoordinates] | type[WorldCoordinates]] = {
    "local": LocalCoordinates,
    "world": WorldCoordinates,
}
