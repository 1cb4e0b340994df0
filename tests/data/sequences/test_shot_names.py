from pathlib import Path

import numpy as np
import pytest

from data.sequences.shot_names import clip_name, names_of_sources, shot_name


@pytest.fixture
def named(make_tube_sequence):
    def make(source, frame_name, number):
        sequence = make_tube_sequence(1)
        sequence.name, sequence.frame_names, sequence.frame_numbers = (
            str(Path(source)),
            [frame_name],
            np.array([number]),
        )
        return sequence

    return make


@pytest.mark.parametrize(
    ("source", "frame", "number", "clip", "shot"),
    [
        ("geo_test/dyna_sbs/obj", "dyna_sbs.00001", 1, "dyna_sbs", "dyna_sbs"),
        ("skin/shotA", "body.0012", 12, "body", "shotA_body"),
        ("skin/shotA/usdc.usdc", "usdc.00001", 1, "usdc", "shotA_usdc"),
        ("take.npz", "take.00003", 3, "take", "take"),
        ("skin", "body.0003_v002", 3, "body_v002", "skin_body_v002"),
        ("skin", "body -008", -8, "body", "skin_body"),
        ("skin", "0007", 7, "meshes", "skin_meshes"),
        ("my shots/take 2", "a b.1", 1, "a b", "take_2_a_b"),
    ],
)
def test_names(named, source, frame, number, clip, shot):
    sequence = named(source, frame, number)
    assert (clip_name(sequence), shot_name(sequence)) == (clip, shot)


def test_no_two_sources_have_the_same_name(named):
    one, other = named("a/shot/obj", "body.1", 1), named("b/shot/obj", "body.1", 1)
    assert names_of_sources([one]) == {"a/shot/obj": "body"}
    assert names_of_sources([one, other, one]) == {"a/shot/obj": "shot_body", "b/shot/obj": "shot_body_2"}
