"""Flags of what is wanted of a trained model's answer."""

import argparse

import numpy as np
import pytest
from tube import tube_surface_with_joints, untrained_model

from data.input_error import InputError
from data.sequences.run_up import RunUp
from models.dials import AS_TRAINED
from utils.command_line.dial_arguments import turn_dials, windows_to_predict
from utils.command_line.flags import add_dial_arguments


def parse(*words):
    parser = argparse.ArgumentParser()
    add_dial_arguments(parser)
    return parser.parse_args(list(map(str, words)))


def test_nothing_given_is_as_trained(make_tube_sequence):
    model, args = untrained_model(tube_surface_with_joints(0), num_condition_frames=3), parse()
    turn_dials(args, model)
    assert model.dials == AS_TRAINED
    windows = windows_to_predict(args, [make_tube_sequence(5), make_tube_sequence(4)], model)
    assert len(windows) == 9
    assert windows.run_up == RunUp()


def test_dials_are_turned(tmp_path):
    np.save(tmp_path / "region.npy", np.full(72, 0.5))
    model = untrained_model(tube_surface_with_joints(0))
    flags = ["--strength", 1.5, "--dynamics", 0, "--steady", 3, "--region_strength", tmp_path / "region.npy"]
    turn_dials(parse(*flags), model)
    assert (model.dials.strength, model.dials.dynamics, model.dials.steady) == (1.5, 0.0, 3)
    assert (model.dials.region == 0.5).all()


def test_run_up_and_skipped_frames(make_tube_sequence):
    model = untrained_model(tube_surface_with_joints(0), num_condition_frames=3)
    sequences = [make_tube_sequence(5), make_tube_sequence(4)]
    windows = windows_to_predict(parse("--skip", 3, "--run_up", "rest", 20), sequences, model)
    assert windows.entries.tolist() == [[0, 3], [0, 4], [1, 3]]
    assert (windows.run_up.kind, windows.run_up.frames) == ("rest", 20)
    np.testing.assert_array_equal(windows.run_up.rest, model.surface.vertices)
    assert windows_to_predict(parse("--run_up", "still"), sequences, model).run_up == RunUp("still")
    with pytest.raises(InputError, match=r"a sequence of 4 frames \(from .*\), expected more than the 4 of --skip"):
        windows_to_predict(parse("--skip", 4), sequences, model)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--run_up", "rest"], "found rest, expected first, still, or rest and a number of frames"),
        (["--run_up", "rest", "0"], "found rest 0, expected first"),
        (["--run_up", "still", "5"], "found still 5, expected first"),
        (["--run_up", "walk"], "found walk, expected first"),
        (["--strength", "-1"], "found '-1', expected a number of at least 0"),
        (["--dynamics", "nan"], "found 'nan', expected a number of at least 0"),
        (["--steady", "1.5"], "found '1.5', expected a whole number of at least 0"),
    ],
)
def test_what_is_none(capsys, words, message):
    with pytest.raises(SystemExit) as ended:
        parse(*words)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err
