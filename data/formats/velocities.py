"""How fast vertices move, as caches keep it for motion blur."""

from collections.abc import Iterator

from jaxtyping import Float
from numpy import ndarray


def velocities(
    frame_numbers: list[int], vertices: Float[ndarray, "T V 3"], frame_rate: float
) -> Iterator[Float[ndarray, "V 3"]]:
    """Yield the velocities (V, 3) in each frame, units per second: from the frame before to the one after; zero of one frame
    alone."""
    last = len(vertices) - 1
    for frame in range(last + 1):
        before, after = max(frame - 1, 0), min(frame + 1, last)
        seconds = (frame_numbers[after] - frame_numbers[before]) / frame_rate
        yield (vertices[after] - vertices[before]) / (seconds or 1)
