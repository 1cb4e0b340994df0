"""Characters to test beyond the training motion on: what their scans show is nonlinear, swings slowly, touches, or drifts.

Built on the sample body's skeleton and skinning (`data.sample_body.simulated_body`), otherwise as unlike it as could be made:

* "sample body": that body itself, its own soft tissue;
* "long ears": a heavy belly and flesh that stiffens as it is stretched, and floppy ears and a tail, whose tips swing with
  periods of 15 and 21 frames, which the skinned mesh carries along stiffly; knees, elbows and hands press into the flesh, ears
  and tail slide over the body;
* "stiff body": hardly any soft tissue, but a skeleton that was tracked badly: in every take the bones are off by a few
  millimetres and degrees, otherwise in each, and drift.

Flesh and appendages are integrated by symplectic Euler steps, `SUBSTEPS` to a frame, with contact and length as projections
(Müller et al. 2007, "Position based dynamics").
"""

import numpy as np
from scipy import sparse
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from benchmarks.takes import pose_take
from data.sample_body import simulated_body
from data.sample_body.simulated_body import GRAVITY, SimulatedBody, vertex_normals

FRAME_RATE = 30
SUBSTEPS = 8

BELLY, BELLY_RADIUS = np.array([0.0, 1.08, 0.17]), 0.13
SOFTEST_HERTZ, STIFFEST_HERTZ, STRETCH = 1.6, 12.0, 0.04
DAMPING_RATIO, TENSION_HERTZ = 0.2, 3.0
# radii of spheres about joints: what presses into flesh, and what ears and tail slide over
PRESSING = {"lowerleg01": 0.065, "lowerarm01": 0.05, "lowerarm02": 0.045, "wrist": 0.06}
OBSTACLES = {"head": 0.11, "spine01": 0.13, "spine03": 0.14, "spine05": 0.15, "upperleg02": 0.09}

# bone, root and direction in the rest pose, length, radius, hertz at root and tip
APPENDAGES = [
    ("head", (0.07, 1.80, 0.0), (0.75, 0.65, -0.1), 0.34, 0.032, (8.0, 2.0)),
    ("head", (-0.07, 1.80, 0.0), (-0.75, 0.65, -0.1), 0.34, 0.032, (8.0, 2.0)),
    ("root", (0.0, 1.0, -0.13), (0.0, -0.25, -1.0), 0.55, 0.04, (6.0, 1.4)),
]
RINGS, AROUND = 14, 8

OFF_DEGREES, OFF_METRES, DRIFT_SECONDS = 1.2, 0.004, 2.5


def frames_along(tangents, rest_tangents):
    """Return the smallest rotations (N, 3, 3) that turn unit rest tangents (N, 3) into unit tangents (N, 3)."""
    axis = np.cross(rest_tangents, tangents)
    cosine = (rest_tangents * tangents).sum(axis=1)
    cross = np.zeros((len(axis), 3, 3))
    cross[:, [2, 0, 1], [1, 2, 0]], cross[:, [1, 2, 0], [2, 0, 1]] = axis, -axis
    return np.eye(3) + cross + cross @ cross / np.maximum(1 + cosine, 0.05)[:, None, None]


class Appendage:
    """A tapered tube on one bone: in the skinned mesh it moves stiffly with it, in the scan it is a chain that swings."""

    def __init__(self, body, bone, root, direction, length, radius, hertz):
        self.bone = body.bone_names.index(bone)
        self.axis = np.array(direction) / np.linalg.norm(direction)
        along = np.linspace(0, 1, RINGS)
        self.nodes = np.array(root) + length * along[:, None] * self.axis
        self.link = length / (RINGS - 1)
        self.pull = (2 * np.pi * hertz[0] * (hertz[1] / hertz[0]) ** along) ** 2
        aside = np.cross(self.axis, [0, 0, 1.0])
        aside /= np.linalg.norm(aside)
        angle = 2 * np.pi * np.arange(AROUND) / AROUND
        circle = np.cos(angle)[:, None] * aside + np.sin(angle)[:, None] * np.cross(self.axis, aside)
        width = radius * np.sqrt(1 - 0.85 * along**2)
        self.rings = width[:, None, None] * circle  # (N, A, 3), about each node
        self.vertices = np.concatenate([(self.nodes[:, None] + self.rings).reshape(-1, 3), self.nodes[[-1]]])
        ring, place = np.divmod(np.arange((RINGS - 1) * AROUND), AROUND)
        corner = ring * AROUND + place
        following = ring * AROUND + (place + 1) % AROUND
        tip = (RINGS - 1) * AROUND + np.arange(AROUND)
        self.faces = np.concatenate(
            [
                np.stack([corner, following, following + AROUND], axis=1),
                np.stack([corner, following + AROUND, corner + AROUND], axis=1),
                np.stack([tip, np.roll(tip, -1), np.full(AROUND, RINGS * AROUND)], axis=1),
            ]
        )

    def start(self, transform):
        """Hang the chain on a bone transform (3, 4)."""
        self.turn = transform[:, :3]
        self.points = self.nodes @ self.turn.T + transform[:, 3]
        self.speed = np.zeros_like(self.points)

    def step(self, transform, centres, radii, time_step):
        """Swing on to the next bone transform, around spheres (S, 3)."""
        self.turn, before = transform[:, :3], self.points
        target = self.nodes @ self.turn.T + transform[:, 3]
        sag = GRAVITY - self.turn @ GRAVITY
        damping = 2 * DAMPING_RATIO * np.sqrt(self.pull)[:, None]
        force = self.pull[:, None] * (target - before) - damping * self.speed + sag
        points = before + time_step * (self.speed + time_step * force)
        points[:2] = target[:2]
        for _ in range(4):
            for node in range(2, len(points)):
                link = points[node] - points[node - 1]
                points[node] = points[node - 1] + link * (self.link / np.linalg.norm(link))
            away = points[2:, None] - centres
            distance = np.linalg.norm(away, axis=2, keepdims=True)
            points[2:] += (away / distance * np.maximum(radii[:, None] - distance, 0)).sum(axis=1)
        self.points, self.speed = points, (points - before) / time_step

    def surface(self):
        """Return the tube's vertices (W, 3) around the chain."""
        tangents = np.gradient(self.points, axis=0)
        tangents /= np.linalg.norm(tangents, axis=1, keepdims=True)
        bend = frames_along(tangents, np.broadcast_to(self.turn @ self.axis, tangents.shape)) @ self.turn
        rings = self.points[:, None] + np.einsum("nab,nkb->nka", bend, self.rings)
        return np.concatenate([rings.reshape(-1, 3), self.points[[-1]]])


class Flesh:
    """Soft flesh tied to the skinned surface, the stiffer the further it is stretched, into which knees and arms press."""

    def __init__(self, body):
        self.body = body
        belly = np.exp(-0.5 * (np.linalg.norm(body.vertices - BELLY, axis=1) / BELLY_RADIUS) ** 2)
        self.softness = np.maximum(simulated_body.flesh_softness(body), belly)
        self.pull = (2 * np.pi * STIFFEST_HERTZ * (SOFTEST_HERTZ / STIFFEST_HERTZ) ** self.softness)[:, None] ** 2
        edges = np.concatenate([body.triangles[:, [0, 1]], body.triangles[:, [1, 2]], body.triangles[:, [2, 0]]])
        graph = sparse.coo_matrix((np.ones(len(edges)), edges.T), shape=(len(body.vertices),) * 2).tocsr()
        graph = graph + graph.T
        self.mean_of_neighbours = sparse.diags(1 / np.asarray(graph.sum(axis=1)).ravel()) @ graph
        trunk = [name.startswith(("root", "pelvis", "spine")) for name in body.bone_names]
        self.pressed = np.flatnonzero(body.weights @ np.array(trunk, float) > 0.7)

    def start(self, skinned):
        """Begin at rest on a skinned surface (V, 3)."""
        self.offset, self.speed = np.zeros_like(skinned), np.zeros_like(skinned)
        self.skinned = [skinned, skinned]

    def step(self, skinned, turns, centres, radii, time_step):
        """Swing on to the next skinned surface (V, 3), whose vertices have turned (V, 3, 3), pressed by spheres (S, 3)."""
        before, last = self.skinned
        acceleration = (skinned - 2 * last + before) / time_step**2
        self.skinned = [last, skinned]
        stretch = (self.offset**2).sum(axis=1, keepdims=True) / STRETCH**2
        force = -self.pull * (1 + 3 * stretch) * self.offset - 2 * DAMPING_RATIO * np.sqrt(self.pull) * self.speed
        tension = (2 * np.pi * TENSION_HERTZ) ** 2 * self.softness[:, None]
        force += 40 * tension * (self.mean_of_neighbours @ self.offset - self.offset)
        force += GRAVITY - turns @ GRAVITY - acceleration
        offset = self.offset + time_step * (self.speed + time_step * force)
        place = (skinned + offset)[self.pressed]
        away = place[:, None] - centres
        distance = np.linalg.norm(away, axis=2, keepdims=True)
        offset[self.pressed] += (away / distance * np.maximum(radii[:, None] - distance, 0)).sum(axis=1)
        self.speed = (offset - self.offset) / time_step
        self.offset = offset


class Character:
    """A body in one of the takes: what is skinned, the joints and what a scanner would see, frame by frame."""

    substeps = 1

    def __init__(self, seed):
        self.simulated = SimulatedBody("low", seed)
        self.body, self.seed = self.simulated.body, seed
        self.triangles = self.body.triangles

    def transforms(self, take, frames):
        """Return bone transforms (T, J, 3, 4), positions (T, J, 3) and rotation vectors (T, J, 3) at all substeps."""
        rate = FRAME_RATE * self.substeps
        rotations, hops, way = pose_take(take, self.body, frames * self.substeps, rate, self.seed)
        turns, positions = simulated_body.pose_skeleton(self.body, rotations, hops, rate)
        positions[:, :, [0, 2]] += way[:, None]
        return simulated_body.skinning_transforms(self.body, turns, positions), positions, rotations

    def bulged(self, rotations, step):
        """Return the rest mesh (V, 3) with its detail and its muscles as they are at a step."""
        bent = {
            name: simulated_body.flexion(self.body, rotations[[step]], name)[0] for name, _ in self.simulated.bulges
        }
        bump = self.simulated.detail + sum(bent[name] * height for name, height in self.simulated.bulges)
        return self.body.vertices + bump[:, None] * self.simulated.rest_normals

    def skin(self, transforms):
        """Return the skinned mesh (V, 3) under bone transforms (J, 3, 4)."""
        return simulated_body.linear_blend_skinning(self.body, self.body.vertices, transforms)

    def scanned(self, rotations, transforms, step):
        """Return the scan (V, 3) at a step, without soft tissue."""
        return simulated_body.dual_quaternion_skinning(self.body, self.bulged(rotations, step), transforms[step])


class SampleBody(Character):
    """The sample body, with its own soft tissue."""

    substeps = simulated_body.OVERSAMPLING
    tissue = 1.0

    def frames(self, take, frames):
        """Yield skinned mesh (V, 3), joints (J, 3) and scan (V, 3) of every frame of a take, metres."""
        transforms, positions, rotations = self.transforms(take, frames)
        response = self.simulated.tissue.respond(transforms, 1 / (FRAME_RATE * self.substeps))
        tracked = self.tracked(transforms, positions, take)
        for step in range(0, len(transforms), self.substeps):
            normals = vertex_normals(self.skin(transforms[step]), self.triangles)
            tissue = self.tissue * self.simulated.tissue.displacement(response[step], normals)
            yield self.skin(tracked[step]), positions[step], self.scanned(rotations, transforms, step) + tissue

    def tracked(self, transforms, positions, take):
        """Return the bone transforms (T, J, 3, 4) that the skinned mesh is made with."""
        return transforms


class StiffBody(SampleBody):
    """A body with little soft tissue, on a skeleton that is off."""

    tissue = 0.3

    def tracked(self, transforms, positions, take):
        """Return the bone transforms (T, J, 3, 4), each turned about its joint and shifted, as the take has it."""
        steps, bones = transforms.shape[:2]
        random = np.random.default_rng([self.seed, *take.encode()])
        width = DRIFT_SECONDS * FRAME_RATE * self.substeps / 2
        noise = random.normal(size=(steps + 8 * round(width), bones, 6))
        drift = gaussian_filter1d(noise, width, axis=0)[4 * round(width) :][:steps] * np.sqrt(
            2 * width * np.sqrt(np.pi)
        )
        off = 0.5 * random.normal(size=(bones, 6)) + drift
        turns = Rotation.from_rotvec(np.radians(OFF_DEGREES) * off[..., :3].reshape(-1, 3)).as_matrix()
        turns = turns.reshape(steps, bones, 3, 3)
        tracked = turns @ transforms
        tracked[..., 3] += positions - np.einsum("tjab,tjb->tja", turns, positions) + OFF_METRES * off[..., 3:]
        return tracked


class LongEars(Character):
    """A body with a belly, ears and a tail, simulated with contact."""

    substeps = SUBSTEPS

    def __init__(self, seed):
        super().__init__(seed)
        body = self.body
        self.appendages = [Appendage(body, *each) for each in APPENDAGES]
        self.flesh = Flesh(body)
        starts = np.cumsum([len(body.vertices), *(len(each.vertices) for each in self.appendages)])
        extra = [start + each.faces for start, each in zip(starts, self.appendages, strict=False)]
        self.triangles = np.concatenate([body.triangles, *extra])

    def skinned(self, transforms):
        """Return the whole skinned mesh (W, 3), ears and tail stiff."""
        stiff = [
            each.vertices @ transforms[each.bone, :, :3].T + transforms[each.bone, :, 3] for each in self.appendages
        ]
        return np.concatenate([self.skin(transforms), *stiff])

    def spheres(self, names, positions):
        """Return centres (S, 3) and radii (S,) of spheres about joints whose names start in some way."""
        chosen = [
            (bone, names[n]) for bone, each in enumerate(self.body.bone_names) for n in names if each.startswith(n)
        ]
        bones, radii = zip(*chosen, strict=True)
        return positions[list(bones)], np.array(radii)

    def frames(self, take, frames):
        """Yield skinned mesh (W, 3), joints (J, 3) and scan (W, 3) of every frame of a take, metres."""
        transforms, positions, rotations = self.transforms(take, frames)
        time_step = 1 / (FRAME_RATE * self.substeps)
        self.flesh.start(self.skin(transforms[0]))
        for each in self.appendages:
            each.start(transforms[0, each.bone])
        for step, bones in enumerate(transforms):
            turns = np.einsum("vj,jab->vab", self.body.weights, bones[..., :3])
            self.flesh.step(self.skin(bones), turns, *self.spheres(PRESSING, positions[step]), time_step)
            for each in self.appendages:
                each.step(bones[each.bone], *self.spheres(OBSTACLES, positions[step]), time_step)
            if step % self.substeps == 0:
                flesh = self.scanned(rotations, transforms, step) + self.flesh.offset
                scan = np.concatenate([flesh, *(each.surface() for each in self.appendages)])
                yield self.skinned(bones), positions[step], scan


CHARACTERS = {"sample body": SampleBody, "long ears": LongEars, "stiff body": StiffBody}
