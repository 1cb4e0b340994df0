"""Measuring beside the looking: anew when dials are turned, and what goes wrong is told."""

import time
from threading import Event

import numpy as np
import torch

from models.dials import AS_TRAINED
from utils.predicting.prediction import map_predictions
from utils.showing.clip import Clip, LivePredictions
from utils.showing.measuring import Measuring


def test_turning_dials_makes_predictions_anew(make_model, make_tube_sequence):
    model, sequence = make_model(random_output=True, num_condition_frames=3), make_tube_sequence(6)
    live = LivePredictions(model, sequence, torch.device("cpu"))
    clip = Clip(sequence, live, 1000.0)
    measuring = Measuring([clip], Event())
    with live.file:
        list(clip.measure_all())
        as_trained, skinned = clip.mean["predicted"].copy(), clip.mean["skinned"].copy()
        late = next(map_predictions(lambda frame: frame, model, live.windows, np.array([3]), torch.device("cpu")))
        measuring.turn(lambda before: before._replace(strength=0.0))
        assert not live.there.any()
        assert np.isnan(clip.mean["predicted"]).all()
        live.keep(late, turns=0)  # of a thread that began before
        np.testing.assert_array_equal(live[3], sequence.skinned[3])
        list(clip.measure_all())
        np.testing.assert_array_equal(clip.mean["predicted"], skinned)
        measuring.turn(lambda _: AS_TRAINED)
        list(clip.measure_all())
        np.testing.assert_array_equal(clip.mean["predicted"], as_trained)


def wait_for(condition):
    for _ in range(300):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError("waited in vain")


def test_all_frames_are_measured_and_again_after_a_turn(make_model, make_tube_sequence):
    model, sequence = make_model(random_output=True, num_condition_frames=3), make_tube_sequence(6)
    live = LivePredictions(model, sequence, torch.device("cpu"))
    clip = Clip(sequence, live, 1000.0)
    measuring = Measuring([clip], Event())
    measuring.start()
    wait_for(lambda: np.isfinite(clip.mean["predicted"]).all())
    assert (clip.mean["predicted"] != clip.mean["skinned"]).all()
    measuring.turn(lambda before: before._replace(strength=0.0))
    wait_for(lambda: np.isfinite(clip.mean["predicted"]).all())
    np.testing.assert_array_equal(clip.mean["predicted"], clip.mean["skinned"])
    live.file.close()  # a disk that is gone
    measuring.turn(lambda _: AS_TRAINED)
    wait_for(lambda: measuring.failure is not None)
