"""Which frames a USD file has: its time samples, and what they stand for."""

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

from data.formats.usd import FRAME_NUMBERS
from data.input_error import InputError

ROUNDING = 1e-6  # of times, where layers have other frame rates
MOST_FRAMES = 1_000_000
MOST_SAMPLES, MOST_A_SECOND = 5, 500  # samples a frame; frames a second


def animation_times(query: Any) -> list[float]:
    """Return the time samples of a skeleton's animation; none where it has no animation."""
    animation = query.GetAnimQuery()
    return animation.GetJointTransformTimeSamples() if animation else []


def whole_frames(
    path: Path, stage: Any, times: list[float], times_of_transforms: list[float], keyed: bool = False
) -> list[int]:
    """Return which frames there are, given the times of samples of the points, and of the transforms that move them.

    Where the points' samples are whole numbers equally far apart, it is theirs; of an animation that is `keyed`, and where some
    were left out since nothing moved, all whole numbers. Raises `InputError` for samples that are not at frames.
    """
    every = sorted({*times, *times_of_transforms})
    if not every:
        return [math.ceil(stage.GetStartTimeCode())]
    whole = all(abs(time - round(time)) < ROUNDING for time in every)
    numbers = sorted({round(time) for time in every})
    if whole and numbers == sorted(stage.GetRootLayer().customLayerData.get(FRAME_NUMBERS, [])):
        return numbers
    steps = {after - before for before, after in pairwise(numbers)}
    if whole and len(times) > 1 and (steps == {1} or (len(steps) == 1 and not keyed and len(numbers) > 2)):
        return numbers
    if stage.HasAuthoredTimeCodeRange() and not (whole and len(times) > 1):
        every = [stage.GetStartTimeCode(), stage.GetEndTimeCode()]
    first, last = math.ceil(every[0] - ROUNDING), math.floor(every[-1] + ROUNDING)
    if not 0 <= last - first < MOST_FRAMES:
        raise InputError(f"{path}: times from {every[0]:g} to {every[-1]:g}, expected whole frames between them")
    a_second = stage.GetTimeCodesPerSecond()
    if len(times) > MOST_SAMPLES * (last - first + 1) or (len(times) > 2 and not MOST_A_SECOND > a_second > 1):
        raise InputError(
            f"{path}: {len(times)} samples between the times {every[0]:g} and {every[-1]:g}, {a_second:g} of them a second: "
            "times that count seconds, or parts of them? Expected a time of one for each frame"
        )
    return list(range(first, last + 1))


def transform_times(prim: Any) -> list[float]:
    """Return the time samples of the transforms of a prim and all above it."""
    from pxr import UsdGeom

    times: set[float] = set()
    while prim.IsValid() and not prim.IsPseudoRoot():
        if prim.IsA(UsdGeom.Xformable):
            times |= set(UsdGeom.Xformable(prim).GetTimeSamples())
        prim = prim.GetParent()
    return sorted(times)
