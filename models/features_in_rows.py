"""What each vertex sees, for runtimes without Python: the twin of `local_features`, in operators that these are fast at."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.gathered import gathered
from models.local_features import ROUNDING, LocalFeatures, motion
from models.oscillators import states_after
from models.rows import faces_around, in_rows, rotated, rotation_vectors, surface_frames_in_rows, turned

TURNS = "anchors' rotations"  # the group of features


def repeated(points: Float[Tensor, "V 3"], times: int) -> Float[Tensor, "V K 3"]:
    """Return each point several times: broadcast rows of three would take four times as long."""
    return points.repeat(1, times).unflatten(1, (times, 3))


class FeaturesInRows(nn.Module):
    """The surface frames and features of single frames.

    How near anchors have turned comes last among the features, out of their usual `order` (C,). Where anchors and joints are is
    compared with the rest mesh only by whom it concerns: `offsets` (V, C), in the usual order, are still to be subtracted.
    """

    corners: Tensor
    around: Tensor
    further: Tensor
    rest_axes: Tensor
    turning: Tensor

    def __init__(self, features: LocalFeatures):
        super().__init__()
        self.features, surface, groups = features, features.surface, features.groups
        around, further = faces_around(surface.faces.numpy(), len(surface.vertices))
        constants = {
            "corners": torch.cat([surface.faces, torch.zeros_like(surface.faces[:1])]).T,  # and one without an area
            "around": torch.from_numpy(around),
            "further": torch.from_numpy(further),
            "rest_axes": in_rows(surface.frames),
            "turning": (~surface.turns_with_itself).T.float(),
        }
        for name, values in constants.items():
            self.register_buffer(name, values.contiguous())
        self.offsets = torch.zeros(len(surface.vertices), groups.num_features)
        for group, offsets in (("anchors", surface.anchor_offsets), ("joints", surface.joint_offsets)):
            columns = groups.columns_of([group])[: offsets[0].numel()]
            self.offsets[:, columns] = offsets.flatten(1)[:, : len(columns)]
        turns = groups.columns_of([TURNS])
        self.order = [column for column in range(groups.num_features) if column not in turns] + turns

    def frames_of(self, vertices: Float[Tensor, "V 3"]) -> Float[Tensor, "3 3 V"]:
        """Return what `RestSurface.frames_of` does, axes first."""
        surface = self.features.surface
        ends = surface.tangent_ends
        return surface_frames_in_rows(vertices / surface.unit, self.corners, self.around, self.further, ends)

    def forward(
        self,
        window: Float[Tensor, "N V 3"],
        joints: Float[Tensor, "N J 3"] | None,
        accelerations: Float[Tensor, "K A 3"] | None,
        up: Float[Tensor, "3"],
        axes: Float[Tensor, "3 3 V"],
    ) -> Float[Tensor, "V C"]:
        """Return what each vertex sees in the last frame, file units, in this class' order and without `offsets`.

        `accelerations` are those of the anchors, where there are oscillators, `axes` the surface frames; `up` has length one.
        """
        surface, features, current = self.features.surface, self.features, window[-1]
        near = surface.places_of_anchors
        parts = [
            motion(window.unsqueeze(0))[0].transpose(0, 1),
            -up.expand(len(current), 1, 3),
            gathered(current.index_select(0, surface.anchors), near, 0) - repeated(current, near.shape[1]),
        ]
        if accelerations is not None:
            states = states_after(accelerations.unsqueeze(0), features.periods)[0]
            parts.append(states.flatten(1).index_select(0, surface.nearest_anchor).unflatten(1, (-1, 3)))
        if joints is not None:
            near, moving = surface.nearest_joints, motion(joints.unsqueeze(0))[0].transpose(0, 1)
            parts.append(gathered(joints[-1], near, 0) - repeated(current, near.shape[1]))
            parts.append(gathered(moving.flatten(1), near, 0).flatten(1).unflatten(1, (-1, 3)))
        by_columns = axes.transpose(0, 1).flatten(0, 1).T.unflatten(1, (3, 3))
        return torch.cat([(torch.cat(parts, dim=1) @ by_columns).flatten(1), self.turns(axes)], dim=1)

    def turns(self, axes: Float[Tensor, "3 3 V"]) -> Float[Tensor, "V C"]:
        """Return how anchors near the vertices have turned against them since the mesh was at rest."""
        surface = self.features.surface
        near = surface.places_of_anchors[:, : surface.turning_anchors.shape[1]].T
        own = turned(self.rest_axes, axes)
        of_anchors = own.index_select(2, surface.anchors).flatten(0, 1).T.index_select(0, near.flatten())
        of_anchors = of_anchors.T.reshape(3, 3, *near.shape)
        vectors = rotated(axes.unsqueeze(2), rotation_vectors(turned(own.unsqueeze(2), of_anchors)) * self.turning)
        vectors = vectors - vectors.clamp(-ROUNDING, ROUNDING)  # no turn at all is exactly zero
        return vectors.transpose(0, 1).flatten(0, 1).T
