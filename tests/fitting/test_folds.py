import numpy as np

from utils.fitting.folds import UNLIKE_FOLDS, unlike_folds


def test_kinds_of_motion_are_kept_out_together():
    """Five poses that come back again and again, two of them alike: wherever they are in the sequence, they share a fold."""
    random = np.random.default_rng(0)
    poses = np.repeat(random.integers(0, 5, 20), 6)
    centres = 10 * random.normal(size=(5, 30))
    centres[4] = centres[3] + 0.5
    folds = unlike_folds(centres[poses] + 0.1 * random.normal(size=(120, 30)), np.zeros(120, int))
    assert len(np.unique(folds)) == UNLIKE_FOLDS
    for pose in range(5):
        assert len(np.unique(folds[poses == pose])) == 1
    assert np.unique(folds[poses == 3]) == np.unique(folds[poses == 4])


def test_several_sequences_are_folds():
    sequences = np.repeat([3, 5, 8, 9, 11], 7)
    folds = unlike_folds(np.zeros((35, 2)), sequences)
    assert len(np.unique(folds)) == UNLIKE_FOLDS
    for sequence in (3, 5, 8, 9, 11):
        assert len(np.unique(folds[sequences == sequence])) == 1


def test_few_frames_and_frames_that_are_all_the_same():
    for length in (1, 3, 5, 20):
        folds = unlike_folds(np.zeros((length, 4)), np.zeros(length, int))
        assert folds.shape == (length,)
        assert folds.min() >= 0
        assert folds.max() < UNLIKE_FOLDS
