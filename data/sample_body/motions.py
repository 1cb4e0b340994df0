"""Procedural motions of the sample body: periodic exercises, varied in tempo and amplitude and blended into one another.

A pose is a rotation vector per bone, in the axes of the rest body (x to its left, y up, z forward), and a height of the
root above the ground. Names of bones end in `.L` for the left side; a motion says what the left side does, and the right
side mirrors it, in phase or half a cycle later.
"""

from dataclasses import dataclass

import numpy as np
from numpy import cos, pi, sin
from scipy.ndimage import gaussian_filter1d

BLEND_SECONDS = 0.5


@dataclass
class Segment:
    """One motion of a sequence: its name, how long it lasts, cycles per second and amplitude (1: as written below)."""

    motion: str
    seconds: float
    tempo: float
    amplitude: float


TRAINING = [
    Segment("jumping_jacks", 3.0, 1.1, 1.0),
    Segment("squats", 3.0, 0.55, 1.0),
    Segment("running", 2.5, 1.3, 0.9),
    Segment("hip_twists", 3.0, 0.9, 1.0),
    Segment("jumping_jacks", 2.0, 0.8, 0.75),
    Segment("squats", 2.0, 0.8, 0.7),
    Segment("running", 2.0, 1.0, 1.1),
    Segment("hip_twists", 2.0, 1.3, 0.7),
]
TEST = [
    Segment("hops", 2.0, 1.5, 1.0),
    Segment("punches", 2.0, 1.1, 1.0),
    Segment("squats", 2.0, 0.68, 0.85),
    Segment("jumping_jacks", 2.0, 0.95, 0.9),
]
RANGE_OF_MOTION = [Segment("range_of_motion", 8.0, 0.125, 1.0)]


def swing(angle, axis):
    """Rotation vectors (T, 3) of `angle` (T,) radians about `axis` (3,)."""
    return np.asarray(angle)[:, None] * np.asarray(axis, dtype=float)


def raised(wave):
    """A wave between 0 and 1, at 0 when its phase is 0."""
    return 0.5 - 0.5 * cos(wave)


class BodyMotions:
    """The motions, for one skeleton: each method maps phase (T,) in radians to ({bone: (T, 3)}, hop height (T,))."""

    def __init__(self, names, heads):
        bone = {name: index for index, name in enumerate(names)}
        arm = heads[bone["wrist.L"]] - heads[bone["upperarm01.L"]]
        self.arm = arm / np.linalg.norm(arm)
        elbow = np.cross(self.arm, [0, 0, 1])
        self.elbow = elbow / np.linalg.norm(elbow)

    def leg(self, hip, knee, spread=0.0):
        """The left leg: hip and knee flexion and sideways spread, the foot kept level."""
        spread = spread * np.ones_like(hip)
        return {
            "upperleg01.L": swing(-hip, [1, 0, 0]) + swing(spread, [0, 0, 1]),
            "lowerleg01.L": swing(knee, [1, 0, 0]),
            "foot.L": swing(0.8 * (hip - knee), [1, 0, 0]),
        }

    def reach(self, lift, forward, elbow, twist=0.0):
        """The left arm: sideways lift, forward lift, elbow flexion and forearm twist, the collar bone taking its share."""
        twist = twist * np.ones_like(lift)
        return {
            "clavicle.L": swing(0.2 * lift, [0, 0, 1]),
            "upperarm01.L": swing(0.8 * lift, [0, 0, 1]) + swing(-forward, [1, 0, 0]),
            "lowerarm01.L": swing(elbow, self.elbow),
            "lowerarm02.L": swing(twist, self.arm),
        }

    def jumping_jacks(self, phase, amplitude):
        up = raised(phase) * amplitude
        legs = self.leg(0.15 + 0.2 * raised(2 * phase), 0.25 + 0.3 * raised(2 * phase), 0.42 * up)
        both = legs | self.reach(1.9 * up - 0.5, 0.1 * up, 0.25 + 0.3 * (1 - up))
        return both, both, {}, 0.09 * amplitude * np.abs(sin(phase))

    def squats(self, phase, amplitude):
        down = raised(phase) * amplitude
        both = self.leg(1.5 * down, 1.9 * down, 0.12) | self.reach(-0.4 + 0.2 * down, 1.4 * down, 0.3 + 0.3 * down)
        spine = {name: swing(0.14 * down, [1, 0, 0]) for name in ("spine05", "spine04", "spine03", "spine02")}
        return both, both, spine, 0 * phase

    def running(self, phase, amplitude):
        def side(p):
            hip = amplitude * (0.35 + 0.65 * sin(p))
            knee = 0.3 + amplitude * (0.75 + 0.75 * sin(p - 0.9))
            return self.leg(hip, knee) | self.reach(-0.55 + 0 * p, -0.7 * amplitude * sin(p), 1.4 + 0.25 * sin(p))

        spine = {name: swing(-0.07 * amplitude * sin(phase), [0, 1, 0]) for name in ("spine04", "spine03", "spine02")}
        return side(phase), side(phase + pi), spine, 0.07 * amplitude * raised(2 * phase)

    def hip_twists(self, phase, amplitude):
        both = self.leg(0.25 + 0.1 * raised(2 * phase), 0.45 + 0.1 * raised(2 * phase), 0.1)
        both |= self.reach(0.3 + 0.15 * amplitude * sin(phase), 0.5 + 0 * phase, 1.0 + 0 * phase)
        turn = amplitude * sin(phase)
        spine = {name: swing(0.2 * turn, [0, 1, 0]) for name in ("spine05", "spine04", "spine03", "spine02")}
        spine["root"] = swing(-0.35 * turn, [0, 1, 0])
        return both, both, spine, 0 * phase

    def hops(self, phase, amplitude):
        crouch = 0.3 + 0.5 * amplitude * raised(phase + pi)
        both = self.leg(crouch, 1.2 * crouch) | self.reach(-0.3 + 0 * phase, 0.5 * amplitude * sin(phase), 0.5 + crouch)
        return both, both, {}, 0.16 * amplitude * np.maximum(0, sin(phase)) ** 1.5

    def punches(self, phase, amplitude):
        def side(p):
            out = raised(p) ** 2 * amplitude
            leg = self.leg(0.3 + 0.15 * sin(p), 0.45 + 0.1 * sin(p), 0.15)
            return leg | self.reach(-0.45 + 0.2 * out, 0.5 + 0.95 * out, 1.9 - 1.6 * out, 0.8 * out)

        turn = 0.16 * amplitude * sin(phase + 0.5 * pi)
        spine = {name: swing(turn, [0, 1, 0]) for name in ("spine04", "spine03", "spine02")}
        return side(phase), side(phase + pi), spine, 0.015 * raised(2 * phase)

    def range_of_motion(self, phase, amplitude):
        def bend(order):  # one joint after the other, each twice, out and back
            local = np.clip(phase / (2 * pi) * 6 - order, 0, 1)
            return amplitude * raised(4 * pi * local)

        both = self.leg(1.2 * bend(0), 0.15 + 1.6 * bend(1) + 1.0 * bend(0), 0.5 * bend(2))
        both |= self.reach(1.8 * bend(3) - 0.3, 1.2 * bend(4), 0.2 + 2.0 * bend(5), 0.6 * bend(4))
        spine = {
            name: swing(0.15 * bend(2), [1, 0, 0]) + swing(0.15 * bend(4), [0, 1, 0]) for name in ("spine04", "spine03")
        }
        return both, both, spine, 0 * phase


def mirrored(rotations):
    """The same rotations on the other side of the body (a reflection in x)."""
    return {name.replace(".L", ".R"): vectors * [1, -1, -1] for name, vectors in rotations.items()}


def pose_sequence(names, heads, segments, seconds, frame_rate, seed):
    """Return rotation vectors (T, J, 3) and hop heights (T,) of `segments`, stretched or cut to last `seconds`."""
    random = np.random.default_rng(seed)
    motions = BodyMotions(names, heads)
    bone = {name: index for index, name in enumerate(names)}
    frames = round(seconds * frame_rate)
    time = np.arange(frames) / frame_rate
    stretch = seconds / sum(segment.seconds for segment in segments)
    blend = min(BLEND_SECONDS, 0.8 * stretch * min(segment.seconds for segment in segments))
    rotations = np.zeros((frames, len(names), 3))
    hops = np.zeros(frames)
    total = np.zeros(frames)
    start = 0.0
    for segment in segments:
        end = start + segment.seconds * stretch
        # each motion fades in over the end of the one before; the first and the last do not fade into anything
        inside = np.minimum(
            np.inf if segment is segments[0] else time - start,
            np.inf if segment is segments[-1] else end - time,
        )
        ramp = np.clip(inside / blend + 0.5, 0, 1)
        weight = np.broadcast_to(ramp**2 * (3 - 2 * ramp), time.shape)
        wander = random.uniform(0, 2 * pi, 4)
        tempo = segment.tempo * (1 + 0.12 * sin(1.7 * time + wander[0]))
        amplitude = segment.amplitude * (1 + 0.12 * sin(2.3 * time + wander[1]) + 0.06 * sin(5.1 * time + wander[2]))
        phase = 2 * pi * np.cumsum(tempo) / frame_rate
        phase -= phase[np.argmax(weight > 0)]
        left, right, middle, hop = getattr(motions, segment.motion)(phase, amplitude)
        for name, vectors in (left | mirrored(right) | middle).items():
            rotations[:, bone[name]] += weight[:, None] * vectors
        hops += weight * hop
        total += weight
        start = end
    rotations /= total[:, None, None]
    hops /= total
    # nobody holds the rest of the body still: slow sway of trunk, neck and shoulders
    for name in (
        "spine03",
        "spine02",
        "neck01",
        "neck02",
        "head",
        "clavicle.L",
        "clavicle.R",
        "wrist.L",
        "wrist.R",
        "root",
    ):
        for frequency in (0.31, 0.73):
            sway = sin(2 * pi * frequency * time + random.uniform(0, 2 * pi))
            rotations[:, bone[name]] += swing(0.06 * sway, random.normal(size=3) / np.sqrt(3))
    return rotations, gaussian_filter1d(hops, 0.02 * frame_rate)
