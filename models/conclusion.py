"""From what the linear part and the network answer to points: the mean correction, and how far to trust all of it."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from models import loops
from models.leverage import FAR, LARGEST_SIZE, SMALLEST_SIZE, Leverage, growth, wiener
from models.linear_correction import LinearCorrection
from models.rest_surface import RestSurface
from models.surface_frames import to_world

DROWNED = 30.0  # variances, in units of the squares of answers, from which on most of a frame is chance
LARGEST_RATIO = 1e30  # one vertex that is far too far, or not a number, does not decide for a frame
STILL = 0.1  # of the mean length: where answers are shorter than that, they say nothing of a frame


class FirstAnswer(NamedTuple):
    """What is known before the network is asked: the surface frames; the change (B, V, 3) of the mean correction that the
    linear part answers, in world axes; what the anchors see (B, A, C), and the leverage of that (B, A); and the vertices (Q,)
    that the network is asked at, with what they see (B, Q, D), behind it what the linear part answers there, where the network
    sees that."""

    frames: Float[Tensor, "B V 3 3"]
    change: Float[Tensor, "B V 3"]
    of_anchors: Float[Tensor, "B A C"]
    leverage: Float[Tensor, "B A"]
    asked: Int[Tensor, " Q"]
    of_asked: Float[Tensor, "B Q D"]


class Prediction(NamedTuple):
    """Predicted scans (B, V, 3), file units; how far each frame goes beyond training, by the leverage at the anchors (B, A);
    and the mean error to expect (B, V), file units. In world coordinates the last two are not known: (B, 0)."""

    points: Float[Tensor, "B V 3"]
    leverage: Float[Tensor, "B A"]
    expected_error: Float[Tensor, "B _"]


def no_longer_than(
    size: Float[Tensor, "*B V"], strength: Float[Tensor, "*B V"], longest: Float[Tensor, " V"]
) -> Float[Tensor, "*B V"]:
    """Return strengths of answers of some size (*B, V), less where one would be longer than allowed at its vertex (V,).

    Motion wilder than that of training must not tear the mesh.
    """
    return torch.minimum(strength, longest / size.clamp_min(1e-30))


def mean_correction(
    surface: RestSurface,
    linear: LinearCorrection,
    share: Float[Tensor, "B A"],
    vertices: Int[Tensor, " Q"] | None = None,
) -> Float[Tensor, "B Q 3"]:
    """Return the mean correction of some vertices (B, Q, 3), or of all, by the `share` of it at the anchors (B, A)."""
    spread = surface.spread_from_anchors(share, vertices)
    return spread.unsqueeze(2) * linear.mean[slice(None) if vertices is None else vertices]


def share_of_frame(
    trust: Leverage, size: Float[Tensor, "B A"], leverage: Float[Tensor, "B A"], anchors: Int[Tensor, " A"]
) -> Float[Tensor, " B"]:
    """Return how much to take of what is in doubt in a frame (B,), 0 to 1, by the lengths of answers (B, A), file units, and
    the leverage at the anchors (B, A), vertices (A,).

    Where most answers drown in their variance, that of the error to expect, they are chance. A few that do are damped on
    their own.
    """
    usual = trust.answer_size.index_select(0, anchors)
    weights = wiener((usual / usual.mean()).square(), STILL**2)
    weights = weights / weights.sum()
    # geometric means of variances in units of answers' squares: of usual frames, and of these
    of_usual = trust.doubt * (trust.residual.index_select(0, anchors) / usual).square()
    of_these = of_usual * growth(leverage) / (size / usual).clamp_min(SMALLEST_SIZE).square()
    bounded = (each.clamp(1 / LARGEST_RATIO, LARGEST_RATIO) for each in (of_usual, of_these))
    known = (torch.where(each > 0, each, 1.0) for each in bounded)  # what is not a number is not larger
    usually, drowned = ((each.log() @ weights).exp() for each in known)
    return 1 / (1 + (drowned / DROWNED).square() / (1 + usually))


def strength_of(
    trust: Leverage,
    size: Float[Tensor, "B V"],
    leverage: Float[Tensor, "B A"],
    spread: Float[Tensor, "B V"],
    anchors: Int[Tensor, " A"],
    longest: Float[Tensor, " V"],
) -> Float[Tensor, "B V"]:
    """Return how much of answers of some size (B, V) to take: damped by the leverage at the anchors (B, A), vertices (A,), and
    `spread` from them, and none longer than allowed (V,)."""
    of_frame = share_of_frame(trust, size.index_select(1, anchors), leverage, anchors)
    return no_longer_than(size, trust.strength(size, spread, of_frame.unsqueeze(1)), longest)


def conclude(
    surface: RestSurface,
    linear: LinearCorrection,
    trust: Leverage,
    first: FirstAnswer,
    change: Float[Tensor, "B V 3"],
    skinned: Float[Tensor, "B V 3"],
    longest: Float[Tensor, " V"],
) -> Prediction:
    """Return what follows from a change of the mean correction (B, V, 3), in world axes: corrections damped where frames go
    beyond training, and no longer than allowed (V,); the error to expect is that of the damped ones."""
    leverage, share = first.leverage, trust.share_of_mean(first.of_anchors)
    if loops.compiles(change, skinned, longest):
        there, axes = (each.index_select(1, surface.anchors) for each in (change, first.frames))
        there = there + to_world(axes, mean_correction(surface, linear, share, surface.anchors).unsqueeze(2)).squeeze(2)
        of_frame = share_of_frame(trust, torch.linalg.vector_norm(there, dim=2), leverage, surface.anchors)
        numbers = (SMALLEST_SIZE, LARGEST_SIZE, FAR, float(trust.doubt), float(trust.error_scale))
        of_vertices = (trust.answer_size, trust.relative_variance, trust.residual)
        by_vertex = (linear.mean, surface.places_of_anchors, surface.anchor_weights, *of_vertices)
        known = (by_vertex, (leverage, share), of_frame, longest, numbers)
        points, expected = loops.conclude(change, first.frames, skinned, *known)
        return Prediction(points, leverage, expected)
    answer = change + to_world(first.frames, mean_correction(surface, linear, share).unsqueeze(2)).squeeze(2)
    size, spread = torch.linalg.vector_norm(answer, dim=2), surface.spread_from_anchors(leverage)
    strength = strength_of(trust, size, leverage, spread, surface.anchors, longest)
    return Prediction(skinned + strength.unsqueeze(2) * answer, leverage, trust.expected_error(size, spread))
