"""The whole map one frame at a time, for runtimes without Python: what came before is a state that goes in and comes out.

The twin of `MeshAutoencoder.predict` on windows; tests, and every export, hold both together.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.conclusion import strength_of
from models.coordinates import LocalCoordinates
from models.dials import Dials
from models.features_in_rows import FeaturesInRows
from models.gathered import gathered
from models.mesh_autoencoder import MeshAutoencoder, network_answer
from models.oscillators import HISTORY, streamed_accelerations
from models.rows import dot, rotated


def begun(
    previous: Float[Tensor, "P Q 3"],
    current: Float[Tensor, "Q 3"],
    before: Float[Tensor, "1"],
    path: Float[Tensor, "H 3"],
) -> Float[Tensor, "P Q 3"]:
    """Return the frames before the current one, of which there are so many `before` it in the sequence; the others guessed, by
    the `path` up to the third frame as weights of the first three."""
    count = len(previous)
    if count == 1:
        return torch.where(before < 1, current, previous)
    last, second = previous[-1], previous[-2]
    known = torch.where(
        before < 1,
        current.expand(3, -1, -1),
        torch.where(before < 2, torch.stack([last, current, 2 * current - last]), torch.stack([second, last, current])),
    )
    weights = [path[len(path) - 3 - count + number :][:count] for number in range(3)]
    weights_now = torch.where(before < 1, weights[0], torch.where(before < 2, weights[1], weights[2]))
    guessed = torch.einsum("pk,kqc->pqc", weights_now, known)
    unseen = (torch.arange(count, device=before.device) < count - before) & (before < 3)
    return torch.where(unseen[:, None, None], guessed, previous)


def smoothed(
    correction: Float[Tensor, "3 V"],
    means: Float[Tensor, "2 3 V"],
    before: Float[Tensor, "1"],
    steady: Float[Tensor, ""],
) -> tuple[Float[Tensor, "3 V"], Float[Tensor, "2 3 V"]]:
    """Return a correction smoothed over the frames before, of which there are so many, and the means for the next frame.

    Two means over the past, the second of the first, in which each frame weighs `steady / (steady + 2)` of the next: by both,
    what grows steadily comes out without lag (Brown 1963, "Smoothing, forecasting and prediction of discrete time series").
    """
    share = 2 / (steady + 2)
    first = torch.where(before < 1, correction, share * correction + (1 - share) * means[0])
    second = torch.where(before < 1, correction, share * first + (1 - share) * means[1])
    return 2 * first - second, torch.stack([first, second])


class StreamedMap(nn.Module):
    """A model's `predict`, of local coordinates, for one frame after another.

    `state_shapes` name what it knows of the frames before, all zero at a sequence's start: `previous`, the last skinned meshes,
    oldest first; `accelerations` of the anchors, where the model has oscillators (and not the oscillators' own states: windows
    remember 72 frames, and nothing of the frames before); `previous_joints`, where it sees joints; `means` of the corrections,
    in local frames, to steady them by; and how many `frames_before` there were, as far as that matters. What was before a
    sequence's first frame is guessed anew in each of its first three frames, by those that are there: two move on as they did,
    and one stands still.
    """

    coefficients: Tensor
    constant: Tensor
    offsets: Tensor
    columns: Tensor
    control_weights: Tensor
    anchor_weights: Tensor
    path: Tensor

    def __init__(self, model: MeshAutoencoder, before_first: Float[Tensor, "H 3"]):
        """`before_first` is the guess of the frames before a sequence's first, oldest first, as weights of its first three."""
        super().__init__()
        assert isinstance(model.coordinates, LocalCoordinates)
        self.model, self.coordinates, surface = model, model.coordinates, model.surface
        self.features, linear = FeaturesInRows(model.coordinates), model.coordinates.linear
        of_offsets = self.features.offsets.double().unsqueeze(1) @ linear.coefficients.double()
        constants = {
            "coefficients": linear.coefficients[:, self.features.order].transpose(1, 2),
            "constant": (linear.constant - of_offsets.squeeze(1)).float(),
            "offsets": self.features.offsets[surface.asked],
            "columns": torch.tensor(self.features.order).argsort(),
            "control_weights": surface.control_weights.T.unsqueeze(2).expand(-1, -1, 3),
            "anchor_weights": surface.anchor_weights.T,
            "path": torch.cat([before_first, torch.eye(3)]),  # frames up to the third, as weights of the first three
        }
        for name, values in constants.items():
            self.register_buffer(name, values.contiguous())

    @property
    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of what the state consists of, by name."""
        surface, settings, coordinates = self.model.surface, self.model.settings, self.coordinates
        num_steps = settings.num_condition_frames - 1
        shapes: dict[str, tuple[int, ...]] = {}
        if num_steps:
            shapes["previous"] = (max(num_steps, 2) if coordinates.periods else num_steps, len(surface.vertices), 3)
        if coordinates.periods:
            shapes["accelerations"] = (HISTORY - 2, len(surface.anchors), 3)
        if coordinates.sees_joints and num_steps:
            shapes["previous_joints"] = (num_steps, settings.num_joints, 3)
        return shapes | {"means": (2, 3, len(surface.vertices)), "frames_before": (1,)}

    def forward(self, *inputs: Float[Tensor, "..."]) -> tuple[Float[Tensor, "..."], ...]:
        """Return the predicted scan (V, 3) of a skinned mesh (V, 3), file units, and the next state.

        After the skinned mesh come the joints (J, 3), where the model sees them, the state, as `state_shapes` has it, and
        numbers: the strength and dynamics of `models.dials`, and over how many frames back the correction is smoothed.
        """
        skinned, *others, strength, dynamics, steady = inputs
        joints = others.pop(0) if self.coordinates.sees_joints else None
        state = dict(zip(self.state_shapes, others, strict=True))
        before, following = state["frames_before"], dict(state)
        window = skinned.unsqueeze(0)
        if "previous" in state:
            window = torch.cat([begun(state["previous"], skinned, before, self.path), window])
            following["previous"] = window[1:]
        of_joints = None
        if joints is not None:
            of_joints = joints.unsqueeze(0)
            if "previous_joints" in state:
                of_joints = torch.cat([begun(state["previous_joints"], joints, before, self.path), of_joints])
                following["previous_joints"] = of_joints[1:]
        if "accelerations" in state:
            three = window[-3:].index_select(1, self.model.surface.anchors)
            following["accelerations"] = streamed_accelerations(state["accelerations"], three, before, self.path)
        following["frames_before"] = (before + 1).clamp_max(3)
        dials = Dials(strength, dynamics, self.model.dials.region)
        window = dials.paced(window[-self.model.settings.num_condition_frames :].unsqueeze(0))[0]
        if of_joints is not None:
            of_joints = dials.paced(of_joints.unsqueeze(0))[0]
        accelerations = following.get("accelerations")
        axes = self.features.frames_of(skinned)
        moved = self.correction(window, of_joints, None if accelerations is None else dynamics * accelerations, axes)
        local, following["means"] = smoothed(rotated(axes, moved), state["means"], before, steady)
        moved = torch.where(steady == 0, moved, rotated(axes.transpose(0, 1), local))
        points = dials.blended(skinned.unsqueeze(0), (skinned + moved.T).unsqueeze(0))[0]
        return points, *(following[name] for name in state)

    def correction(
        self,
        window: Float[Tensor, "N V 3"],
        joints: Float[Tensor, "N J 3"] | None,
        accelerations: Float[Tensor, "K A 3"] | None,
        axes: Float[Tensor, "3 3 V"],
    ) -> Float[Tensor, "3 V"]:
        """Return by how much the predicted scan is away from the last skinned mesh, whose surface frames `axes` are."""
        model, surface = self.model, self.model.surface
        linear, trust = self.coordinates.linear, self.coordinates.leverage
        to_world = axes.transpose(0, 1)
        seen = self.features(window, joints, accelerations, model.up, axes)
        answered = (self.coefficients @ seen.unsqueeze(2)).squeeze(2) + self.constant
        change = rotated(to_world, answered.T)

        asked = (seen.index_select(0, surface.asked).T.index_select(0, self.columns).T - self.offsets).unsqueeze(0)
        of_anchors, of_controls = asked.split([len(surface.anchors), len(surface.controls)], dim=1)
        if self.coordinates.answer_seen:
            answered = answered.index_select(0, surface.controls).unsqueeze(0)
            of_controls = torch.cat([of_controls, answered], dim=2)
        leverage = trust(of_anchors)
        network = network_answer(model, leverage, of_controls, surface.controls)[0]
        network = rotated(to_world.index_select(2, surface.controls), network.T).T
        change = change + (gathered(network, surface.nearest_controls.T, 0) * self.control_weights).sum(dim=0).T
        for _ in range(linear.smoothing_steps):
            change = gathered(change.T, surface.neighbours.T, 0).mean(dim=0).T
        known = torch.cat([leverage, trust.share_of_mean(of_anchors)])
        spread, share = (gathered(known, surface.places_of_anchors.T, 1) * self.anchor_weights).sum(dim=1)
        answer = change + rotated(to_world, share * linear.mean.T)
        size = dot(answer, answer).sqrt().unsqueeze(0)
        assert model.longest is not None
        return strength_of(trust, size, leverage, spread.unsqueeze(0), surface.anchors, model.longest) * answer
