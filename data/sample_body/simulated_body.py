"""The sample body: skinned meshes of a posed human body, and what a scanner might have seen of the same frames.

The skinned mesh is linear-blend skinning. The simulated scan differs from it as skin does:

* dual-quaternion skinning keeps the volume of bent and twisted joints (Kavan et al. 2008, "Geometric skinning with
  approximate dual quaternion blending");
* muscles bulge with the flexion of their joint (a Gaussian bump on the rest surface along its normal);
* the scan has detail of its own: band-limited noise along the normal, the same in every frame;
* soft tissue is a damped elastic surface: every vertex is tied to its skinned position by a spring (soft where the bone
  lies deep, stiff on hands, feet and skull) and to its neighbours by surface tension (cotangent Laplacian), and is driven
  by the acceleration of the skinned surface and by gravity's change against the rest pose. The linear system is integrated
  in its vibration modes (Pentland and Williams 1989, "Good vibrations"), oversampled, so that a frame depends on
  earlier ones; displacements are then limited smoothly, inward ones more than outward ones.

All positions are metres, y up; the ground is y = 0.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import robust_laplacian
import scipy.sparse as sparse
import trimesh
from scipy.ndimage import gaussian_filter1d
from scipy.sparse.linalg import eigsh, splu
from scipy.spatial.transform import Rotation

RESOLUTIONS = ("low", "medium", "high")
GRAVITY = np.array([0.0, -9.81, 0.0])
OVERSAMPLING = 4
NUM_MODES = 120
SOFTEST_HERTZ, STIFFEST_HERTZ = 4.5, 16.0
DAMPING_RATIO = 0.4
TENSION_LENGTH = 0.04
DISPLACEMENT_LIMIT = 0.03
DETAIL_RMS = 0.0006
HARD = ("head", "eye", "neck03", "wrist", "finger", "metacarpal", "foot", "toe")  # bone lies under the skin
RIBS = ("spine01", "spine02", "clavicle", "shoulder")

# joint whose flexion drives it, bone on which it lies, how far along that bone, direction outward, radius, height at 90 degrees
MUSCLES = [
    ("lowerarm01.L", ("upperarm01.L", "lowerarm01.L"), 0.55, (0.2, 0.3, 1.0), 0.045, 0.009),
    ("upperarm01.L", ("upperarm01.L", "lowerarm01.L"), 0.05, (1.0, 0.8, 0.0), 0.05, 0.007),
    ("upperarm01.L", ("spine02", "upperarm01.L"), 0.55, (0.1, 0.0, 1.0), 0.07, 0.007),
    ("lowerleg01.L", ("upperleg01.L", "lowerleg01.L"), 0.6, (0.0, 0.0, 1.0), 0.08, 0.010),
    ("lowerleg01.L", ("upperleg01.L", "lowerleg01.L"), 0.65, (0.0, 0.0, -1.0), 0.07, 0.008),
    ("foot.L", ("lowerleg01.L", "foot.L"), 0.3, (0.1, 0.0, -1.0), 0.05, 0.008),
    ("upperleg01.L", ("spine05", "upperleg01.L"), 0.9, (0.3, 0.0, -1.0), 0.08, 0.010),
    ("spine03", ("spine05", "spine03"), 0.5, (0.0, 0.0, 1.0), 0.10, 0.012),
]


@dataclass
class Body:
    """Rest mesh (V, 3), its polygons (P, 3 or 4) and triangles (F, 3), dense skinning weights (V, J), bones."""

    vertices: np.ndarray
    polygons: np.ndarray
    triangles: np.ndarray
    weights: np.ndarray
    bone_heads: np.ndarray
    bone_parents: np.ndarray
    bone_names: list[str]


def load_body(resolution):
    """Return the baked body: `low` 3,008 vertices, `medium` 13,718 (its own quads), `high` 54,848 (subdivided once)."""
    with np.load(Path(__file__).with_name("body.npz")) as baked:
        stored = "medium" if resolution == "high" else resolution
        vertices = baked[f"{stored}_vertices"].astype(float)
        polygons = baked[f"{stored}_faces"]
        weights = np.zeros((len(vertices), len(baked["bone_names"])))
        np.put_along_axis(weights, baked[f"{stored}_weight_bones"].astype(int), baked[f"{stored}_weights"], axis=1)
        bones = baked["bone_heads"].astype(float), baked["bone_parents"], list(baked["bone_names"])
    triangles = polygons
    if polygons.shape[1] == 4:
        triangles = np.concatenate([polygons[:, [0, 1, 2]], polygons[:, [0, 2, 3]]])
    if resolution == "high":
        vertices, triangles, attributes = trimesh.remesh.subdivide(
            vertices, triangles, vertex_attributes={"weights": weights}
        )
        polygons, weights = triangles, attributes["weights"]
    return Body(vertices, polygons, triangles, weights, *bones)


def pose_skeleton(body, rotation_vectors, hops, frame_rate):
    """Return world rotations (T, J, 3, 3) and positions (T, J, 3) of the bones, the lowest foot on the ground plus `hops`."""
    frames, joints = rotation_vectors.shape[:2]
    local = Rotation.from_rotvec(rotation_vectors.reshape(-1, 3)).as_matrix().reshape(frames, joints, 3, 3)
    rotations, positions = np.empty_like(local), np.empty((frames, joints, 3))
    for joint, parent in enumerate(body.bone_parents):
        if parent < 0:
            rotations[:, joint], positions[:, joint] = local[:, joint], body.bone_heads[joint]
        else:
            rotations[:, joint] = rotations[:, parent] @ local[:, joint]
            offset = body.bone_heads[joint] - body.bone_heads[parent]
            positions[:, joint] = positions[:, parent] + rotations[:, parent] @ offset
    feet = [index for index, name in enumerate(body.bone_names) if name.startswith(("foot", "toe"))]
    lowest = (positions[:, feet, 1] - body.bone_heads[feet, 1]).min(axis=1)
    positions[:, :, 1] += (hops - gaussian_filter1d(lowest, 0.03 * frame_rate))[:, None]
    return rotations, positions


def skinning_transforms(body, rotations, positions):
    """Return (T, J, 3, 4) matrices that carry rest positions along with each bone."""
    shift = positions - np.einsum("tjab,jb->tja", rotations, body.bone_heads)
    return np.concatenate([rotations, shift[..., None]], axis=3)


def linear_blend_skinning(body, vertices, transforms):
    """Return `vertices` (V, 3) of the rest pose, carried by one frame's bone transforms (J, 3, 4), as (V, 3)."""
    blended = np.tensordot(body.weights, transforms, axes=1)
    return np.einsum("vab,vb->va", blended[:, :, :3], vertices) + blended[:, :, 3]


def dual_quaternion_skinning(body, vertices, transforms):
    """As `linear_blend_skinning`, blending unit dual quaternions in place of matrices (Kavan et al. 2008, algorithm 1)."""
    real = Rotation.from_matrix(transforms[:, :, :3]).as_quat()  # (J, 4), x y z w
    # antipodal quaternions are the same rotation: bring each bone to the side of its strongest neighbour, the trunk
    real *= np.where(real @ real[0] < 0, -1.0, 1.0)[:, None]
    shift = transforms[:, :, 3]
    dual = 0.5 * np.concatenate(
        [real[:, 3:] * shift + np.cross(shift, real[:, :3]), -(shift * real[:, :3]).sum(1, keepdims=True)], axis=1
    )
    real, dual = body.weights @ real, body.weights @ dual
    length = np.linalg.norm(real, axis=1, keepdims=True)
    real, dual = real / length, dual / length
    axis, scalar = real[:, :3], real[:, 3:]
    turned = vertices + 2 * np.cross(axis, np.cross(axis, vertices) + scalar * vertices)
    return turned + 2 * (scalar * dual[:, :3] - dual[:, 3:] * axis + np.cross(axis, dual[:, :3]))


def flexion(body, rotation_vectors, name):
    """Return how far joint `name` is bent in every frame, in right angles, (T,)."""
    return np.linalg.norm(rotation_vectors[:, body.bone_names.index(name)], axis=1) / (0.5 * np.pi)


def muscle_bulges(body, normals):
    """Return the driving joint and the bump height (V,) at one right angle, of each muscle of both sides."""
    bone = {name: index for index, name in enumerate(body.bone_names)}
    bulges = []
    for driver, (start, end), along, direction, radius, height in MUSCLES:
        for side in (1, -1) if ".L" in driver else (1,):
            names = [name if side == 1 else name.replace(".L", ".R") for name in (driver, start, end)]
            outward = np.array(direction) * [side, 1, 1] / np.linalg.norm(direction)
            head, tail = body.bone_heads[bone[names[1]]], body.bone_heads[bone[names[2]]]
            on_bone = head + along * (tail - head)
            # the bump sits where the surface lies farthest out within a radius of the ray from the bone
            offset = body.vertices - on_bone
            depth = offset @ outward
            aside = np.linalg.norm(offset - depth[:, None] * outward, axis=1)
            near = (aside < 0.5 * radius) & (depth > 0) & (depth < 0.25)
            centre = on_bone + outward * (depth[near].max() if near.any() else 0.05)
            distance = np.linalg.norm(body.vertices - centre, axis=1)
            facing = np.clip(normals @ outward, 0, 1)
            bulges.append((names[0], height * facing * np.exp(-0.5 * (distance / radius) ** 2)))
    return bulges


def flesh_softness(body):
    """Return 0 (bone under the skin, head, hands, feet) to 1 (deep flesh) for each vertex, (V,)."""
    nearest = np.full(len(body.vertices), np.inf)
    for joint, parent in enumerate(body.bone_parents):
        if parent < 0:
            continue
        head, tail = body.bone_heads[parent], body.bone_heads[joint]
        axis = tail - head
        along = np.clip((body.vertices - head) @ axis / max(axis @ axis, 1e-12), 0, 1)
        nearest = np.minimum(nearest, np.linalg.norm(body.vertices - head - along[:, None] * axis, axis=1))
    ramp = np.clip((nearest - 0.02) / 0.09, 0, 1)
    hard = [1.0 if name.startswith(HARD) else 0.5 if name.startswith(RIBS) else 0.0 for name in body.bone_names]
    return ramp**2 * (3 - 2 * ramp) * (1 - body.weights @ np.array(hard))


class SoftTissue:
    """Vibration modes of the elastic surface and their response to the motion of the skinned surface."""

    def __init__(self, body, laplacian, mass):
        self.body = body
        self.softness = flesh_softness(body)
        hertz = STIFFEST_HERTZ * (SOFTEST_HERTZ / STIFFEST_HERTZ) ** self.softness
        spring = (2 * np.pi * hertz) ** 2
        tension = (2 * np.pi * SOFTEST_HERTZ * TENSION_LENGTH) ** 2
        stiffness = sparse.diags(spring * mass) + tension * laplacian
        start = np.ones(len(mass))  # the solver's starting vector: fixed, so that the same data come out every time
        squares, self.modes = eigsh(stiffness.tocsc(), NUM_MODES, sparse.diags(mass).tocsc(), sigma=0, v0=start)
        self.frequencies = np.sqrt(squares)  # (K,) radians per second
        # a bone's share in the mean of rest position (and of 1) under each mode: projections are linear in the bones
        weighted = self.modes * mass[:, None]
        homogeneous = np.concatenate([body.vertices, np.ones((len(mass), 1))], axis=1)
        self.projection = np.einsum("vk,vj,va->kja", weighted, body.weights, homogeneous, optimize=True)

    def respond(self, transforms, time_step):
        """Return displacements in modal coordinates (T, K, 3), for bone transforms (T, J, 3, 4) every `time_step` seconds."""
        position = np.einsum("kja,tjba->tkb", self.projection, transforms, optimize=True)
        acceleration = np.gradient(np.gradient(position, time_step, axis=0), time_step, axis=0)
        turned = np.einsum("kj,tjab,b->tka", self.projection[:, :, 3], transforms[..., :3], GRAVITY, optimize=True)
        force = self.projection[:, :, 3].sum(axis=1)[:, None] * GRAVITY - turned - acceleration
        decay = DAMPING_RATIO * self.frequencies
        damped = self.frequencies * np.sqrt(1 - DAMPING_RATIO**2)
        # exact step of a damped oscillator under a force held constant for one step
        shrink, cosine, sine = np.exp(-decay * time_step), np.cos(damped * time_step), np.sin(damped * time_step)
        keep = (shrink * (cosine + decay / damped * sine))[:, None]
        carry = (shrink * sine / damped)[:, None]
        pull = (-shrink * self.frequencies**2 * sine / damped)[:, None]
        slow = (shrink * (cosine - decay / damped * sine))[:, None]
        stiffness = (self.frequencies**2)[:, None]
        offset, speed = force[0] / stiffness, np.zeros_like(force[0])
        response = np.empty_like(force)
        for step, now in enumerate(force):
            response[step] = offset
            equilibrium = now / stiffness
            from_rest = offset - equilibrium
            offset, speed = equilibrium + keep * from_rest + carry * speed, pull * from_rest + slow * speed
        return response

    def displacement(self, response, normals):
        """Return displacements (V, 3) of one frame, metres, from modal coordinates (K, 3) and vertex normals (V, 3)."""
        moved = self.modes @ response
        inward = np.minimum((moved * normals).sum(axis=1), 0)
        moved -= 0.4 * inward[:, None] * normals
        length = np.linalg.norm(moved, axis=1, keepdims=True) + 1e-12
        return moved * (DISPLACEMENT_LIMIT / length * np.tanh(length / DISPLACEMENT_LIMIT))


def vertex_normals(vertices, triangles):
    """Return area-weighted unit vertex normals (V, 3)."""
    corner = vertices[triangles]
    face_normals = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    normals = np.stack(
        [np.bincount(triangles.ravel(), np.repeat(face_normals[:, axis], 3), len(vertices)) for axis in range(3)],
        axis=1,
    )
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)


def surface_detail(laplacian, mass, seed):
    """Return band-limited noise (V,), metres: features between about one and four centimetres."""
    noise = np.random.default_rng(seed).normal(size=len(mass))
    matrix = sparse.diags(mass)
    smooth = [splu((matrix + length**2 * laplacian).tocsc()).solve(noise * mass) for length in (0.005, 0.02)]
    band = smooth[0] - smooth[1]
    return DETAIL_RMS * band / np.sqrt(np.mean(band**2))


class SimulatedBody:
    """A body with its soft tissue, muscles and scan detail, ready to be moved."""

    def __init__(self, resolution, seed):
        self.body = load_body(resolution)
        laplacian, mass_matrix = robust_laplacian.mesh_laplacian(self.body.vertices, self.body.triangles)
        mass = mass_matrix.diagonal()
        self.rest_normals = vertex_normals(self.body.vertices, self.body.triangles)
        self.bulges = muscle_bulges(self.body, self.rest_normals)
        self.detail = surface_detail(laplacian, mass, seed)
        self.tissue = SoftTissue(self.body, laplacian, mass)

    def skeleton(self, rotation_vectors, hops, frame_rate):
        """Return rotations (T, J, 3, 3) and positions (T, J, 3) of the bones at `frame_rate`, from poses as `frames` takes."""
        dense = pose_skeleton(self.body, rotation_vectors, hops, frame_rate * OVERSAMPLING)
        return [each[::OVERSAMPLING] for each in dense]

    def frames(self, rotation_vectors, hops, frame_rate):
        """Yield (skinned (V, 3), joints (J, 3), scan (V, 3)) at `frame_rate`, from poses OVERSAMPLING times as dense."""
        rotations, positions = pose_skeleton(self.body, rotation_vectors, hops, frame_rate * OVERSAMPLING)
        transforms = skinning_transforms(self.body, rotations, positions)
        response = self.tissue.respond(transforms, 1 / (frame_rate * OVERSAMPLING))
        flexions = [flexion(self.body, rotation_vectors, joint) for joint, _ in self.bulges]
        for step in range(0, len(transforms), OVERSAMPLING):
            bump = self.detail + sum(
                bent[step] * height for bent, (_, height) in zip(flexions, self.bulges, strict=True)
            )
            skinned = linear_blend_skinning(self.body, self.body.vertices, transforms[step])
            normals = vertex_normals(skinned, self.body.triangles)
            raised = self.body.vertices + bump[:, None] * self.rest_normals
            scan = dual_quaternion_skinning(self.body, raised, transforms[step])
            yield skinned, positions[step], scan + self.tissue.displacement(response[step], normals)
