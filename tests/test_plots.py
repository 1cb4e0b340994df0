import numpy as np
import trimesh
from matplotlib import image

from utils.plots import draw_comparison, plot_loss_curves


def test_the_curve_is_a_picture_with_both_errors(tmp_path):
    path = tmp_path / "curves" / "run.png"
    history = [
        {"epoch": 1.0, "losses/training_reconstruction_mm": 0.5},
        {"epoch": 2.0, "losses/training_reconstruction_mm": 0.3},
    ]
    curves = {"reconstruction": [[0.5, 2.0], [1.0, 0.5], [1.5, 0.4], [2.0, 0.3]]}
    plot_loss_curves(curves, history, path)
    alone = image.imread(path)
    for row in history:
        row |= {"losses/held_out_mm": 0.4, "losses/held_out_skinned_mm": 2.0}
    plot_loss_curves(curves, history, path)
    both = image.imread(path)
    assert alone.shape == both.shape
    red = np.abs(both[..., :3] - np.array([0xCC, 0x66, 0x77]) / 255).max(axis=2) < 0.05
    assert red.sum() > 50
    assert list(path.parent.iterdir()) == [path]


def test_errors_are_shown_in_colour(tmp_path):
    ball = trimesh.creation.icosphere(2)
    vertices, faces = np.array(ball.vertices), np.array(ball.faces)
    panels = {"plain": (vertices, None), "wrong above": (vertices, np.maximum(vertices[:, 1], 0) * 10)}
    draw_comparison(panels, faces, "y", "error (mm)", "a ball", tmp_path / "ball.png")
    picture = image.imread(tmp_path / "ball.png")[..., :3]
    dark_red = (picture[..., 0] > 0.3) & (picture[..., 1] < 0.15) & (picture[..., 2] < 0.3)
    left, right = dark_red[:, : picture.shape[1] // 3], dark_red[:, picture.shape[1] // 3 :]
    assert left.sum() == 0
    assert right.sum() > 500
