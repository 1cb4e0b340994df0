"""The whole map from a window of skinned meshes to the scan: coordinates, encoder and decoder."""

from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import softshrink

from models.linear_correction import LinearCorrection
from models.multi_expert_decoder import MultiExpertDecoder
from models.multi_pose_encoder import MultiPoseEncoder
from models.oscillators import PERIODS, oscillator_states
from models.rest_surface import RestSurface, mean_over_neighbours
from models.surface_frames import rotations_between, surface_frames, to_local, to_world

UP_AXES = {"x": 0, "y": 1, "z": 2}
OSCILLATORS = {f"oscillators of {period:g} frames": period for period in PERIODS}  # from fast to slow
ROUNDING = 1e-4  # radians: frames of fine meshes are rounded to as much
OPTIONAL_GROUPS = (*OSCILLATORS, "joints")  # of features
DRIVING_GROUPS = ("motion", "gravity", *OSCILLATORS)  # vectors that soft tissue first of all follows along


def motion(window: Float[Tensor, "B N P 3"]) -> Float[Tensor, "B M P 3"]:
    """Return how points moved over a window (B, N-1, P, 3): the last velocity, then the accelerations, per frame.

    They hold what displacements do, but at scales of their own: soft tissue follows the accelerations, which are small
    differences of large displacements.
    """
    velocity = window.diff(dim=1)
    return torch.cat([velocity[:, -1:], velocity.diff(dim=1)], dim=1)


def gathered(values: Float[Tensor, "B P *S"], places: Int[Tensor, "V K"]) -> Float[Tensor, "B V K *S"]:
    """Return the values at some places: `values[:, places]`, in a third of its time."""
    return values.index_select(1, places.flatten()).unflatten(1, places.shape)


@dataclass
class ModelSettings:
    """All that decides the shape of a model; a checkpoint holds it, so that no flag has to be repeated."""

    latent_size: int = 32
    num_embeddings: int = 12
    num_experts: int = 6
    num_condition_frames: int = 1
    coordinates: str = "local"
    up_axis: str = "y"
    num_joints: int = 0
    left_out: tuple[str, ...] = ()  # of `OPTIONAL_GROUPS`: what the data had no use for

    def to_dict(self) -> dict[str, int | str | tuple[str, ...]]:
        return asdict(self)


class MeshAutoencoder(nn.Module):
    """Multi-pose encoder and multi-expert decoder, for one topology, in `local` or `world` coordinates.

    `local`: the window, gravity, where the nearest anchors are and how they have turned, what oscillators remember of earlier
    frames and, with joints, the nearest of those over the window, are seen in each vertex' own frame on the current skinned
    mesh. The answer is a correction in that frame: a linear one, plus what the network adds. `world`: coordinates in, all
    joints' with them, coordinates out.

    Training works on vertex samples: `features` and `targets` of whole meshes, any rows of which go through `forward`.
    """

    feature_mean: Tensor
    feature_scale: Tensor
    target_mean: Tensor
    target_scale: Tensor
    network_strength: Tensor
    longest: Tensor
    up: Tensor

    def __init__(self, settings: ModelSettings, surface: RestSurface):
        super().__init__()
        self.settings = settings
        self.surface = surface
        num_vertices, num_frames = len(surface.vertices), settings.num_condition_frames
        self.groups: dict[str, int] = {}
        if settings.coordinates == "local":
            anchors, joints = surface.nearest_anchors.shape[1], surface.nearest_joints.shape[1]
            turning = surface.turning_anchors.shape[1]
            self.groups = {"motion": num_frames - 1, "gravity": 1, "anchors": anchors, "anchors' rotations": turning}
            if num_frames > 1:
                self.groups |= dict.fromkeys(OSCILLATORS, 2)
            if settings.num_joints:
                self.groups["joints"] = joints * num_frames  # where they are, and how they move
            self.groups = {name: vectors for name, vectors in self.groups.items() if name not in settings.left_out}
            num_features = 3 * sum(self.groups.values())
            self.linear = LinearCorrection(num_vertices, num_features)
            self.register_buffer("longest", torch.full((num_vertices,), torch.inf))
        else:
            num_features = 3 * num_frames * (1 + settings.num_joints)
        self.register_buffer("feature_mean", torch.zeros(num_features))
        self.register_buffer("feature_scale", torch.ones(num_features))
        self.register_buffer("target_mean", torch.zeros(3))
        self.register_buffer("target_scale", torch.ones(()))
        self.register_buffer("network_strength", torch.ones(()))
        self.register_buffer("up", torch.eye(3)[UP_AXES[settings.up_axis]])
        if settings.num_embeddings:
            self.embedding = nn.Parameter(0.3 * torch.randn(num_vertices, settings.num_embeddings))
        self.make_network()

    def make_network(self) -> None:
        """Make encoder and decoder anew, for all features that there are."""
        settings, condition_size = self.settings, len(self.feature_mean)
        if settings.num_embeddings:
            condition_size += self.surface.eigenfunctions.shape[1]
        self.encoder = MultiPoseEncoder(condition_size, settings.num_embeddings, settings.latent_size).to(self.up)
        self.decoder = MultiExpertDecoder(settings.latent_size, condition_size, settings.num_experts).to(self.up)

    @property
    def periods(self) -> tuple[float, ...]:
        """The periods (frames) of the oscillators that are looked at."""
        return tuple(period for name, period in OSCILLATORS.items() if name in self.groups)

    @property
    def sees_joints(self) -> bool:
        """Whether joints are looked at."""
        return self.settings.num_joints > 0 if self.settings.coordinates == "world" else "joints" in self.groups

    def columns_of(self, groups: Collection[str]) -> list[int]:
        """Return the features that belong to some groups."""
        columns: list[int] = []
        start = 0
        for name, vectors in self.groups.items():
            if name in groups:
                columns += range(start, start + 3 * vectors)
            start += 3 * vectors
        return columns

    def leave_out(self, groups: Collection[str]) -> None:
        """Do without some of the `OPTIONAL_GROUPS` from now on.

        What is known of the other features stays, linear part included; the network is made anew.
        """
        left = {name: vectors for name, vectors in self.groups.items() if name not in groups}
        columns = self.columns_of(left)
        self.feature_mean, self.feature_scale = self.feature_mean[columns], self.feature_scale[columns]
        self.linear.coefficients = self.linear.coefficients[:, columns]
        self.settings = replace(self.settings, left_out=(*self.settings.left_out, *groups))
        self.groups = left
        self.make_network()

    def frames(self, skinned: Float[Tensor, "B V 3"]) -> Float[Tensor, "B V 3 3"]:
        """Return the surface frames (B, V, 3, 3) of skinned meshes."""
        return surface_frames(skinned / self.surface.unit, self.surface.faces, self.surface.tangent_ends)

    def features(
        self,
        window: Float[Tensor, "B N V 3"],
        joints: Float[Tensor, "B N J 3"] | None = None,
        history: Float[Tensor, "B H A 3"] | None = None,
        frames: Float[Tensor, "B V 3 3"] | None = None,
    ) -> Float[Tensor, "B V C"]:
        """Return what each vertex sees (B, V, C), file units, of windows of skinned meshes and joints, oldest first.

        `history` are the surface's anchors over `models.oscillators.HISTORY` frames; without it they are known for the
        window only. `frames` are the current skinned meshes' surface frames, where they are at hand.
        """
        if self.settings.coordinates == "world":
            own = window.transpose(1, 2).flatten(2)
            if joints is None:
                return own
            return torch.cat([own, joints.flatten(1).unsqueeze(1).expand(-1, own.shape[1], -1)], dim=2)
        current, surface = window[:, -1], self.surface
        frames = self.frames(current) if frames is None else frames
        local = partial(to_local, frames)
        gravity = -self.up.expand(*current.shape[:2], 1, 3)
        anchors = gathered(current, surface.nearest_anchors) - current.unsqueeze(2)
        seen = [local(motion(window).transpose(1, 2)), local(gravity), local(anchors) - surface.anchor_offsets]
        turns = surface.frames.transpose(-1, -2) @ frames  # since the mesh was at rest
        rotations = rotations_between(turns.unsqueeze(2), gathered(turns, surface.turning_anchors))
        seen.append(
            softshrink(local(rotations), ROUNDING)
        )  # where nothing turns, nothing is to be learned from rounding
        if self.periods:
            states = oscillator_states(window[:, :, surface.anchors] if history is None else history, self.periods)
            seen.append(local(states.index_select(1, surface.nearest_anchor)))
        if joints is not None and self.sees_joints:
            near = gathered(joints[:, -1], surface.nearest_joints) - current.unsqueeze(2)
            near_motion = gathered(motion(joints).transpose(1, 2), surface.nearest_joints).flatten(2, 3)
            seen += [local(near) - surface.joint_offsets, local(near_motion)]
        return torch.cat(seen, dim=2).flatten(2)

    def targets(
        self,
        skinned: Float[Tensor, "B V 3"],
        scan: Float[Tensor, "B V 3"],
        frames: Float[Tensor, "B V 3 3"] | None = None,
    ) -> Float[Tensor, "B V 3"]:
        """Return what the model should answer: local corrections or world positions, file units; `frames` as in `features`."""
        if self.settings.coordinates == "world":
            return scan
        frames = self.frames(skinned) if frames is None else frames
        return to_local(frames, (scan - skinned).unsqueeze(2)).squeeze(2)

    def linear_answer(
        self, features: Float[Tensor, "B V C"], frames: Float[Tensor, "B V 3 3"]
    ) -> Float[Tensor, "B V 3"]:
        """Return the part of the answer (B, V, 3) that needs no network, file units; zero in world coordinates.

        `frames` are the surface frames of the current skinned meshes.
        """
        if self.settings.coordinates == "world":
            return features.new_zeros(*features.shape[:2], 3)
        return self.linear.mean + self.smoothed(self.linear(features), frames)

    def smoothed(self, change: Float[Tensor, "B V 3"], frames: Float[Tensor, "B V 3 3"]) -> Float[Tensor, "B V 3"]:
        """Return what is added to the mean correction (B, V, 3), in the vertices' own frames, smoothed over the surface.

        Maps of neighbours that few training frames were fitted to agree on what they have seen, and not on the rest: in new
        motions the surface becomes rough. How much smoothing that asks for is up to the data; often it is none.
        """
        if self.settings.coordinates == "world" or not self.linear.smoothing_steps:
            return change
        in_world = to_world(frames, change.unsqueeze(2)).squeeze(2)
        in_world = mean_over_neighbours(in_world, self.surface.neighbours, self.linear.smoothing_steps)
        return to_local(frames, in_world.unsqueeze(2)).squeeze(2)

    def forward(self, features: Float[Tensor, "S C"], vertex: Int[Tensor, " S"]) -> Float[Tensor, "S 3"]:
        """Return what the network answers beside `linear_answer` (S, 3), file units, for any S samples: rows of `features`
        and the vertices they belong to."""
        condition, embedding = (features - self.feature_mean) / self.feature_scale, None
        if self.settings.num_embeddings:
            # not `self.embedding[vertex]`: its gradient adds up in an order that differs from run to run
            embedding = nn.functional.embedding(vertex, self.embedding)
            condition = torch.cat([condition, nn.functional.embedding(vertex, self.surface.eigenfunctions)], dim=1)
        # on CUDA, half the digits at several times the speed: they are enough for what a linear part leaves to the network
        with torch.autocast(condition.device.type, torch.bfloat16, enabled=condition.is_cuda):
            answer = self.decoder(self.encoder(condition, embedding), condition)
        return self.target_mean + self.target_scale * answer.float()

    def to_points(
        self, answer: Float[Tensor, "B V 3"], skinned: Float[Tensor, "B V 3"], frames: Float[Tensor, "B V 3 3"]
    ) -> Float[Tensor, "B V 3"]:
        """Return whole answers as points in space, file units, given skinned meshes and their surface frames."""
        if self.settings.coordinates == "world":
            return answer
        return skinned + to_world(frames, answer.unsqueeze(2)).squeeze(2)

    def predict(
        self,
        window: Float[Tensor, "B N V 3"],
        joints: Float[Tensor, "B N J 3"] | None = None,
        history: Float[Tensor, "B H A 3"] | None = None,
    ) -> Float[Tensor, "B V 3"]:
        """Return predicted scans (B, V, 3) for windows of skinned meshes and joints, as `features` takes them, file units."""
        batch, _, num_vertices, _ = window.shape
        frames = self.frames(window[:, -1])
        features = self.features(window, joints, history, frames)
        vertex = torch.arange(num_vertices, device=window.device).repeat(batch)
        samples = features.flatten(0, 1), vertex
        if window.device.type == "cpu" and not torch.compiler.is_exporting():
            # a few vertices at a time: what they need then stays in the cache
            parts = [self.forward(*part) for part in zip(*(each.split(4096) for each in samples), strict=True)]
            network = torch.cat(parts).view(batch, num_vertices, 3)
        else:
            network = self.forward(*samples).view(batch, num_vertices, 3)
        answer = self.network_strength * network
        if self.settings.coordinates == "local":
            answer = self.linear.mean + self.smoothed(self.linear(features) + answer, frames)
            # a motion wilder than those of training must not tear the mesh: no correction longer than any seen at the vertex
            length = torch.linalg.vector_norm(answer, dim=2)
            answer = answer * (self.longest / length.clamp_min(1e-30)).clamp_max(1).unsqueeze(2)
        return self.to_points(answer, window[:, -1], frames)
