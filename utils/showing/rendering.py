"""Pictures of meshes without a display: rays cast by Embree, shaded with NumPy."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from models.model_settings import UP_AXES

SAMPLES_PER_SIDE = 2  # rays per pixel and side: anti-aliasing
CLAY = (0.78, 0.76, 0.74)


@dataclass
class Camera:
    """An orthographic camera: `axes` (3, 3), rows right, up and towards the viewer; `centre` (3,) and `size` in mesh units."""

    axes: ndarray
    centre: ndarray
    size: tuple[float, float]  # width, height
    pixels: tuple[int, int]  # width, height


def camera_axes(up_axis: str, turn: float) -> Float[ndarray, "3 3"]:
    """Return the axes of an upright camera, turned by `turn` degrees about the up axis."""
    up = np.roll(np.eye(3), UP_AXES[up_axis] - 1, axis=1)  # rows: right, up, viewer for a body that faces along row 2
    cosine, sine = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    return np.array([[cosine, 0, -sine], [0, 1, 0], [sine, 0, cosine]]) @ up


def pixels_of(size: Float[ndarray, "2"], longest: int) -> tuple[int, int]:
    """Return width and height in pixels, of a picture whose longer side has `longest`."""
    width, height = np.maximum(1, np.round(longest * size / size.max())).astype(int).tolist()
    return width, height


def turning_cameras(vertices: Float[ndarray, "*K V 3"], up_axis: str, longest: int, count: int) -> list[Camera]:
    """Return `count` cameras of one size, once around all `vertices`, of `longest` pixels along the longer side."""
    points = vertices.reshape(-1, 3).astype(float)
    points = points[~np.isnan(points).any(axis=1)]
    centre = 0.5 * (points.min(axis=0) + points.max(axis=0))
    right, up, viewer = camera_axes(up_axis, 0.0) @ (points - centre).T
    size = 2.08 * np.array([np.hypot(right, viewer).max(), np.abs(up).max()]) + 1e-9 * max(1.0, np.abs(points).max())
    size = np.maximum(size, size[::-1] / 4)
    turns = np.linspace(0, 360, count, endpoint=False)
    pixels = pixels_of(size, longest)
    return [Camera(camera_axes(up_axis, turn), centre, (size[0], size[1]), pixels) for turn in turns]


def frame_camera(
    vertices: Float[ndarray, "*K V 3"], up_axis: str = "y", turn: float = 25.0, longest: int = 640
) -> Camera:
    """Return a camera that sees all `vertices`, upright, turned by `turn` degrees about the up axis.

    The longer side of its pictures has `longest` pixels.
    """
    axes = camera_axes(up_axis, turn)
    seen = vertices.reshape(-1, 3).astype(float) @ axes.T
    seen = seen[~np.isnan(seen).any(axis=1)]
    low, high = seen.min(axis=0), seen.max(axis=0)
    size = (high - low)[:2] * 1.04 + 1e-9 * max(1.0, float(np.abs(seen).max()))
    size[1] = max(size[1], size[0] / 4)  # a lying body still gets a picture that is not a thread
    size[0] = max(size[0], size[1] / 4)
    return Camera(axes, axes.T @ (0.5 * (low + high)), (size[0], size[1]), pixels_of(size, longest))


@dataclass
class Hits:
    """Where the rays of a picture met the mesh: the rays that did (K,), the corners of the triangle that each met and its
    weights between them (K, 3), and the brightness there (K, 1)."""

    rays: Int[ndarray, " K"]
    corners: Int[ndarray, "K 3"]
    weights: Float[ndarray, "K 3"]
    brightness: Float[ndarray, "K 1"]


def cast_rays(vertices: Float[ndarray, "V 3"], faces: Int[ndarray, "F 3"], camera: Camera) -> Hits:
    """Return what the camera sees of a smooth-shaded mesh; where its vertices are no numbers there is a hole."""
    import trimesh  # by itself half a second of every script's start

    # in camera axes every ray runs along -z; scaled to the picture, so that Embree's float32 is fine at any distance
    local = (vertices.astype(float) - camera.centre) @ camera.axes.T / camera.size[1]
    unknown = np.isnan(local).any(axis=1)
    if unknown.any():
        local, faces = np.where(unknown[:, None], 0, local), faces[~unknown[faces].any(axis=1)]
    mesh = trimesh.Trimesh(local, faces, process=False)
    width, height = (SAMPLES_PER_SIDE * count for count in camera.pixels)
    aspect = camera.size[0] / camera.size[1]
    x = ((np.arange(width) + 0.5) / width - 0.5) * aspect
    y = 0.5 - (np.arange(height) + 0.5) / height
    origins = np.stack(np.broadcast_arrays(x[None, :], y[:, None], local[:, 2].max() + 1.0), axis=2).reshape(-1, 3)
    directions = np.broadcast_to([0.0, 0.0, -1.0], origins.shape)
    triangle = mesh.ray.intersects_first(origins, directions)
    rays = np.flatnonzero(triangle >= 0)
    corners = np.asarray(mesh.faces[triangle[rays]])
    weights = barycentric(origins[rays, :2], local[corners, :2])
    normals = (weights[:, :, None] * mesh.vertex_normals[corners]).sum(axis=1)
    return Hits(rays, corners, weights, shade(normals))


def paint(hits: Hits, camera: Camera, colors: Float[ndarray, "V 3"] | None = None) -> Float[ndarray, "height width 4"]:
    """Return the RGBA picture (height, width, 4), values 0 to 1, of what the rays met; the colour of clay where there are no
    `colors`."""
    width, height = (SAMPLES_PER_SIDE * count for count in camera.pixels)
    surface = np.array(CLAY) if colors is None else (hits.weights[:, :, None] * colors[hits.corners]).sum(axis=1)
    picture = np.zeros((height * width, 4))
    picture[hits.rays, :3] = hits.brightness * surface
    picture[hits.rays, 3] = 1
    samples = picture.reshape(camera.pixels[1], SAMPLES_PER_SIDE, camera.pixels[0], SAMPLES_PER_SIDE, 4)
    alpha = samples[..., 3:].mean(axis=(1, 3))
    rgb = samples[..., :3].mean(axis=(1, 3)) / np.maximum(alpha, 1e-9)
    return np.clip(np.concatenate([rgb, alpha], axis=2), 0, 1)


def render_mesh(
    vertices: Float[ndarray, "V 3"],
    faces: Int[ndarray, "F 3"],
    camera: Camera,
    colors: Float[ndarray, "V 3"] | None = None,
) -> Float[ndarray, "height width 4"]:
    """Return an RGBA picture (height, width, 4), values 0 to 1, of a smooth-shaded mesh; clay where there are no `colors`."""
    return paint(cast_rays(vertices, faces, camera), camera, colors)


def barycentric(points: Float[ndarray, "K 2"], corners: Float[ndarray, "K 3 2"]) -> Float[ndarray, "K 3"]:
    """Return barycentric weights (K, 3) of points inside triangles of the picture plane."""
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    offset = points - corners[:, 0]
    area = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
    area = np.where(np.abs(area) < 1e-15, 1e-15, area)
    one = (offset[:, 0] * second[:, 1] - offset[:, 1] * second[:, 0]) / area
    two = (first[:, 0] * offset[:, 1] - first[:, 1] * offset[:, 0]) / area
    return np.clip(np.stack([1 - one - two, one, two], axis=1), 0, 1)


def shade(normals: Float[ndarray, "K 3"]) -> Float[ndarray, "K 1"]:
    """Return brightness (K, 1) under a soft key light from the upper left, a fill light and light from all around."""
    normals = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    key = np.array([-0.45, 0.6, 0.66])
    fill = np.array([0.7, 0.1, 0.7])
    brightness = 0.34 + 0.62 * np.clip(normals @ key, 0, 1) + 0.16 * np.clip(normals @ fill, 0, 1)
    return brightness[:, None]
