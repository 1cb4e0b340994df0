"""The curves and the counts of a training run."""

import pytest
import torch

from data.input_error import InputError
from utils.fitting.progress import POINTS_PER_EPOCH, Progress, TrainingOptions, stored_progress

RECORD = {"data": []}
OPTIONS = TrainingOptions(
    num_epochs=3,
    learning_rate=0.01,
    mini_batch_size=100,
    num_frames=5,
    num_inference_meshes=2,
    epoch_save_interval=1,
    seed=0,
)


@pytest.mark.parametrize("total_steps", [7, POINTS_PER_EPOCH, 90, 397])
def test_points_of_a_curve_are_means_of_the_steps_since_the_last(total_steps):
    progress, ends = Progress(epoch=2), []
    losses = torch.rand(total_steps, dtype=torch.float64)
    for loss in losses:
        progress.add_step({"reconstruction": loss})
        if progress.point_is_due(total_steps):
            ends.append(progress.step)
            progress.add_point(total_steps, target_scale=2.0, units_in_mm=10.0)
    assert len(ends) == min(total_steps, POINTS_PER_EPOCH)
    assert ends[-1] == total_steps
    for start, end, (place, value) in zip([0, *ends], ends, progress.curves["reconstruction"], strict=False):
        assert place == pytest.approx(2 + end / total_steps)
        assert value == pytest.approx(20 * float(losses[start:end].mean()))


def test_an_epoch_ends_with_its_metrics():
    progress = Progress(epoch=1, step=8)
    progress.check_step(9)
    with pytest.raises(InputError, match="found 8 steps of an epoch, expected fewer than 8"):
        progress.check_step(8)
    progress.end_epoch({"epoch": 2.0})
    assert (progress.epoch, progress.step, progress.history) == (2, 0, [{"epoch": 2.0}])


def test_inside_an_epoch_the_batches_have_to_be_the_same():
    for step, changed in ((0, {"seed": 4}), (5, {})):
        stored = {"progress": vars(Progress(epoch=1, step=step)), "options": vars(OPTIONS) | changed, "record": RECORD}
        assert stored_progress(stored, OPTIONS, RECORD).step == step
    stored = {"progress": vars(Progress(epoch=1, step=5)), "options": vars(OPTIONS) | {"seed": 4}}
    with pytest.raises(InputError, match="--seed: found 0, expected 4 as when the run was stopped inside an epoch"):
        stored_progress(stored, OPTIONS, RECORD)
    with pytest.raises(InputError, match="--num_epochs: found 3, expected more than the 3 trained"):
        stored_progress({"progress": vars(Progress(epoch=3))}, OPTIONS, RECORD)
