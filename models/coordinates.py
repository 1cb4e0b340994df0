"""What each vertex sees, and the terms in which the model answers: in each vertex' own frame, or in world coordinates.

Two classes with one interface. The auto-encoder holds one of them, and no other code has to ask which.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from models import loops
from models.conclusion import FirstAnswer, Prediction, conclude, mean_correction
from models.controls import add_from_controls
from models.leverage import Leverage
from models.linear_correction import LinearCorrection
from models.local_features import MOVING_GROUPS, ROUNDING, FeatureGroups, LocalFeatures
from models.model_settings import ModelSettings
from models.rest_surface import RestSurface, mean_over_neighbours
from models.surface_frames import to_local, to_world


def leverage_of(surface: RestSurface, groups: FeatureGroups) -> Leverage:
    """Return a leverage for groups of features, which trusts every answer."""
    motion = groups.slices_of(MOVING_GROUPS)
    return Leverage(len(surface.vertices), len(surface.anchors), groups.num_features, motion)


class LocalCoordinates(LocalFeatures):
    """Each vertex sees and answers in its own frame on the current skinned mesh; the answer is a correction of that mesh.

    `groups` name what it sees. `linear` is solved in closed form (`utils.fitting.linear_fit`), the network adds to it, and sees
    it where `answer_seen` says so; `leverage` says how far to trust their sum."""

    def __init__(self, settings: ModelSettings, surface: RestSurface):
        super().__init__(settings, surface)
        self.answer_seen = settings.answer_seen
        self.linear = LinearCorrection(len(surface.vertices), self.num_features)
        self.leverage = leverage_of(surface, self.groups)

    def features(
        self,
        window: Float[Tensor, "B N V 3"],
        joints: Float[Tensor, "B N J 3"] | None,
        history: Float[Tensor, "B H A 3"] | None,
        frames: Float[Tensor, "B V 3 3"],
        up: Float[Tensor, "3"],
    ) -> Float[Tensor, "B V C"]:
        """Return what each vertex sees (B, V, C), file units, as `MeshAutoencoder.features` says; `up` has length one."""
        return self.seen(self.scene(window, joints, history, frames, up))

    def targets(
        self, skinned: Float[Tensor, "B V 3"], scan: Float[Tensor, "B V 3"], frames: Float[Tensor, "B V 3 3"]
    ) -> Float[Tensor, "B V 3"]:
        """Return the corrections (B, V, 3) from the skinned meshes to their scans, in the vertices' frames, file units."""
        return to_local(frames, (scan - skinned).unsqueeze(2)).squeeze(2)

    def target_mean(self, targets: Float[Tensor, "S 3"]) -> Float[Tensor, "3"]:
        """Return what an untrained network should answer, file units: no correction."""
        return targets.new_zeros(3)

    def answer(
        self, features: Float[Tensor, "B V C"], change: Float[Tensor, "B V 3"], frames: Float[Tensor, "B V 3 3"]
    ) -> Float[Tensor, "B V 3"]:
        """Return the correction (B, V, 3), file units, as far as the linear part knows it, by how that changes the mean one."""
        of_anchors = features.index_select(1, self.surface.anchors)
        share = self.leverage.share_of_mean(of_anchors)
        return mean_correction(self.surface, self.linear, share) + self.smoothed(change, frames)

    def first_answer(
        self,
        window: Float[Tensor, "B N V 3"],
        joints: Float[Tensor, "B N J 3"] | None,
        history: Float[Tensor, "B H A 3"] | None,
        up: Float[Tensor, "3"],
    ) -> FirstAnswer:
        """Return what is known before the network is asked, as `features` takes its inputs."""
        surface, linear = self.surface, self.linear
        frames = surface.frames_of(window[:, -1])
        scene = self.scene(window, joints, history, frames, up)
        if loops.compiles(*scene):
            change = loops.linear_part(surface, scene, ROUNDING, linear.coefficients, linear.constant)
            seen = loops.features(surface, scene, ROUNDING, surface.asked)
        else:
            seen = self.seen(scene)
            change = to_world(frames, linear(seen).unsqueeze(2)).squeeze(2)
            seen = seen.index_select(1, surface.asked)
        of_anchors, of_controls = seen.split([len(surface.anchors), len(surface.controls)], dim=1)
        if self.answer_seen:
            there, answered = (each.index_select(1, surface.controls) for each in (frames, change))
            of_controls = torch.cat([of_controls, to_local(there, answered.unsqueeze(2)).squeeze(2)], dim=2)
        return FirstAnswer(frames, change, of_anchors, self.leverage(of_anchors), surface.controls, of_controls)

    @property
    def num_asked(self) -> int:
        """The number of vertices that the network is asked at."""
        return len(self.surface.controls)

    def asked_targets(
        self, first: FirstAnswer, skinned: Float[Tensor, "B V 3"], scan: Float[Tensor, "B V 3"]
    ) -> Float[Tensor, "B Q 3"]:
        """Return what the network should answer (B, Q, 3), file units, where it is asked."""
        asked, surface = first.asked, self.surface
        change = mean_over_neighbours(first.change, surface.neighbours, self.linear.smoothing_steps)
        there, left = (each.index_select(1, asked) for each in (first.frames, scan - skinned - change))
        share = self.leverage.share_of_mean(first.of_anchors)
        return to_local(there, left.unsqueeze(2)).squeeze(2) - mean_correction(surface, self.linear, share, asked)

    def conclusion(
        self,
        first: FirstAnswer,
        network: Float[Tensor, "B Q 3"],
        skinned: Float[Tensor, "B V 3"],
        longest: Float[Tensor, " V"] | None,
    ) -> Prediction:
        """Return what follows from the linear part's and the network's answers (B, Q, 3): corrections smoothed, damped where
        frames go beyond training, and no longer than allowed (V,); the error to expect is that of the damped ones."""
        assert longest is not None
        surface = self.surface
        of_network = to_world(first.frames.index_select(1, first.asked), network.unsqueeze(2)).squeeze(2)
        change = add_from_controls(first.change, of_network, surface.nearest_controls, surface.control_weights)
        change = mean_over_neighbours(change, surface.neighbours, self.linear.smoothing_steps)
        return conclude(surface, self.linear, self.leverage, first, change, skinned, longest)

    def smoothed(self, change: Float[Tensor, "B V 3"], frames: Float[Tensor, "B V 3 3"]) -> Float[Tensor, "B V 3"]:
        """Return what comes on top of the mean correction (B, V, 3), in the vertices' frames, smoothed over the surface.

        Maps of neighbours, fitted to few frames, differ in unseen motion. The data decide how much smoothing that takes.
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
        self.groups, self.num_vertices = FeatureGroups(), len(surface.vertices)
        self.num_features = 3 * settings.num_condition_frames * (1 + settings.num_joints)
        self.sees_joints = settings.num_joints > 0

    def features(
        self,
        window: Float[Tensor, "B N V 3"],
        joints: Float[Tensor, "B N J 3"] | None,
        history: Float[Tensor, "B H A 3"] | None,
        frames: Float[Tensor, "B _ 3 3"],
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
        self, features: Float[Tensor, "B V C"], change: Float[Tensor, "B V 3"], frames: Float[Tensor, "B _ 3 3"]
    ) -> Float[Tensor, "B V 3"]:
        """Return zeros (B, V, 3), as the change is: without the network, nothing is known."""
        return change

    def first_answer(
        self,
        window: Float[Tensor, "B N V 3"],
        joints: Float[Tensor, "B N J 3"] | None,
        history: Float[Tensor, "B H A 3"] | None,
        up: Float[Tensor, "3"],
    ) -> FirstAnswer:
        """Return what all vertices see: the network is asked at all of them, and nothing else is known."""
        frames, current = window.new_zeros(window.shape[0], 0, 3, 3), window[:, -1]
        seen = self.features(window, joints, history, frames, up)
        asked = torch.arange(current.shape[1], device=window.device)
        return FirstAnswer(frames, current[:, :0], seen[:, :0], seen[:, :0, 0], asked, seen)

    @property
    def num_asked(self) -> int:
        """The number of vertices that the network is asked at: all."""
        return self.num_vertices

    def asked_targets(
        self, first: FirstAnswer, skinned: Float[Tensor, "B V 3"], scan: Float[Tensor, "B V 3"]
    ) -> Float[Tensor, "B V 3"]:
        """Return the scans (B, V, 3) as they are."""
        return scan

    def conclusion(
        self,
        first: FirstAnswer,
        network: Float[Tensor, "B V 3"],
        skinned: Float[Tensor, "B V 3"],
        longest: Float[Tensor, " V"] | None,
    ) -> Prediction:
        """Return the network's answer as it is; how far to trust it is not known."""
        unknown = network.new_zeros(network.shape[0], 0)
        return Prediction(network, unknown, unknown)

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
