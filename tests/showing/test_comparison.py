"""The picture of one frame: meshes side by side, coloured by error."""

import numpy as np
import trimesh
from matplotlib import image

from utils.showing.comparison import draw_comparison


def test_errors_are_shown_in_colour(tmp_path, monkeypatch):
    monkeypatch.setattr("utils.showing.rendering.SAMPLES_PER_SIDE", 1)
    ball = trimesh.creation.icosphere(2)
    vertices, faces = np.array(ball.vertices), np.array(ball.faces)
    panels = {"plain": (vertices, None), "wrong above": (vertices, np.maximum(vertices[:, 1], 0) * 10)}
    draw_comparison(panels, faces, "y", "error (mm)", "a ball", tmp_path / "ball.png")
    picture = image.imread(tmp_path / "ball.png")[..., :3]
    dark_red = (picture[..., 0] > 0.3) & (picture[..., 1] < 0.15) & (picture[..., 2] < 0.3)
    left, right = dark_red[:, : picture.shape[1] // 3], dark_red[:, picture.shape[1] // 3 :]
    assert left.sum() == 0
    assert right.sum() > 500
