"""What export_morphs.py refuses, and what its table says."""

import re

import numpy as np
import pytest
from bar import RATE, Bar
from tube import tube_surface_with_joints, untrained_model

from data.formats.gltf_reading import animated_character
from data.input_error import InputError
from utils.predicting import morph_export
from utils.predicting.morph_export import ONNX_NAME, check_characters, check_free, shapes_of, table_of_counts
from utils.predicting.principal_shapes import PrincipalShapes

RANDOM = np.random.default_rng(0)


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path):
    check_free(tmp_path / "new", overwrite=False)
    (tmp_path / "walk.glb").touch()
    with pytest.raises(InputError, match=r"holds something else than morph targets, expected another --output_dir"):
        check_free(tmp_path, overwrite=True)  # somebody's character
    (tmp_path / ONNX_NAME).touch()
    check_free(tmp_path, overwrite=True)
    with pytest.raises(InputError, match=r"holds morph targets already, expected another --output_dir, or --overwrite"):
        check_free(tmp_path, overwrite=False)
    (tmp_path / "notes.txt").touch()
    with pytest.raises(InputError, match=r"holds something else"):
        check_free(tmp_path, overwrite=True)


def test_characters_that_do_not_belong_together(tmp_path, monkeypatch):
    first, other, path = Bar(), Bar(), tmp_path / "1.pt"
    monkeypatch.setattr(morph_export, "FEWEST_FRAMES", 5)
    other.points = other.points + 0.01
    opened = [animated_character(each.write(tmp_path / f"{n}.glb"), RATE) for n, each in enumerate((first, other))]
    model = untrained_model(tube_surface_with_joints(0))
    check_characters(opened[:1], model, path)
    with pytest.raises(
        InputError, match=r"1\.glb: another character than .*0\.glb, expected animations of the same one"
    ):
        check_characters(opened, model, path)
    without = animated_character(Bar().write(tmp_path / "a.glb", lambda tree: tree["nodes"][4].pop("skin")), RATE)
    with pytest.raises(InputError, match=r"a\.glb: a mesh without a skin, expected one with joints"):
        check_characters([without], model, path)
    model = untrained_model(tube_surface_with_joints(0), units="cm")
    with pytest.raises(InputError, match=r"1\.pt: trained on cm, y up, expected m, y up, as all glTF files are"):
        check_characters(opened[:1], model, path)
    monkeypatch.undo()
    with pytest.raises(InputError, match=r"0\.glb: 5 frames in all, expected an animation of 16 or more"):
        check_characters(opened[:1], untrained_model(tube_surface_with_joints(0)), path)


def test_nothing_to_make_shapes_of(tmp_path):
    opened = animated_character(Bar().write(tmp_path / "bar.glb"), RATE)
    with pytest.raises(InputError, match=r"bar\.glb: the model corrects nothing of it, expected corrections"):
        shapes_of([opened], np.zeros((5, 28, 3), np.float32), 4)


def test_the_table_measures_in_world_space(tmp_path):
    """Eight shapes and a mean that make up all; weights from motion that are off in the last one; a helper that stretches."""
    opened = animated_character(Bar().write(tmp_path / "bar.glb"), RATE)
    mean, shapes = RANDOM.normal(size=(28, 3)).astype(np.float32), RANDOM.normal(size=(8, 28, 3)).astype(np.float32)
    weights = RANDOM.normal(size=(5, 8))

    def in_world(weights):
        there = mean + np.tensordot(weights, shapes[: weights.shape[1]], axes=1)
        axes = np.stack([opened.to_world(frame)[..., :3] for frame in range(5)])
        return np.einsum("tvab,tvb->tva", axes, there)

    whole, guessed = in_world(weights), weights.copy()
    guessed[:, 7] *= 0.9
    table = table_of_counts([opened], whole.astype(np.float32), PrincipalShapes(mean, shapes, weights), guessed)
    rows = [[float(each) for each in re.findall(r"[\d.]+", line)] for line in table.splitlines()[1:]]
    assert [row[0] for row in rows] == [8, 9]  # the mean is one
    for row, count in zip(rows, (7, 8), strict=True):
        left = [np.linalg.norm(whole - in_world(some[:, :count]), axis=2).mean() for some in (weights, guessed)]
        np.testing.assert_allclose(row[1:3], 100 * np.array(left) / np.linalg.norm(whole, axis=2).mean(), atol=0.06)
    assert rows[1][1] == 0 < rows[1][2] < rows[0][1]
