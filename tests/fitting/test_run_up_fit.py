"""How sequences begin: what answers motion by memory tells which guess of what came before is right."""

import numpy as np
import pytest
import torch
from tube import tube_frames, tube_triangles, untrained_model
from tube import tube_surface_with_joints as surface_of

from data.formats.polygons import Polygons
from data.sequences.mesh_sequence import MeshSequence
from data.sequences.mesh_windows import all_windows
from models.oscillators import HISTORY, oscillator_states
from utils.fitting.linear_fit import set_scales
from utils.fitting.run_up_fit import choose_run_up
from utils.predicting.prediction import spread

CPU = torch.device("cpu")


def take(seed, before, num_frames=90):
    """A tube that is carried about, whose scan swings along, as an oscillator of its own says; what was before its first frame
    it remembers, or stood still in it."""
    random = np.random.default_rng(seed)
    waves = random.uniform(0.15, 0.3, (3, 3)) * np.arange(num_frames + HISTORY)[:, None, None]
    path = 0.3 * np.sin(waves + random.uniform(0, 6, (3, 3))).sum(axis=2)
    if before == "still":
        path[:HISTORY] = path[HISTORY]
    states = [
        oscillator_states(torch.from_numpy(path[end - HISTORY + 1 : end + 1])[None, :, None], (12.0,))[0, 0, 0].numpy()
        for end in range(HISTORY, num_frames + HISTORY)
    ]
    skinned = (tube_frames(1)[0] + path[HISTORY:, None]).astype(np.float32)
    scan = skinned + np.array(states, np.float32)[:, None]
    numbers = np.arange(num_frames)
    polygons = Polygons.from_rows(tube_triangles())
    return MeshSequence(f"take {seed}", numbers, [], [f"{n}" for n in numbers], polygons, skinned, scan)


@pytest.mark.parametrize(("before", "expected"), [("motion", "fading"), ("still", "still")])
def test_the_data_say_how_their_sequences_begin(before, expected):
    windows = all_windows([take(seed, before) for seed in range(4)], 3)
    model = untrained_model(surface_of(0), num_condition_frames=3)
    with torch.no_grad():
        scales = set_scales(model, windows, spread(len(windows), 48), CPU)
        assert choose_run_up(model, windows, *scales, CPU) == expected


def test_where_too_few_frames_tell_it_is_the_first_guess():
    for num_frames, window in ((40, 3), (90, 1)):
        model = untrained_model(surface_of(0), num_condition_frames=window)
        windows, count = all_windows([take(0, "still", num_frames)], window), len(model.feature_mean)
        assert choose_run_up(model, windows, torch.zeros(72, count), torch.ones(count), CPU) == "fading"
