"""Four takes of unlike motion and tempo for the benchmark's characters: improvised dances, turning jumps, a run in a circle.

A pose is what `data.sample_body.motions` makes it: rotation vectors per bone and a height above the ground. Here the body also
turns and travels.
"""

import numpy as np
from numpy import cos, pi, sin
from scipy.ndimage import gaussian_filter1d

from data.sample_body.motions import BodyMotions, mirrored, raised, swing

SPINE = ("spine05", "spine04", "spine03", "spine02")


class Improviser:
    """Smooth random signals, of one take."""

    def __init__(self, frames, frame_rate, seed):
        self.frames, self.frame_rate = frames, frame_rate
        self.random = np.random.default_rng(seed)

    def wander(self, hertz):
        """A signal (T,) without much above some frequency, mostly between -1 and 1."""
        width = 0.2 * self.frame_rate / hertz
        noise = self.random.normal(size=self.frames + 8 * round(width))
        signal = gaussian_filter1d(noise, width)[4 * round(width) :][: self.frames]
        return 0.6 * (signal - signal.mean()) / signal.std()


def dance(motions, improvise, hertz, amplitude):
    """Legs, arms and trunk, each as it comes; left, right, middle."""

    def side():
        lifted = np.clip(improvise.wander(hertz), 0, None) * amplitude
        hip, knee = 0.2 + 1.1 * lifted, 0.3 + 0.6 * lifted + 0.5 * lifted * raised(3 * improvise.wander(hertz))
        legs = motions.leg(hip, knee, 0.1 + 0.25 * amplitude * improvise.wander(hertz))
        lift, forward = improvise.wander(hertz), improvise.wander(hertz)
        arms = (0.5 + 1.1 * amplitude * lift, 0.4 + 0.9 * amplitude * forward)
        return legs | motions.reach(*arms, 0.7 + 0.6 * improvise.wander(hertz), 0.6 * improvise.wander(hertz))

    bend = [amplitude * improvise.wander(hertz) for _ in range(3)]
    turn = swing(0.12 * bend[0], [1, 0, 0]) + swing(0.14 * bend[1], [0, 1, 0]) + swing(0.1 * bend[2], [0, 0, 1])
    return side(), side(), dict.fromkeys(SPINE, turn)


def slow_dance(motions, improvise, time):
    """Wide and slow, turning to either side."""
    return *dance(motions, improvise, 0.4, 0.9), 0 * time, 1.2 * improvise.wander(0.2)


def quick_dance(motions, improvise, time):
    """Three times as fast, with kicks and small hops."""
    hop = 0.05 * np.abs(sin(2 * pi * 1.1 * time))
    return *dance(motions, improvise, 1.2, 0.8), hop, 0.7 * improvise.wander(0.6)


def turning_jumps(motions, improvise, time):
    """A jump every 1.3 seconds, with half a turn in the air."""
    cycle = time / 1.3
    phase = 2 * pi * (cycle % 1)
    air = np.clip((cycle % 1 - 0.45) / 0.4, 0, 1)
    crouch = 0.25 + 0.8 * np.clip(sin(phase * 1.1), 0, 1) + 0.5 * np.clip(sin(phase - 5.3), 0, 1)
    arms = 1.5 * raised(2 * pi * np.clip((cycle % 1 - 0.25) / 0.75, 0, 1))
    both = motions.leg(crouch, 1.3 * crouch, 0.1 + 0.2 * sin(pi * air))
    both |= motions.reach(-0.3 + arms, 0.5 - 0.3 * arms, 0.4 + 0.3 * improvise.wander(1))
    bend = dict.fromkeys(SPINE, swing(0.15 * crouch, [1, 0, 0]) + swing(0.08 * improvise.wander(0.8), [0, 1, 0]))
    turns = np.floor(cycle) + air**2 * (3 - 2 * air)
    return both, both, bend, 0.3 * 4 * air * (1 - air), pi * turns


def run_in_a_circle(motions, improvise, time):
    """A run, leaning into the circle; its tempo comes and goes."""
    phase = 2 * pi * np.cumsum(1.4 + 0.3 * improvise.wander(0.3)) / improvise.frame_rate
    left, right, middle, hop = motions.running(phase, 1 + 0.15 * improvise.wander(0.5))
    lean = swing(np.full_like(time, 0.07), [1, 0, 0])
    middle = {name: middle.get(name, 0) + lean for name in SPINE}
    return left, right, middle, hop, -2 * pi * time / 5


TAKES = {
    "slow dance": slow_dance,
    "quick dance": quick_dance,
    "turning jumps": turning_jumps,
    "run": run_in_a_circle,
}


def pose_take(name, body, frames, frame_rate, seed):
    """Return rotation vectors (T, J, 3) of a take's bones, hop heights (T,) and the way over the ground (T, 2), metres."""
    improvise = Improviser(frames, frame_rate, [seed, list(TAKES).index(name)])
    time = np.arange(frames) / frame_rate
    motions = BodyMotions(body.bone_names, body.bone_heads)
    left, right, middle, hop, heading = TAKES[name](motions, improvise, time)
    bone = {each: index for index, each in enumerate(body.bone_names)}
    rotations = np.zeros((frames, len(bone), 3))
    for each, vectors in (left | mirrored(right) | middle).items():
        rotations[:, bone[each]] += vectors
    for each, size in (("neck01", 0.15), ("head", 0.2), ("wrist.L", 0.3), ("wrist.R", 0.3)):
        rotations[:, bone[each]] += np.stack([size * improvise.wander(0.7) for _ in range(3)], axis=1)
    smooth = 0.03 * frame_rate
    rotations[:, bone["root"], 1] += heading
    speed = {"run": 2.5}.get(name, 0.3)
    way = np.cumsum(speed / frame_rate * np.stack([sin(heading), cos(heading)], axis=1), axis=0)
    return gaussian_filter1d(rotations, smooth, axis=0), gaussian_filter1d(hop, smooth), way
