"""Bones between joints; what else is on the stage is looked at in test_browser.py."""

import numpy as np
from tube import tube_joints

from utils.showing.stage import find_bones


def test_bones_follow_a_chain_of_joints():
    joints = tube_joints(8)[:, [2, 0, 4, 1, 3]]
    chain = {frozenset(pair) for pair in ((1, 3), (3, 0), (0, 4), (4, 2))}
    assert {frozenset(pair) for pair in find_bones(joints).tolist()} == chain


def test_bones_between_joints_at_one_place():
    assert len(find_bones(np.zeros((2, 3, 3)))) == 2
