import os
import signal

import numpy as np
import pytest
import torch
from tube import assert_equal_weights

from data.input_error import InputError
from data.sequences.mesh_windows import split_windows
from utils.fitting import linear_fit, sampling
from utils.fitting import trainer as trainer_module
from utils.fitting.epoch_end import draw_epoch
from utils.fitting.losses import reconstruction
from utils.fitting.progress import TrainingOptions
from utils.fitting.sampling import SHUFFLED_VERTICES
from utils.fitting.trainer import Trainer
from utils.runs.checkpoint import build_model, load_checkpoint
from utils.runs.run_folders import TrainingRun, new_timestamp
from utils.runs.stopping import Interrupted
from utils.showing import rendering


@pytest.fixture
def make_trainer(make_model, make_tube_sequence, tmp_path, monkeypatch):
    """A function that returns a trainer of short epochs; `checkpoint` is one to go on from."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sampling, "STEPS_PER_EPOCH", 6)
    monkeypatch.setattr(linear_fit, "FOLDS", 2)  # choosing among many takes longer than these epochs,
    monkeypatch.setattr(trainer_module, "draw_epoch", lambda *_: None)  # and so do pictures

    def make(checkpoint=None, loss=reconstruction, num_inference_meshes=2, world=False, **changed):
        options = TrainingOptions(
            num_epochs=4,
            learning_rate=1e-2,
            mini_batch_size=250,
            num_frames=5,
            num_inference_meshes=num_inference_meshes,
            epoch_save_interval=1,
            seed=0,
        )
        for name, value in changed.items():
            setattr(options, name, value)
        design = {"coordinates": "world", "num_embeddings": 0} if world else {}
        model, stored = make_model(num_condition_frames=3, **design), None
        run = TrainingRun("tube", new_timestamp("tube"), {})
        if checkpoint:
            stored = load_checkpoint(checkpoint)
            model = build_model(stored, checkpoint)
            run = TrainingRun("tube", stored["timestamp"], {"data": []})
        frames = split_windows([make_tube_sequence(12)], 3, num_inference_meshes)
        return Trainer(model, *frames, SHUFFLED_VERTICES, loss, run, torch.device("cpu"), options, stored)

    return make


def weights(path):
    return load_checkpoint(path)["model"]


def test_training_beats_the_skinned_mesh(make_trainer, monkeypatch):
    monkeypatch.setattr(sampling, "STEPS_PER_EPOCH", 100)
    trainer = make_trainer(num_epochs=2)
    trainer.fit()
    last = trainer.progress.history[-1]
    assert last["losses/held_out_mm"] < 0.5 * last["losses/held_out_skinned_mm"]
    assert last["losses/training_reconstruction_mm"] < trainer.progress.history[0]["losses/training_reconstruction_mm"]


def test_what_was_trained_on_is_not_held_out_later(make_trainer):
    first = make_trainer(num_inference_meshes=2, num_epochs=1)
    first.fit()
    with pytest.raises(InputError, match="--num_inference_meshes: found 3, expected at most 2 as in the checkpoint"):
        make_trainer(checkpoint=first.run.checkpoint(1), num_inference_meshes=3, num_epochs=2)
    second = make_trainer(checkpoint=first.run.checkpoint(1), num_inference_meshes=0, num_epochs=2)
    second.fit()
    assert len((second.run.logs / "metrics.csv").read_text().splitlines()) == 3
    assert second.run.checkpoint(2).exists()


def test_going_on_equals_never_having_stopped(make_trainer):
    whole = make_trainer()
    whole.fit()
    resumed = make_trainer(checkpoint=whole.run.checkpoint(2))
    # the run's later checkpoints are written again, by the resumed run
    expected = weights(whole.run.checkpoint(4))
    whole.run.checkpoint(4).unlink()
    resumed.fit()
    assert_equal_weights(weights(resumed.run.checkpoint(4)), expected)
    untimed = [
        [{name: value for name, value in row.items() if not name.startswith("time")} for row in each.progress.history]
        for each in (whole, resumed)
    ]
    assert untimed[0] == untimed[1]


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_inside_an_epoch_and_gone_on_with(make_trainer, signal_number):
    whole = make_trainer()
    whole.fit()
    calls = []

    def interrupted_loss(model, samples):
        calls.append(1)
        if len(calls) == 9:
            os.kill(os.getpid(), signal_number)
        return reconstruction(model, samples)

    before = signal.getsignal(signal_number)
    stopped = make_trainer(loss=interrupted_loss)
    with pytest.raises(Interrupted, match="--load_saved_model") as caught:
        stopped.fit()
    assert caught.value.exit_code == 128 + signal_number
    assert signal.getsignal(signal_number) == before
    path = stopped.run.checkpoint(1, 3)
    assert path.name == "1_3.pt"
    assert path.exists()
    resumed = make_trainer(checkpoint=path)
    resumed.fit()
    assert_equal_weights(weights(resumed.run.checkpoint(4)), weights(whole.run.checkpoint(4)))
    with pytest.raises(InputError, match="--mini_batch_size: found 99, expected 250"):
        make_trainer(checkpoint=path, mini_batch_size=99)


def test_seed_decides(make_trainer):
    trainers = []
    for seed in (0, 0, 1):
        trainers.append(make_trainer(num_epochs=1, seed=seed))
        trainers[-1].fit()
    same, again, other = (weights(trainer.run.checkpoint(1)) for trainer in trainers)
    assert_equal_weights(same, again)
    assert not torch.equal(same["encoder.first.weight"], other["encoder.first.weight"])


def test_a_run_that_is_over_says_so(make_trainer):
    trainer = make_trainer(num_epochs=1)
    trainer.fit()
    with pytest.raises(InputError, match="--num_epochs: found 1, expected more than the 1 trained"):
        make_trainer(checkpoint=trainer.run.checkpoint(1), num_epochs=1)


def test_a_loss_gone_wrong_stops_the_run(make_trainer):
    calls = []

    def exploding_loss(model, samples):
        calls.append(1)
        factor = float("nan") if len(calls) > 8 else 1.0
        return {name: factor * loss for name, loss in reconstruction(model, samples).items()}

    trainer = make_trainer(loss=exploding_loss)
    with pytest.raises(InputError, match=r"became infinite by epoch 2, step 3; the last good checkpoint is .*1\.pt"):
        trainer.fit()
    assert [path.name for path in trainer.run.checkpoint(1).parent.iterdir()] == ["1.pt"]
    for value in weights(trainer.run.checkpoint(1)).values():
        assert torch.isfinite(value.float()).all()


def test_what_a_run_leaves_behind(make_trainer, tmp_path, monkeypatch):
    monkeypatch.setattr(trainer_module, "draw_epoch", draw_epoch)
    monkeypatch.setattr(rendering, "SAMPLES_PER_SIDE", 1)
    trainer = make_trainer(num_epochs=5, epoch_save_interval=2)
    trainer.fit()
    stamp = trainer.run.timestamp
    assert sorted(path.name for path in (tmp_path / "saved_model/tube" / stamp).iterdir()) == ["2.pt", "4.pt", "5.pt"]
    assert (tmp_path / "loss_curves/tube" / f"{stamp}.png").exists()
    lines = (tmp_path / "logs/tube" / stamp / "metrics.csv").read_text().splitlines()
    assert lines[0].startswith("epoch,losses/training_reconstruction_mm,losses/held_out_mm,losses/held_out_skinned_mm")
    assert len(lines) == 6
    assert "epoch 5/5: training" in (tmp_path / "logs/tube" / stamp / "log.txt").read_text()
    assert list((tmp_path / "logs/tube" / stamp).glob("events.*"))


def test_nothing_held_out(make_trainer):
    trainer = make_trainer(num_epochs=1, num_inference_meshes=0)
    trainer.fit()
    assert "losses/held_out_mm" not in trainer.progress.history[0]


def test_first_design_trains(make_trainer):
    trainer = make_trainer(num_epochs=1, world=True)
    trainer.fit()
    assert np.isfinite(trainer.progress.history[0]["losses/training_reconstruction_mm"])


@pytest.mark.parametrize(("num_inference_meshes", "num_shown"), [(2, 56), (0, 60)])
def test_the_network_is_not_shown_the_frames_that_it_is_judged_by(
    make_trainer, make_tube_sequence, monkeypatch, num_inference_meshes, num_shown
):
    trainer = make_trainer(num_epochs=1, num_inference_meshes=num_inference_meshes)
    sequence = make_tube_sequence(60)
    trainer.training, trainer.held_out = split_windows([sequence], 3, num_inference_meshes)
    fitted, judged = [], []
    real_fit, real_measure = trainer_module.fit_linear_part, trainer_module.measure_epoch
    monkeypatch.setattr(trainer_module, "fit_linear_part", lambda *given: fitted.append(given[1]) or real_fit(*given))
    monkeypatch.setattr(trainer_module, "measure_epoch", lambda *given: judged.append(given[2]) or real_measure(*given))
    trainer.fit()
    assert len(fitted[0]) == 60 - num_inference_meshes
    assert len(trainer.samples.windows) == num_shown
    ((kept_back, share_fitted),) = judged
    assert kept_back.entries[:, 1].tolist() == list(range(num_shown, 60 - num_inference_meshes))
    assert 0 < share_fitted < 0.9
