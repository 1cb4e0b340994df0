"""The whole map from a window of skinned meshes to the scan: coordinates, encoder and decoder."""

from dataclasses import asdict, dataclass
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from models.linear_correction import LinearCorrection
from models.multi_expert_decoder import MultiExpertDecoder
from models.multi_pose_encoder import MultiPoseEncoder
from models.oscillators import PERIODS, oscillator_states
from models.rest_surface import RestSurface, axes_seen, mean_over_neighbours
from models.surface_frames import rotations_between, surface_frames, to_local, to_world

UP_AXES = {"x": 0, "y": 1, "z": 2}


def motion(window: Float[Tensor, "B N P 3"]) -> Float[Tensor, "B M P 3"]:
    """Return how points moved over a window (B, N-1, P, 3): the last velocity, then the accelerations, per frame.

    They hold what displacements do, but at scales of their own: soft tissue follows the accelerations, which are small
    differences of large displacements.
    """
    velocity = window.diff(dim=1)
    return torch.cat([velocity[:, -1:], velocity.diff(dim=1)], dim=1)


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

    def to_dict(self) -> dict[str, int | str]:
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
        num_vertices = len(surface.vertices)
        num_frames = settings.num_condition_frames
        if settings.coordinates == "local":
            anchors, joints = surface.nearest_anchors.shape[1], surface.nearest_joints.shape[1]
            turning = surface.anchor_axes.shape[1]
            self.groups = {"motion": num_frames - 1, "gravity": 1, "anchors": anchors, "anchors' rotations": turning}
            if num_frames > 1:
                self.groups |= {f"oscillators of {period:g} frames": 2 for period in PERIODS}
            if settings.num_joints:
                self.groups |= {"joints": joints, "joint motion": joints * (num_frames - 1)}
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
        embedding_size = 0
        if settings.num_embeddings:
            self.embedding = nn.Parameter(0.3 * torch.randn(num_vertices, settings.num_embeddings))
            embedding_size = settings.num_embeddings + surface.eigenfunctions.shape[1]
        condition_size = num_features + embedding_size
        self.encoder = MultiPoseEncoder(condition_size, settings.latent_size)
        self.decoder = MultiExpertDecoder(settings.latent_size, condition_size, settings.num_experts)

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
        anchors = current[:, surface.nearest_anchors] - current.unsqueeze(2)  # (B, V, K, 3)
        seen = [local(motion(window).transpose(1, 2)), local(gravity), local(anchors) - surface.anchor_offsets]
        seen.append(rotations_between(surface.anchor_axes, axes_seen(frames, surface.turning_anchors)))
        if window.shape[1] > 1:
            states = oscillator_states(window[:, :, surface.anchors] if history is None else history)
            seen.append(local(states[:, surface.nearest_anchor]))
        if joints is not None:
            near = joints[:, -1][:, surface.nearest_joints] - current.unsqueeze(2)
            near_motion = motion(joints)[:, :, surface.nearest_joints].permute(0, 2, 3, 1, 4).flatten(2, 3)
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
        condition = (features - self.feature_mean) / self.feature_scale
        if self.settings.num_embeddings:
            # not `self.embedding[vertex]`: its gradient adds up in an order that differs from run to run
            learned = nn.functional.embedding(vertex, self.embedding)
            condition = torch.cat([condition, learned, self.surface.eigenfunctions[vertex]], dim=1)
        # on CUDA, half the digits at several times the speed: they are enough for what a linear part leaves to the network
        with torch.autocast(condition.device.type, torch.bfloat16, enabled=condition.is_cuda):
            answer = self.decoder(self.encoder(condition), condition)
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
