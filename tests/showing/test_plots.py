import re
from dataclasses import asdict

import numpy as np
import pytest
from matplotlib import image
from matplotlib.colors import to_rgb
from tube import save_untrained

from data.input_error import InputError
from plot_loss_curves import main
from utils.fitting.progress import Progress
from utils.showing.plots import RUN_COLORS, UNKNOWN, draw_curves, end_of_scale, error_colors, grey_in, plot_loss_curves


def test_what_is_no_number_is_grey_and_does_not_stretch_the_scale():
    values = np.array([0.0, np.nan, 2.0])
    assert end_of_scale([values]) == pytest.approx(1.99)
    assert end_of_scale([np.full(3, np.nan)]) > 0
    assert error_colors(values, 2.0)[1].tolist() == list(UNKNOWN)
    assert grey_in([values[:1], values]) == "; grey: not observed"
    assert grey_in([values[:1], values[2:]]) == ""


def test_the_curve_is_a_picture_with_both_errors(tmp_path):
    path = tmp_path / "curves" / "run.png"
    history = [
        {"epoch": 1.0, "losses/training_reconstruction_mm": 0.5},
        {"epoch": 2.0, "losses/training_reconstruction_mm": 0.3},
    ]
    curves = {"reconstruction": [[0.5, 2.0], [1.0, 0.5], [1.5, 0.4], [2.0, 0.3]]}
    plot_loss_curves({"run": (curves, history)}, path)
    alone = image.imread(path)
    for row in history:
        row |= {"losses/held_out_mm": 0.4, "losses/held_out_skinned_mm": 2.0}
    plot_loss_curves({"run": (curves, history)}, path)
    both = image.imread(path)
    assert alone.shape == both.shape
    red = np.abs(both[..., :3] - np.array([0xCC, 0x66, 0x77]) / 255).max(axis=2) < 0.05
    assert red.sum() > 50
    assert list(path.parent.iterdir()) == [path]


def test_every_loss_is_drawn(tmp_path):
    history = [{"epoch": 1.0}]
    names, pictures = ("reconstruction", "smoothing", "size"), []
    for count in (2, 3):
        curves = {name: [[0.5, 1.0 + place], [1.0, 0.5 + place]] for place, name in enumerate(names[:count])}
        plot_loss_curves({"run": (curves, history)}, tmp_path / f"{count}.png")
        pictures.append(image.imread(tmp_path / f"{count}.png"))
    drawn = pictures[1][200:] != pictures[0][200:]  # below the legend
    assert drawn.sum() > 1000


@pytest.fixture
def write_run(tmp_path, make_model):
    """A function that writes the checkpoint of a run whose held-out error fell as given."""

    def write(model_type, held_out):
        history = [
            {"epoch": float(epoch), "losses/held_out_mm": error, "losses/held_out_skinned_mm": 2.0}
            for epoch, error in enumerate(held_out, 1)
        ]
        points = [[float(epoch), error / 2] for epoch, error in enumerate(held_out, 1)]
        curves = {"reconstruction": points} if points else {}
        path = tmp_path / "saved_model" / model_type / "2026-01-31_12-00-00" / "2.pt"
        progress = asdict(Progress(curves=curves, history=history))
        save_untrained(path, make_model(), model_type=model_type, timestamp=path.parent.name, progress=progress)
        return path.parent.parent

    return write


def test_runs_are_overlaid_each_in_its_colour(tmp_path, write_run, capsys):
    runs = [write_run("without_joints", [0.5, 0.3]), write_run("with_joints", [0.6, 0.2])]
    main([*map(str, runs), "-o", str(tmp_path / "runs.png")])
    assert capsys.readouterr().out == f"loss curves of 2 runs in {tmp_path / 'runs.png'}\n"
    picture = image.imread(tmp_path / "runs.png")[..., :3]
    for color in RUN_COLORS[:2]:
        assert (np.abs(picture - to_rgb(color)).max(axis=2) < 0.05).sum() > 50


def test_a_run_without_an_epoch_has_no_curve(tmp_path, write_run):
    with pytest.raises(InputError, match="stopped before the end of its first epoch"):
        main([str(write_run("without_joints", [])), "-o", str(tmp_path / "runs.png")])
    assert not (tmp_path / "runs.png").exists()


def test_curves_stop_at_gaps_and_go_on_in_order():
    numbers = np.array([11, 12, 1, 2, 3])
    curves = {("skinned", "mean"): np.array([1.0, 2.0, 4.0, np.nan, 8.0])}
    picture = draw_curves(numbers, curves, "error (mm)").decode()
    (line,) = re.findall(r'<path d="([^"]*)" clip-path[^>]*stroke-width: 1.3', picture)
    assert line.count("M") == 3  # frame 1, frame 3, frames 11 and 12
    assert line.count("L") == 1
