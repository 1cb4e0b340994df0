"""The training loop: every epoch is trained, measured, saved and drawn, and can be stopped and gone on with."""

import time
from collections.abc import Callable
from typing import Any, NoReturn

import torch
import torch.distributed as dist
from torch import Tensor, nn
from tqdm import tqdm

from data.sequences.descriptions import describe_sequences, describe_unobserved
from data.sequences.mesh_windows import MeshWindows, split_last
from models.mesh_autoencoder import MeshAutoencoder
from models.model_settings import UNITS_IN_MM
from utils.fitting.divergence import Divergence
from utils.fitting.epoch_end import describe_epoch, draw_epoch, measure_epoch
from utils.fitting.linear_fit import fit_linear_part
from utils.fitting.optimizer import make_optimizer, restore_optimizer, scheduled_learning_rate
from utils.fitting.progress import Progress, TrainingOptions, save_progress, stored_progress
from utils.fitting.sampling import Sampling, TrainingSamples
from utils.fitting.steps import Steps
from utils.predicting.model_inputs import Samples
from utils.runs.processes import check_alike, combine, in_parallel, rank
from utils.runs.run_folders import TrainingRun
from utils.runs.run_record import other_data
from utils.runs.stopping import Interrupted, stop_signals

KEPT_BACK = 0.05  # of the frames, the last of each sequence: the network is judged by them, and not shown them

Losses = Callable[[MeshAutoencoder, Samples], dict[str, Tensor]]


class WeightedLosses(nn.Module):
    """The losses of a model on samples, by name, weighted by this process' share of the samples in a step."""

    def __init__(self, model: MeshAutoencoder, losses: Losses):
        super().__init__()
        self.model, self.losses = model, losses

    def forward(self, samples: Samples) -> dict[str, Tensor]:
        """Return the weighted losses."""
        return {name: samples.weight * loss for name, loss in self.losses(self.model, samples).items()}


class Trainer:
    """One training run of a model: `fit` trains the epochs that are left, from the start or from a stored checkpoint.

    `sampling` says what a step is made of (`utils.fitting.sampling`). `losses` returns losses by name, in units of the model's
    `target_scale` (`utils.fitting.losses`); their sum is minimised. `stored` is a checkpoint to go on from: `InputError` is
    raised where it does not fit to `options`.
    """

    def __init__(
        self,
        model: MeshAutoencoder,
        training: MeshWindows,
        held_out: MeshWindows,
        sampling: Sampling,
        losses: Losses,
        run: TrainingRun,
        device: torch.device,
        options: TrainingOptions,
        stored: dict[str, Any] | None = None,
    ):
        self.model = model.to(device)
        self.training, self.held_out, self.sampling = training, held_out, sampling
        self.losses: nn.Module = WeightedLosses(model, losses)
        self.run, self.device, self.options = run, device, options
        self.units_in_mm = UNITS_IN_MM[model.settings.units]
        self.optimizer = make_optimizer(model, options.learning_rate)
        self.progress = Progress()
        self.divergence = Divergence(device)
        self.other_data: list[str] = []
        if stored is not None:
            restore_optimizer(self.optimizer, stored["optimizer"])
            self.progress = stored_progress(stored, options, run.record)
            self.other_data = other_data(stored["record"], run.record)

    def fit(self) -> None:
        """Train, measure, save and draw every epoch that is left.

        Raises `Interrupted`, with everything saved, after Ctrl-C or SIGTERM, and `InputError` where the loss is not finite.
        """
        progress, model = self.progress, self.model
        counts = (progress.epoch, progress.step, len(self.training), len(self.held_out), len(model.surface.vertices))
        check_alike("epochs, steps, training frames, held-out frames and vertices", counts)
        said = [*describe_sequences(self.training.sequences), *describe_unobserved(self.training)]
        for line in [*said, *self.other_data]:
            self.run.report(line)
        if progress.epoch == progress.step == 0:
            if choice := fit_linear_part(model, self.training, self.device):
                self.run.report(str(choice))
            self.optimizer = make_optimizer(model, self.options.learning_rate)  # the fit made the network anew
        self.steps = Steps(in_parallel(self.losses), self.optimizer)
        is_judged = len(self.held_out) and model.linear is not None
        shown, self.kept_back = split_last(self.training, KEPT_BACK if is_judged else 0.0)
        self.samples = TrainingSamples(self.sampling, model, shown, self.options, self.device)
        with stop_signals() as stop:
            while progress.epoch < self.options.num_epochs:
                started = time.monotonic()
                total_steps = self.train_epoch(stop)
                self.finish_epoch(time.monotonic() - started, total_steps)
        self.run.report(f"loss curve in {self.run.loss_curve}, logs in {self.run.logs}")

    def train_epoch(self, stop: list[int]) -> int:
        """Train the rest of the present epoch, or until a signal arrives in `stop`; return the steps of a whole epoch."""
        progress, options = self.progress, self.options
        blocks = self.samples.blocks_of_epoch(progress.epoch)
        total_steps = sum(block.num_steps for block in blocks)
        progress.check_step(total_steps)
        steps = self.samples.of_steps(blocks, progress.step)
        title = f"epoch {progress.epoch + 1}/{options.num_epochs}"
        with tqdm(total=total_steps, initial=progress.step, desc=title, unit="step", disable=rank() > 0) as bar:
            for samples in steps:
                if signal_number := int(combine(torch.tensor(max(stop, default=0)), dist.ReduceOp.MAX)):
                    self.stop(signal_number)
                self.train_step(samples, total_steps)
                if progress.point_is_due(total_steps):
                    bar.set_postfix_str(f"{self.add_point(total_steps):.3f} mm", refresh=False)
                bar.update()
        return total_steps

    def train_step(self, samples: Samples, total_steps: int) -> None:
        """Take one optimisation step, in an epoch of `total_steps`."""
        progress, options = self.progress, self.options
        step = progress.epoch * total_steps + progress.step
        learning_rate = scheduled_learning_rate(step, options.num_epochs * total_steps, options.learning_rate)
        losses, norm = self.steps.take(samples, learning_rate)
        progress.add_step(losses)
        self.divergence.look_at(torch.stack(list(losses.values())).sum() + norm)

    def add_point(self, total_steps: int) -> float:
        """Add a point to the training curves; return the reconstruction loss there, mm."""
        progress = self.progress
        self.divergence.stop_if_found(self.run, progress, self.options.learning_rate)
        added = progress.add_point(total_steps, float(self.model.target_scale), self.units_in_mm)
        for name, loss in added.items():
            self.run.add_point(f"losses/training_{name}_mm", loss, progress.epoch * total_steps + progress.step)
        return added["reconstruction"]

    def finish_epoch(self, seconds: float, total_steps: int) -> None:
        """Measure the held-out frames, save where the save interval says so, and write logs and pictures."""
        model, progress, options, measured = self.model, self.progress, self.options, (self.units_in_mm, self.device)
        kept_back = self.kept_back, 0.0 if model.leverage is None else model.leverage.share_fitted(len(self.training))
        metrics = measure_epoch(model, self.held_out, kept_back, progress, *measured) | {"time/epoch_seconds": seconds}
        line = describe_epoch(metrics, options.num_epochs, float(model.network_strength))
        progress.end_epoch(metrics)
        # first of all: where a disk is full, a picture must not cost the weights
        if progress.epoch % options.epoch_save_interval == 0 or progress.epoch == options.num_epochs:
            line += f", saved {save_progress(self.run, model, self.optimizer, options, progress)}"
        self.run.report(line)
        self.run.add_metrics(progress.history, progress.epoch * total_steps)
        is_last = progress.epoch == options.num_epochs
        draw_epoch(self.run, model, self.held_out, progress, *measured, progress.epoch * total_steps, is_last)

    def stop(self, signal_number: int) -> NoReturn:
        """Save, and raise `Interrupted` with how to go on."""
        self.divergence.stop_if_found(self.run, self.progress, self.options.learning_rate)
        path = save_progress(self.run, self.model, self.optimizer, self.options, self.progress)
        combine(torch.zeros(()))  # no process ends before the first one has saved: torchrun would end that, too
        message = "stopped; the same command with --load_saved_model goes on from here"
        self.run.report(f"saved {path}\n{message}")
        raise Interrupted(message, 128 + signal_number)
