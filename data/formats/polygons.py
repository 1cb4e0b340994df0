"""How the vertices of a mesh are connected, and whether another mesh is connected in the same way."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32, Int, Int64
from numpy import ndarray

from data.input_error import InputError


@dataclass
class Polygons:
    """Faces of any number of corners: `sizes` (P,), and `corners` (C,), vertex indices from 0, one polygon after the other.

    Texture coordinates (U, 2), where there are any, have an index for every corner too, `texture_corners` (C,).
    """

    sizes: Int64[ndarray, " P"] = field(default_factory=lambda: np.empty(0, np.int64))
    corners: Int64[ndarray, " C"] = field(default_factory=lambda: np.empty(0, np.int64))
    texture: Float32[ndarray, "U 2"] = field(default_factory=lambda: np.empty((0, 2), np.float32))
    texture_corners: Int64[ndarray, " _"] = field(default_factory=lambda: np.empty(0, np.int64))

    @classmethod
    def from_rows(cls, rows: Int[ndarray, "P K"]) -> "Polygons":
        """Return polygons given as rows of vertex indices (P, K), shorter ones filled up with -1."""
        filled = rows >= 0
        return cls(filled.sum(axis=1), rows[filled].astype(np.int64))

    def to_rows(self, corners: Int64[ndarray, " C"]) -> Int64[ndarray, "P K"]:
        """Return one of the corners' indices as rows (P, K), one for each polygon, shorter ones filled up with -1."""
        filled = np.arange(self.sizes.max(initial=0)) < self.sizes[:, None]
        rows = np.full(filled.shape, -1, dtype=np.int64)
        rows[filled] = corners
        return rows

    def turned_over(self) -> "Polygons":
        """Return the polygons with their corners in the opposite order: seen from behind."""
        ends = np.cumsum(self.sizes)
        reverse = np.repeat(ends - self.sizes + ends - 1, self.sizes) - np.arange(len(self.corners))
        textured = len(self.texture_corners) == len(reverse)
        texture_corners = self.texture_corners[reverse] if textured else self.texture_corners
        return Polygons(self.sizes, self.corners[reverse], self.texture, texture_corners)

    def triangles(self) -> Int64[ndarray, "F 3"]:
        """Return the polygons cut into triangles (F, 3), each a fan from its first corner."""
        starts = np.cumsum(self.sizes) - self.sizes
        fans = np.repeat(np.arange(len(self.sizes)), self.sizes - 2)
        step = np.arange(len(fans)) - np.repeat(np.cumsum(self.sizes - 2) - (self.sizes - 2), self.sizes - 2)
        first = starts[fans]
        return np.stack([self.corners[first], self.corners[first + step + 1], self.corners[first + step + 2]], axis=1)

    def are_like(self, other: "Polygons") -> bool:
        """Say whether two meshes have the same faces, or the same triangles where one format had to cut the polygons."""
        if np.array_equal(self.sizes, other.sizes):
            return np.array_equal(self.corners, other.corners)
        return np.array_equal(self.triangles(), other.triangles())


def checked_polygons(polygons: Polygons, num_vertices: int, path: Path) -> Polygons:
    """Return polygons as they are; raise `InputError`, naming `path`, for a face of fewer than three corners, or an index that
    is no vertex.

    Texture coordinates that do not match the corners are left out.
    """
    small = np.flatnonzero(polygons.sizes < 3)
    if len(small):
        raise InputError(f"{path}: face {small[0]} has {polygons.sizes[small[0]]} corners, expected three or more")
    outside = polygons.corners[(polygons.corners < 0) | (polygons.corners >= num_vertices)]
    if len(outside) or polygons.sizes.sum() != len(polygons.corners):
        found = f"a corner at vertex {outside[0]}" if len(outside) else f"{len(polygons.corners)} corners"
        raise InputError(f"{path}: found {found}, expected faces of the {num_vertices} vertices")
    textured = polygons.texture_corners
    fits = len(textured) == len(polygons.corners) and ((textured >= 0) & (textured < len(polygons.texture))).all()
    return polygons if fits else Polygons(polygons.sizes, polygons.corners)


Reader = Callable[[Path], tuple[Float[ndarray, "V 3"], Polygons]]


@dataclass
class KnownTopology:
    """One frame's file, which the files of the other frames are compared with."""

    path: Path
    polygons: Polygons
    num_vertices: int
    read: Reader

    @classmethod
    def of(cls, read: Reader, path: Path) -> "KnownTopology":
        """Read the file that others are compared with; raise `InputError` as `read` does."""
        vertices, polygons = read(path)
        return cls(path, polygons, len(vertices), read)

    def positions_of(self, path: Path) -> Float[ndarray, "V 3"]:
        """Return the positions (V, 3) of another file; raise `InputError` where its topology is not that of this one."""
        vertices, polygons = self.read(path)
        self.check_count(path, len(vertices))
        if not polygons.are_like(self.polygons):
            raise InputError(f"{path}: other faces than {self.path}, expected the same topology in every frame")
        return vertices

    def check_count(self, path: Path, num_vertices: int) -> None:
        """Raise `InputError` where another file has another number of vertices."""
        if num_vertices != self.num_vertices:
            hint = "; Draco joins vertices in one place where it may reorder them (in DracoPy: preserve_order=True)"
            raise InputError(
                f"{path}: {num_vertices} vertices, expected {self.num_vertices} as in {self.path}"
                f"{hint if path.suffix.lower() == '.drc' else ''}"
            )
