"""The whole map from a window of skinned meshes to the scan: coordinates, encoder and decoder."""

from collections.abc import Collection
from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from models.conclusion import Prediction
from models.coordinates import COORDINATES, Coordinates, LocalCoordinates, leverage_of
from models.dials import AS_TRAINED, Dials
from models.leverage import Leverage
from models.linear_correction import LinearCorrection, in_loop_order
from models.local_features import FeatureGroups
from models.model_settings import UP_AXES, ModelSettings
from models.multi_expert_decoder import MultiExpertDecoder
from models.multi_pose_encoder import MultiPoseEncoder
from models.rest_surface import RestSurface

VERTICES_AT_ONCE = 4096  # on the CPU, where what the network needs for them stays in the cache


class MeshAutoencoder(nn.Module):
    """Multi-pose encoder and multi-expert decoder, for meshes of one topology.

    `coordinates` say what the vertices see and what an answer means. The answer is a linear part, where these have one, plus
    what the network adds. Training works on samples of vertices: any rows of the `features` and `targets` of whole meshes.
    """

    feature_mean: Tensor
    feature_scale: Tensor
    target_mean: Tensor
    target_scale: Tensor
    answer_scale: Tensor | None
    network_strength: Tensor
    longest: Tensor | None
    linear: LinearCorrection | None
    leverage: Leverage | None
    up: Tensor
    dials: Dials = AS_TRAINED  # of what is predicted; no part of a checkpoint

    def __init__(self, settings: ModelSettings, surface: RestSurface):
        super().__init__()
        self.settings, self.surface = settings, surface
        self.coordinates: Coordinates = COORDINATES[settings.coordinates](settings, surface)
        num_vertices, num_features = len(surface.vertices), self.coordinates.num_features
        self.register_module("linear", self.coordinates.linear)
        self.register_module("leverage", self.coordinates.leverage)
        self.register_buffer("longest", None if self.linear is None else torch.full((num_vertices,), torch.inf))
        self.register_buffer("feature_mean", torch.zeros(num_features))
        self.register_buffer("feature_scale", torch.ones(num_features))
        self.register_buffer("target_mean", torch.zeros(3))
        self.register_buffer("target_scale", torch.ones(()))
        self.register_buffer("answer_scale", torch.ones(()) if settings.answer_seen else None)
        self.register_buffer("network_strength", torch.ones(()))
        self.register_buffer("up", torch.tensor([float(axis == settings.up_axis) for axis in UP_AXES]))
        if settings.num_embeddings:
            self.embedding = nn.Parameter(torch.randn(num_vertices, settings.num_embeddings).mul_(0.3))
        self.make_network()

    def make_network(self) -> None:
        """Make encoder and decoder anew, for the features that there are now."""
        settings, condition_size = self.settings, len(self.feature_mean) + 3 * self.settings.answer_seen
        if settings.num_embeddings:
            condition_size += self.surface.eigenfunctions.shape[1]
        self.encoder = MultiPoseEncoder(condition_size, settings.num_embeddings, settings.latent_size).to(self.up)
        self.decoder = MultiExpertDecoder(settings.latent_size, condition_size, settings.num_experts).to(self.up)

    def leave_out(self, groups: Collection[str]) -> None:
        """Do without some of `OPTIONAL_GROUPS`, of local coordinates, from now on, and show the network what the linear part
        answers; network and leverage are made anew."""
        assert isinstance(self.coordinates, LocalCoordinates)
        before, linear = self.coordinates.groups, self.coordinates.linear
        left = FeatureGroups({name: before[name] for name in before if name not in groups})
        columns = before.columns_of(left)
        self.feature_mean, self.feature_scale = self.feature_mean[columns], self.feature_scale[columns]
        linear.coefficients = in_loop_order(linear.coefficients[:, columns])
        self.settings = replace(self.settings, left_out=(*self.settings.left_out, *groups), answer_seen=True)
        self.coordinates.groups, self.coordinates.answer_seen = left, True
        self.answer_scale = torch.ones(()).to(self.up)
        self.leverage = self.coordinates.leverage = leverage_of(self.surface, left).to(self.up)
        self.make_network()

    def features(
        self,
        window: Float[Tensor, "B N V 3"],
        joints: Float[Tensor, "B N J 3"] | None = None,
        history: Float[Tensor, "B H A 3"] | None = None,
        frames: Float[Tensor, "B V 3 3"] | None = None,
    ) -> Float[Tensor, "B V C"]:
        """Return what each vertex sees (B, V, C), file units, of windows of skinned meshes and joints, oldest first.

        `history` holds the surface's anchors over `models.oscillators.HISTORY` frames; without it their motion is known for the
        window only. `frames` are the surface frames of the current skinned meshes, where they are at hand.
        """
        frames = self.surface.frames_of(window[:, -1]) if frames is None else frames
        return self.coordinates.features(window, joints, history, frames, self.up)

    def targets(
        self,
        skinned: Float[Tensor, "B V 3"],
        scan: Float[Tensor, "B V 3"],
        frames: Float[Tensor, "B V 3 3"] | None = None,
    ) -> Float[Tensor, "B V 3"]:
        """Return what the model should answer (B, V, 3) to reach the scans, file units; `frames` as in `features`."""
        frames = self.surface.frames_of(skinned) if frames is None else frames
        return self.coordinates.targets(skinned, scan, frames)

    def forward(self, features: Float[Tensor, "S D"], vertex: Int[Tensor, " S"]) -> Float[Tensor, "S 3"]:
        """Return the network's answer (S, 3), file units, which comes on top of the linear part, for any S samples: what the
        network sees, and the vertices that see it."""
        condition = condition_of(self, features, vertex)
        # not `self.embedding[vertex]`: its gradient adds up in an order that differs from run to run
        embedding = nn.functional.embedding(vertex, self.embedding) if self.settings.num_embeddings else None
        # on CUDA, half the digits at several times the speed: they are enough for what a linear part leaves to the network
        with torch.autocast("cuda", torch.bfloat16, enabled=condition.is_cuda):
            answer = self.decoder(self.encoder(condition, embedding), condition)
        return self.target_mean + self.target_scale * answer.float()

    def predict(
        self,
        window: Float[Tensor, "B N V 3"],
        joints: Float[Tensor, "B N J 3"] | None = None,
        history: Float[Tensor, "B H A 3"] | None = None,
        dials: Dials | None = None,
    ) -> Float[Tensor, "B V 3"]:
        """Return predicted scans (B, V, 3), file units, for what `features` takes, as the dials say: these, or the model's."""
        return self.predict_and_judge(window, joints, history, dials).points

    def predict_and_judge(
        self,
        window: Float[Tensor, "B N V 3"],
        joints: Float[Tensor, "B N J 3"] | None = None,
        history: Float[Tensor, "B H A 3"] | None = None,
        dials: Dials | None = None,
    ) -> Prediction:
        """Return what `predict` does, and how far to trust it where its strength is that of training."""
        dials, skinned = dials or self.dials, window[:, -1]
        first = self.coordinates.first_answer(*dials.inputs(window, joints, history), self.up)
        network = network_answer(self, first.leverage, first.of_asked, first.asked)
        found = self.coordinates.conclusion(first, network, skinned, self.longest)
        return found._replace(points=dials.blended(skinned, found.points))


def condition_of(
    model: MeshAutoencoder, features: Float[Tensor, "S D"], vertex: Int[Tensor, " S"]
) -> Float[Tensor, "S K"]:
    """Return the condition of encoder and decoder (S, K), about one in size: features; behind them the linear part's answer,
    where the network sees it; and where on the surface the vertices are, where the model tells them apart."""
    num_features = len(model.feature_mean)
    parts = [(features[:, :num_features] - model.feature_mean) / model.feature_scale]
    if model.answer_scale is not None:
        parts.append(features[:, num_features:] / model.answer_scale)
    if model.settings.num_embeddings:
        parts.append(nn.functional.embedding(vertex, model.surface.eigenfunctions))
    return torch.cat(parts, dim=1)


def change_of(model: MeshAutoencoder, features: Float[Tensor, "B V C"]) -> Float[Tensor, "B V 3"]:
    """Return how the linear part changes the mean corrections (B, V, 3), in the vertices' frames, file units; by zero where
    there is none."""
    if model.linear is None:
        return features.new_zeros(*features.shape[:2], 3)
    change: Float[Tensor, "B V 3"] = model.linear(features)
    return change


def network_answer(
    model: MeshAutoencoder,
    leverage: Float[Tensor, "B A"],
    features: Float[Tensor, "B Q D"],
    vertices: Int[Tensor, " Q"],
) -> Float[Tensor, "B Q 3"]:
    """Return the network's answer (B, Q, 3) at some vertices, by what these see, file units, as far as it is trusted: as it
    helped in frames kept out of training, and less where these here go beyond training, by the anchors' leverage."""
    samples = features.flatten(0, 1), vertices.repeat(features.shape[0])
    if features.is_cpu and not torch.compiler.is_exporting():
        parts = [model.forward(*part) for part in zip(*(s.split(VERTICES_AT_ONCE) for s in samples), strict=True)]
        answer = torch.cat(parts)
    else:
        answer = model.forward(*samples)
    answer = model.network_strength * answer.view(*features.shape[:2], 3)
    if model.leverage is None:
        return answer
    return answer * model.surface.spread_from_anchors(model.leverage.share_of_network(leverage), vertices).unsqueeze(2)
