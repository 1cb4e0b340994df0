"""What the viewer shows in three dimensions: meshes in their places, heat maps, edges, joints, the vertex that was clicked."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import trimesh
from jaxtyping import Float, Float32, Int
from numpy import ndarray
from scipy.sparse.csgraph import minimum_spanning_tree

from utils.predicting.metrics import mean_of_known
from utils.showing.colored_mesh import ColoredMesh
from utils.showing.plots import error_colors
from utils.showing.rendering import camera_axes

COLORS = {
    "skinned": (168, 178, 190),
    "predicted": (210, 188, 158),
    "target": (158, 188, 165),
    "blend": (188, 168, 200),
}
GLASS = 0.35  # opacity of the skinned mesh around its joints
MARKED, JOINT, BONE, EDGE = (220, 30, 90), (200, 60, 60), (40, 40, 40), (70, 70, 70)
PLANES = {"x": "yz", "y": "xz", "z": "xy"}
FIELD_OF_VIEW = 0.5  # radians

Vertices = Float32[ndarray, "V 3"]
Values = Float32[ndarray, " V"]


def find_bones(joints: Float[ndarray, "K J 3"]) -> Int[ndarray, "B 2"]:
    """Return the pairs of joints that a bone goes between: the tree of joints whose distances are short and change least."""
    distances = np.linalg.norm(joints[:, :, None] - joints[:, None], axis=-1)
    weights = distances.mean(axis=0) + 10 * distances.std(axis=0)
    weights = 1 + 1e6 * weights / max(float(weights.max()), 1e-30)  # a zero would be no edge
    tree = minimum_spanning_tree(weights).tocoo()
    return np.stack([tree.row, tree.col], axis=1)


def name_with_mean(name: str, values: dict[str, Values], trust: Values | None = None) -> str:
    """Return the name of a mesh, with the mean of its values (mm) where it has some, weighted where that is given."""
    return f"{name}: {mean_of_known(values[name], trust):.2f} mm" if name in values else name


@dataclass
class Look:
    """How a frame is shown: side by side or overlaid, smooth or flat, with edges or without, and the vertex that is marked."""

    side_by_side: bool
    smooth: bool
    edges: bool
    highest: float  # mm: the end of the colour scale
    vertex: int | None


@dataclass
class Place:
    """Handles of all that can be shown of one mesh."""

    frame: Any  # what the others are relative to
    plain: Any
    colored: Any
    edges: Any
    mark: Any
    label: Any


class Stage:
    """A scene of a viser server with a place for each mesh. Everything is scaled to a size of two units."""

    def __init__(
        self,
        server: Any,
        names: list[str],
        skinned: Float32[ndarray, "K V 3"],
        joints: Float32[ndarray, "K J 3"] | None,
        faces: Int[ndarray, "F 3"],
        up_axis: str,
        aspect: float,
    ):
        """Make room for meshes of these names, and set up a camera that sees all of `skinned`; the window is `aspect` times as
        wide as high."""
        self.faces = faces
        self.right, self.up, towards = camera_axes(up_axis, 0.0)
        low, high = skinned.min(axis=(0, 1)), skinned.max(axis=(0, 1))
        self.zoom = 2 / max(float((high - low).max()), 1e-30)
        self.middle = 0.5 * (low + high) * self.zoom
        width, self.height = (float(np.abs(axis) @ (high - low)) * self.zoom for axis in (self.right, self.up))
        self.spacing = 1.15 * width + 0.1
        self.bones = None if joints is None else find_bones(joints)
        self.seen: dict[str, tuple[Vertices, ndarray]] = {}  # what is shown, and where its place is

        scene = server.scene
        scene.set_up_direction(tuple(self.up))
        scene.configure_default_lights(cast_shadow=False)
        columns = self.spacing * min(len(names), 3)  # one more is a step back
        distance = 0.55 * max(1.3 * self.height, columns / aspect) / np.tan(FIELD_OF_VIEW / 2)
        server.initial_camera.fov, server.initial_camera.up = FIELD_OF_VIEW, tuple(self.up)
        server.initial_camera.look_at = (0.0, 0.0, 0.0)
        server.initial_camera.position = tuple(distance * (towards + 0.12 * self.up))
        scene.add_grid(
            "/floor", columns + 2, 4.0, plane=PLANES[up_axis], position=tuple(-0.5 * self.height * self.up),
            cell_color=(228, 228, 228), section_color=(208, 208, 208),
        )  # fmt: skip
        self.glb = {smooth: ColoredMesh(faces, skinned.shape[1], smooth) for smooth in (True, False)}
        self.places = {name: self.add_place(scene, name, skinned[0]) for name in names}
        if self.bones is not None:
            none = np.zeros((len(self.bones), 2, 3), np.float32)
            self.bone_lines = scene.add_line_segments("/skeleton/bones", none, BONE, line_width=2.0)
            self.points = scene.add_point_cloud(
                "/skeleton/joints", none[:, 0], JOINT, point_size=0.012, point_shape="circle"
            )

    def add_place(self, scene: Any, name: str, vertices: Vertices) -> Place:
        """Add all that can be shown of one mesh."""
        colored = self.glb[True].glb(vertices, np.ones_like(vertices))
        above = self.middle + (0.5 * self.height + 0.05) * self.up
        return Place(
            frame=scene.add_frame(f"/{name}", show_axes=False),
            plain=scene.add_mesh_simple(f"/{name}/surface", vertices, self.faces, color=COLORS[name], side="double"),
            colored=scene.add_glb(f"/{name}/heat_map", colored, visible=False),
            edges=scene.add_mesh_simple(
                f"/{name}/edges", vertices, self.faces, color=EDGE, wireframe=True, opacity=0.4, visible=False
            ),
            mark=scene.add_icosphere(f"/{name}/vertex", radius=0.012, color=MARKED, visible=False),
            label=scene.add_label(f"/{name}/label", name, position=tuple(above), anchor="bottom-center"),
        )

    def show(
        self,
        meshes: dict[str, Vertices],
        values: dict[str, Values],
        labels: dict[str, str],
        joints: Float32[ndarray, "J 3"] | None,
        look: Look,
    ) -> None:
        """Show only these meshes, those with values (mm) as heat maps; with joints, the skinned mesh is transparent."""
        seen = {}
        for name, place in self.places.items():
            place.frame.visible = name in meshes
        for column, (name, vertices) in enumerate(meshes.items()):
            across = (column - 0.5 * (len(meshes) - 1)) * self.spacing if look.side_by_side else 0.0
            place, position = self.places[name], across * self.right - self.middle
            place.frame.position = position
            place.label.visible = look.side_by_side or column == 0
            place.label.text = labels[name] if look.side_by_side else " + ".join(meshes)
            scaled = vertices * np.float32(self.zoom)
            glass = joints is not None and name == "skinned"
            self.show_mesh(place, scaled, None if glass else values.get(name), look)
            seen[name] = scaled, position
        self.seen = seen  # at once: somebody may just be clicking
        if self.bones is not None:
            self.show_skeleton(joints if "skinned" in meshes else None)

    def show_mesh(self, place: Place, vertices: Vertices, values: Values | None, look: Look) -> None:
        """Show one mesh in its place."""
        place.plain.visible, place.colored.visible = values is None, values is not None
        place.edges.visible, place.mark.visible = look.edges, look.vertex is not None
        if values is None:
            place.plain.vertices, place.plain.flat_shading = vertices, not look.smooth
        else:
            place.colored.glb_data = self.glb[look.smooth].glb(vertices, error_colors(values, look.highest))
        if look.edges:
            place.edges.vertices = vertices
        if look.vertex is not None:
            place.mark.position = vertices[look.vertex]

    def show_skeleton(self, joints: Float32[ndarray, "J 3"] | None) -> None:
        """Show joints and bones inside the skinned mesh; none where there are no joints."""
        self.places["skinned"].plain.opacity = None if joints is None else GLASS
        self.points.visible = self.bone_lines.visible = joints is not None
        if joints is not None:
            _, position = self.seen["skinned"]
            self.points.points = points = (joints * self.zoom + position).astype(np.float32)
            self.bone_lines.points = points[self.bones]

    def pick(self, origin: tuple[float, ...], direction: tuple[float, ...]) -> int | None:
        """Return the vertex next to where a ray first meets a mesh; None where it meets none."""
        nearest, vertex = np.inf, None
        for vertices, place in self.seen.values():
            mesh = trimesh.Trimesh(vertices, self.faces, process=False)
            start = np.array([origin]) - place
            hits, _, triangles = mesh.ray.intersects_location(start, np.array([direction]), multiple_hits=False)
            if len(hits) and (distance := float(np.linalg.norm(hits[0] - start[0]))) < nearest:
                corners = self.faces[triangles[0]]
                nearest, vertex = distance, int(corners[np.linalg.norm(vertices[corners] - hits[0], axis=1).argmin()])
        return vertex
