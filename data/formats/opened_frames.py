"""What is known of all frames of a folder or file before their positions are read."""

from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path

from jaxtyping import Float
from numpy import ndarray

from data.formats.polygons import Polygons


@dataclass
class OpenedFrames:
    """Frame numbers (T,), vertex count and polygons, and an iterator over positions (V, 3) to be read once, file units.

    Where nothing says the frames' numbers, they are `counted` from 1. `draws_in` are files beside the one that was opened,
    which it refers to. `names` are those of joints, where the file has some.
    """

    frame_numbers: list[int]
    num_vertices: int
    polygons: Polygons
    positions: Generator[Float[ndarray, "V 3"], None, None]
    counted: bool = False
    draws_in: list[Path] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
