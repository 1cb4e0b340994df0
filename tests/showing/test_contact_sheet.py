"""The picture of chosen frames."""

import numpy as np
import pytest
import torch
from matplotlib import image
from tube import filled

from data.sequences.mesh_windows import all_windows
from utils.showing import contact_sheet
from utils.showing.contact_sheet import draw_contact_sheet


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("count", [1, 13])
def test_a_picture_for_each_frame_up_to_a_limit(make_model, make_tube_sequence, tmp_path, monkeypatch, known, count):
    monkeypatch.setattr(contact_sheet, "MOST_PICTURES", 11)
    model = filled(make_model(num_condition_frames=3))
    windows = all_windows([make_tube_sequence(20)], 3)
    draw_contact_sheet(tmp_path / "frames.png", model, windows, list(range(count)), known, torch.device("cpu"))
    picture = image.imread(tmp_path / "frames.png")[..., :3]
    colored = np.ptp(picture, axis=2) > 0.2
    assert colored.any() == known
    clay = (np.ptp(picture, axis=2) < 0.1) & (picture.mean(axis=2) < 0.9)
    assert clay.sum() > 300
    assert picture.shape[1] == 150 * min(count, 10)
